//! Settings as Python resolves them, with the patience of a test.
use std::collections::BTreeMap;

use millrace_pipeline::config::{
    Exporter, OtlpGrpcExporter, OtlpHttpExporter, Queue, Retry, Sending, SignalMap,
};

/// One attempt, two senders, no compression.
pub(crate) fn sending() -> Sending {
    Sending {
        headers: BTreeMap::new(),
        timeout_ms: 5000,
        export_timeout_ms: None,
        compression: "none".to_owned(),
        compression_level: None,
        max_request_bytes: 64 << 20,
        max_response_bytes: 4 << 20,
        tls: None,
        retry_on_failure: Retry {
            enabled: false,
            initial_interval_ms: 1000,
            max_interval_ms: 30_000,
            multiplier: 2.0,
            randomization_factor: 0.0,
            max_elapsed_time_ms: 300_000,
        },
        sending_queue: Queue {
            enabled: true,
            num_consumers: 2,
            queue_size: 1000,
            wait_for_result: true,
            block_on_overflow: false,
        },
    }
}

/// As [`sending`], with retries.
pub(crate) fn retrying() -> Sending {
    let mut sending = sending();
    sending.retry_on_failure.enabled = true;
    sending
}

/// An `otlphttp` exporter to `base`.
pub(crate) fn otlp_http(base: &str, encoding: &str, sending: Sending) -> Exporter {
    let url = |path: &str| format!("{base}{path}");
    Exporter::OtlpHttp(OtlpHttpExporter {
        endpoint: base.to_owned(),
        urls: SignalMap {
            traces: url("/v1/traces"),
            metrics: url("/v1/metrics"),
            logs: url("/v1/logs"),
            profiles: url("/v1development/profiles"),
        },
        encoding: encoding.to_owned(),
        sending,
    })
}

/// An `otlp` exporter to `endpoint`.
pub(crate) fn otlp_grpc(endpoint: &str, sending: Sending) -> Exporter {
    Exporter::Otlp(OtlpGrpcExporter {
        endpoint: endpoint.to_owned(),
        sending,
    })
}
