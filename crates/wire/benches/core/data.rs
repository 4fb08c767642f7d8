//! The requests that are measured: recorded ones where they lie beside the repository, and generated ones.

use std::env;
use std::fs::File;
use std::path::{Path, PathBuf};

pub(crate) use millrace_wire::Signal;
use millrace_wire::encode::{
    LogEncoder, MetricEncoder, Number, NumberPoint, PointAttributes, RequestEncoder, SpanEncoder,
    Temporality,
};
use millrace_wire::{AttributeValue, count};

/// Requests of one signal.
pub(crate) struct Data {
    pub(crate) name: &'static str,
    pub(crate) signal: Signal,
    pub(crate) requests: Vec<Vec<u8>>,
    pub(crate) items: usize,
}

/// Items of one generated request.
const BATCH: u64 = 1000;

pub(crate) fn all(is_quick: bool) -> Vec<Data> {
    let batches = if is_quick { 5 } else { 50 };
    let mut all = Vec::new();
    all.extend(recorded(
        "recorded_traces",
        Signal::Traces,
        "otel-demo-traces.otlp.zst",
    ));
    all.extend(recorded(
        "recorded_metrics",
        Signal::Metrics,
        "host-metrics.otlp.zst",
    ));
    all.push(generated(
        "generated_traces",
        Signal::Traces,
        batches,
        &span,
    ));
    all.push(generated(
        "generated_metrics",
        Signal::Metrics,
        batches,
        &metric,
    ));
    all.push(generated(
        "generated_logs",
        Signal::Logs,
        batches,
        &log_record,
    ));
    all
}

fn data(name: &'static str, signal: Signal, requests: Vec<Vec<u8>>) -> Data {
    let items = requests.iter().map(|request| count(signal, request)).sum();
    Data {
        name,
        signal,
        requests,
        items,
    }
}

/// The requests of a file, each preceded by its length in 4 bytes.
fn recorded(name: &'static str, signal: Signal, file: &str) -> Option<Data> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = env::var_os("MILLRACE_DATA").map_or_else(beside, PathBuf::from);
    let bytes = zstd::decode_all(File::open(folder.join(file)).ok()?).expect("a zstd stream");
    let mut rest = &bytes[..];
    let mut requests = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk() {
        let (request, after) = after.split_at(u32::from_be_bytes(*length) as usize);
        requests.push(request.to_vec());
        rest = after;
    }
    Some(data(name, signal, requests))
}

fn generated(
    name: &'static str,
    signal: Signal,
    batches: u64,
    encode: &dyn Fn(&mut Vec<u8>, u64),
) -> Data {
    let request = |batch: u64| {
        let mut request = RequestEncoder::new();
        let service = AttributeValue::from("checkout");
        request.resource(
            &[
                ("service.name", service),
                ("host.name", AttributeValue::from("node-17.example.com")),
            ],
            "",
        );
        request.scope("io.opentelemetry.http", "1.24.0", &[], "");
        for item in 0..BATCH {
            request.item(|out| encode(out, batch * BATCH + item));
        }
        request.finish()
    };
    data(name, signal, (0..batches).map(request).collect())
}

/// Spreads small numbers over all 64 bits, as random ids are.
fn spread(number: u64) -> u64 {
    let mixed = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ mixed >> 31).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

const NOW: u64 = 1_790_000_000_000_000_000;

/// A server span of about 800 bytes.
fn span(out: &mut Vec<u8>, number: u64) {
    let trace_id = (u128::from(spread(number)) << 64 | u128::from(number)).to_be_bytes();
    let client = format!("10.{}.{}.{}", number % 7, number % 251, number % 13);
    let path = format!("/api/v1/products/{}/reviews", number % 10_000);
    let mut span = SpanEncoder::new(out);
    span.ids(
        &trace_id,
        &spread(number).to_be_bytes(),
        Some(&spread(number / 3).to_be_bytes()),
    )
    .name("GET /api/v1/products/{product_id}/reviews", 2)
    .times(
        NOW + number * 1000,
        NOW + number * 1000 + spread(number) % 50_000_000,
    )
    .attribute("http.request.method", "GET")
    .attribute("http.route", "/api/v1/products/{product_id}/reviews")
    .attribute("url.path", path.as_str())
    .attribute("url.scheme", "https")
    .attribute(
        "http.response.status_code",
        &if number.is_multiple_of(50) {
            503i64
        } else {
            200
        },
    )
    .attribute("server.address", "shop.example.com")
    .attribute("server.port", &443i64)
    .attribute("client.address", client.as_str())
    .attribute("network.protocol.version", "1.1")
    .attribute(
        "user_agent.original",
        "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    )
    .attribute(
        "http.request.body.size",
        &i64::try_from(number % 70_000).unwrap(),
    )
    .attribute("shop.discount", &(number as f64 / 7.0))
    .attribute(
        "shop.customer",
        if number.is_multiple_of(9) {
            "Jürgen Müller"
        } else {
            "John Smith"
        },
    )
    .event(NOW + number * 1000 + 77, "cache.miss", |event| {
        event.attribute("cache.key", path.as_str());
    })
    .flags(0x101);
    if number.is_multiple_of(50) {
        span.status(2, "the service behind did not answer in time");
    }
}

/// A counter with one point.
fn metric(out: &mut Vec<u8>, number: u64) {
    let route = format!("/api/v1/products/{}", number % 100);
    let attributes = [
        ("http.route", AttributeValue::from(route.as_str())),
        ("http.response.status_code", AttributeValue::Int(200)),
    ];
    let point = NumberPoint {
        attributes: PointAttributes::Listed(&attributes),
        start_time_unix_nano: NOW,
        time_unix_nano: NOW + number,
        value: Number::Int(i64::try_from(number).unwrap()),
        exemplars: &[],
    };
    MetricEncoder::new(
        out,
        "http.server.request.count",
        "How many requests",
        "{request}",
    )
    .sum(Temporality::Cumulative, true, |points| {
        points.number(&point);
    });
}

/// An access log record of about 300 bytes.
fn log_record(out: &mut Vec<u8>, number: u64) {
    let line = format!(
        "10.0.{}.{} - - \"GET /api/v1/products/{number} HTTP/1.1\" 200 {}",
        number % 256,
        number % 13,
        number % 70_000
    );
    LogEncoder::new(out)
        .times(NOW + number, NOW + number + 5)
        .severity(9, "INFO")
        .body(line.as_str())
        .attribute("log.file.name", "access.log")
        .attribute("http.response.status_code", &200i64)
        .context(
            &u128::from(spread(number)).to_be_bytes(),
            &spread(number).to_be_bytes(),
            1,
        );
}
