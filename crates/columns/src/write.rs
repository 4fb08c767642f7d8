//! Writes rows to a Parquet file.

use std::io::Write;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{Field, Schema};
use millrace_wire::Signal;
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::LogicalType;
use parquet::schema::types::{SchemaDescriptor, Type};

use crate::attributes::AttributeColumns;
use crate::error::Error;
use crate::logs::LogColumns;
use crate::metric_points::PointColumns;
use crate::properties;
use crate::rows::{Row, Rows};
use crate::spans::SpanColumns;
use crate::survey::Survey;
use crate::tables::Tables;

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Spans, log records or data points.
    pub rows: usize,
    /// The least and greatest time, in nanoseconds since 1970.
    pub times: Option<(u64, u64)>,
}

/// The columns of one signal.
pub(crate) enum Columns {
    Spans(Box<SpanColumns>),
    Logs(Box<LogColumns>),
    Points(Box<PointColumns>),
}

impl Columns {
    pub(crate) fn new(signal: Signal, attributes: AttributeColumns) -> Result<Self, Error> {
        Ok(match signal {
            Signal::Traces => Self::Spans(Box::new(SpanColumns::new(attributes))),
            Signal::Logs => Self::Logs(Box::new(LogColumns::new(attributes))),
            Signal::Metrics => Self::Points(Box::new(PointColumns::new(attributes))),
            Signal::Profiles => {
                return Err(Error::damaged("profiles have no columns yet"));
            }
        })
    }

    fn push(&mut self, tables: &Tables, row: &Row<'_>) {
        match self {
            Self::Spans(columns) => columns.push(tables, row),
            Self::Logs(columns) => columns.push(tables, row),
            Self::Points(columns) => columns.push(tables, row),
        }
    }

    /// What rows share stands once in each row group.
    fn end_group(&mut self) {
        match self {
            Self::Spans(columns) => columns.end_group(),
            Self::Logs(columns) => columns.end_group(),
            Self::Points(columns) => columns.end_group(),
        }
    }

    fn finish(&mut self, tables: &Tables) -> Result<RecordBatch, Error> {
        let columns = match self {
            Self::Spans(columns) => columns.finish(tables)?,
            Self::Logs(columns) => columns.finish(tables)?,
            Self::Points(columns) => columns.finish(tables)?,
        };
        let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = columns.into_iter().unzip();
        Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?)
    }
}

/// Rows that become columns together, where the columns are known beforehand: what fits into a processor's cache.
const BATCH_ROWS: usize = 8_192;

/// A file that is being written, one row group after the other.
pub struct FileWriter<W: Write + Send> {
    columns: Columns,
    /// Rows of this row group, and how many of them are in `columns`.
    rows: usize,
    batch_rows: usize,
    /// How many rows there will be, and what is known of them.
    survey: Option<(usize, Survey)>,
    open: Open<W>,
    signal: Signal,
    level: i32,
}

/// The schema of a file is known with its first row group.
enum Open<W: Write + Send> {
    Waiting(W),
    Writing(Box<ArrowWriter<W>>),
    Broken,
}

impl<W: Write + Send> FileWriter<W> {
    /// A file for rows of a signal, compressed at this level of zstd.
    pub fn new(out: W, signal: Signal, level: i32) -> Result<Self, Error> {
        Self::with_attributes(out, signal, level, AttributeColumns::default())
    }

    pub(crate) fn with_attributes(
        out: W,
        signal: Signal,
        level: i32,
        attributes: AttributeColumns,
    ) -> Result<Self, Error> {
        Ok(Self {
            columns: Columns::new(signal, attributes)?,
            rows: 0,
            batch_rows: 0,
            survey: None,
            open: Open::Waiting(out),
            signal,
            level,
        })
    }

    /// A file for rows that have been looked through.
    fn surveyed(
        out: W,
        signal: Signal,
        level: i32,
        rows: usize,
        survey: Survey,
    ) -> Result<Self, Error> {
        let attributes = AttributeColumns::declared(survey.keys());
        let mut writer = Self::with_attributes(out, signal, level, attributes)?;
        writer.survey = Some((rows, survey));
        Ok(writer)
    }

