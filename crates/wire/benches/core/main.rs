//! Measures the wire code beside prost on the same bytes and prints one JSON object.
//!
//! `cargo bench -p millrace-wire --bench core [-- --quick]`. Recorded traffic is read from the folder `MILLRACE_DATA`, or from
//! `../shared/data` beside the repository; where there is none, the generated requests are measured alone. What is compared
//! runs in turn, round after round, so that a noisy moment of the machine hits all of it.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "a program that measures stops at the first surprise"
)]
#![expect(clippy::cast_precision_loss, reason = "rates are read by people")]

mod data;

use std::hint::black_box;
use std::time::{Duration, Instant};

use data::{Data, Signal};
use millrace_wire::{
    Action, AttributeValue, Level, edit_attribute, json_from_request, merge, request_from_json,
    split_by_count, validate,
};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;

/// Something that is done to all requests of a data set.
struct Case<'a> {
    name: &'static str,
    run: Box<dyn Fn() + 'a>,
    times: Vec<Duration>,
}

fn main() {
    let is_quick = std::env::args().any(|argument| argument == "--quick");
    let rounds = if is_quick { 3 } else { 11 };
    let reports: Vec<String> = data::all(is_quick)
        .iter()
        .map(|data| measure(data, rounds))
        .collect();
    println!(
        "{{\"suite\": \"core\", \"rounds\": {rounds}, \"quick\": {is_quick}, \"data\": [{}]}}",
        reports.join(", ")
    );
}

fn measure(data: &Data, rounds: usize) -> String {
    let inputs = Inputs::of(data);
    let mut cases = inputs.cases();
    for round in 0..=rounds {
        for case in &mut cases {
            let start = Instant::now();
            (case.run)();
            // The first round warms the caches and the allocator.
            if round > 0 {
                case.times.push(start.elapsed());
            }
        }
    }
    report(data, &cases)
}

/// What the cases work on: the requests, the same as JSON, and each in parts.
struct Inputs<'a> {
    data: &'a Data,
    value: AttributeValue,
    json: Vec<Vec<u8>>,
    parts: Vec<Vec<Vec<u8>>>,
}

impl<'a> Inputs<'a> {
    fn of(data: &'a Data) -> Self {
        let requests = || data.requests.iter();
        Self {
            data,
            value: AttributeValue::from("production"),
            json: requests()
                .map(|request| json_from_request(data.signal, request))
                .collect(),
            parts: requests()
                .map(|request| split_by_count(data.signal, request, 50))
                .collect(),
        }
    }

    fn cases(&self) -> Vec<Case<'_>> {
        let signal = self.data.signal;
        let insert = move |request: &[u8]| {
            edit_attribute(
                signal,
                request,
                Level::Item,
                Action::Insert,
                "deployment.environment.name",
                Some(&self.value),
            )
        };
        vec![
            self.each("copy", |request| drop(black_box(request.to_vec()))),
            self.each("validate", move |request| {
                assert!(black_box(validate(signal, request)).is_ok());
            }),
            self.each("prost_decode", move |request| prost_decode(signal, request)),
            self.each("copy_and_validate", move |request| {
                black_box(request.to_vec());
                assert!(black_box(validate(signal, request)).is_ok());
            }),
            self.each("insert_attribute", move |request| {
                drop(black_box(insert(request)));
            }),
            self.each("validate_and_insert_attribute", move |request| {
                assert!(black_box(validate(signal, request)).is_ok());
                black_box(insert(request));
            }),
            self.each("split_by_50", move |request| {
                drop(black_box(split_by_count(signal, request, 50)));
            }),
            Case::new("merge_parts", move || {
                for parts in &self.parts {
                    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
                    black_box(merge(signal, &parts));
                }
            }),
            self.each("to_json", move |request| {
                drop(black_box(json_from_request(signal, request)));
            }),
            Case::new("from_json", move || {
                for json in &self.json {
                    assert!(black_box(request_from_json(signal, json)).is_ok());
                }
            }),
        ]
    }

    fn each(&'a self, name: &'static str, work: impl Fn(&[u8]) + 'a) -> Case<'a> {
        Case::new(name, move || {
            self.data.requests.iter().for_each(|request| work(request));
        })
    }
}

impl<'a> Case<'a> {
    fn new(name: &'static str, run: impl Fn() + 'a) -> Self {
        Self {
            name,
            run: Box::new(run),
            times: Vec::new(),
        }
    }
}

fn prost_decode(signal: Signal, request: &[u8]) {
    match signal {
        Signal::Traces => drop(black_box(
            ExportTraceServiceRequest::decode(request).unwrap(),
        )),
        Signal::Metrics => drop(black_box(
            ExportMetricsServiceRequest::decode(request).unwrap(),
        )),
        Signal::Logs => drop(black_box(
            ExportLogsServiceRequest::decode(request).unwrap(),
        )),
        Signal::Profiles => unreachable!("no profiles are measured"),
    }
}

fn report(data: &Data, cases: &[Case<'_>]) -> String {
    let bytes: usize = data.requests.iter().map(Vec::len).sum();
    let results: Vec<String> = cases
        .iter()
        .map(|case| rates(case, bytes, data.items))
        .collect();
    format!(
        "{{\"name\": \"{}\", \"signal\": \"{}\", \"requests\": {}, \"items\": {}, \"bytes\": {bytes}, \
         \"results\": {{{}}}, \"ratios\": {{\"prost_decode_to_validate\": {}, \"insert_to_copy_and_validate\": {}, \
         \"validate_and_insert_to_copy_and_validate\": {}}}}}",
        data.name,
        data.signal.name(),
        data.requests.len(),
        data.items,
        results.join(", "),
        ratio(cases, "prost_decode", "validate"),
        ratio(cases, "insert_attribute", "copy_and_validate"),
        ratio(cases, "validate_and_insert_attribute", "copy_and_validate"),
    )
}

/// Megabytes of protobuf and items per second: the median of the rounds, and the slowest and fastest of them.
fn rates(case: &Case<'_>, bytes: usize, items: usize) -> String {
    let per_second = |amount: usize, time: Duration| amount as f64 / time.as_secs_f64();
    let mut times = case.times.clone();
    times.sort_unstable();
    let (fastest, median, slowest) = (times[0], times[times.len() / 2], times[times.len() - 1]);
    let megabytes = |time| per_second(bytes, time) / 1e6;
    format!(
        "\"{}\": {{\"mb_per_s\": {:.1}, \"slowest_mb_per_s\": {:.1}, \"fastest_mb_per_s\": {:.1}, \"items_per_s\": {:.0}}}",
        case.name,
        megabytes(median),
        megabytes(slowest),
        megabytes(fastest),
        per_second(items, median),
    )
}

/// How many times as long `one` takes as `other`: the median over the rounds, in each of which both ran.
fn ratio(cases: &[Case<'_>], one: &str, other: &str) -> String {
    let times = |name: &str| {
        &cases
            .iter()
            .find(|case| case.name == name)
            .expect("a case of that name")
            .times
    };
    let mut ratios: Vec<f64> = times(one)
        .iter()
        .zip(times(other))
        .map(|(one, other)| one.as_secs_f64() / other.as_secs_f64())
        .collect();
    ratios.sort_unstable_by(f64::total_cmp);
    format!("{:.2}", ratios[ratios.len() / 2])
}
