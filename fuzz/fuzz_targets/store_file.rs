//! Files of a store that are damaged or foreign: reading, merging and searching them gives items or an error, in bounded memory.
#![no_main]

#[allow(dead_code, reason = "each target makes its own kind of request")]
#[path = "../../crates/wire/tests/core/generate.rs"]
mod generate;
mod hand;
mod memory;

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Int64Type, UInt64Type};
use arrow_array::{
    Array as _, ArrayRef, BinaryArray, Int64Array, ListArray, MapArray, RecordBatch, StringArray, StructArray, UInt64Array,
};
use arrow_schema::{DataType, Field, FieldRef, Fields, Schema};
use bytes::Bytes;
use hand::Hand;
use libfuzzer_sys::fuzz_target;
use millrace_columns::{FileReader, Rows, TraceIndex, merge_files, write_rows};
use millrace_wire::{Signal, count, json_from_request};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

#[global_allocator]
static MEMORY: memory::Counting = memory::Counting;

const SIGNALS: [Signal; 3] = [Signal::Traces, Signal::Logs, Signal::Metrics];
/// Memory that reading a file of a few kilobytes may take: the caches and builders of the Parquet library.
const MOST: usize = 64 << 20;

fuzz_target!(|input: &[u8]| {
    let mut hand = Hand(input);
    let signal = SIGNALS[hand.below(3)];
    let kind = hand.byte() % 4;
    let way = hand.byte() % 4;
    let file = match kind {
        0 => hand.0.to_vec(),
        1 => damaged(original(signal), &mut hand),
        _ => foreign(original(signal), &mut hand),
    };
    let path = std::env::temp_dir().join(format!("millrace-fuzz-{}.parquet", std::process::id()));
    std::fs::write(&path, &file).expect("there is room");
    let ((), most, _) = memory::measured(|| read(&path, signal, way));
    assert!(most <= MOST, "{most} bytes to read a file of {}", file.len());
});

/// Reads in one of the ways that there are.
fn read(path: &Path, signal: Signal, way: u8) {
    let paths = [PathBuf::from(path)];
    let mut index = TraceIndex::new();
    match way {
        0 => drop(merge_files(signal, &paths, Vec::new(), 1, || false)),
        1 => {
            let id = "0101010101010101".repeat(2);
            std::hint::black_box(index.holding(signal, &paths, std::slice::from_ref(&id)));
            std::hint::black_box(index.find(signal, &paths, &id, |_, _| {}));
        }
        _ => {
            let Ok(reader) = FileReader::open(path, signal) else { return };
            std::hint::black_box(reader.rows());
            let _ = reader.read_requests(|request| {
                // What a file says may be no request, and still must not bring down who looks at it.
                std::hint::black_box((count(signal, &request), json_from_request(signal, &request)));
            });
        }
    }
}

/// A file as the store writes it, with most of what a file can have in it.
fn original(signal: Signal) -> &'static [u8] {
    static FILES: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    let files = FILES.get_or_init(|| SIGNALS.into_iter().map(written).collect());
    let place = SIGNALS.iter().position(|other| *other == signal);
    &files[place.unwrap_or_default()]
}

fn written(signal: Signal) -> Vec<u8> {
    let mut random = 7_u64;
    let mut rows = Rows::new(signal);
    while rows.len() < 3 {
        let seed: Vec<u8> = (0..300)
            .map(|_| {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (random >> 56) as u8 | 1
            })
            .collect();
        rows.push(&Bytes::from(generate::request(signal, &seed)));
    }
    write_rows(&mut rows, 1).expect("it can be written").0
}

/// With some bytes changed, those of the footer more often than others.
fn damaged(file: &[u8], hand: &mut Hand<'_>) -> Vec<u8> {
    let mut file = file.to_vec();
    for _ in 0..=hand.byte() % 8 {
        let tail = if hand.byte() & 1 == 0 { 0 } else { file.len().saturating_sub(4096) };
        let mut end = file.split_off(tail);
        hand.edit(&mut end);
        file.extend(end);
    }
    file
}

/// With other columns, types and values.
fn foreign(file: &'static [u8], hand: &mut Hand<'_>) -> Vec<u8> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from_static(file)).expect("it is ours");
    let batch = reader.build().expect("it is ours").next().expect("it has rows").expect("it is ours");
    let mut columns: Vec<(FieldRef, ArrayRef)> =
        batch.schema().fields().iter().cloned().zip(batch.columns().iter().cloned()).collect();
    for _ in 0..=hand.byte() % 4 {
        let at = hand.below(columns.len());
        match hand.byte() % 8 {
            0 => drop(columns.remove(at)),
            1 => {
                let other = hand.below(columns.len());
                let name = columns[other].0.name().clone();
                columns[at].0 = Arc::new(columns[at].0.as_ref().clone().with_name(name));
            }
            _ => {
                let column = changed(&columns[at].1, hand);
                let field = Field::new(columns[at].0.name(), column.data_type().clone(), true);
                columns[at] = (Arc::new(field), column);
            }
        }
        if columns.is_empty() {
            return Vec::new();
        }
    }
    let (fields, arrays): (Vec<FieldRef>, Vec<ArrayRef>) = columns.into_iter().unzip();
    let schema = Arc::new(Schema::new(fields));
    let Ok(batch) = RecordBatch::try_new(Arc::clone(&schema), arrays) else { return Vec::new() };
    let write = || {
        let mut writer = ArrowWriter::try_new(Vec::new(), schema, None)?;
        writer.write(&batch)?;
        writer.into_inner()
    };
    write().unwrap_or_default()
}

