//! H7: text that is no OTLP/JSON is an error with its place, and nothing worse.

use crate::check::{assert_says, span, span_text, translate};
use millrace_wire::{Signal, request_from_json};
use proptest::prelude::*;

#[track_caller]
fn assert_refused(json: &str, offset: usize, phrase: &str) {
    let error = translate(Signal::Traces, json).expect_err("accepted");
    assert_eq!(error.offset(), offset, "{error}");
    assert_says::<()>(Err(error), phrase);
}

#[test]
fn h7_no_text_is_refused() {
    assert_refused("", 0, "expected more, got the end of the text");
}

#[test]
fn h7_white_space_alone_is_refused() {
    assert_refused(" \n", 2, "expected more, got the end of the text");
}

#[test]
fn h7_an_opening_brace_alone_is_refused() {
    assert_refused("{", 1, "expected more, got the end of the text");
}

#[test]
fn h7_an_array_is_refused() {
    assert_refused("[]", 0, "expected an object, got an array");
}

#[test]
fn h7_null_is_refused() {
    assert_refused("null", 0, "expected an object, got null");
}

#[test]
fn h7_a_word_is_refused() {
    assert_refused(
        "hello",
        0,
        "expected an object, got something that begins no JSON value",
    );
}

#[test]
fn h7_a_byte_order_mark_is_refused() {
    assert_refused(
        "\u{feff}{}",
        0,
        "got a byte order mark; write the text as UTF-8 without one",
    );
}

#[test]
fn h7_utf_16_is_refused() {
    let utf_16: Vec<u8> = "{}".encode_utf16().flat_map(u16::to_le_bytes).collect();

    assert_says(request_from_json(Signal::Traces, &utf_16), "expected");
}

#[test]
fn h7_bytes_that_are_not_utf_8_are_refused_in_a_known_string() {
    let error = request_from_json(
        Signal::Traces,
        b"{\"resourceSpans\":[{\"schemaUrl\":\"a\xff\"}]}",
    )
    .unwrap_err();

    assert_eq!(
        (error.offset(), error.to_string().contains("expected UTF-8")),
        (33, true),
        "{error}"
    );
}

#[test]
fn h7_bytes_that_are_not_utf_8_are_refused_in_an_unknown_string() {
    assert_says(
        request_from_json(Signal::Traces, b"{\"future\":\"\xc3\"}"),
        "expected UTF-8",
    );
}

#[test]
fn h7_text_after_the_object_is_refused() {
    assert_refused("{} {}", 3, "expected the end of the text after the object");
}

#[test]
fn h7_a_trailing_comma_is_refused() {
    assert_refused(r#"{"a":1,}"#, 7, "expected another entry after `,`");
}

#[test]
fn h7_a_missing_colon_is_refused() {
    assert_refused(r#"{"a" 1}"#, 5, "expected `:`");
}

#[test]
fn h7_a_missing_comma_is_refused() {
    assert_refused(r#"{"a":1 "b":2}"#, 7, "expected `,` or `}`");
}

#[test]
fn h7_a_missing_comma_in_an_array_is_refused() {
    assert_refused(r#"{"a":[1 2]}"#, 8, "expected `,` or `]`");
}

#[test]
fn h7_a_key_without_quotes_is_refused() {
    assert_refused("{a:1}", 1, "expected a key in double quotes");
}

#[test]
fn h7_single_quotes_are_refused() {
    assert_refused("{'a':1}", 1, "expected a key in double quotes");
}

#[test]
fn h7_a_comment_is_refused() {
    assert_refused("{/**/}", 1, "expected a key in double quotes");
}

#[test]
fn h7_an_object_where_an_array_belongs_is_refused() {
    assert_refused(
        r#"{"resourceSpans":{}}"#,
        17,
        "field resourceSpans of opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest: expected an array, got an object",
    );
}

#[test]
fn h7_an_array_where_an_object_belongs_is_refused() {
    assert_says(
        span(r#""status":[]"#),
        "field status of opentelemetry.proto.trace.v1.Span: expected an object, got an array",
    );
}

#[test]
fn h7_a_string_where_a_boolean_belongs_is_refused() {
    assert_says(
        crate::check::value(r#"{"boolValue":"true"}"#),
        "expected true or false, got a string",
    );
}

#[test]
fn h7_a_misspelled_literal_is_refused() {
    assert_says(
        crate::check::value(r#"{"boolValue":trve}"#),
        "expected a value",
    );
}

#[test]
fn h7_the_request_of_another_signal_is_an_empty_request() {
    assert_eq!(translate(Signal::Metrics, &span_text("")).unwrap(), b"");
}

#[test]
fn h7_every_truncation_is_refused() {
    let json = span_text(
        r#""traceId":"5b8efff798038103d269b633813fc60c","attributes":[{"key":"a","value":{"doubleValue":-1.5e3}}],"future":[true,null,"\u00e4"]"#,
    );

    for end in 0..json.len() {
        assert!(
            translate(Signal::Traces, &json[..end]).is_err(),
            "{}",
            &json[..end]
        );
    }
}

#[test]
fn c8_errors_do_not_repeat_what_was_sent() {
    let error = span(r#""traceId":"\u001b]0;evil\u0007","x":1"#)
        .unwrap_err()
        .to_string();

    assert!(
        !error.contains("evil") && !error.contains('\u{1b}'),
        "{error}"
    );
}

proptest! {
    #[test]
    fn h7_random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for signal in Signal::ALL {
            let _ = request_from_json(signal, &bytes);
        }
    }

    #[test]
    fn h7_a_changed_byte_never_panics_and_never_makes_invalid_bytes(at: prop::sample::Index, byte: u8) {
        let mut json = span_text(r#""traceId":"5b8efff798038103d269b633813fc60c","kind":2,"attributes":[{"key":"a","value":{"arrayValue":{"values":[{"intValue":"12"},{"bytesValue":"AAAA"}]}}}],"status":{"code":1},"status":null"#).into_bytes();
        let at = at.index(json.len());
        json[at] = byte;

        if let Ok(bytes) = request_from_json(Signal::Traces, &json) {
            prop_assert!(millrace_wire::validate(Signal::Traces, &bytes).is_ok());
        }
    }
}