    pub(crate) fn push(&mut self, tables: &Tables, row: &Row<'_>) -> Result<(), Error> {
        self.columns.push(tables, row);
        self.rows += 1;
        self.batch_rows += 1;
        if self.survey.is_some() && self.batch_rows >= BATCH_ROWS {
            self.end_batch(tables)?;
        }
        Ok(())
    }

    /// Rows of the row group that is being filled.
    pub(crate) const fn pending(&self) -> usize {
        self.rows
    }

    fn end_batch(&mut self, tables: &Tables) -> Result<(), Error> {
        if self.batch_rows == 0 {
            return Ok(());
        }
        let batch = self.columns.finish(tables)?;
        self.batch_rows = 0;
        self.open = match std::mem::replace(&mut self.open, Open::Broken) {
            Open::Waiting(out) => {
                let known = match &self.survey {
                    Some((rows, survey)) => (*rows, Some(survey)),
                    None => (batch.num_rows(), None),
                };
                let writer = open(out, &batch, self.signal, self.level, known)?;
                Open::Writing(Box::new(writer))
            }
            other => other,
        };
        if let Open::Writing(writer) = &mut self.open {
            writer.write(&batch)?;
        }
        Ok(())
    }

    /// Ends a row group.
    pub(crate) fn end_group(&mut self, tables: &Tables) -> Result<(), Error> {
        self.end_batch(tables)?;
        self.columns.end_group();
        self.rows = 0;
        if let Open::Writing(writer) = &mut self.open {
            writer.flush()?;
        }
        Ok(())
    }

    /// Ends the file, and gives back where it was written to.
    pub(crate) fn finish(mut self, tables: &Tables) -> Result<W, Error> {
        self.end_group(tables)?;
        match self.open {
            Open::Writing(writer) => Ok(writer.into_inner()?),
            Open::Waiting(out) => Ok(out),
            Open::Broken => Err(Error::damaged("a row group could not be written before")),
        }
    }
}

fn open<W: Write + Send>(
    out: W,
    first: &RecordBatch,
    signal: Signal,
    level: i32,
    known: (usize, Option<&Survey>),
) -> Result<ArrowWriter<W>, Error> {
    let schema = first.schema();
    let described = ArrowSchemaConverter::new().convert(&schema)?;
    let options = ArrowWriterOptions::new()
        .with_properties(properties::of(signal, level, &described, first, known)?)
        .with_skip_arrow_metadata(true)
        .with_parquet_schema(with_variant(&described)?);
    Ok(ArrowWriter::try_new_with_options(out, schema, options)?)
}

/// The same schema, with `attributes` declared to be a Variant.
fn with_variant(schema: &SchemaDescriptor) -> Result<SchemaDescriptor, Error> {
    let root = schema.root_schema();
    let mut fields = Vec::with_capacity(root.get_fields().len());
    for field in root.get_fields() {
        if field.name() == "attributes" && field.is_group() {
            let variant = Type::group_type_builder(field.name())
                .with_repetition(field.get_basic_info().repetition())
                .with_logical_type(Some(LogicalType::variant(Some(1))))
                .with_fields(field.get_fields().to_vec())
                .build()?;
            fields.push(Arc::new(variant));
        } else {
            fields.push(Arc::clone(field));
        }
    }
    let root = Type::group_type_builder(root.name())
        .with_fields(fields)
        .build()?;
    Ok(SchemaDescriptor::new(Arc::new(root)))
}

/// Sorts the rows and writes them as a file of one row group; returns its bytes.
pub fn write_rows(rows: &mut Rows, level: i32) -> Result<(Vec<u8>, Summary), Error> {
    rows.sort();
    let survey = if rows.len() > BATCH_ROWS {
        Survey::of(rows.signal, rows.iter())
    } else {
        None
    };
    let mut writer = match survey {
        Some(survey) => FileWriter::surveyed(Vec::new(), rows.signal, level, rows.len(), survey)?,
        None => FileWriter::new(Vec::new(), rows.signal, level)?,
    };
    for row in rows.iter() {
        writer.push(&rows.tables, &row)?;
    }
    let summary = Summary {
        rows: rows.len(),
        times: rows.times(),
    };
    Ok((writer.finish(&rows.tables)?, summary))
}