/// A column with one value changed, or another type, somewhere in it.
fn changed(column: &ArrayRef, hand: &mut Hand<'_>) -> ArrayRef {
    match column.data_type() {
        DataType::Struct(fields) => {
            let inside = column.as_struct();
            let at = hand.below(fields.len());
            let mut columns = inside.columns().to_vec();
            columns[at] = changed(&columns[at], hand);
            let fields: Fields = fields.iter().zip(&columns).map(|(field, column)| retyped(field, column)).collect();
            Arc::new(StructArray::new(fields, columns, inside.nulls().cloned()))
        }
        DataType::List(field) => {
            let list = column.as_list::<i32>();
            let values = changed(list.values(), hand);
            let field = retyped(field, &values);
            Arc::new(ListArray::new(field, list.offsets().clone(), values, list.nulls().cloned()))
        }
        DataType::Map(field, ordered) => {
            let map = column.as_map();
            let entries: ArrayRef = Arc::new(map.entries().clone());
            let entries = changed(&entries, hand);
            let field = Arc::new(Field::new(field.name(), entries.data_type().clone(), false));
            let (offsets, nulls) = (map.offsets().clone(), map.nulls().cloned());
            match MapArray::try_new(field, offsets, entries.as_struct().clone(), nulls, *ordered) {
                Ok(map) => Arc::new(map),
                Err(_) => Arc::clone(column), // a key may not be absent
            }
        }
        DataType::Utf8 => text(column.as_string(), hand),
        DataType::Binary => binary(column.as_binary(), hand),
        DataType::UInt64 => {
            let numbers = column.as_primitive::<UInt64Type>();
            let new = with(numbers.iter().collect(), Some(u64::from(hand.byte()).wrapping_neg()), hand);
            if hand.byte() & 3 == 0 { Arc::new(new.iter().map(|it| it.map(|it| it.to_string())).collect::<StringArray>()) } else { Arc::new(UInt64Array::from(new)) }
        }
        DataType::Int64 => {
            let numbers = column.as_primitive::<Int64Type>();
            let new = with(numbers.iter().collect(), Some(i64::MIN + i64::from(hand.byte())), hand);
            Arc::new(Int64Array::from(new))
        }
        _ => match hand.byte() % 3 {
            0 => Arc::new(Int64Array::from(vec![None; column.len()])),
            1 => Arc::new(StringArray::from(vec!["x"; column.len()])),
            _ => arrow_array::new_null_array(column.data_type(), column.len()),
        },
    }
}

fn retyped(field: &FieldRef, column: &ArrayRef) -> FieldRef {
    Arc::new(Field::new(field.name(), column.data_type().clone(), true))
}

/// The values with this one, or none, somewhere.
fn with<T>(mut values: Vec<Option<T>>, value: Option<T>, hand: &mut Hand<'_>) -> Vec<Option<T>> {
    let at = hand.below(values.len());
    let value = if hand.byte() & 3 == 0 { None } else { value };
    if let Some(place) = values.get_mut(at) {
        *place = value;
    }
    values
}

fn text(column: &StringArray, hand: &mut Hand<'_>) -> ArrayRef {
    let length = hand.below(40);
    let new = match hand.byte() % 4 {
        0 => String::new(),
        1 => "0123456789abcdef".repeat(length),
        2 => "9".repeat(length),
        _ => String::from_utf8_lossy(hand.bytes(length)).into_owned(),
    };
    let values = column.iter().map(|value| value.map(str::to_owned)).collect();
    let values = with(values, Some(new), hand);
    match hand.byte() % 8 {
        0 => Arc::new(values.iter().map(|value| value.as_ref().map(String::as_bytes)).collect::<BinaryArray>()),
        _ => Arc::new(StringArray::from(values)),
    }
}

fn binary(column: &BinaryArray, hand: &mut Hand<'_>) -> ArrayRef {
    let mut values: Vec<Option<Vec<u8>>> = column.iter().map(|value| value.map(<[u8]>::to_vec)).collect();
    let at = hand.below(values.len());
    match values.get_mut(at) {
        Some(Some(value)) if hand.byte() & 3 != 0 => hand.edit(value),
        Some(value) => *value = Some(hand.bytes(64).to_vec()),
        None => {}
    }
    Arc::new(values.iter().map(Option::as_deref).collect::<BinaryArray>())
}
