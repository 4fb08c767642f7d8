//! Recorded traffic, where it lies beside the repository: a demo's traces from six languages, a host's metrics.

use std::fs::File;
use std::path::Path;

use millrace_wire::{
    Action, AttributeValue, Level, Signal, count, edit_attribute, merge, split_by_bytes,
    split_by_count, validate,
};

use crate::oracle::{items, normal};

/// The requests of a file, each preceded by its length in 4 bytes; `None`, and a printed reason, where the file is absent.
fn recorded(name: &str) -> Option<Vec<Vec<u8>>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/data")
        .join(name);
    let Ok(file) = File::open(&path) else {
        println!(
            "skipped: there is no recorded traffic at {}",
            path.display()
        );
        return None;
    };
    let bytes = zstd::decode_all(file).expect("zstd");
    let mut rest = &bytes[..];
    let mut requests = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk() {
        let (request, after) = after.split_at(u32::from_be_bytes(*length) as usize);
        requests.push(request.to_vec());
        rest = after;
    }
    Some(requests)
}

fn recorded_signals() -> Vec<(Signal, Vec<Vec<u8>>)> {
    let files = [
        (Signal::Traces, "otel-demo-traces.otlp.zst"),
        (Signal::Metrics, "host-metrics.otlp.zst"),
    ];
    files
        .into_iter()
        .filter_map(|(signal, name)| Some((signal, recorded(name)?)))
        .collect()
}

#[test]
fn recorded_traffic_is_accepted_and_every_item_is_valid_and_counted() {
    for (signal, requests) in recorded_signals() {
        let mut total = 0;
        for request in &requests {
            let summary = validate(signal, request).unwrap();
            assert_eq!(summary.invalid, 0);
            assert_eq!(summary.items, count(signal, request));
            total += summary.items;
        }
        assert_eq!(
            total,
            if signal == Signal::Traces {
                64_151
            } else {
                208_352
            }
        );
    }
}

#[test]
fn recorded_traffic_holds_the_same_items_after_splitting_and_joining() {
    for (signal, requests) in recorded_signals() {
        for request in requests.iter().step_by(50) {
            let wanted = items(signal, request);
            for parts in [
                split_by_count(signal, request, 7),
                split_by_bytes(signal, request, 20_000).unwrap(),
            ] {
                assert_eq!(
                    parts
                        .iter()
                        .flat_map(|part| items(signal, part))
                        .collect::<Vec<_>>(),
                    wanted
                );
                let joined = merge(signal, &parts.iter().map(Vec::as_slice).collect::<Vec<_>>());
                assert_eq!(items(signal, &joined), wanted);
            }
        }
    }
}

#[test]
fn recorded_traffic_is_what_it_was_after_an_attribute_is_inserted_and_deleted_again() {
    for (signal, requests) in recorded_signals() {
        for request in requests.iter().step_by(50) {
            for level in [Level::Resource, Level::Scope, Level::Item, Level::SpanEvent] {
                let value = AttributeValue::from("value");
                let edited = edit_attribute(
                    signal,
                    request,
                    level,
                    Action::Insert,
                    "millrace.added",
                    Some(&value),
                );
                assert_eq!(
                    validate(signal, &edited).unwrap(),
                    validate(signal, request).unwrap()
                );
                let back = edit_attribute(
                    signal,
                    &edited,
                    level,
                    Action::Delete,
                    "millrace.added",
                    None,
                );
                assert_eq!(normal(signal, &back), normal(signal, request));
            }
        }
    }
}
