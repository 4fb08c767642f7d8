//! D1, D2 and C5: which items nobody downstream could use, and that exactly these are taken out.

use millrace_wire::field::push_delimited;
use millrace_wire::{Signal, Summary, count, reject_invalid, validate};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use proptest::prelude::*;
use prost::Message;

use crate::accept::{any_seed, any_signal};
use crate::generate::{request, wild_request};
use crate::oracle::items;

fn span() -> Span {
    Span {
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        name: "work".to_owned(),
        ..Span::default()
    }
}

fn traces(spans: Vec<Span>) -> Vec<u8> {
    let scope = ScopeSpans {
        spans,
        ..ScopeSpans::default()
    };
    let resource = ResourceSpans {
        scope_spans: vec![scope],
        ..ResourceSpans::default()
    };
    ExportTraceServiceRequest {
        resource_spans: vec![resource],
    }
    .encode_to_vec()
}

pub(crate) fn enclosed(number: u32, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    push_delimited(&mut out, number, content);
    out
}

/// How many of these items are invalid, and the message of the partial success.
pub(crate) fn verdict(signal: Signal, request: &[u8]) -> (usize, String) {
    let summary = validate(signal, request).unwrap();
    let rejected = reject_invalid(signal, request);
    assert_eq!(rejected.rejected, summary.invalid);
    assert_eq!(
        count(signal, &rejected.request),
        summary.items - summary.invalid
    );
    assert_eq!(validate(signal, &rejected.request).unwrap().invalid, 0);
    (summary.invalid, rejected.message)
}

#[track_caller]
fn span_is_invalid(span: Span, because: &str) {
    let (invalid, message) = verdict(Signal::Traces, &traces(vec![span]));
    assert_eq!(invalid, 1);
    assert!(message.contains(because), "{message}");
}

#[test]
fn d1_a_span_needs_a_trace_id_of_16_bytes_that_are_not_all_zero() {
    for trace_id in [
        vec![],
        vec![0; 16],
        vec![1; 15],
        vec![1; 17],
        vec![1; 8],
        vec![1; 32],
    ] {
        span_is_invalid(Span { trace_id, ..span() }, "trace_id must be 16 bytes");
    }
    for byte in 0..16 {
        let mut trace_id = vec![0; 16];
        trace_id[byte] = 1;
        assert_eq!(
            verdict(Signal::Traces, &traces(vec![Span { trace_id, ..span() }])).0,
            0
        );
    }
}

#[test]
fn d1_a_span_needs_a_span_id_of_8_bytes_that_are_not_all_zero() {
    for span_id in [vec![], vec![0; 8], vec![1; 7], vec![1; 9], vec![1; 16]] {
        span_is_invalid(Span { span_id, ..span() }, "span_id must be 8 bytes");
    }
}

#[test]
fn d2_the_parent_of_a_span_is_empty_or_8_bytes() {
    for parent_span_id in [vec![1], vec![1; 7], vec![1; 16]] {
        span_is_invalid(
            Span {
                parent_span_id,
                ..span()
            },
            "parent_span_id",
        );
    }
    for parent_span_id in [vec![], vec![1; 8]] {
        assert_eq!(
            verdict(
                Signal::Traces,
                &traces(vec![Span {
                    parent_span_id,
                    ..span()
                }])
            )
            .0,
            0
        );
    }
}

#[test]
fn f15_of_two_trace_ids_the_last_counts() {
    let mut good_last = Span {
        trace_id: vec![0; 16],
        ..Span::default()
    }
    .encode_to_vec();
    good_last.extend(span().encode_to_vec());
    let mut bad_last = span().encode_to_vec();
    bad_last.extend(
        Span {
            trace_id: vec![0; 16],
            ..Span::default()
        }
        .encode_to_vec(),
    );
    for (bytes, invalid) in [(good_last, 0), (bad_last, 1)] {
        let mut request = bytes;
        for number in [2, 2, 1] {
            request = enclosed(number, &request);
        }
        assert_eq!(
            validate(Signal::Traces, &request).unwrap(),
            Summary { items: 1, invalid }
        );
    }
}

#[test]
fn d1_a_log_record_with_invalid_ids_is_kept() {
    let log_records = vec![LogRecord {
        trace_id: vec![1; 3],
        span_id: vec![0; 8],
        ..LogRecord::default()
    }];
    let scope = ScopeLogs {
        log_records,
        ..ScopeLogs::default()
    };
    let resource = ResourceLogs {
        scope_logs: vec![scope],
        ..ResourceLogs::default()
    };
    let request = ExportLogsServiceRequest {
        resource_logs: vec![resource],
    }
    .encode_to_vec();
    assert_eq!(
        validate(Signal::Logs, &request).unwrap(),
        Summary {
            items: 1,
            invalid: 0
        }
    );
    assert_eq!(reject_invalid(Signal::Logs, &request).request, request);
}

#[test]
fn c5_of_10_valid_and_3_invalid_spans_exactly_3_are_rejected() {
    let mut spans = vec![span(); 10];
    spans.insert(
        0,
        Span {
            trace_id: vec![],
            ..span()
        },
    );
    spans.insert(
        5,
        Span {
            span_id: vec![],
            ..span()
        },
    );
    spans.push(Span {
        trace_id: vec![0; 16],
        ..span()
    });
    let rejected = reject_invalid(Signal::Traces, &traces(spans));
    assert_eq!(rejected.rejected, 3);
    assert_eq!(rejected.request, traces(vec![span(); 10]));
    assert_eq!(
        rejected.message,
        "2 spans: trace_id must be 16 bytes and not all zero; 1 spans: span_id must be 8 bytes and not all zero"
    );
}

#[test]
fn x14_when_every_item_is_invalid_nothing_is_left() {
    let rejected = reject_invalid(Signal::Traces, &traces(vec![Span::default(); 4]));
    assert_eq!((rejected.rejected, rejected.request.len()), (4, 0));
}

proptest! {
    #[test]
    fn c5_exactly_the_invalid_items_are_taken_out(signal in any_signal(), seed in any_seed()) {
        let bytes = wild_request(signal, &seed);
        verdict(signal, &bytes);
    }

    #[test]
    fn c5_what_is_left_is_unchanged_and_in_order(signal in any_signal(), seed in any_seed()) {
        let bytes = request(signal, &seed);
        let mut wanted = items(signal, &bytes).into_iter();
        let rejected = reject_invalid(signal, &bytes);
        for item in items(signal, &rejected.request) {
            prop_assert!(wanted.any(|other| other == item));
        }
    }

    #[test]
    fn d1_spans_are_judged_as_a_reader_of_prost_would(seed in any_seed()) {
        let bytes = request(Signal::Traces, &seed);
        let decoded = ExportTraceServiceRequest::decode(&bytes[..]).unwrap();
        let spans = decoded.resource_spans.iter().flat_map(|resource| &resource.scope_spans).flat_map(|scope| &scope.spans);
        let is_id = |id: &[u8], length| id.len() == length && id.iter().any(|byte| *byte != 0);
        let invalid = spans
            .filter(|span| {
                !is_id(&span.trace_id, 16) || !is_id(&span.span_id, 8) || ![0, 8].contains(&span.parent_span_id.len())
            })
            .count();
        prop_assert_eq!(validate(Signal::Traces, &bytes).unwrap().invalid, invalid);
    }
}
