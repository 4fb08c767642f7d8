//! Protobuf's own freedoms on the way to JSON: pieces in any order, packed or not, merged as prost merges them.

use crate::check::translate;
use millrace_wire::field::{push_delimited, push_fixed64, push_varint};
use millrace_wire::{Signal, json_from_request};

/// A request with one span of these fields.
fn span(fields: &[u8]) -> Vec<u8> {
    [2, 2, 1]
        .into_iter()
        .fold(fields.to_vec(), |content, number| {
            let mut out = Vec::new();
            push_delimited(&mut out, number, &content);
            out
        })
}

fn span_json(fields: &[u8]) -> String {
    let json = String::from_utf8(json_from_request(Signal::Traces, &span(fields))).unwrap();
    let members = json
        .strip_prefix(r#"{"resourceSpans":[{"scopeSpans":[{"spans":["#)
        .unwrap();
    members.strip_suffix("]}]}]}").unwrap().to_owned()
}

fn delimited(number: u32, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    push_delimited(&mut out, number, content);
    out
}

fn attribute(key: &str, value: &[u8]) -> Vec<u8> {
    delimited(
        9,
        &[delimited(1, key.as_bytes()), delimited(2, value)].concat(),
    )
}

const NAME: u32 = 5;
const STATUS: u32 = 15;
const STRING_VALUE: u32 = 1;
const INT_VALUE: [u8; 2] = [0x18, 7];
const ARRAY_VALUE: u32 = 5;

#[test]
fn f15_pieces_of_an_array_are_joined() {
    let fields = [
        attribute("a", &[]),
        delimited(NAME, b"x"),
        attribute("b", &[]),
    ]
    .concat();

    assert_eq!(
        span_json(&fields),
        r#"{"name":"x","attributes":[{"key":"a","value":{}},{"key":"b","value":{}}]}"#
    );
}

#[test]
fn f15_the_last_scalar_counts() {
    let fields = [delimited(NAME, b"first"), delimited(NAME, b"last")].concat();

    assert_eq!(span_json(&fields), r#"{"name":"last"}"#);
}

#[test]
fn f15_pieces_of_a_message_are_merged() {
    let fields = [
        delimited(STATUS, &[&*delimited(2, b"first"), &[0x18, 2]].concat()),
        delimited(NAME, b"x"),
        delimited(STATUS, &delimited(2, b"last")),
    ]
    .concat();

    assert_eq!(
        span_json(&fields),
        r#"{"name":"x","status":{"message":"last","code":2}}"#
    );
}

#[test]
fn f15_of_several_arms_the_last_counts() {
    let value = [&*delimited(STRING_VALUE, b"first"), &INT_VALUE].concat();

    assert_eq!(
        span_json(&attribute("a", &value)),
        r#"{"attributes":[{"key":"a","value":{"intValue":"7"}}]}"#
    );
}

#[test]
fn f15_pieces_of_an_arm_are_merged() {
    let element = delimited(ARRAY_VALUE, &delimited(1, &INT_VALUE));
    let value = [&*element, &element].concat();

    assert_eq!(
        span_json(&attribute("a", &value)),
        r#"{"attributes":[{"key":"a","value":{"arrayValue":{"values":[{"intValue":"7"},{"intValue":"7"}]}}}]}"#
    );
}

#[test]
fn f15_pieces_of_an_arm_before_another_arm_do_not_count() {
    let element = delimited(ARRAY_VALUE, &delimited(1, &INT_VALUE));
    let value = [&*element, &INT_VALUE, &element].concat();

    assert_eq!(
        span_json(&attribute("a", &value)),
        r#"{"attributes":[{"key":"a","value":{"arrayValue":{"values":[{"intValue":"7"}]}}}]}"#
    );
}

#[test]
fn f15_packed_and_single_elements_mix() {
    let mut point = Vec::new();
    push_fixed64(&mut point, 6, 1);
    push_delimited(
        &mut point,
        6,
        &[2u64.to_le_bytes(), 3u64.to_le_bytes()].concat(),
    );
    push_delimited(&mut point, 6, &[]);
    push_fixed64(&mut point, 6, 4);
    let request = [1, 9, 2, 2, 1]
        .into_iter()
        .fold(point, |content, number| delimited(number, &content));

    let json = String::from_utf8(json_from_request(Signal::Metrics, &request)).unwrap();

    assert!(
        json.contains(r#"{"bucketCounts":["1","2","3","4"]}"#),
        "{json}"
    );
}

#[test]
fn c9_unknown_fields_are_left_out() {
    let mut fields = delimited(100, b"unknown");
    push_varint(&mut fields, 536_870_911, 1);
    // A group with a field in it.
    fields.extend([0xa3, 0x06, 0x08, 0x01, 0xa4, 0x06]);
    fields.extend(delimited(NAME, b"x"));
    fields.extend(delimited(100, b"unknown"));

    assert_eq!(span_json(&fields), r#"{"name":"x"}"#);
}

#[test]
fn c9_an_unknown_arm_is_an_empty_value() {
    assert_eq!(
        span_json(&attribute("a", &delimited(15, b"x"))),
        r#"{"attributes":[{"key":"a","value":{}}]}"#
    );
}

#[test]
fn c9_unknown_enums_are_written() {
    assert_eq!(span_json(&[0x30, 0x8f, 0x4e]), r#"{"kind":9999}"#);
}

#[test]
fn s3_a_message_in_pieces_at_every_level_takes_linear_time() {
    // Writing each level twice would take 2^100 steps.
    let mut value = INT_VALUE.to_vec();
    for _ in 0..100 {
        value = [
            delimited(ARRAY_VALUE, &delimited(1, &value)),
            delimited(ARRAY_VALUE, &[]),
        ]
        .concat();
    }
    let request = span(&attribute("a", &value));

    let json = json_from_request(Signal::Traces, &request);

    assert!(translate(Signal::Traces, str::from_utf8(&json).unwrap()).is_ok());
}
