//! C10 and J8: every form of value, nested up to the limit and not beyond.

use crate::check::{any, assert_says, span_text, translate, value};
use millrace_wire::{Signal, json_from_request};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList};

/// A request with one value inside this many others, itself included.
fn nested(depth: usize, open: &str, close: &str) -> String {
    let inner = [
        open.repeat(depth - 1),
        r#"{"intValue":"1"}"#.into(),
        close.repeat(depth - 1),
    ]
    .concat();
    span_text(&format!(r#""attributes":[{{"key":"k","value":{inner}}}]"#))
}

const ARRAY: (&str, &str) = (r#"{"arrayValue":{"values":["#, "]}}");
const LIST: (&str, &str) = (r#"{"kvlistValue":{"values":[{"key":"k","value":"#, "}]}}");

#[test]
fn c10_an_empty_value_is_read() {
    assert_eq!(value("{}").unwrap(), None);
}

#[test]
fn c10_an_array_of_different_values_is_read() {
    let text = r#"{"arrayValue":{"values":[{"stringValue":"a"},{"intValue":"1"},{},{"boolValue":false}]}}"#;
    let values = vec![
        any(Value::StringValue("a".into())),
        any(Value::IntValue(1)),
        AnyValue::default(),
        any(Value::BoolValue(false)),
    ];

    assert_eq!(
        value(text).unwrap(),
        Some(Value::ArrayValue(ArrayValue { values }))
    );
}

#[test]
fn c10_a_list_of_pairs_is_read() {
    let text = r#"{"kvlistValue":{"values":[{"key":"a","value":{"doubleValue":1.5}}]}}"#;
    let pair = KeyValue {
        key: "a".into(),
        value: Some(any(Value::DoubleValue(1.5))),
        ..KeyValue::default()
    };

    assert_eq!(
        value(text).unwrap(),
        Some(Value::KvlistValue(KeyValueList { values: vec![pair] }))
    );
}

#[test]
fn c10_empty_arrays_and_lists_are_read() {
    assert_eq!(
        value(r#"{"arrayValue":{}}"#).unwrap(),
        Some(Value::ArrayValue(ArrayValue::default()))
    );
    assert_eq!(
        value(r#"{"kvlistValue":{"values":[]}}"#).unwrap(),
        Some(Value::KvlistValue(KeyValueList::default()))
    );
}

#[test]
fn j6_bytes_are_read_from_all_forms_of_base64() {
    for text in ["++//+A==", "++//+A", "--__-A==", "--__-A"] {
        let bytes = vec![0xfb, 0xef, 0xff, 0xf8];
        assert_eq!(
            value(&format!(r#"{{"bytesValue":"{text}"}}"#)).unwrap(),
            Some(Value::BytesValue(bytes)),
            "{text}"
        );
    }
}

#[test]
fn j6_bits_after_the_last_byte_are_ignored() {
    assert_eq!(
        value(r#"{"bytesValue":"-_"}"#).unwrap(),
        Some(Value::BytesValue(vec![0xfb]))
    );
}

#[test]
fn j6_text_that_is_not_base64_is_refused() {
    for text in [
        "A", "AAAAA", "A=A=", "=", "AA===", "AA AA", "+_+_", "äöü", "AAA\\n",
    ] {
        assert_says(
            value(&format!(r#"{{"bytesValue":"{text}"}}"#)),
            "field bytesValue of opentelemetry.proto.common.v1.AnyValue: expected base64",
        );
    }
}

#[test]
fn j6_bytes_are_written_in_padded_base64() {
    let json = span_text(r#""attributes":[{"key":"k","value":{"bytesValue":"--__-A"}}]"#);
    let bytes = translate(Signal::Traces, &json).unwrap();

    let back = json_from_request(Signal::Traces, &bytes);

    assert_eq!(
        String::from_utf8(back).unwrap(),
        span_text(r#""attributes":[{"key":"k","value":{"bytesValue":"++//+A=="}}]"#)
    );
}

#[test]
fn s3_values_may_nest_128_levels() {
    for (open, close) in [ARRAY, LIST] {
        let json = nested(128, open, close);
        let bytes = translate(Signal::Traces, &json).unwrap();

        assert_eq!(
            String::from_utf8(json_from_request(Signal::Traces, &bytes)).unwrap(),
            json
        );
    }
}

#[test]
fn s3_values_nested_129_levels_are_refused() {
    for (open, close) in [ARRAY, LIST] {
        assert_says(
            translate(Signal::Traces, &nested(129, open, close)),
            "values nested deeper than the 128 levels that are accepted",
        );
    }
}

#[test]
fn s3_values_nested_a_million_levels_are_refused() {
    for (open, close) in [ARRAY, LIST] {
        assert_says(
            translate(Signal::Traces, &nested(1_000_000, open, close)),
            "values nested deeper than the 128 levels that are accepted",
        );
    }
}

#[test]
fn s3_depth_is_counted_anew_for_every_value() {
    let deep = nested(128, ARRAY.0, ARRAY.1);
    let value = &deep[deep.find(r#"{"arrayValue"#).unwrap()..deep.len() - "}]}]}]}]}".len()];
    let twice = span_text(&format!(
        r#""attributes":[{{"key":"a","value":{value}}},{{"key":"b","value":{value}}}]"#
    ));

    assert!(translate(Signal::Traces, &twice).is_ok());
}
