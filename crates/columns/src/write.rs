//! Writes rows to a Parquet file.

use std::io::Write;
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_schema::{Field, FieldRef, Schema};
use millrace_wire::Signal;
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_writer::{ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::basic::LogicalType;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{SchemaDescriptor, Type};

use crate::attributes::AttributeColumns;
use crate::chunk;
use crate::column::{Column, Content};
use crate::error::Error;
use crate::logs::LogColumns;
use crate::metric_points::PointColumns;
use crate::packer::Packer;
use crate::properties;
use crate::rows::{Row, Rows};
use crate::spans::SpanColumns;
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

    fn starts(&self) -> Option<(u64, u64)> {
        match self {
            Self::Spans(columns) => columns.starts(),
            Self::Logs(_) | Self::Points(_) => None,
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

    fn finish(&mut self, tables: &Tables) -> Result<Vec<Column<'_>>, Error> {
        match self {
            Self::Spans(columns) => columns.finish(),
            Self::Logs(columns) => columns.finish(),
            Self::Points(columns) => columns.finish(tables),
        }
    }
}

/// Rows that become arrays together: what fits into a processor's cache.
const BATCH_ROWS: usize = 8_192;
/// The same where rows are long.
const BATCH_BYTES: usize = 16 << 20;

/// A file that is being written, one row group after the other.
pub struct FileWriter<W: Write + Send> {
    columns: Columns,
    /// Rows of this row group, and how many of them, and of how many bytes, have come since the last batch.
    rows: usize,
    batch_rows: usize,
    batch_bytes: usize,
    /// The least and greatest start of a span so far.
    starts: Option<(u64, u64)>,
    packer: Packer,
    arrays: Option<Arrays>,
    open: Open<W>,
    level: i32,
}

/// The schema of a file is known with its first row group.
enum Open<W: Write + Send> {
    Waiting(W),
    Writing(Box<SerializedFileWriter<W>>),
    Broken,
}

/// Writes the columns that are arrays.
struct Arrays {
    factory: ArrowRowGroupWriterFactory,
    writers: Vec<ArrowColumnWriter>,
    groups: usize,
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
            batch_bytes: 0,
            starts: None,
            packer: Packer::new(level)?,
            arrays: None,
            open: Open::Waiting(out),
            level,
        })
    }

    pub(crate) fn push(&mut self, tables: &Tables, row: &Row<'_>) -> Result<(), Error> {
        self.columns.push(tables, row);
        self.rows += 1;
        self.batch_rows += 1;
        self.batch_bytes += row.item.len();
        if self.batch_rows >= BATCH_ROWS || self.batch_bytes >= BATCH_BYTES {
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
        (self.batch_rows, self.batch_bytes) = (0, 0);
        let mut arrays = Vec::new();
        for column in self.columns.finish(tables)? {
            match column.content {
                Content::Array(array) => arrays.push((column.field, array)),
                Content::Leaves(leaves) => {
                    for leaf in leaves {
                        leaf.end_batch(self.rows, &mut self.packer)?;
                    }
                }
            }
        }
        let writers = match self.arrays.take() {
            Some(writers) => writers,
            None => Arrays::new(&arrays, self.level)?,
        };
        self.arrays.insert(writers).write(&arrays)
    }

    /// Ends a row group.
    pub(crate) fn end_group(&mut self, tables: &Tables) -> Result<(), Error> {
        self.end_batch(tables)?;
        let rows = std::mem::take(&mut self.rows);
        if rows > 0 {
            self.starts = wider(self.starts, self.columns.starts());
            self.write_group(tables, rows)?;
        }
        self.columns.end_group();
        Ok(())
    }

    fn write_group(&mut self, tables: &Tables, rows: usize) -> Result<(), Error> {
        let columns = self.columns.finish(tables)?;
        let mut file = match std::mem::replace(&mut self.open, Open::Broken) {
            Open::Waiting(out) => Box::new(open(out, &columns, self.level)?),
            Open::Writing(file) => file,
            Open::Broken => return Err(broken()),
        };
        let schema = file.schema_descr().clone();
        let arrays = self.arrays.as_mut().ok_or_else(broken)?;
        let mut of_arrays = arrays.end_group()?.into_iter();
        let mut group = file.next_row_group()?;
        let mut place = 0;
        for (root, column) in columns.into_iter().enumerate() {
            let end = (place..schema.num_columns())
                .find(|place| schema.get_column_root_idx(*place) != root)
                .unwrap_or(schema.num_columns());
            match column.content {
                Content::Array(_) => {
                    for writer in of_arrays.by_ref().take(end - place) {
                        writer.close()?.append_to_row_group(&mut group)?;
                    }
                }
                Content::Leaves(leaves) => {
                    for (leaf, place) in leaves.into_iter().zip(place..end) {
                        let column = schema.column(place);
                        let (bytes, result) =
                            chunk::finish(leaf.take(), rows, column, &mut self.packer)?;
                        group.append_column(&bytes, result)?;
                    }
                }
            }
            place = end;
        }
        group.close()?;
        self.open = Open::Writing(file);
        Ok(())
    }

    /// Ends the file, and gives back where it was written to.
    pub(crate) fn finish(mut self, tables: &Tables) -> Result<W, Error> {
        self.end_group(tables)?;
        match self.open {
            Open::Writing(file) => Ok(file.into_inner()?),
            Open::Waiting(out) => Ok(out),
            Open::Broken => Err(broken()),
        }
    }
}

