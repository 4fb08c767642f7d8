//! Columns back to OTLP: the twins of the builders, one for each of them.

mod attributes;
mod logs;
mod metric_points;
mod nested;
mod spans;

use arrow_array::cast::AsArray as _;
use arrow_array::types::ArrowPrimitiveType;
use arrow_array::{
    Array, ArrayRef, BinaryArray, PrimitiveArray, RecordBatch, StringArray, StructArray,
};
use millrace_wire::Signal;

use crate::error::Error;

/// Columns by their names: a batch, or a structure inside of one.
pub(crate) trait Named {
    /// The column, if there is one of that name.
    fn find(&self, name: &str) -> Option<&ArrayRef>;

    /// The column.
    fn any(&self, name: &str) -> Result<&ArrayRef, Error> {
        self.find(name)
            .ok_or_else(|| Error::damaged(format!("the file has no column {name}")))
    }

    /// A column of text.
    fn text(&self, name: &str) -> Result<&StringArray, Error> {
        typed(self.any(name)?.as_string_opt(), name)
    }

    /// A column of bytes.
    fn bytes(&self, name: &str) -> Result<&BinaryArray, Error> {
        typed(self.any(name)?.as_binary_opt(), name)
    }

    /// A column of numbers.
    fn numbers<T: ArrowPrimitiveType>(&self, name: &str) -> Result<&PrimitiveArray<T>, Error> {
        typed(self.any(name)?.as_primitive_opt(), name)
    }
}

impl Named for RecordBatch {
    fn find(&self, name: &str) -> Option<&ArrayRef> {
        self.column_by_name(name)
    }
}

impl Named for StructArray {
    fn find(&self, name: &str) -> Option<&ArrayRef> {
        self.column_by_name(name)
    }
}

pub(crate) fn typed<T>(column: Option<T>, name: &str) -> Result<T, Error> {
    column.ok_or_else(|| Error::damaged(format!("the column {name} is of another type than ours")))
}

/// The value of a row, if there is one.
pub(crate) fn value_of<T: ArrowPrimitiveType>(
    column: &PrimitiveArray<T>,
    row: usize,
) -> Option<T::Native> {
    (row < column.len() && column.is_valid(row)).then(|| column.value(row))
}

/// The text of a row; empty where there is none.
pub(crate) fn text_of(column: &StringArray, row: usize) -> &str {
    if row < column.len() && column.is_valid(row) {
        column.value(row)
    } else {
        ""
    }
}

/// The bytes of a row, if there are any.
pub(crate) fn bytes_of(column: &BinaryArray, row: usize) -> Option<&[u8]> {
    (row < column.len() && column.is_valid(row)).then(|| column.value(row))
}

/// Reads the items of one batch.
pub(crate) enum Decoder<'a> {
    Spans(Box<spans::SpanDecoder<'a>>),
    Logs(Box<logs::LogDecoder<'a>>),
    Points(Box<metric_points::PointDecoder<'a>>),
}

impl<'a> Decoder<'a> {
    pub(crate) fn new(signal: Signal, batch: &'a RecordBatch) -> Result<Self, Error> {
        Ok(match signal {
            Signal::Traces => Self::Spans(Box::new(spans::SpanDecoder::new(batch)?)),
            Signal::Logs => Self::Logs(Box::new(logs::LogDecoder::new(batch)?)),
            _ => Self::Points(Box::new(metric_points::PointDecoder::new(batch)?)),
        })
    }

    /// Appends the bytes of the item in a row.
    pub(crate) fn append(&mut self, row: usize, out: &mut Vec<u8>) -> Result<(), Error> {
        match self {
            Self::Spans(decoder) => decoder.append(row, out),
            Self::Logs(decoder) => decoder.append(row, out),
            Self::Points(decoder) => decoder.append(row, out),
        }
    }
}

/// Appends the bytes that an id's text stands for as a field; nothing for an empty one.
pub(crate) fn push_id(
    out: &mut Vec<u8>,
    number: u32,
    id: &str,
    scratch: &mut Vec<u8>,
) -> Result<(), Error> {
    if id.is_empty() {
        return Ok(());
    }
    scratch.clear();
    crate::hex::read(scratch, id)
        .ok_or_else(|| Error::damaged("an id is not hexadecimal".to_owned()))?;
    millrace_wire::field::push_delimited(out, number, scratch);
    Ok(())
}

/// Appends a text as a field; nothing for an empty one.
pub(crate) fn push_text(out: &mut Vec<u8>, number: u32, text: &str) {
    if !text.is_empty() {
        millrace_wire::field::push_delimited(out, number, text.as_bytes());
    }
}

/// Appends a number as a varint field; nothing for zero.
pub(crate) fn push_count(out: &mut Vec<u8>, number: u32, count: u64) {
    if count != 0 {
        millrace_wire::field::push_varint(out, number, count);
    }
}

/// Appends a time as a field; nothing for zero.
pub(crate) fn push_time(out: &mut Vec<u8>, number: u32, time: u64) {
    if time != 0 {
        millrace_wire::field::push_fixed64(out, number, time);
    }
}
