//! Edits against the same done to prost's structs.

use millrace_wire::{Action, AttributeValue, Level, Signal, edit_attribute, validate};
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, InstrumentationScope, KeyValue, any_value::Value,
};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::resource::v1::Resource;
use proptest::prelude::*;
use prost::Message;

use crate::accept::any_seed;
use crate::generate::{request, wild_request};
use crate::oracle::{Request, decode, normal};

const KEYS: [&str; 4] = ["key", "a", "deployment.environment.name", ""];

fn any_level() -> impl Strategy<Value = Level> {
    prop::sample::select(vec![
        Level::Resource,
        Level::Scope,
        Level::Item,
        Level::SpanEvent,
    ])
}

fn any_action() -> impl Strategy<Value = Action> {
    prop::sample::select(vec![
        Action::Insert,
        Action::Update,
        Action::Upsert,
        Action::Delete,
    ])
}

/// The edit on a list of attributes, as the documentation describes it.
fn edit_list(attributes: &mut Vec<KeyValue>, action: Action, key: &str, value: &str) {
    let is_key = |attribute: &KeyValue| {
        attribute.key == key && !(key.is_empty() && attribute.key_strindex != 0)
    };
    let new = AnyValue {
        value: Some(Value::StringValue(value.to_owned())),
    };
    let is_present = attributes.iter().any(is_key);
    match action {
        Action::Delete => attributes.retain(|attribute| !is_key(attribute)),
        Action::Update | Action::Upsert if is_present => {
            attributes
                .iter_mut()
                .filter(|attribute| is_key(attribute))
                .for_each(|attribute| attribute.value = Some(new.clone()));
        }
        Action::Insert | Action::Upsert if !is_present => {
            attributes.push(KeyValue {
                key: key.to_owned(),
                value: Some(new),
                ..KeyValue::default()
            });
        }
        _ => {}
    }
}

struct Edit<'a> {
    level: Level,
    action: Action,
    key: &'a str,
    value: &'a str,
}

impl Edit<'_> {
    fn list(&self, level: Level, attributes: &mut Vec<KeyValue>) {
        if self.level == level {
            edit_list(attributes, self.action, self.key, self.value);
        }
    }

    fn adds(&self, level: Level) -> bool {
        self.level == level && matches!(self.action, Action::Insert | Action::Upsert)
    }

    fn resource(&self, resource: &mut Option<Resource>) {
        if self.adds(Level::Resource) {
            resource.get_or_insert_default();
        }
        if let Some(resource) = resource {
            self.list(Level::Resource, &mut resource.attributes);
        }
    }

    fn scope(&self, scope: &mut Option<InstrumentationScope>) {
        if self.adds(Level::Scope) {
            scope.get_or_insert_default();
        }
        if let Some(scope) = scope {
            self.list(Level::Scope, &mut scope.attributes);
        }
    }

    /// The whole request, edited by prost.
    fn apply(&self, signal: Signal, bytes: &[u8]) -> Vec<u8> {
        match decode(signal, bytes).unwrap() {
            Request::Traces(mut request) => {
                for resource in &mut request.resource_spans {
                    self.resource(&mut resource.resource);
                    for scope in &mut resource.scope_spans {
                        self.scope(&mut scope.scope);
                        for span in &mut scope.spans {
                            self.list(Level::Item, &mut span.attributes);
                            for event in &mut span.events {
                                self.list(Level::SpanEvent, &mut event.attributes);
                            }
                        }
                    }
                }
                request.encode_to_vec()
            }
            Request::Logs(mut request) => {
                for resource in &mut request.resource_logs {
                    self.resource(&mut resource.resource);
                    for scope in &mut resource.scope_logs {
                        self.scope(&mut scope.scope);
                        for record in &mut scope.log_records {
                            self.list(Level::Item, &mut record.attributes);
                        }
                    }
                }
                request.encode_to_vec()
            }
            Request::Metrics(mut request) => {
                for resource in &mut request.resource_metrics {
                    self.resource(&mut resource.resource);
                    for scope in &mut resource.scope_metrics {
                        self.scope(&mut scope.scope);
                        for data in scope
                            .metrics
                            .iter_mut()
                            .filter_map(|metric| metric.data.as_mut())
                        {
                            self.points(data);
                        }
                    }
                }
                request.encode_to_vec()
            }
            Request::Profiles(_) => unreachable!("profiles.rs tests these"),
        }
    }

    fn points(&self, data: &mut Data) {
        let each = |attributes: &mut Vec<KeyValue>| self.list(Level::Item, attributes);
        match data {
            Data::Gauge(data) => data
                .data_points
                .iter_mut()
                .for_each(|point| each(&mut point.attributes)),
            Data::Sum(data) => data
                .data_points
                .iter_mut()
                .for_each(|point| each(&mut point.attributes)),
            Data::Histogram(data) => data
                .data_points
                .iter_mut()
                .for_each(|point| each(&mut point.attributes)),
            Data::ExponentialHistogram(data) => data
                .data_points
                .iter_mut()
                .for_each(|point| each(&mut point.attributes)),
            Data::Summary(data) => data
                .data_points
                .iter_mut()
                .for_each(|point| each(&mut point.attributes)),
        }
    }
}

