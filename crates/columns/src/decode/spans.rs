//! Reads spans back.

use arrow_array::types::{Int32Type, UInt32Type, UInt64Type};
use arrow_array::{BinaryArray, Int32Array, RecordBatch, StringArray, UInt32Array, UInt64Array};
use millrace_wire::field::{push_delimited, push_fixed32};

use super::attributes::AttributeDecoder;
use super::nested::{EventDecoder, LinkDecoder};
use super::{Named, bytes_of, push_count, push_id, push_text, push_time, text_of, value_of};
use crate::error::Error;

/// Reads the rows of a batch of spans.
pub(crate) struct SpanDecoder<'a> {
    trace_id: &'a StringArray,
    span_id: &'a StringArray,
    parent_span_id: &'a StringArray,
    trace_state: &'a StringArray,
    name: &'a StringArray,
    kind: &'a Int32Array,
    start: &'a UInt64Array,
    duration: &'a UInt64Array,
    early_end: &'a UInt64Array,
    status_code: &'a Int32Array,
    status_message: &'a StringArray,
    flags: &'a UInt32Array,
    dropped_attributes: &'a UInt32Array,
    dropped_events: &'a UInt32Array,
    dropped_links: &'a UInt32Array,
    attributes: AttributeDecoder<'a>,
    events: EventDecoder<'a>,
    links: LinkDecoder<'a>,
    otlp: &'a BinaryArray,
    scratch: Vec<u8>,
}

impl<'a> SpanDecoder<'a> {
    pub(crate) fn new(batch: &'a RecordBatch) -> Result<Self, Error> {
        Ok(Self {
            trace_id: batch.text("trace_id")?,
            span_id: batch.text("span_id")?,
            parent_span_id: batch.text("parent_span_id")?,
            trace_state: batch.text("trace_state")?,
            name: batch.text("name")?,
            kind: batch.numbers::<Int32Type>("kind")?,
            start: batch.numbers::<UInt64Type>("start_time_unix_nano")?,
            duration: batch.numbers::<UInt64Type>("duration_ns")?,
            early_end: batch.numbers::<UInt64Type>("early_end_time_unix_nano")?,
            status_code: batch.numbers::<Int32Type>("status_code")?,
            status_message: batch.text("status_message")?,
            flags: batch.numbers::<UInt32Type>("flags")?,
            dropped_attributes: batch.numbers::<UInt32Type>("dropped_attributes_count")?,
            dropped_events: batch.numbers::<UInt32Type>("dropped_events_count")?,
            dropped_links: batch.numbers::<UInt32Type>("dropped_links_count")?,
            attributes: AttributeDecoder::new(batch)?,
            events: EventDecoder::new(batch)?,
            links: LinkDecoder::new(batch)?,
            otlp: batch.bytes("otlp")?,
            scratch: Vec::new(),
        })
    }

    pub(crate) fn append(&mut self, row: usize, out: &mut Vec<u8>) -> Result<(), Error> {
        if let Some(span) = bytes_of(self.otlp, row) {
            out.extend_from_slice(span);
            return Ok(());
        }
        let scratch = &mut self.scratch;
        push_id(out, 1, text_of(self.trace_id, row), scratch)?;
        push_id(out, 2, text_of(self.span_id, row), scratch)?;
        push_text(out, 3, text_of(self.trace_state, row));
        push_id(out, 4, text_of(self.parent_span_id, row), scratch)?;
        push_text(out, 5, text_of(self.name, row));
        push_enum(out, 6, value_of(self.kind, row));
        let start = value_of(self.start, row).unwrap_or_default();
        let duration = value_of(self.duration, row).unwrap_or_default();
        push_time(out, 7, start);
        let end = value_of(self.early_end, row).unwrap_or(start.wrapping_add(duration));
        push_time(out, 8, end);
        self.attributes.append(row, 9, out)?;
        let count = |column: &UInt32Array| u64::from(value_of(column, row).unwrap_or_default());
        push_count(out, 10, count(self.dropped_attributes));
        self.events.append(row, start, 11, out)?;
        push_count(out, 12, count(self.dropped_events));
        self.links.append(row, 13, out)?;
        push_count(out, 14, count(self.dropped_links));
        if let Some(code) = value_of(self.status_code, row) {
            self.scratch.clear();
            push_text(&mut self.scratch, 2, text_of(self.status_message, row));
            push_enum(&mut self.scratch, 3, Some(code));
            push_delimited(out, 15, &self.scratch);
        }
        if let Some(flags) = value_of(self.flags, row) {
            push_fixed32(out, 16, flags);
        }
        Ok(())
    }
}

/// Appends a number of an enum; nothing for zero. Numbers below zero take ten bytes, as protobuf wants it.
pub(super) fn push_enum(out: &mut Vec<u8>, number: u32, value: Option<i32>) {
    push_count(
        out,
        number,
        i64::from(value.unwrap_or_default()).cast_unsigned(),
    );
}
