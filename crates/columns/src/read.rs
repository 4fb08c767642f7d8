//! Reads files of a store: all of them, or one trace.

use std::collections::HashMap;
use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::Int32Type;
use arrow_array::{Array as _, BooleanArray, RecordBatch};
use arrow_schema::{DataType, Schema};
use millrace_wire::Signal;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowPredicateFn, ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder, RowFilter, RowSelection,
};
use parquet::bloom_filter::Sbbf;
use parquet::file::metadata::PageIndexPolicy;

use crate::decode::{Decoder, Named as _, bytes_of, text_of};
use crate::error::Error;
use crate::profiles::read_profiles;
use crate::request::RequestBuilder;
use crate::tables::{Tables, describe_metric, describe_resource, describe_scope};

/// Rows that are decoded at once.
const BATCH_ROWS: usize = 1_024;
/// The same of profiles, whose rows are whole requests.
const PROFILE_BATCH_ROWS: usize = 16;
/// A request read from a file is about this long.
const REQUEST_BYTES: usize = 4 << 20;
/// Rows of which only the numbers of their trace ids are read at once: a row group, as a rule.
const GROUP_BATCH_ROWS: usize = 262_144;
/// Rows of which a few columns are read at once.
const COLUMN_BATCH_ROWS: usize = 65_536;
const TRACE_ID: &str = "trace_id";

/// A column that only the files of this signal have.
const SIGNAL_COLUMNS: [(Signal, &str); 4] = [
    (Signal::Traces, "parent_span_id"),
    (Signal::Logs, "severity_number"),
    (Signal::Metrics, "metric_id"),
    (Signal::Profiles, "payload"),
];

/// What the name of a file ends in that a merged one has replaced. For a while it is kept so, for those who look for it.
pub const REPLACED: &str = "replaced";

/// An open file of a store.
pub struct FileReader {
    file: File,
    metadata: ArrowReaderMetadata,
    signal: Signal,
}

