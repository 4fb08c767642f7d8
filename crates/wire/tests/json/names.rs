//! J4 and J5: keys are lowerCamelCase; every other key is passed over, whatever its value.

use crate::check::{assert_says, span, translate};
use millrace_wire::Signal;
use opentelemetry_proto::tonic::trace::v1::Span;

fn nested(depth: usize, open: &str, close: &str) -> String {
    [open.repeat(depth), "1".into(), close.repeat(depth)].concat()
}

#[test]
fn j4_a_camel_case_key_is_known() {
    assert_eq!(
        span(r#""droppedAttributesCount":3"#)
            .unwrap()
            .dropped_attributes_count,
        3
    );
}

#[test]
fn j4_a_snake_case_key_is_unknown() {
    assert_eq!(
        span(r#""dropped_attributes_count":3,"trace_id":"zz""#).unwrap(),
        Span::default()
    );
}

#[test]
fn j4_a_key_in_other_case_is_unknown() {
    assert_eq!(
        span(r#""Name":"x","spanID":"zz""#).unwrap(),
        Span::default()
    );
}

#[test]
fn j4_a_key_may_be_written_with_escapes() {
    assert_eq!(span(r#""n\u0061me":"x""#).unwrap().name, "x");
}

#[test]
fn j5_unknown_keys_are_passed_over_at_every_level() {
    let unknown = r#""future":{"a":[1,"x",null,{"b":true}]}"#;
    let json = format!(
        r#"{{{unknown},"resourceSpans":[{{{unknown},"resource":{{{unknown}}},"scopeSpans":[{{"spans":[{{"name":"x",{unknown}}}],{unknown}}}]}}]}}"#
    );
    let plain = r#"{"resourceSpans":[{"resource":{},"scopeSpans":[{"spans":[{"name":"x"}]}]}]}"#;

    assert_eq!(
        translate(Signal::Traces, &json).unwrap(),
        translate(Signal::Traces, plain).unwrap()
    );
}

#[test]
fn j5_unknown_arrays_may_nest_60_levels() {
    assert_eq!(
        span(&format!(r#""future":{}"#, nested(60, "[", "]"))).unwrap(),
        Span::default()
    );
}

#[test]
fn j5_unknown_objects_may_nest_60_levels() {
    assert_eq!(
        span(&format!(r#""future":{}"#, nested(60, r#"{"a":"#, "}"))).unwrap(),
        Span::default()
    );
}

#[test]
fn j5_an_unknown_arm_leaves_a_value_empty() {
    assert_eq!(
        crate::check::value(r#"{"mapValue":{"x":1}}"#).unwrap(),
        None
    );
}

#[test]
fn j5_unknown_text_must_still_be_json() {
    assert_says(
        span(r#""future":{"a":01}"#),
        "expected a number as JSON spells it",
    );
}

#[test]
fn j8_unknown_arrays_nested_100000_deep_are_refused() {
    assert_says(
        span(&format!(r#""future":{}"#, nested(100_000, "[", "]"))),
        "nested deeper than the 200 levels",
    );
}

#[test]
fn j8_unknown_objects_nested_100000_deep_are_refused() {
    assert_says(
        span(&format!(r#""future":{}"#, nested(100_000, r#"{"a":"#, "}"))),
        "nested deeper than the 200 levels",
    );
}

#[test]
fn j8_a_million_brackets_are_refused() {
    assert_says(
        span(&format!(r#""future":{}"#, "[".repeat(1_000_000))),
        "nested deeper than the 200 levels",
    );
}
