//! J7: the official examples of OTLP/JSON, decoded and encoded again.

use std::fmt::Debug;
use std::fs;
use std::path::Path;

use crate::check::translate;
use millrace_wire::{Signal, json_from_request};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// The text of an example; `None`, and a printed reason, where the data does not lie beside the repository.
fn example(name: &str) -> Option<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/data")
        .join(name);
    match fs::read_to_string(&path) {
        Ok(text) => Some(text),
        Err(error) => {
            println!("skipped: {name} does not lie beside the repository: {error}");
            None
        }
    }
}

/// The same text as protobuf would write it: without default values, ids in lower case, whole doubles with a point.
fn normal(value: Value, key: &str) -> Value {
    match value {
        Value::Object(members) => {
            let members = members
                .into_iter()
                .map(|(key, value)| (key.clone(), normal(value, &key)));
            Value::Object(
                members
                    .filter(|(key, value)| !is_absent(key, value))
                    .collect::<Map<_, _>>(),
            )
        }
        Value::Array(elements) => elements
            .into_iter()
            .map(|element| normal(element, key))
            .collect(),
        Value::String(text) if key.ends_with("Id") => Value::String(text.to_lowercase()),
        Value::Number(number)
            if matches!(
                key,
                "asDouble" | "sum" | "min" | "max" | "explicitBounds" | "zeroThreshold"
            ) =>
        {
            number.as_f64().into()
        }
        value => value,
    }
}

fn is_absent(key: &str, value: &Value) -> bool {
    // These have presence: a zero of theirs is written.
    let present =
        matches!(key, "sum" | "min" | "max" | "asDouble" | "asInt") || key.ends_with("Value");
    !present && (value == &Value::from(0) || value == &Value::from(0.0) || value == "")
}

fn assert_round_trip<T: Message + Default + DeserializeOwned + PartialEq + Debug>(
    name: &str,
    signal: Signal,
) {
    let Some(text) = example(name) else { return };

    let bytes = translate(signal, &text).unwrap();
    let json = json_from_request(signal, &bytes);

    let expected: T = serde_json::from_str(&text).unwrap();
    assert_eq!(T::decode(&*bytes).unwrap(), expected);
    assert_eq!(
        serde_json::from_slice::<Value>(&json).unwrap(),
        normal(serde_json::from_str(&text).unwrap(), "")
    );
}

#[test]
fn j7_the_official_trace_makes_the_round_trip() {
    assert_round_trip::<ExportTraceServiceRequest>("otlp-example-trace.json", Signal::Traces);
}

#[test]
fn j7_the_official_metrics_make_the_round_trip() {
    assert_round_trip::<ExportMetricsServiceRequest>("otlp-example-metrics.json", Signal::Metrics);
}

#[test]
fn j7_the_official_logs_make_the_round_trip() {
    assert_round_trip::<ExportLogsServiceRequest>("otlp-example-logs.json", Signal::Logs);
}

#[test]
fn j7_the_official_events_make_the_round_trip() {
    assert_round_trip::<ExportLogsServiceRequest>("otlp-example-events.json", Signal::Logs);
}