impl FileReader {
    /// Opens a file of this signal and reads its footer, also where it has been replaced since it was listed.
    pub fn open(path: &Path, signal: Signal) -> Result<Self, Error> {
        let file = File::open(path).or_else(|error| match error.kind() {
            ErrorKind::NotFound => File::open(path.with_extension(REPLACED)),
            _ => Err(error),
        })?;
        let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional);
        let metadata = ArrowReaderMetadata::load(&file, options)?;
        Ok(Self {
            file,
            metadata,
            signal,
        })
    }

    /// How many rows the file says it has.
    #[must_use]
    pub fn rows(&self) -> usize {
        let rows = self.metadata.metadata().file_metadata().num_rows();
        rows.cast_unsigned() as usize
    }

    /// How many row groups the file has.
    #[must_use]
    pub fn row_groups(&self) -> usize {
        self.metadata.metadata().num_row_groups()
    }

    /// The signal by columns that files of the others lack, whatever it was opened as; none if no store has written it.
    #[must_use]
    pub fn signal_by_columns(&self) -> Option<Signal> {
        let schema = self.metadata.schema();
        SIGNAL_COLUMNS
            .into_iter()
            .find(|(_, column)| schema.column_with_name(column).is_some())
            .map(|(signal, _)| signal)
    }

    pub(crate) const fn metadata(&self) -> &ArrowReaderMetadata {
        &self.metadata
    }

    fn builder(&self) -> Result<ParquetRecordBatchReaderBuilder<File>, Error> {
        let file = self.file.try_clone()?;
        let metadata = self.metadata.clone();
        Ok(ParquetRecordBatchReaderBuilder::new_with_metadata(
            file, metadata,
        ))
    }

    /// The rows, batch by batch, in the order of the file.
    pub(crate) fn batches(&self) -> Result<ParquetRecordBatchReader, Error> {
        let rows = match self.signal {
            Signal::Profiles => PROFILE_BATCH_ROWS,
            _ => BATCH_ROWS,
        };
        Ok(self.builder()?.with_batch_size(rows).build()?)
    }

    /// The same, with texts of these columns as numbers of a dictionary.
    fn builder_with(
        &self,
        dictionaries: &[&str],
    ) -> Result<ParquetRecordBatchReaderBuilder<File>, Error> {
        let as_numbers = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        let fields = self.metadata.schema().fields().iter().map(|field| {
            if dictionaries.contains(&field.name().as_str()) {
                Arc::new(field.as_ref().clone().with_data_type(as_numbers.clone()))
            } else {
                Arc::clone(field)
            }
        });
        let hinted = Schema::new(fields.collect::<Vec<_>>());
        let options = ArrowReaderOptions::new().with_schema(Arc::new(hinted));
        let metadata = ArrowReaderMetadata::try_new(Arc::clone(self.metadata.metadata()), options)?;
        let file = self.file.try_clone()?;
        Ok(ParquetRecordBatchReaderBuilder::new_with_metadata(
            file, metadata,
        ))
    }

    /// Some columns of all rows, some of them as dictionaries.
    pub(crate) fn batches_of(
        &self,
        columns: &[&str],
        dictionaries: &[&str],
    ) -> Result<ParquetRecordBatchReader, Error> {
        Ok(self
            .builder_with(dictionaries)?
            .with_projection(self.mask(columns))
            .with_batch_size(COLUMN_BATCH_ROWS)
            .build()?)
    }

    fn mask(&self, names: &[&str]) -> ProjectionMask {
        let schema = self.metadata.parquet_schema();
        ProjectionMask::columns(schema, names.iter().copied())
    }

    /// The Bloom filters of the trace ids, one for each row group.
    pub fn trace_filters(&self) -> Result<Vec<Option<Sbbf>>, Error> {
        let schema = self.metadata.parquet_schema();
        let column = (0..schema.num_columns())
            .find(|index| schema.column(*index).path().string() == TRACE_ID);
        let builder = self.builder()?;
        let groups = self.metadata.metadata().num_row_groups();
        (0..groups)
            .map(|group| match column {
                Some(column) => Ok(builder.get_row_group_column_bloom_filter(group, column)?),
                None => Ok(None),
            })
            .collect()
    }

    /// The rows of these row groups that have this trace id, if there are any.
    ///
    /// The column is read as a dictionary: the id is compared with the ids of a row group, and its number with the rows.
    fn rows_with(&self, id: &str, groups: &[usize]) -> Result<Option<RowSelection>, Error> {
        let ids = self
            .builder_with(&[TRACE_ID])?
            .with_row_groups(groups.to_vec())
            .with_projection(self.mask(&[TRACE_ID]))
            .with_batch_size(GROUP_BATCH_ROWS)
            .build()?;
        let (mut found, mut before) = (Vec::new(), 0);
        for batch in ids {
            let batch = batch?;
            let column = batch.any(TRACE_ID)?.as_dictionary_opt::<Int32Type>();
            let column = column.ok_or_else(|| Error::damaged("trace ids are no text"))?;
            let names = column.values().as_string_opt::<i32>();
            let names = names.ok_or_else(|| Error::damaged("trace ids are no text"))?;
            let wanted: Vec<i32> = (0i32..)
                .zip(names)
                .filter(|(_, name)| *name == Some(id))
                .map(|(number, _)| number)
                .collect();
            if !wanted.is_empty() {
                let numbers = column.keys().iter().enumerate();
                let rows =
                    numbers.filter(|(_, number)| number.is_some_and(|it| wanted.contains(&it)));
                found.extend(rows.map(|(row, _)| before + row..before + row + 1));
            }
            before += batch.num_rows();
        }
        let selection = RowSelection::from_consecutive_ranges(found.into_iter(), before);
        Ok(selection.selects_any().then_some(selection))
    }

    /// Adds the items with this trace id to `trace`.
    pub(crate) fn read_trace(
        &self,
        id: &str,
        groups: &[usize],
        trace: &mut RequestBuilder,
        tables: &mut Tables,
    ) -> Result<(), Error> {
        let Some(selection) = self.rows_with(id, groups)? else {
            return Ok(());
        };
        let reader = self
            .builder()?
            .with_row_groups(groups.to_vec())
            .with_row_selection(selection)
            .with_batch_size(8 * BATCH_ROWS)
            .build()?;
        let mut shared = None;
        for batch in reader {
            let batch = batch?;
            if batch.num_rows() == 0 {
                continue;
            }
            if shared.is_none() {
                let mut known = SharedRows::default();
                known.read_groups(self, groups.to_vec(), tables)?;
                shared = Some(known);
            }
            let Some(known) = &mut shared else { continue };
            let mut rows = BatchRows::new(self.signal, &batch, known)?;
            let mut item = Vec::new();
            for row in 0..batch.num_rows() {
                item.clear();
                let place = rows.read(row, &mut item)?;
                trace.add(self.signal, place, &item);
            }
        }
        Ok(())
    }

    /// Gives all items of the file as requests of some megabytes; of profiles each request as it came.
    pub fn read_requests(&self, take: impl FnMut(Vec<u8>)) -> Result<(), Error> {
        self.give(self.batches()?, take)
    }

    /// Gives the items of one row group, as `read_requests` does those of all.
    pub fn read_group(&self, group: usize, take: impl FnMut(Vec<u8>)) -> Result<(), Error> {
        let builder = self.builder()?.with_batch_size(BATCH_ROWS);
        self.give(builder.with_row_groups(vec![group]).build()?, take)
    }

    fn give(
        &self,
        batches: ParquetRecordBatchReader,
        mut take: impl FnMut(Vec<u8>),
    ) -> Result<(), Error> {
        if self.signal == Signal::Profiles {
            return read_profiles(batches, take);
        }
        let mut tables = Tables::default();
        let mut known = SharedRows::default();
        let mut request = RequestBuilder::default();
        let mut item = Vec::new();
        for batch in batches {
            let batch = batch?;
            known.read_batch(&batch, &mut tables)?;
            let mut rows = BatchRows::new(self.signal, &batch, &known)?;
            for row in 0..batch.num_rows() {
                item.clear();
                let place = rows.read(row, &mut item)?;
                request.add(self.signal, place, &item);
            }
            if request.len() >= REQUEST_BYTES {
                take(request.finish(self.signal, &tables));
            }
        }
        if !request.is_empty() {
            take(request.finish(self.signal, &tables));
        }
        Ok(())
    }
}

