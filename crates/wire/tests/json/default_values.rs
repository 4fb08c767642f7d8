//! J6: `null` is absence, and a default value is written only where absence means something else.

use crate::check::{assert_says, metric, span, span_text, translate, value};
use millrace_wire::{Signal, json_from_request};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::trace::v1::{Span, Status};

#[track_caller]
fn assert_no_bytes(members: &str) {
    let empty = translate(Signal::Traces, &span_text("")).unwrap();
    assert_eq!(
        translate(Signal::Traces, &span_text(members)).unwrap(),
        empty
    );
}

#[test]
fn j6_null_is_the_same_as_absent() {
    assert_no_bytes(
        r#""name":null,"traceId":null,"kind":null,"attributes":null,"status":null,"startTimeUnixNano":null"#,
    );
}

#[test]
fn j6_a_null_arm_chooses_nothing() {
    assert_eq!(value(r#"{"stringValue":null}"#).unwrap(), None);
}

#[test]
fn j6_null_is_no_element_of_an_array() {
    assert_says(
        span(r#""attributes":[null]"#),
        "expected an object, got null",
    );
}

#[test]
fn default_scalars_without_presence_take_no_bytes() {
    assert_no_bytes(
        r#""name":"","kind":0,"startTimeUnixNano":"0","droppedEventsCount":0.0,"flags":0,"attributes":[]"#,
    );
}

#[test]
fn an_empty_message_is_present() {
    assert_eq!(
        span(r#""status":{}"#).unwrap(),
        Span {
            status: Some(Status::default()),
            ..Span::default()
        }
    );
}

#[test]
fn default_values_of_arms_are_present() {
    assert_eq!(
        value(r#"{"stringValue":""}"#).unwrap(),
        Some(Value::StringValue(String::new()))
    );
    assert_eq!(
        value(r#"{"boolValue":false}"#).unwrap(),
        Some(Value::BoolValue(false))
    );
    assert_eq!(
        value(r#"{"intValue":"0"}"#).unwrap(),
        Some(Value::IntValue(0))
    );
    assert_eq!(
        value(r#"{"doubleValue":0}"#).unwrap(),
        Some(Value::DoubleValue(0.0))
    );
    assert_eq!(
        value(r#"{"bytesValue":""}"#).unwrap(),
        Some(Value::BytesValue(Vec::new()))
    );
}

#[test]
fn default_values_of_optional_fields_are_present() {
    let metric = metric(r#""histogram":{"dataPoints":[{"sum":0,"min":0,"count":"0"}]}"#).unwrap();

    let Some(Data::Histogram(histogram)) = metric.data else {
        panic!("{metric:?}")
    };
    let point = &histogram.data_points[0];
    assert_eq!(
        (point.sum, point.min, point.max),
        (Some(0.0), Some(0.0), None)
    );
}

#[test]
fn default_values_are_written_only_where_they_are_present() {
    let json = r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"histogram":{"dataPoints":[{"sum":0.0}]}},{"gauge":{"dataPoints":[{"asInt":"0"}]}}]}]}]}"#;
    let with_defaults = json.replace(
        r#""sum""#,
        r#""count":"0","flags":0,"exemplars":[],"explicitBounds":[],"sum""#,
    );

    let bytes = translate(Signal::Metrics, &with_defaults).unwrap();

    assert_eq!(
        String::from_utf8(json_from_request(Signal::Metrics, &bytes)).unwrap(),
        json
    );
}

#[test]
fn empty_strings_and_zeros_stay_in_arrays() {
    let json = r#"{"resourceProfiles":[{"scopeProfiles":[{"profiles":[{"samples":[{"values":["0","0"]}]}]}]}],"dictionary":{"stringTable":["","a",""]}}"#;
    let bytes = translate(Signal::Profiles, json).unwrap();

    assert_eq!(
        String::from_utf8(json_from_request(Signal::Profiles, &bytes)).unwrap(),
        json
    );
}

#[test]
fn c2_an_empty_object_is_an_empty_request() {
    assert_eq!(translate(Signal::Logs, " {} ").unwrap(), b"");
}

#[test]
fn c2_an_empty_request_is_an_empty_object() {
    assert_eq!(json_from_request(Signal::Logs, b""), b"{}");
}

#[test]
fn c3_empty_envelopes_are_read() {
    assert_eq!(
        translate(
            Signal::Metrics,
            r#"{"resourceMetrics":[{},{"scopeMetrics":[{"metrics":[{}]}]}]}"#
        )
        .unwrap(),
        b"\x0a\x00\x0a\x04\x12\x02\x12\x00"
    );
}
