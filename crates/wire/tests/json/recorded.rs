//! Recorded traffic as JSON: what serde reads from it, and what comes back.

use std::fs::File;
use std::path::Path;

use millrace_wire::{Signal, json_from_request, request_from_json};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use serde::de::DeserializeOwned;

/// Every tenth request of a recording; none, and a printed reason, where it does not lie beside the repository.
fn requests(name: &str) -> Vec<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/data")
        .join(name);
    let recording = match File::open(&path) {
        Ok(file) => zstd::decode_all(file).expect("the recording is zstd"),
        Err(error) => {
            println!("skipped: {name} does not lie beside the repository: {error}");
            return Vec::new();
        }
    };
    let mut rest = &*recording;
    let mut requests = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk() {
        let (request, after) = after.split_at(u32::from_be_bytes(*length) as usize);
        requests.push(request.to_vec());
        rest = after;
    }
    requests.into_iter().step_by(10).collect()
}

fn assert_same<T: Message + Default + DeserializeOwned + PartialEq>(name: &str, signal: Signal) {
    for request in requests(name) {
        let expected = T::decode(&*request).unwrap();

        let json = json_from_request(signal, &request);
        let bytes = request_from_json(signal, &json).unwrap();

        assert!(
            serde_json::from_slice::<T>(&json).unwrap() == expected,
            "serde reads another request"
        );
        assert!(
            T::decode(&*bytes).unwrap() == expected,
            "another request comes back"
        );
    }
}

#[test]
fn recorded_traces_make_the_round_trip_and_serde_reads_them() {
    assert_same::<ExportTraceServiceRequest>("otel-demo-traces.otlp.zst", Signal::Traces);
}

#[test]
fn recorded_metrics_make_the_round_trip_and_serde_reads_them() {
    assert_same::<ExportMetricsServiceRequest>("host-metrics.otlp.zst", Signal::Metrics);
}