/// What both ranges are within.
fn wider(left: Option<(u64, u64)>, right: Option<(u64, u64)>) -> Option<(u64, u64)> {
    let ((least, greatest), (other_least, other_greatest)) = (left.or(right)?, right.or(left)?);
    Some((least.min(other_least), greatest.max(other_greatest)))
}

fn broken() -> Error {
    Error::damaged("a row group could not be written before")
}

impl Arrays {
    fn new(arrays: &[(Field, ArrayRef)], level: i32) -> Result<Self, Error> {
        let fields: Vec<FieldRef> = arrays
            .iter()
            .map(|(field, _)| Arc::new(field.clone()))
            .collect();
        let schema = Arc::new(Schema::new(fields));
        let described = ArrowSchemaConverter::new().convert(&schema)?;
        let properties = Arc::new(properties::of(level, &described)?);
        let root = described.root_schema_ptr();
        // Nothing is written there: it only knows what the writers of columns have to know.
        let file = SerializedFileWriter::new(std::io::sink(), root, properties)?;
        let factory = ArrowRowGroupWriterFactory::new(&file, schema);
        Ok(Self {
            writers: factory.create_column_writers(0)?,
            factory,
            groups: 0,
        })
    }

    fn write(&mut self, arrays: &[(Field, ArrayRef)]) -> Result<(), Error> {
        let mut writers = self.writers.iter_mut();
        for (field, array) in arrays {
            for (leaf, writer) in compute_leaves(field, array)?.iter().zip(writers.by_ref()) {
                writer.write(leaf)?;
            }
        }
        Ok(())
    }

    /// The writers of the columns of a row group, which ends.
    fn end_group(&mut self) -> Result<Vec<ArrowColumnWriter>, Error> {
        self.groups += 1;
        let next = self.factory.create_column_writers(self.groups)?;
        Ok(std::mem::replace(&mut self.writers, next))
    }
}

fn open<W: Write + Send>(
    out: W,
    columns: &[Column<'_>],
    level: i32,
) -> Result<SerializedFileWriter<W>, Error> {
    let fields: Vec<Field> = columns.iter().map(|column| column.field.clone()).collect();
    let described = ArrowSchemaConverter::new().convert(&Schema::new(fields))?;
    let described = with_variant(&described)?;
    let properties = Arc::new(properties::of(level, &described)?);
    let root = described.root_schema_ptr();
    Ok(SerializedFileWriter::new(out, root, properties)?)
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
    let mut writer = FileWriter::new(Vec::new(), rows.signal, level)?;
    for row in rows.iter() {
        writer.push(&rows.tables, &row)?;
    }
    writer.end_group(&rows.tables)?;
    let summary = Summary {
        rows: rows.len(),
        times: writer.starts.or(rows.times()),
    };
    Ok((writer.finish(&rows.tables)?, summary))
}
