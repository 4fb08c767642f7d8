//! C9: fields of a newer protocol travel through everything unharmed.

use millrace_wire::field::{
    Fields, Value, push_delimited, push_fixed32, push_fixed64, push_tag, push_varint,
};
use millrace_wire::{
    Action, AttributeValue, Level, Signal, edit_attribute, merge, reject_invalid, split_by_count,
    validate,
};

/// Unknown fields of every wire type, at both ends of the numbers.
fn unknown() -> Vec<u8> {
    let mut out = Vec::new();
    push_varint(&mut out, 100, u64::MAX);
    push_fixed64(&mut out, 536_870_911, 7);
    push_fixed32(&mut out, 17, 7);
    push_delimited(&mut out, 18, b"\xff\xfe not text");
    push_tag(&mut out, 19, 3);
    push_varint(&mut out, 1, 1);
    push_tag(&mut out, 19, 4);
    out
}

/// A span with unknown fields in every message, under envelopes that have some too.
fn request() -> Vec<u8> {
    let mut value = unknown();
    // An arm of the oneof that does not exist yet.
    push_varint(&mut value, 15, 1);
    let mut attribute = unknown();
    push_delimited(&mut attribute, 1, b"key");
    push_delimited(&mut attribute, 2, &value);
    let mut event = unknown();
    push_delimited(&mut event, 3, &attribute);
    let mut span = unknown();
    push_delimited(&mut span, 1, &[1; 16]);
    push_delimited(&mut span, 2, &[2; 8]);
    push_varint(&mut span, 6, 9999);
    push_delimited(&mut span, 9, &attribute);
    push_delimited(&mut span, 11, &event);
    let mut resource = unknown();
    push_delimited(&mut resource, 1, &attribute);
    let mut scope = unknown();
    push_delimited(&mut scope, 3, &attribute);
    let mut scopes = unknown();
    push_delimited(&mut scopes, 1, &scope);
    push_delimited(&mut scopes, 2, &span);
    let mut resources = unknown();
    push_delimited(&mut resources, 1, &resource);
    push_delimited(&mut resources, 2, &scopes);
    let mut request = unknown();
    push_delimited(&mut request, 1, &resources);
    request
}

/// How many complete sets of unknown fields there are.
fn sets(bytes: &[u8]) -> usize {
    let needle = unknown();
    bytes
        .windows(needle.len())
        .filter(|window| *window == needle)
        .count()
}

#[test]
fn c9_unknown_fields_of_every_wire_type_are_accepted_everywhere() {
    assert_eq!(validate(Signal::Traces, &request()).unwrap().invalid, 0);
}

#[test]
fn c9_unknown_fields_survive_every_edit_on_every_level() {
    let request = request();
    let all = sets(&request);
    let value = AttributeValue::from("new");
    for level in [Level::Resource, Level::Scope, Level::Item, Level::SpanEvent] {
        for action in [Action::Insert, Action::Update, Action::Upsert] {
            for key in ["key", "other"] {
                let edited =
                    edit_attribute(Signal::Traces, &request, level, action, key, Some(&value));
                validate(Signal::Traces, &edited).unwrap();
                // A replaced value takes the unknown fields of the old one with it, and nothing else.
                let replaced = usize::from(key == "key" && action != Action::Insert);
                assert_eq!(sets(&edited), all - replaced, "{level:?} {action:?} {key}");
            }
        }
    }
}

#[test]
fn c9_unknown_fields_survive_splitting_joining_and_rejecting() {
    let mut bytes = request();
    let all = sets(&bytes);
    assert_eq!(
        split_by_count(Signal::Traces, &bytes, 1)
            .iter()
            .map(|part| sets(part))
            .sum::<usize>(),
        all
    );
    assert_eq!(sets(&merge(Signal::Traces, &[&bytes, &bytes])), 2 * all);
    // A second span, of zeros, which is taken out again.
    push_delimited(&mut bytes, 1, &[0x12, 0x02, 0x12, 0x00]);
    let rejected = reject_invalid(Signal::Traces, &bytes);
    assert_eq!((rejected.rejected, sets(&rejected.request)), (1, all));
}

#[test]
fn groups_are_iterated_as_one_field_each() {
    let bytes = unknown();
    let group = Fields::new(&bytes)
        .find(|field| field.number == 19)
        .unwrap();
    assert_eq!(group.value, Value::Group(&[0x08, 0x01]));
    assert_eq!(
        Fields::new(&bytes)
            .map(|field| field.bytes.len())
            .sum::<usize>(),
        bytes.len()
    );
}
