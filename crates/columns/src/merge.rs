//! Makes one sorted file of several, row by row, so that memory does not grow with the files.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use millrace_wire::Signal;
use millrace_wire::field::Fields;
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;
use parquet::basic::Type as Physical;
use parquet::file::metadata::ColumnChunkMetaData;

use crate::attributes::{AttributeColumns, KEYS_MAX, Kind};
use crate::error::Error;
use crate::profiles::merge_profiles;
use crate::read::{BatchRows, FileReader, SharedRows};
use crate::rows::{Row, name_and_start, series_and_time, time_of_log};
use crate::tables::Tables;
use crate::write::{FileWriter, Summary};

/// After so many rows it is asked whether to go on.
const STOP_ROWS: usize = 1_024;
/// Rows of a row group.
const GROUP_ROWS: usize = 262_144;

/// Why files could not be merged.
#[derive(Debug)]
pub enum MergeError {
    /// This file cannot be read; without it the others can be merged.
    Input(PathBuf, Error),
    /// The result cannot be written.
    Output(Error),
    /// Somebody wanted it to end.
    Stopped,
}

/// The place of a row in a sorted file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    resource: u64,
    name: Arc<[u8]>,
    series: u64,
    time: u64,
}

/// A file that is read along.
struct Source {
    path: PathBuf,
    batches: ParquetRecordBatchReader,
    known: SharedRows,
    rows: Vec<Pending>,
    items: Vec<u8>,
    next: usize,
}

struct Pending {
    key: Key,
    place: (u32, u32, u32),
    start: usize,
    end: usize,
}

/// Names and metrics, each kept once.
#[derive(Default)]
struct Names(HashMap<Vec<u8>, Arc<[u8]>>);

impl Names {
    fn get(&mut self, name: &[u8]) -> Arc<[u8]> {
        if let Some(known) = self.0.get(name) {
            return Arc::clone(known);
        }
        let shared: Arc<[u8]> = name.into();
        self.0.insert(name.to_vec(), Arc::clone(&shared));
        shared
    }
}

/// Writes the rows of sorted files of one signal as one sorted file, compressed at this level of zstd.
///
/// `is_to_stop` is asked now and then whether to give it up.
pub fn merge_files<W: Write + Send>(
    signal: Signal,
    paths: &[PathBuf],
    out: W,
    level: i32,
    is_to_stop: impl Fn() -> bool,
) -> Result<(W, Summary), MergeError> {
    if signal == Signal::Profiles {
        return merge_profiles(paths, out, level, is_to_stop);
    }
    let mut tables = Tables::default();
    let mut names = Names::default();
    let mut sources = Vec::with_capacity(paths.len());
    let mut keys = Keys::default();
    for path in paths {
        let source = Source::open(path, signal, &mut keys)
            .map_err(|error| MergeError::Input(path.clone(), error))?;
        sources.push(source);
    }
    let attributes = AttributeColumns::declared(keys.most_used());
    let mut writer =
        FileWriter::with_attributes(out, signal, level, attributes).map_err(MergeError::Output)?;
    let mut heap = BinaryHeap::with_capacity(sources.len());
    for (index, source) in sources.iter_mut().enumerate() {
        if let Some(key) = source.peek(signal, &mut tables, &mut names)? {
            heap.push(Reverse((key, index)));
        }
    }
    let mut summary = Summary::default();
    while let Some(Reverse((key, index))) = heap.pop() {
        let Some(source) = sources.get_mut(index) else {
            continue;
        };
        source
            .write_next(&key, &mut writer, &tables)
            .map_err(MergeError::Output)?;
        summary.rows += 1;
        if summary.rows.is_multiple_of(STOP_ROWS) && is_to_stop() {
            return Err(MergeError::Stopped);
        }
        let (least, greatest) = summary.times.unwrap_or((key.time, key.time));
        summary.times = Some((least.min(key.time), greatest.max(key.time)));
        if let Some(key) = source.peek(signal, &mut tables, &mut names)? {
            heap.push(Reverse((key, index)));
        }
    }
    let out = writer.finish(&tables).map_err(MergeError::Output)?;
    Ok((out, summary))
}

/// Writes the rows of files of one signal as one file, one file after the other: memory does not grow with their number.
pub fn concatenate_files<W: Write + Send>(
    signal: Signal,
    paths: &[PathBuf],
    out: W,
    level: i32,
) -> Result<(W, usize), MergeError> {
    if signal == Signal::Profiles {
        let (out, summary) = merge_profiles(paths, out, level, || false)?;
        return Ok((out, summary.rows));
    }
    let mut keys = Keys::default();
    for path in paths {
        let reader = FileReader::open(path, signal)
            .map_err(|error| MergeError::Input(path.clone(), error))?;
        keys.add(&reader);
    }
    let attributes = AttributeColumns::declared(keys.most_used());
    let mut writer =
        FileWriter::with_attributes(out, signal, level, attributes).map_err(MergeError::Output)?;
    let (mut tables, mut names, mut rows) = (Tables::default(), Names::default(), 0);
    for path in paths {
        let mut source = Source::open(path, signal, &mut Keys::default())
            .map_err(|error| MergeError::Input(path.clone(), error))?;
        while let Some(key) = source.peek(signal, &mut tables, &mut names)? {
            source
                .write_next(&key, &mut writer, &tables)
                .map_err(MergeError::Output)?;
            rows += 1;
        }
    }
    let out = writer.finish(&tables).map_err(MergeError::Output)?;
    Ok((out, rows))
}

