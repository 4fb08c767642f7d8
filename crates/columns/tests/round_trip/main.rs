//! What is written to a file comes back: the same items, byte for byte, under the same resources and scopes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says why it is skipped"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use millrace_columns::{FileReader, REPLACED, Rows, TraceIndex, merge_files, write_rows};
use millrace_wire::Signal;
use millrace_wire::field::{Fields, Value, children, push_delimited, push_varint};
use proptest::prelude::*;

mod telemetry;

use telemetry::{field, metric, pair, record, request, span};

/// The resource, the scope and the metric of an item, each in canonical form.
type Place = (Vec<u8>, Vec<u8>, Vec<u8>);

/// What a request says, whatever the order and the splitting of its envelopes: each item under its resource and scope.
/// Items are compared by their fields in ascending order of their numbers, since writers may choose any.
fn canonical(signal: Signal, requests: &[Vec<u8>]) -> BTreeMap<Place, Vec<Vec<u8>>> {
    let mut found: BTreeMap<_, Vec<Vec<u8>>> = BTreeMap::new();
    for request in requests {
        for resource in children(request, 1) {
            let of_resource = without(resource, 2);
            for scope in children(resource, 2) {
                let of_scope = without(scope, 2);
                for item in children(scope, 2) {
                    if signal != Signal::Metrics {
                        let place = (of_resource.clone(), of_scope.clone(), Vec::new());
                        found.entry(place).or_default().push(in_order(item));
                        continue;
                    }
                    for data in Fields::new(item)
                        .filter(|field| matches!(field.number, 5 | 7 | 9 | 10 | 11))
                    {
                        let mut metric = Fields::new(item)
                            .filter(|field| !matches!(field.number, 5 | 7 | 9 | 10 | 11))
                            .flat_map(|field| field.bytes.to_vec())
                            .collect();
                        push_delimited(
                            &mut metric,
                            data.number,
                            &without(data.value.delimited(), 1),
                        );
                        for point in children(data.value.delimited(), 1) {
                            let place = (of_resource.clone(), of_scope.clone(), metric.clone());
                            found.entry(place).or_default().push(in_order(point));
                        }
                    }
                }
            }
        }
    }
    for items in found.values_mut() {
        items.sort();
    }
    found
}

fn without(message: &[u8], number: u32) -> Vec<u8> {
    Fields::new(message)
        .filter(|field| field.number != number)
        .flat_map(|field| field.bytes.to_vec())
        .collect()
}

/// The fields sorted by number; fields of one number stay in their order.
fn in_order(message: &[u8]) -> Vec<u8> {
    let mut fields: Vec<_> = Fields::new(message).collect();
    fields.sort_by_key(|field| field.number);
    fields
        .iter()
        .flat_map(|field| field.bytes.to_vec())
        .collect()
}

fn write(path: &Path, signal: Signal, requests: &[Vec<u8>]) -> usize {
    let mut rows = Rows::new(signal);
    for request in requests {
        rows.push(&Bytes::copy_from_slice(request));
    }
    let (file, summary) = write_rows(&mut rows, 1).unwrap();
    std::fs::write(path, file).unwrap();
    summary.rows
}

fn read(path: &Path, signal: Signal) -> Vec<Vec<u8>> {
    let mut requests = Vec::new();
    FileReader::open(path, signal)
        .unwrap()
        .read_requests(|request| requests.push(request))
        .unwrap();
    requests
}

struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("millrace-columns-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[track_caller]
fn assert_kept(name: &str, signal: Signal, requests: &[Vec<u8>]) {
    for request in requests {
        millrace_wire::validate(signal, request).unwrap();
    }
    let scratch = Scratch::new(name);
    let whole = scratch.file("whole");
    let rows = write(&whole, signal, requests);
    let wanted = canonical(signal, requests);
    assert_eq!(rows, wanted.values().map(Vec::len).sum::<usize>());
    if rows == 0 {
        return;
    }
    assert!(
        canonical(signal, &read(&whole, signal)) == wanted,
        "{name}: a file"
    );
    let parts: Vec<PathBuf> = requests
        .iter()
        .enumerate()
        .filter_map(|(index, request)| {
            let path = scratch.file(&index.to_string());
            (write(&path, signal, std::slice::from_ref(request)) > 0).then_some(path)
        })
        .collect();
    let merged = scratch.file("merged");
    let out = std::fs::File::create(&merged).unwrap();
    let (_, summary) = merge_files(signal, &parts, out, 3, || false).unwrap();
    assert_eq!(summary.rows, rows);
    assert!(
        canonical(signal, &read(&merged, signal)) == wanted,
        "{name}: merged files"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn spans_come_back_from_files_and_merged_files(requests in proptest::collection::vec(request(span()), 1..4)) {
        assert_kept("spans", Signal::Traces, &requests);
    }

    #[test]
    fn log_records_come_back_from_files_and_merged_files(requests in proptest::collection::vec(request(record()), 1..4)) {
        assert_kept("logs", Signal::Logs, &requests);
    }

    #[test]
    fn points_of_every_kind_come_back_from_files_and_merged_files(requests in proptest::collection::vec(request(metric()), 1..4)) {
        assert_kept("metrics", Signal::Metrics, &requests);
    }
}

#[test]
fn a_trace_is_found_among_files_with_all_of_its_spans_and_no_others() {
    let scratch = Scratch::new("trace");
    let one = |trace: u8, span: u8| {
        field(|out| {
            push_delimited(out, 1, &[trace; 16]);
            push_delimited(out, 2, &[span; 8]);
            push_delimited(out, 5, b"name");
        })
    };
    let request = |spans: &[Vec<u8>]| {
        let scope: Vec<u8> = spans
            .iter()
            .flat_map(|span| field(|out| push_delimited(out, 2, span)))
            .collect();
        let resource = field(|out| push_delimited(out, 2, &scope));
        field(|out| push_delimited(out, 1, &resource))
    };
    let first = [request(&[one(1, 1), one(2, 2)])];
    let second = [request(&[one(3, 3), one(1, 4)])];
    let paths = [
        scratch.file("first"),
        scratch.file("second"),
        scratch.file("absent"),
    ];
    write(&paths[0], Signal::Traces, &first);
    write(&paths[1], Signal::Traces, &second);
    let mut skipped = Vec::new();
    let mut index = TraceIndex::new();
    let mut find = |id: u8| {
        index.find(
            Signal::Traces,
            &paths,
            &format!("{id:02x}").repeat(16),
            |path, _| skipped.push(path.to_owned()),
        )
    };

    let wanted = canonical(Signal::Traces, &[request(&[one(1, 1), one(1, 4)])]);
    assert!(canonical(Signal::Traces, &[find(1).unwrap()]) == wanted);
    assert_eq!(find(9), None);
    assert_eq!(skipped, [paths[2].clone(), paths[2].clone()]);
}

#[test]
fn a_key_that_most_files_have_as_text_and_one_as_a_number_keeps_both() {
    let span = |value: Vec<u8>| {
        field(|out| {
            push_delimited(out, 5, b"name");
            push_delimited(out, 9, &pair("key", Some(&value)));
        })
    };
    let wrap = |span: Vec<u8>| {
        let scope = field(|out| push_delimited(out, 2, &span));
        let resource = field(|out| push_delimited(out, 2, &scope));
        field(|out| push_delimited(out, 1, &resource))
    };
    let requests = [
        wrap(span(field(|out| push_delimited(out, 1, b"text")))),
        wrap(span(field(|out| push_varint(out, 3, 7)))),
        wrap(span(field(|out| push_delimited(out, 1, b"more")))),
    ];
    assert_kept("types", Signal::Traces, &requests);
}

#[test]
fn thousands_of_rows_with_rare_keys_and_changing_types_are_all_kept() {
    let scope: Vec<u8> = (0u64..20_000)
        .flat_map(|row| {
            let number = field(|out| push_varint(out, 3, row));
            let text = field(|out| push_delimited(out, 1, format!("text {row}").as_bytes()));
            let common = if row % 1_001 == 5 { &number } else { &text };
            let span = field(|out| {
                push_delimited(out, 5, format!("name {}", row % 7).as_bytes());
                push_delimited(out, 9, &pair("common", Some(common)));
                if row % 97 == 3 {
                    push_delimited(out, 9, &pair(&format!("rare {}", row % 5), Some(&number)));
                }
                push_delimited(out, 9, &pair("last", Some(&text)));
            });
            field(|out| push_delimited(out, 2, &span))
        })
        .collect();
    let resource = field(|out| push_delimited(out, 2, &scope));
    assert_kept(
        "many",
        Signal::Traces,
        &[field(|out| push_delimited(out, 1, &resource))],
    );
}

#[test]
fn a_file_that_was_replaced_since_it_was_listed_is_still_read() {
    let scratch = Scratch::new("replaced");
    let listed = scratch.file("file.parquet");
    let scope = field(|out| push_delimited(out, 2, &field(|out| push_delimited(out, 5, b"name"))));
    let resource = field(|out| push_delimited(out, 2, &scope));
    let request = field(|out| push_delimited(out, 1, &resource));
    write(&listed, Signal::Traces, &[request]);
    std::fs::rename(&listed, listed.with_extension(REPLACED)).unwrap();

    assert_eq!(FileReader::open(&listed, Signal::Traces).unwrap().rows(), 1);
    assert!(FileReader::open(&scratch.file("never.parquet"), Signal::Traces).is_err());
}

#[test]
fn more_keys_than_have_columns_are_all_kept() {
    let spans: Vec<u8> = (0..40)
        .flat_map(|row| {
            let attributes: Vec<u8> = (0..10)
                .flat_map(|place| {
                    let value = field(|out| push_varint(out, 3, row));
                    field(|out| {
                        push_delimited(
                            out,
                            9,
                            &pair(&format!("key{}", 10 * row + place), Some(&value)),
                        );
                    })
                })
                .collect();
            field(|out| push_delimited(out, 2, &attributes))
        })
        .collect();
    let resource = field(|out| push_delimited(out, 2, &spans));
    let request = field(|out| push_delimited(out, 1, &resource));
    assert_eq!(
        Fields::new(&request)
            .filter(|it| matches!(it.value, Value::Delimited(_)))
            .count(),
        1
    );
    assert_kept("keys", Signal::Traces, &[request]);
}
