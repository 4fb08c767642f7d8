//! Counts what services did in one file, and finds the callers of its spans in the files around it.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::RangeInclusive;
use std::path::Path;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Int32Type, UInt64Type};
use arrow_array::{Array as _, DictionaryArray, RecordBatch, StringArray};
use millrace_wire::Signal;

use super::{Activity, Operation, Tally};
use crate::decode::{Named as _, text_of, value_of};
use crate::error::Error;
use crate::read::FileReader;
use crate::tables::hash;

const NAMES: [&str; 3] = ["service_name", "name", "trace_id"];
const IDENTITY: [&str; 3] = ["service_name", "trace_id", "span_id"];
const ALL: [&str; 9] = [
    "service_name",
    "name",
    "trace_id",
    "span_id",
    "parent_span_id",
    "kind",
    "start_time_unix_nano",
    "duration_ns",
    "status_code",
];
const STATUS_ERROR: i32 = 2;

/// Numbers that are hashes already.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = hash(bytes);
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

type ByHash<T> = HashMap<u64, T, BuildHasherDefault<Hashed>>;

/// A span that names its parent.
#[derive(Clone, Copy)]
struct Called {
    /// Trace and parent, as a hash.
    caller: u64,
    service: u32,
    is_error: bool,
    start: u64,
    duration: u64,
}

impl Activity {
    /// Adds the spans of a file that begin within `times`, and their callers from this file and, where they are not there,
    /// from those around it, which are asked in their order as long as one is missing.
    ///
    /// Returns whether files around it could matter: whether this file alone lacks a caller. A file around it that cannot be read is
    /// passed over.
    pub fn count<'a>(
        &mut self,
        path: &Path,
        times: &RangeInclusive<u64>,
        around: impl IntoIterator<Item = &'a Path>,
    ) -> Result<bool, Error> {
        let reader = FileReader::open(path, Signal::Traces)?;
        let mut spans = ByHash::default();
        let mut called = Vec::new();
        for batch in reader.batches_of(&ALL, &NAMES)? {
            self.count_batch(&batch?, times, &mut spans, &mut called)?;
        }
        self.find_callers(&mut called, &spans);
        let is_open = !called.is_empty();
        for path in around {
            if called.is_empty() {
                break;
            }
            let mut missing = ByHash::default();
            missing.extend(called.iter().map(|one| (one.caller, None)));
            if self.look_for(path, &mut missing).is_ok() {
                let found = missing.into_iter();
                let found = found.filter_map(|(id, service)| Some((id, service?)));
                self.find_callers(&mut called, &found.collect());
            }
        }
        self.orphans += called.len() as u64;
        Ok(is_open)
    }

    fn count_batch(
        &mut self,
        batch: &RecordBatch,
        times: &RangeInclusive<u64>,
        spans: &mut ByHash<u32>,
        called: &mut Vec<Called>,
    ) -> Result<(), Error> {
        let services = self.names_of(batch, "service_name")?;
        let names = self.names_of(batch, "name")?;
        let traces = Traces::of(batch)?;
        let (ids, parents) = (batch.text("span_id")?, batch.text("parent_span_id")?);
        let kinds = batch.numbers::<Int32Type>("kind")?;
        let starts = batch.numbers::<UInt64Type>("start_time_unix_nano")?;
        let durations = batch.numbers::<UInt64Type>("duration_ns")?;
        let statuses = batch.numbers::<Int32Type>("status_code")?;
        let mut counted = Counted::default();
        for row in 0..batch.num_rows() {
            let service = services.get(row).copied().unwrap_or_default();
            let trace = traces.hash(row);
            spans.insert(trace.of(text_of(ids, row)), service);
            let start = value_of(starts, row).unwrap_or_default();
            if !times.contains(&start) {
                continue;
            }
            let duration = value_of(durations, row).unwrap_or_default();
            let is_error = value_of(statuses, row) == Some(STATUS_ERROR);
            let name = names.get(row).copied().unwrap_or_default();
            let kind = value_of(kinds, row).unwrap_or_default();
            let tally = counted.tally((service, name, kind));
            tally.add(start, duration, is_error);
            let parent = text_of(parents, row);
            if !parent.is_empty() {
                called.push(Called {
                    caller: trace.of(parent),
                    service,
                    is_error,
                    start,
                    duration,
                });
            }
        }
        let mut bytes = Vec::new();
        for (operation, tally) in counted.operations {
            bytes.clear();
            tally.write(&mut bytes);
            let _ = self.operation(operation).read(&mut bytes.as_slice());
        }
        Ok(())
    }

    /// Counts the calls whose callers are known, and keeps the others.
    fn find_callers(&mut self, called: &mut Vec<Called>, spans: &ByHash<u32>) {
        called.retain(|one| {
            let Some(by) = spans.get(&one.caller) else {
                return true;
            };
            if *by != one.service {
                let tally = self.call((*by, one.service));
                tally.add(one.start, one.duration, one.is_error);
            }
            false
        });
    }

    /// Finds the services of spans in another file.
    fn look_for(&mut self, path: &Path, missing: &mut ByHash<Option<u32>>) -> Result<(), Error> {
        let reader = FileReader::open(path, Signal::Traces)?;
        for batch in reader.batches_of(&IDENTITY, &NAMES)? {
            let batch = batch?;
            let services = self.names_of(&batch, "service_name")?;
            let traces = Traces::of(&batch)?;
            let ids = batch.text("span_id")?;
            for (row, service) in services.into_iter().enumerate() {
                let id = traces.hash(row).of(text_of(ids, row));
                if let Some(found) = missing.get_mut(&id) {
                    *found = Some(service);
                }
            }
        }
        Ok(())
    }

    /// The number of each row's name.
    fn names_of(&mut self, batch: &RecordBatch, column: &str) -> Result<Vec<u32>, Error> {
        let (dictionary, names) = dictionary(batch, column)?;
        let numbers: Vec<u32> = (0..names.len())
            .map(|at| self.name(text_of(names, at)))
            .collect();
        let keys = dictionary.keys().iter().map(|key| {
            let number = key.and_then(|key| numbers.get(usize::try_from(key).ok()?));
            number.copied()
        });
        let keys: Vec<Option<u32>> = keys.collect();
        let nameless = self.name("");
        Ok(keys
            .into_iter()
            .map(|key| key.unwrap_or(nameless))
            .collect())
    }
}

