//! J8: of keys that occur twice the last counts, in bounded time and memory.

use crate::check::{any, metric, span, span_text, translate, value};
use millrace_wire::Signal;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;

#[test]
fn j8_the_last_scalar_counts() {
    let bytes = translate(
        Signal::Traces,
        &span_text(r#""name":"first","kind":1,"name":"last""#),
    )
    .unwrap();

    assert_eq!(
        bytes,
        translate(Signal::Traces, &span_text(r#""kind":1,"name":"last""#)).unwrap()
    );
}

#[test]
fn j8_the_last_scalar_counts_even_if_it_is_the_default() {
    assert_eq!(span(r#""name":"first","name":"""#).unwrap().name, "");
}

#[test]
fn j8_a_later_null_takes_a_value_back() {
    assert_eq!(span(r#""name":"first","name":null"#).unwrap().name, "");
}

#[test]
fn j8_messages_are_replaced_and_not_merged() {
    let status = span(r#""status":{"message":"first","code":2},"status":{"message":"last"}"#)
        .unwrap()
        .status
        .unwrap();

    assert_eq!((status.message.as_str(), status.code), ("last", 0));
}

#[test]
fn j8_arrays_are_replaced_and_not_joined() {
    let span =
        span(r#""attributes":[{"key":"a"},{"key":"b"}],"name":"x","attributes":[{"key":"c"}]"#)
            .unwrap();

    assert_eq!(
        span.attributes
            .iter()
            .map(|attribute| &*attribute.key)
            .collect::<Vec<_>>(),
        ["c"]
    );
    assert_eq!(span.name, "x");
}

#[test]
fn j8_packed_arrays_are_replaced() {
    let metric = metric(r#""histogram":{"dataPoints":[{"bucketCounts":[1,2],"explicitBounds":[1],"bucketCounts":[3]}]}"#).unwrap();

    let Some(Data::Histogram(histogram)) = metric.data else {
        panic!("{metric:?}")
    };
    assert_eq!(
        (
            &*histogram.data_points[0].bucket_counts,
            &*histogram.data_points[0].explicit_bounds
        ),
        (&[3][..], &[1.0][..])
    );
}

#[test]
fn j8_of_several_arms_the_last_counts() {
    assert_eq!(
        value(r#"{"intValue":"1","stringValue":"last"}"#).unwrap(),
        Some(Value::StringValue("last".into()))
    );
    assert_eq!(
        value(r#"{"stringValue":"first","intValue":"0"}"#).unwrap(),
        Some(Value::IntValue(0))
    );
}

#[test]
fn j8_of_several_arms_that_are_messages_the_last_counts() {
    let metric = metric(r#""sum":{"dataPoints":[{"asInt":1}]},"name":"x","gauge":{}"#).unwrap();

    assert!(matches!(metric.data, Some(Data::Gauge(_))), "{metric:?}");
    assert_eq!(metric.name, "x");
}

#[test]
fn j8_an_arm_chosen_again_counts() {
    assert_eq!(
        value(r#"{"intValue":"1","stringValue":"x","intValue":"2"}"#).unwrap(),
        Some(Value::IntValue(2))
    );
}

#[test]
fn j8_a_null_arm_takes_back_only_itself() {
    assert_eq!(
        value(r#"{"intValue":"1","stringValue":null}"#).unwrap(),
        Some(Value::IntValue(1))
    );
    assert_eq!(value(r#"{"intValue":"1","intValue":null}"#).unwrap(), None);
    assert_eq!(
        value(r#"{"intValue":"1","intValue":null,"boolValue":true}"#).unwrap(),
        Some(Value::BoolValue(true))
    );
}

#[test]
fn j8_a_replaced_value_must_still_be_valid() {
    assert!(span(r#""kind":"x","kind":1"#).is_err());
}

#[test]
fn j8_a_long_message_that_is_replaced_leaves_the_lengths_around_it_right() {
    // Three levels whose lengths take three bytes and more, and one such message before and after the one that goes.
    let long = |letter: &str| {
        format!(
            r#"{{"arrayValue":{{"values":[{{"stringValue":"{}"}}]}}}}"#,
            letter.repeat(40_000)
        )
    };
    let attribute = |letter: &str| format!(r#"[{{"key":"k","value":{}}}]"#, long(letter));
    let json = format!(
        r#""links":[{{"attributes":{}}}],"attributes":{},"events":[{{"attributes":{}}}],"attributes":{}"#,
        attribute("a"),
        attribute("b"),
        attribute("c"),
        attribute("d"),
    );

    let span = span(&json).unwrap();

    let text = |letter: &str| {
        Value::ArrayValue(opentelemetry_proto::tonic::common::v1::ArrayValue {
            values: vec![any(Value::StringValue(letter.repeat(40_000)))],
        })
    };
    assert_eq!(span.attributes.len(), 1);
    assert_eq!(span.attributes[0].value, Some(any(text("d"))));
    assert_eq!(span.links[0].attributes[0].value, Some(any(text("a"))));
    assert_eq!(span.events[0].attributes[0].value, Some(any(text("c"))));
}

#[test]
fn j8_many_duplicates_behind_a_long_array_take_linear_time() {
    // Moving or walking the array for every duplicate would take minutes.
    let array = r#"{"key":"k"},"#.repeat(500_000);
    let duplicates = r#""name":"a","kind":1,"flags":2,"#.repeat(300_000);
    let json = format!(
        r#""name":"b","kind":3,"flags":4,"attributes":[{}],{}"endTimeUnixNano":1"#,
        array.trim_end_matches(','),
        duplicates
    );

    let span = span(&json).unwrap();

    assert_eq!(
        (span.attributes.len(), &*span.name, span.kind, span.flags),
        (500_000, "a", 1, 2)
    );
}
