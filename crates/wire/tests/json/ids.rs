//! J1: trace and span ids are hexadecimal, profile ids too when written, and base64 as well when read.

use crate::check::{assert_says, log_record, metric, profile, span};
use millrace_wire::{Signal, json_from_request};
use opentelemetry_proto::tonic::collector::profiles::v1development::ExportProfilesServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::profiles::v1development::{
    Profile, ResourceProfiles, ScopeProfiles,
};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;

const TRACE_ID: &str = "5B8EFFF798038103D269B633813FC60C";
const TRACE_BYTES: [u8; 16] = [
    0x5b, 0x8e, 0xff, 0xf7, 0x98, 0x03, 0x81, 0x03, 0xd2, 0x69, 0xb6, 0x33, 0x81, 0x3f, 0xc6, 0x0c,
];
const SPAN_ID: &str = "EEE19B7EC3C1B174";
const SPAN_BYTES: [u8; 8] = [0xee, 0xe1, 0x9b, 0x7e, 0xc3, 0xc1, 0xb1, 0x74];

#[test]
fn j1_ids_are_read_from_upper_case_digits() {
    let span = span(&format!(
        r#""traceId":"{TRACE_ID}","spanId":"{SPAN_ID}","parentSpanId":"{SPAN_ID}""#
    ))
    .unwrap();

    assert_eq!(
        (&*span.trace_id, &*span.span_id, &*span.parent_span_id),
        (&TRACE_BYTES[..], &SPAN_BYTES[..], &SPAN_BYTES[..])
    );
}