impl Source {
    fn open(path: &Path, signal: Signal, keys: &mut Keys) -> Result<Self, Error> {
        let reader = FileReader::open(path, signal)?;
        keys.add(&reader);
        Ok(Self {
            path: path.to_owned(),
            batches: reader.batches()?,
            known: SharedRows::default(),
            rows: Vec::new(),
            items: Vec::new(),
            next: 0,
        })
    }

    /// The key of the next row; reads the next batch where this one is used up.
    fn peek(
        &mut self,
        signal: Signal,
        tables: &mut Tables,
        names: &mut Names,
    ) -> Result<Option<Key>, MergeError> {
        while self.next >= self.rows.len() {
            let more = self
                .read_batch(signal, tables, names)
                .map_err(|error| MergeError::Input(self.path.clone(), error))?;
            if !more {
                return Ok(None);
            }
        }
        Ok(self.rows.get(self.next).map(|row| row.key.clone()))
    }

    fn read_batch(
        &mut self,
        signal: Signal,
        tables: &mut Tables,
        names: &mut Names,
    ) -> Result<bool, Error> {
        self.rows.clear();
        self.items.clear();
        self.next = 0;
        let Some(batch) = self.batches.next() else {
            return Ok(false);
        };
        let batch = batch?;
        self.known.read_batch(&batch, tables)?;
        let mut rows = BatchRows::new(signal, &batch, &self.known)?;
        for row in 0..batch.num_rows() {
            let start = self.items.len();
            let place = rows.read(row, &mut self.items)?;
            let item = self.items.get(start..).unwrap_or_default();
            let resource = tables.resources.get(place.0).map_or(0, |it| it.hash);
            let (name, series, time) = match signal {
                Signal::Traces => {
                    let (name, start) = name_and_start(item);
                    (names.get(name), 0, start)
                }
                Signal::Metrics => {
                    let metric = tables.metrics.get(place.2).map_or(&[][..], |it| &it.bytes);
                    let arm = Fields::new(metric).last().map_or(0, |field| field.number);
                    let (series, time) = series_and_time(arm, item);
                    (names.get(metric), series, time)
                }
                _ => (names.get(&[]), 0, time_of_log(item)),
            };
            self.rows.push(Pending {
                key: Key {
                    resource,
                    name,
                    series,
                    time,
                },
                place,
                start,
                end: self.items.len(),
            });
        }
        Ok(true)
    }

    fn write_next<W: Write + Send>(
        &mut self,
        key: &Key,
        writer: &mut FileWriter<W>,
        tables: &Tables,
    ) -> Result<(), Error> {
        if let Some(pending) = self.rows.get(self.next) {
            let (resource, scope, metric) = pending.place;
            let item = self.items.get(pending.start..pending.end);
            let row = Row {
                resource,
                scope,
                metric,
                series: key.series,
                item: item.unwrap_or_default(),
            };
            writer.push(tables, &row)?;
        }
        if writer.pending() >= GROUP_ROWS {
            writer.end_group(tables)?;
        }
        self.next += 1;
        Ok(())
    }
}

/// The attributes that have columns in the files, with their types and how many values there are of each.
#[derive(Default)]
struct Keys(HashMap<String, HashMap<Kind, i64>>);

const TYPED: &str = "typed_value";

impl Keys {
    fn add(&mut self, reader: &FileReader) {
        let metadata = reader.metadata().metadata();
        for group in metadata.row_groups() {
            for column in group.columns() {
                let [attributes, typed, key, leaf] = column.column_path().parts() else {
                    continue;
                };
                if attributes != "attributes" || typed != TYPED || leaf != TYPED {
                    continue;
                }
                let Some(kind) = kind_of(column) else {
                    continue;
                };
                let nulls = column
                    .statistics()
                    .and_then(parquet::file::statistics::Statistics::null_count_opt)
                    .unwrap_or_default()
                    .cast_signed();
                let by_kind = self.0.entry(key.clone()).or_default();
                *by_kind.entry(kind).or_default() += column.num_values() - nulls;
            }
        }
    }

    /// The keys that get a column, each with its most frequent type.
    fn most_used(self) -> Vec<(String, Kind)> {
        let mut keys: Vec<(String, Kind, i64)> = self
            .0
            .into_iter()
            .filter_map(|(key, by_kind)| {
                let all = by_kind.values().sum();
                let (kind, _) = by_kind.into_iter().max_by_key(|(_, count)| *count)?;
                Some((key, kind, all))
            })
            .collect();
        keys.sort_unstable_by(|left, right| right.2.cmp(&left.2).then(left.0.cmp(&right.0)));
        keys.truncate(KEYS_MAX);
        keys.sort_unstable_by(|left, right| left.0.cmp(&right.0));
        keys.into_iter().map(|(key, kind, _)| (key, kind)).collect()
    }
}

fn kind_of(column: &ColumnChunkMetaData) -> Option<Kind> {
    let is_text = column.column_descr().logical_type_ref().is_some();
    Some(match column.column_type() {
        Physical::BYTE_ARRAY if is_text => Kind::Text,
        Physical::BYTE_ARRAY => Kind::Bytes,
        Physical::BOOLEAN => Kind::Bool,
        Physical::INT64 => Kind::Int,
        Physical::DOUBLE => Kind::Double,
        _ => return None,
    })
}
