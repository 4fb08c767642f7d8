//! Strings survive in both directions, and what other readers trip over is escaped.

use crate::check::{assert_says, span, span_text, translate};
use millrace_wire::{Signal, json_from_request};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use proptest::prelude::*;
use prost::Message;

fn written(name: &str) -> String {
    let spans = vec![Span {
        name: name.into(),
        ..Span::default()
    }];
    let scope_spans = vec![ScopeSpans {
        spans,
        ..ScopeSpans::default()
    }];
    let resource_spans = vec![ResourceSpans {
        scope_spans,
        ..ResourceSpans::default()
    }];
    let request = ExportTraceServiceRequest { resource_spans }.encode_to_vec();
    String::from_utf8(json_from_request(Signal::Traces, &request)).expect("JSON is UTF-8")
}

#[track_caller]
fn assert_written(name: &str, escaped: &str) {
    assert_eq!(written(name), span_text(&format!(r#""name":"{escaped}""#)));
}

#[test]
fn quotes_and_backslashes_are_escaped() {
    assert_written(r#"a"b\c/"#, r#"a\"b\\c/"#);
}

#[test]
fn control_characters_are_escaped() {
    assert_written(
        "\0\u{1}\u{8}\t\n\u{b}\u{c}\r\u{1b}\u{1f}\u{7f}",
        "\\u0000\\u0001\\u0008\\t\\n\\u000b\\u000c\\r\\u001b\\u001f\u{7f}",
    );
}

#[test]
fn line_separators_of_unicode_are_escaped() {
    assert_written("a\u{2028}b\u{2029}", "a\\u2028b\\u2029");
}

#[test]
fn other_characters_are_written_as_they_are() {
    assert_written(
        "äöü €\u{2027}\u{202a} 日本 🦀",
        "äöü €\u{2027}\u{202a} 日本 🦀",
    );
}

#[test]
fn a_character_that_needs_an_escape_is_found_at_every_place() {
    for length in 0..40 {
        for place in 0..length {
            for character in ['"', '\\', '\u{1f}', '\u{2028}'] {
                let name: String = (0..length)
                    .map(|at| if at == place { character } else { '!' })
                    .collect();
                let escaped = serde_json::to_string(&name).unwrap();
                let escaped = escaped.replace('\u{2028}', "\\u2028");
                assert_eq!(written(&name), span_text(&format!(r#""name":{escaped}"#)));
            }
        }
    }
}

#[test]
fn j8_a_surrogate_pair_is_one_character() {
    assert_eq!(span(r#""name":"\ud83e\udd80""#).unwrap().name, "🦀");
}

#[test]
fn j8_a_string_of_16_mib_is_read() {
    let name = "x\\n".repeat(8 << 20);

    assert_eq!(
        span(&format!(r#""name":"{name}""#)).unwrap().name.len(),
        16 << 20
    );
}

#[test]
fn h7_a_lone_leading_surrogate_is_refused() {
    assert_says(
        span(r#""name":"\ud800""#),
        "expected both halves of a surrogate pair",
    );
}

#[test]
fn h7_a_lone_trailing_surrogate_is_refused() {
    assert_says(
        span(r#""name":"\udc00x""#),
        "expected both halves of a surrogate pair",
    );
}

#[test]
fn h7_a_lone_surrogate_in_an_unknown_field_is_refused() {
    assert_says(
        span(r#""future":["\ud800"]"#),
        "expected both halves of a surrogate pair",
    );
}

#[test]
fn h7_a_control_character_as_it_is_is_refused() {
    assert_says(
        span("\"name\":\"a\nb\""),
        "expected control characters to be escaped",
    );
}

#[test]
fn h7_an_escape_that_json_does_not_know_is_refused() {
    assert_says(
        span(r#""name":"\x41""#),
        "expected an escape that JSON knows",
    );
}

#[test]
fn a_number_is_no_string() {
    assert_says(
        span(r#""name":1"#),
        "field name of opentelemetry.proto.trace.v1.Span: expected a string, got a number",
    );
}

proptest! {
    #[test]
    fn any_string_is_what_serde_reads_back(name: String, pad in "[ -~]{0,40}") {
        let name = format!("{pad}{name}");

        let value: serde_json::Value = serde_json::from_str(&written(&name)).unwrap();

        let read = value["resourceSpans"][0]["scopeSpans"][0]["spans"][0].get("name").map_or("", |it| it.as_str().unwrap());
        prop_assert_eq!(read, name);
    }

    #[test]
    fn any_string_that_serde_writes_is_read(name: String) {
        let text = serde_json::to_string(&name).unwrap();

        prop_assert_eq!(span(&format!(r#""name":{text}"#)).unwrap().name, name);
    }

    #[test]
    fn any_string_written_is_read_back(name: String) {
        let bytes = translate(Signal::Traces, &written(&name)).unwrap();
        let mut request = ExportTraceServiceRequest::decode(&*bytes).unwrap();

        prop_assert_eq!(&request.resource_spans.remove(0).scope_spans[0].spans[0].name, &name);
    }
}