#[test]
fn j1_ids_are_read_from_lower_case_digits() {
    let id = TRACE_ID.to_lowercase();

    assert_eq!(
        span(&format!(r#""traceId":"{id}""#)).unwrap().trace_id,
        TRACE_BYTES
    );
}

#[test]
fn j1_ids_of_links_are_hexadecimal() {
    let link = span(&format!(
        r#""links":[{{"traceId":"{TRACE_ID}","spanId":"{SPAN_ID}"}}]"#
    ))
    .unwrap()
    .links
    .remove(0);

    assert_eq!(
        (&*link.trace_id, &*link.span_id),
        (&TRACE_BYTES[..], &SPAN_BYTES[..])
    );
}

#[test]
fn j1_ids_of_log_records_are_hexadecimal() {
    let record = log_record(&format!(r#""traceId":"{TRACE_ID}","spanId":"{SPAN_ID}""#)).unwrap();

    assert_eq!(
        (&*record.trace_id, &*record.span_id),
        (&TRACE_BYTES[..], &SPAN_BYTES[..])
    );
}

#[test]
fn j1_ids_of_exemplars_are_hexadecimal() {
    let metric = metric(&format!(r#""gauge":{{"dataPoints":[{{"exemplars":[{{"traceId":"{TRACE_ID}","spanId":"{SPAN_ID}"}}]}}]}}"#)).unwrap();

    let Some(Data::Gauge(gauge)) = metric.data else {
        panic!("{metric:?}")
    };
    let exemplar = &gauge.data_points[0].exemplars[0];
    assert_eq!(
        (&*exemplar.trace_id, &*exemplar.span_id),
        (&TRACE_BYTES[..], &SPAN_BYTES[..])
    );
}

#[test]
fn j1_an_empty_id_is_no_id() {
    assert_eq!(
        span(r#""traceId":"","spanId":"","parentSpanId":"""#).unwrap(),
        Span::default()
    );
}

#[test]
fn j1_an_id_of_zeros_is_read_as_it_is() {
    assert_eq!(
        span(&format!(r#""traceId":"{:032}""#, 0)).unwrap().trace_id,
        [0; 16]
    );
}

#[test]
fn j1_a_trace_id_of_31_digits_is_refused() {
    assert_says(
        span(&format!(r#""traceId":"{}""#, &TRACE_ID[1..])),
        "field traceId of opentelemetry.proto.trace.v1.Span: expected 32 hexadecimal digits, got 31 characters",
    );
}

#[test]
fn j1_a_trace_id_of_33_digits_is_refused() {
    assert_says(
        span(&format!(r#""traceId":"{TRACE_ID}0""#)),
        "expected 32 hexadecimal digits, got 33 characters",
    );
}

#[test]
fn j1_a_span_id_as_long_as_a_trace_id_is_refused() {
    assert_says(
        span(&format!(r#""spanId":"{TRACE_ID}""#)),
        "expected 16 hexadecimal digits, got 32 characters",
    );
}

#[test]
fn j1_a_0x_prefix_is_refused() {
    assert_says(
        span(&format!(r#""traceId":"0x{TRACE_ID}""#)),
        "expected 32 hexadecimal digits, got 34 characters",
    );
}

#[test]
fn j1_a_0x_prefix_is_refused_where_the_length_is_right() {
    assert_says(
        span(&format!(r#""traceId":"0x{}""#, &TRACE_ID[2..])),
        "expected 32 hexadecimal digits, got other characters",
    );
}

#[test]
fn j1_a_trace_id_in_base64_is_refused() {
    assert_says(
        span(r#""traceId":"W47/95gDgQPSabYzgT/GDA==""#),
        "expected 32 hexadecimal digits, got 24 characters",
    );
}

#[test]
fn j1_base64_of_the_right_length_is_refused() {
    assert_says(
        span(r#""spanId":"W47/95gDgQPSabYz""#),
        "expected 16 hexadecimal digits, got other characters",
    );
}

#[test]
fn j1_an_id_that_is_a_number_is_refused() {
    assert_says(
        span(r#""spanId":1234567890123456"#),
        "expected 16 hexadecimal digits, got a number",
    );
}

#[test]
fn j1_an_error_stands_at_the_value_of_the_id() {
    let json = crate::check::span_text(r#""name":"x","spanId":"zz""#);
    let error = crate::check::translate(Signal::Traces, &json).unwrap_err();

    assert_eq!(&json[error.offset()..error.offset() + 4], r#""zz""#);
}

#[test]
fn j1_ids_are_written_in_lower_case() {
    let span = Span {
        trace_id: TRACE_BYTES.into(),
        span_id: SPAN_BYTES.into(),
        ..Span::default()
    };
    let scope_spans = vec![ScopeSpans {
        spans: vec![span],
        ..ScopeSpans::default()
    }];
    let resource_spans = vec![ResourceSpans {
        scope_spans,
        ..ResourceSpans::default()
    }];
    let request = ExportTraceServiceRequest { resource_spans }.encode_to_vec();

    let json = json_from_request(Signal::Traces, &request);

    let ids = crate::check::span_text(
        r#""traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174""#,
    );
    assert_eq!(String::from_utf8(json).unwrap(), ids);
}

#[test]
fn j1_a_profile_id_is_read_from_base64() {
    assert_eq!(
        profile(r#""profileId":"W47/95gDgQPSabYzgT/GDA==""#)
            .unwrap()
            .profile_id,
        TRACE_BYTES
    );
}

#[test]
fn j1_a_profile_id_is_read_from_32_hexadecimal_digits() {
    assert_eq!(
        profile(&format!(r#""profileId":"{TRACE_ID}""#))
            .unwrap()
            .profile_id,
        TRACE_BYTES
    );
}

#[test]
fn j1_a_profile_id_is_written_as_the_collector_reads_it() {
    let with = |profile_id: &[u8]| {
        let profile = Profile {
            profile_id: profile_id.into(),
            ..Profile::default()
        };
        let scope_profiles = vec![ScopeProfiles {
            profiles: vec![profile],
            ..ScopeProfiles::default()
        }];
        let resource_profiles = vec![ResourceProfiles {
            scope_profiles,
            ..ResourceProfiles::default()
        }];
        let request = ExportProfilesServiceRequest {
            resource_profiles,
            ..ExportProfilesServiceRequest::default()
        };
        String::from_utf8(json_from_request(
            Signal::Profiles,
            &request.encode_to_vec(),
        ))
        .unwrap()
    };

    let id = with(&TRACE_BYTES);
    assert!(
        id.contains(r#""profileId":"5b8efff798038103d269b633813fc60c""#),
        "{id}"
    );
    // What is no id of 16 bytes keeps the form in which it cannot be taken for one.
    let short = with(&[1, 2, 3]);
    assert!(short.contains(r#""profileId":"AQID""#), "{short}");
}

#[test]
fn j1_other_bytes_of_a_profile_are_base64_even_if_they_look_like_an_id() {
    let profile = profile(&format!(r#""originalPayload":"{TRACE_ID}""#)).unwrap();

    assert_eq!(profile.original_payload.len(), 24);
}