proptest! {
    #[test]
    fn an_edit_changes_what_the_same_edit_of_prosts_structs_changes(
        signal in prop::sample::select(vec![Signal::Traces, Signal::Metrics, Signal::Logs]),
        seed in any_seed(),
        level in any_level(),
        action in any_action(),
        key in prop::sample::select(KEYS.to_vec()),
    ) {
        let bytes = request(signal, &seed);
        let edit = Edit { level, action, key, value: "new" };
        let edited = edit_attribute(signal, &bytes, level, action, key, Some(&AttributeValue::from("new")));
        prop_assert_eq!(validate(signal, &edited).expect("still a request"), validate(signal, &bytes).unwrap());
        prop_assert_eq!(normal(signal, &edited), edit.apply(signal, &bytes));
    }

    #[test]
    fn f15_an_edit_of_repeated_singular_fields_keeps_a_request_and_its_items(
        signal in prop::sample::select(Signal::ALL.to_vec()),
        seed in any_seed(),
        level in any_level(),
        action in any_action(),
        key in prop::sample::select(KEYS.to_vec()),
    ) {
        let bytes = wild_request(signal, &seed);
        let edited = edit_attribute(signal, &bytes, level, action, key, Some(&AttributeValue::from("new")));
        prop_assert_eq!(validate(signal, &edited).expect("still a request").items, validate(signal, &bytes).unwrap().items);
        prop_assert!(decode(signal, &edited).is_ok());
    }

    #[test]
    fn an_edit_done_twice_is_done_once(
        signal in prop::sample::select(Signal::ALL.to_vec()),
        seed in any_seed(),
        level in any_level(),
        action in any_action(),
    ) {
        let bytes = request(signal, &seed);
        let edit = |bytes: &[u8]| edit_attribute(signal, bytes, level, action, "key", Some(&AttributeValue::from(1i64)));
        let once = edit(&bytes);
        if signal != Signal::Profiles || action != Action::Update && action != Action::Upsert {
            prop_assert_eq!(edit(&once), once);
        }
    }
}

#[test]
fn a_resource_that_is_not_described_gets_a_description_when_an_attribute_is_added() {
    let bytes = [0x0a, 0x00];
    let edited = edit_attribute(
        Signal::Logs,
        &bytes,
        Level::Resource,
        Action::Insert,
        "k",
        Some(&AttributeValue::Empty),
    );
    assert_eq!(
        edited,
        [
            0x0a, 0x09, 0x0a, 0x07, 0x0a, 0x05, 0x0a, 0x01, b'k', 0x12, 0x00
        ]
    );
    assert_eq!(
        edit_attribute(
            Signal::Logs,
            &bytes,
            Level::Resource,
            Action::Update,
            "k",
            None
        ),
        bytes
    );
}