/// Operations of a batch; rows of one stand together, as files are sorted.
#[derive(Default)]
struct Counted {
    operations: Vec<(Operation, Tally)>,
    places: HashMap<Operation, usize>,
    last: usize,
}

impl Counted {
    fn tally(&mut self, operation: Operation) -> &mut Tally {
        let is_last = self.operations.get(self.last);
        if is_last.is_none_or(|(last, _)| *last != operation) {
            let next = self.operations.len();
            self.last = *self.places.entry(operation).or_insert(next);
            if self.last == next {
                self.operations.push((operation, Tally::default()));
            }
        }
        match self.operations.get_mut(self.last) {
            Some((_, tally)) => tally,
            None => unreachable!("the place is that of an operation"),
        }
    }
}

/// The hash of a span's usual id: all of its digits times those of the trace's hash, high and low half together.
fn mixed(trace: u64, digits: u128) -> u64 {
    let low = (digits as u64) ^ trace;
    let high = (digits >> 64) as u64 ^ 0x9e37_79b9_7f4a_7c15;
    let product = u128::from(low) * u128::from(high);
    trace.rotate_left(1) ^ (product >> 64) as u64 ^ product as u64
}

fn dictionary<'a>(
    batch: &'a RecordBatch,
    column: &str,
) -> Result<(&'a DictionaryArray<Int32Type>, &'a StringArray), Error> {
    let dictionary = batch.any(column)?.as_dictionary_opt::<Int32Type>();
    dictionary
        .and_then(|it| Some((it, it.values().as_string_opt::<i32>()?)))
        .ok_or_else(|| Error::damaged(format!("the column {column} is no text")))
}

/// The traces of a batch, each hashed once.
struct Traces<'a> {
    keys: &'a arrow_array::PrimitiveArray<Int32Type>,
    hashes: Vec<u64>,
}

/// The hash of a trace.
#[derive(Clone, Copy)]
struct Trace(u64);

impl<'a> Traces<'a> {
    fn of(batch: &'a RecordBatch) -> Result<Self, Error> {
        let (dictionary, ids) = dictionary(batch, "trace_id")?;
        Ok(Self {
            keys: dictionary.keys(),
            hashes: (0..ids.len())
                .map(|at| hash(text_of(ids, at).as_bytes()))
                .collect(),
        })
    }

    fn hash(&self, row: usize) -> Trace {
        let key = value_of(self.keys, row).and_then(|key| usize::try_from(key).ok());
        Trace(
            key.and_then(|key| self.hashes.get(key))
                .copied()
                .unwrap_or_default(),
        )
    }
}

impl Trace {
    /// The hash of a span of it.
    fn of(self, span: &str) -> u64 {
        match <[u8; 16]>::try_from(span.as_bytes()) {
            Ok(digits) => mixed(self.0, u128::from_le_bytes(digits)),
            Err(_) => self.0.rotate_left(1) ^ hash(span.as_bytes()),
        }
    }
}
