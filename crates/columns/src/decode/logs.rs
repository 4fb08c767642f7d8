//! Reads log records back.

use arrow_array::types::{Int32Type, UInt32Type, UInt64Type};
use arrow_array::{
    Array, BinaryArray, Int32Array, RecordBatch, StringArray, UInt32Array, UInt64Array,
};
use millrace_wire::encode::EncodeValue as _;
use millrace_wire::field::{push_delimited, push_fixed32};

use super::attributes::AttributeDecoder;
use super::spans::push_enum;
use super::{Named, bytes_of, push_count, push_id, push_text, push_time, text_of, value_of};
use crate::error::Error;

/// Reads the rows of a batch of log records.
pub(crate) struct LogDecoder<'a> {
    time: &'a UInt64Array,
    observed_time: &'a UInt64Array,
    severity_number: &'a Int32Array,
    severity_text: &'a StringArray,
    body: &'a StringArray,
    body_otlp: &'a BinaryArray,
    event_name: &'a StringArray,
    trace_id: &'a StringArray,
    span_id: &'a StringArray,
    flags: &'a UInt32Array,
    dropped_attributes: &'a UInt32Array,
    attributes: AttributeDecoder<'a>,
    otlp: &'a BinaryArray,
    scratch: Vec<u8>,
}

impl<'a> LogDecoder<'a> {
    pub(crate) fn new(batch: &'a RecordBatch) -> Result<Self, Error> {
        Ok(Self {
            time: batch.numbers::<UInt64Type>("time_unix_nano")?,
            observed_time: batch.numbers::<UInt64Type>("observed_time_unix_nano")?,
            severity_number: batch.numbers::<Int32Type>("severity_number")?,
            severity_text: batch.text("severity_text")?,
            body: batch.text("body")?,
            body_otlp: batch.bytes("body_otlp")?,
            event_name: batch.text("event_name")?,
            trace_id: batch.text("trace_id")?,
            span_id: batch.text("span_id")?,
            flags: batch.numbers::<UInt32Type>("flags")?,
            dropped_attributes: batch.numbers::<UInt32Type>("dropped_attributes_count")?,
            attributes: AttributeDecoder::new(batch)?,
            otlp: batch.bytes("otlp")?,
            scratch: Vec::new(),
        })
    }

    pub(crate) fn append(&mut self, row: usize, out: &mut Vec<u8>) -> Result<(), Error> {
        if let Some(record) = bytes_of(self.otlp, row) {
            out.extend_from_slice(record);
            return Ok(());
        }
        push_time(out, 1, value_of(self.time, row).unwrap_or_default());
        push_enum(out, 2, value_of(self.severity_number, row));
        push_text(out, 3, text_of(self.severity_text, row));
        if let Some(body) = bytes_of(self.body_otlp, row) {
            push_delimited(out, 5, body);
        } else if self.body.is_valid(row) {
            self.scratch.clear();
            self.body.value(row).encode_value(&mut self.scratch);
            push_delimited(out, 5, &self.scratch);
        }
        self.attributes.append(row, 6, out)?;
        let dropped = value_of(self.dropped_attributes, row).unwrap_or_default();
        push_count(out, 7, dropped.into());
        if let Some(flags) = value_of(self.flags, row) {
            push_fixed32(out, 8, flags);
        }
        push_id(out, 9, text_of(self.trace_id, row), &mut self.scratch)?;
        push_id(out, 10, text_of(self.span_id, row), &mut self.scratch)?;
        push_time(
            out,
            11,
            value_of(self.observed_time, row).unwrap_or_default(),
        );
        push_text(out, 12, text_of(self.event_name, row));
        Ok(())
    }
}