#[test]
fn d4_a_key_that_stands_twice_is_updated_and_deleted_in_both_places() {
    let attribute = [0x0a, 0x05, 0x0a, 0x01, b'k', 0x12, 0x00];
    let resource = [attribute, attribute].concat();
    let request = [&[0x0a, 0x10, 0x0a, 0x0e][..], &resource].concat();
    let deleted = edit_attribute(
        Signal::Traces,
        &request,
        Level::Resource,
        Action::Delete,
        "k",
        None,
    );
    assert_eq!(deleted, [0x0a, 0x02, 0x0a, 0x00]);
    let value = AttributeValue::from(true);
    let updated = edit_attribute(
        Signal::Traces,
        &request,
        Level::Resource,
        Action::Update,
        "k",
        Some(&value),
    );
    let new = [0x0a, 0x07, 0x0a, 0x01, b'k', 0x12, 0x02, 0x10, 0x01];
    assert_eq!(
        updated,
        [&[0x0a, 0x14, 0x0a, 0x12][..], &new, &new].concat()
    );
}

#[test]
fn every_enclosing_length_grows_over_its_next_byte() {
    // A span of 126 bytes under envelopes of 128 and more: the new attribute takes all of them across 127.
    let mut span = vec![0x2a, 0x7c];
    span.extend([b'n'; 124]);
    let mut request = span;
    for number in [2, 2, 1] {
        let mut outer = Vec::new();
        millrace_wire::field::push_delimited(&mut outer, number, &request);
        request = outer;
    }
    let edited = edit_attribute(
        Signal::Traces,
        &request,
        Level::Item,
        Action::Insert,
        "k",
        Some(&AttributeValue::from("v")),
    );
    validate(Signal::Traces, &edited).unwrap();
    let edit = Edit {
        level: Level::Item,
        action: Action::Insert,
        key: "k",
        value: "v",
    };
    assert_eq!(
        normal(Signal::Traces, &edited),
        edit.apply(Signal::Traces, &request)
    );
}

/// A span inside its three envelopes.
fn request_of(span: &[u8]) -> Vec<u8> {
    [2, 2, 1].iter().fold(span.to_vec(), |inner, number| {
        let mut outer = Vec::new();
        millrace_wire::field::push_delimited(&mut outer, *number, &inner);
        outer
    })
}

fn insert_into_spans(request: &[u8]) -> Vec<u8> {
    let value = AttributeValue::from("v");
    edit_attribute(
        Signal::Traces,
        request,
        Level::Item,
        Action::Insert,
        "key",
        Some(&value),
    )
}

const INSERT: Edit<'_> = Edit {
    level: Level::Item,
    action: Action::Insert,
    key: "key",
    value: "v",
};

#[test]
fn an_insertion_leaves_every_enclosing_length_as_short_as_prost_writes_it() {
    for length in (0..300).chain(16_200..16_500) {
        let mut span = Vec::new();
        if length > 0 {
            millrace_wire::field::push_delimited(&mut span, 5, &vec![b'n'; length]);
        }
        let request = request_of(&span);
        assert_eq!(
            insert_into_spans(&request),
            INSERT.apply(Signal::Traces, &request),
            "a name of {length} bytes"
        );
    }
}

#[test]
fn a_key_whose_bytes_stand_anywhere_but_in_a_key_is_inserted() {
    // As the name, as a value, inside a longer key, and as the key of an event.
    let name = [&[0x2a, 0x03][..], b"key"].concat();
    let value = [
        &[0x4a, 0x0a, 0x0a, 0x01, b'a', 0x12, 0x05, 0x0a, 0x03][..],
        b"key",
    ]
    .concat();
    let longer = [&[0x4a, 0x08, 0x0a, 0x04][..], b"keys", &[0x12, 0x00]].concat();
    let event = [
        &[0x5a, 0x09, 0x1a, 0x07, 0x0a, 0x03][..],
        b"key",
        &[0x12, 0x00],
    ]
    .concat();
    for span in [name, value, longer, event] {
        let request = request_of(&span);
        validate(Signal::Traces, &request).unwrap();
        let edited = insert_into_spans(&request);
        assert_eq!(
            normal(Signal::Traces, &edited),
            INSERT.apply(Signal::Traces, &request)
        );
        assert!(edited.len() > request.len());
    }
}