/// What the ids of resources, scopes and metrics in one file stand for.
#[derive(Default)]
pub(crate) struct SharedRows {
    resources: HashMap<String, u32>,
    scopes: HashMap<String, u32>,
    metrics: HashMap<String, u32>,
}

/// The columns that hold them, each beside the column of their ids.
const SHARED: [(&str, &str); 3] = [
    ("resource_id", "resource"),
    ("scope_id", "scope"),
    ("metric_id", "metric"),
];

impl SharedRows {
    /// Reads them from whole row groups, and nothing else of these.
    fn read_groups(
        &mut self,
        reader: &FileReader,
        groups: Vec<usize>,
        tables: &mut Tables,
    ) -> Result<(), Error> {
        let names: Vec<&str> = SHARED
            .iter()
            .flat_map(|(id, bytes)| [*id, *bytes])
            .collect();
        let only_bytes: Vec<&str> = SHARED.iter().map(|(_, bytes)| *bytes).collect();
        let predicate = ArrowPredicateFn::new(reader.mask(&only_bytes), |batch: RecordBatch| {
            Ok((0..batch.num_rows())
                .map(|row| Some(batch.columns().iter().any(|column| column.is_valid(row))))
                .collect::<BooleanArray>())
        });
        let batches = reader
            .builder()?
            .with_row_groups(groups)
            .with_projection(reader.mask(&names))
            .with_row_filter(RowFilter::new(vec![Box::new(predicate)]))
            .with_batch_size(8 * BATCH_ROWS)
            .build()?;
        for batch in batches {
            self.read_batch(&batch?, tables)?;
        }
        Ok(())
    }

    /// Reads those that stand in a batch.
    pub(crate) fn read_batch(
        &mut self,
        batch: &RecordBatch,
        tables: &mut Tables,
    ) -> Result<(), Error> {
        for (id, bytes) in SHARED {
            if batch.find(bytes).is_none() {
                continue;
            }
            let (ids, column) = (batch.text(id)?, batch.bytes(bytes)?);
            if column.null_count() == column.len() {
                continue;
            }
            for row in 0..column.len() {
                let Some(bytes) = bytes_of(column, row) else {
                    continue;
                };
                let (known, index) = match id {
                    "resource_id" => (
                        &mut self.resources,
                        tables.resources.intern(bytes, describe_resource),
                    ),
                    "scope_id" => (
                        &mut self.scopes,
                        tables.scopes.intern(bytes, describe_scope),
                    ),
                    _ => (
                        &mut self.metrics,
                        tables.metrics.intern(bytes, describe_metric),
                    ),
                };
                known.insert(text_of(ids, row).to_owned(), index);
            }
        }
        Ok(())
    }
}

/// Reads the rows of a batch with what they stand under.
pub(crate) struct BatchRows<'a> {
    decoder: Decoder<'a>,
    places: Vec<(u32, u32, u32)>,
}

impl<'a> BatchRows<'a> {
    pub(crate) fn new(
        signal: Signal,
        batch: &'a RecordBatch,
        known: &SharedRows,
    ) -> Result<Self, Error> {
        let indices = |name, known: &HashMap<String, u32>| -> Result<Vec<u32>, Error> {
            let ids = batch.text(name)?;
            let mut last = ("", 0);
            (0..batch.num_rows())
                .map(|row| {
                    let id = text_of(ids, row);
                    if last.0 != id {
                        let index = known.get(id).ok_or_else(|| {
                            Error::damaged(format!("a row names a {name} that the file lacks"))
                        })?;
                        last = (id, *index);
                    }
                    Ok(last.1)
                })
                .collect()
        };
        let resources = indices("resource_id", &known.resources)?;
        let scopes = indices("scope_id", &known.scopes)?;
        let metrics = if signal == Signal::Metrics {
            indices("metric_id", &known.metrics)?
        } else {
            vec![0; batch.num_rows()]
        };
        let places = resources
            .into_iter()
            .zip(scopes)
            .zip(metrics)
            .map(|((resource, scope), metric)| (resource, scope, metric));
        Ok(Self {
            decoder: Decoder::new(signal, batch)?,
            places: places.collect(),
        })
    }

    /// Appends the item of a row; returns the indices of its resource, scope and metric.
    pub(crate) fn read(
        &mut self,
        row: usize,
        item: &mut Vec<u8>,
    ) -> Result<(u32, u32, u32), Error> {
        self.decoder.append(row, item)?;
        Ok(self.places.get(row).copied().unwrap_or_default())
    }
}
