//! Small requests around the text under test, decoded by prost.

use millrace_wire::{Error, Signal, request_from_json, validate};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::profiles::v1development::ExportProfilesServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::AnyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::profiles::v1development::Profile;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

/// Translates, and holds the promise that the result is valid.
pub(crate) fn translate(signal: Signal, json: &str) -> Result<Vec<u8>, Error> {
    let bytes = request_from_json(signal, json.as_bytes())?;
    validate(signal, &bytes).expect("what comes from JSON is valid");
    Ok(bytes)
}

/// A request with one span of these members.
pub(crate) fn span_text(members: &str) -> String {
    format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{{members}}}]}}]}}]}}"#)
}

pub(crate) fn span(members: &str) -> Result<Span, Error> {
    let bytes = translate(Signal::Traces, &span_text(members))?;
    let mut request = ExportTraceServiceRequest::decode(&*bytes).expect("prost reads it");
    Ok(request
        .resource_spans
        .remove(0)
        .scope_spans
        .remove(0)
        .spans
        .remove(0))
}

pub(crate) fn log_record(members: &str) -> Result<LogRecord, Error> {
    let json =
        format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{{members}}}]}}]}}]}}"#);
    let bytes = translate(Signal::Logs, &json)?;
    let mut request = ExportLogsServiceRequest::decode(&*bytes).expect("prost reads it");
    Ok(request
        .resource_logs
        .remove(0)
        .scope_logs
        .remove(0)
        .log_records
        .remove(0))
}

pub(crate) fn metric(members: &str) -> Result<Metric, Error> {
    let json =
        format!(r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{{members}}}]}}]}}]}}"#);
    let bytes = translate(Signal::Metrics, &json)?;
    let mut request = ExportMetricsServiceRequest::decode(&*bytes).expect("prost reads it");
    Ok(request
        .resource_metrics
        .remove(0)
        .scope_metrics
        .remove(0)
        .metrics
        .remove(0))
}

pub(crate) fn profile(members: &str) -> Result<Profile, Error> {
    let json =
        format!(r#"{{"resourceProfiles":[{{"scopeProfiles":[{{"profiles":[{{{members}}}]}}]}}]}}"#);
    let bytes = translate(Signal::Profiles, &json)?;
    let mut request = ExportProfilesServiceRequest::decode(&*bytes).expect("prost reads it");
    Ok(request
        .resource_profiles
        .remove(0)
        .scope_profiles
        .remove(0)
        .profiles
        .remove(0))
}

/// The value of an attribute; `None` is the empty value.
pub(crate) fn value(text: &str) -> Result<Option<Value>, Error> {
    let span = span(&format!(r#""attributes":[{{"key":"k","value":{text}}}]"#))?;
    let value = span.attributes[0]
        .value
        .clone()
        .expect("the attribute has a value");
    Ok(value.value)
}

pub(crate) fn any(value: Value) -> AnyValue {
    AnyValue { value: Some(value) }
}

/// Asserts that an error says this, and stands where the marked text begins.
#[track_caller]
pub(crate) fn assert_says<T>(outcome: Result<T, Error>, phrase: &str) {
    let Err(error) = outcome else {
        panic!("accepted")
    };
    let sentence = error.to_string();
    assert!(sentence.contains(phrase), "{sentence}");
}
