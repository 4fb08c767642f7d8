//! Spans as columns.

use std::sync::Arc;

use arrow_array::builder::{
    BinaryBuilder, Int32Builder, StringBuilder, UInt32Builder, UInt64Builder,
};
use arrow_array::{Array as _, ArrayRef};
use arrow_schema::{DataType, Field};
use millrace_wire::field::{Fields, Value};

use crate::attributes::AttributeColumns;
use crate::envelopes::EnvelopeColumns;
use crate::error::Error;
use crate::hex;
use crate::nested::{EventColumns, LinkColumns};
use crate::rows::Row;
use crate::sparse::{Sparse, add_bytes, add_count, add_number, add_text};
use crate::tables::Tables;

/// Builds the columns of spans.
#[derive(Default)]
pub(crate) struct SpanColumns {
    envelopes: EnvelopeColumns,
    name: StringBuilder,
    start: UInt64Builder,
    duration: UInt64Builder,
    /// Where a span ends before it starts; else the end is start and duration.
    early_end: Sparse<UInt64Builder>,
    trace_id: StringBuilder,
    span_id: StringBuilder,
    parent_span_id: StringBuilder,
    trace_state: Sparse<StringBuilder>,
    kind: Int32Builder,
    status_code: Sparse<Int32Builder>,
    status_message: Sparse<StringBuilder>,
    flags: Sparse<UInt32Builder>,
    dropped_attributes: Sparse<UInt32Builder>,
    dropped_events: Sparse<UInt32Builder>,
    dropped_links: Sparse<UInt32Builder>,
    attributes: AttributeColumns,
    events: EventColumns,
    links: LinkColumns,
    otlp: Sparse<BinaryBuilder>,
    rows: usize,
    id: String,
    parts: Parts<'static>,
}

/// The repeated fields of a span.
#[derive(Default)]
struct Parts<'a> {
    attributes: Vec<&'a [u8]>,
    events: Vec<&'a [u8]>,
    links: Vec<&'a [u8]>,
}

impl Parts<'_> {
    /// The same memory, empty, for another span.
    fn emptied<'b>(self) -> Parts<'b> {
        Parts {
            attributes: emptied(self.attributes),
            events: emptied(self.events),
            links: emptied(self.links),
        }
    }
}

/// The same memory for slices of something else: without elements, the collected vector is the one that it was.
pub(crate) fn emptied<'b, T: ?Sized>(mut slices: Vec<&T>) -> Vec<&'b T> {
    slices.clear();
    slices.into_iter().map_while(|_| None).collect()
}

/// The scalars of a span. Absent is what protobuf does not write: zero and empty.
#[derive(Default)]
struct Scalars<'a> {
    trace_id: &'a [u8],
    span_id: &'a [u8],
    parent_span_id: &'a [u8],
    trace_state: &'a [u8],
    name: &'a [u8],
    kind: i32,
    start: u64,
    end: u64,
    dropped_attributes: u32,
    dropped_events: u32,
    dropped_links: u32,
    flags: u32,
    status: Option<(i32, &'a [u8])>,
    /// There is something that no column has.
    is_odd: bool,
}

impl SpanColumns {
    pub(crate) fn new(attributes: AttributeColumns) -> Self {
        Self {
            attributes,
            ..Self::default()
        }
    }

    pub(crate) fn push(&mut self, tables: &Tables, row: &Row<'_>) {
        self.envelopes.push(tables, row);
        let mut parts = std::mem::take(&mut self.parts).emptied();
        let mut span = Scalars::default();
        for field in Fields::new(row.item) {
            match (field.number, field.value) {
                (1, Value::Delimited(id)) => span.trace_id = id,
                (2, Value::Delimited(id)) => span.span_id = id,
                (3, Value::Delimited(text)) => span.trace_state = text,
                (4, Value::Delimited(id)) => span.parent_span_id = id,
                (5, Value::Delimited(text)) => span.name = text,
                (6, Value::Varint(bits)) => span.kind = bits as i32,
                (7, Value::Fixed64(time)) => span.start = time,
                (8, Value::Fixed64(time)) => span.end = time,
                (9, Value::Delimited(pair)) => parts.attributes.push(pair),
                (10, Value::Varint(bits)) => span.dropped_attributes = bits as u32,
                (11, Value::Delimited(event)) => parts.events.push(event),
                (12, Value::Varint(bits)) => span.dropped_events = bits as u32,
                (13, Value::Delimited(link)) => parts.links.push(link),
                (14, Value::Varint(bits)) => span.dropped_links = bits as u32,
                (15, Value::Delimited(status)) => span.read_status(status),
                (16, Value::Fixed32(bits)) => span.flags = bits,
                _ => span.is_odd = true,
            }
        }
        self.push_scalars(&span);
        self.attributes.push(&parts.attributes);
        self.events.push(span.start, &parts.events);
        self.links.push(&parts.links);
        add_bytes(&mut self.otlp, self.rows, span.is_odd.then_some(row.item));
        self.rows += 1;
        self.parts = parts.emptied();
    }

    fn push_scalars(&mut self, span: &Scalars<'_>) {
        for (column, id) in [
            (&mut self.trace_id, span.trace_id),
            (&mut self.span_id, span.span_id),
            (&mut self.parent_span_id, span.parent_span_id),
        ] {
            self.id.clear();
            hex::push(&mut self.id, id);
            column.append_value(&self.id);
        }
        self.name.append_value(text(span.name));
        let row = self.rows;
        add_text(&mut self.trace_state, row, span.trace_state);
        self.kind.append_value(span.kind);
        self.start.append_value(span.start);
        let duration = span.end.checked_sub(span.start);
        self.duration.append_value(duration.unwrap_or_default());
        let early_end = duration.is_none().then_some(span.end);
        add_number(&mut self.early_end, row, early_end);
        if let Some((code, message)) = span.status {
            add_number(&mut self.status_code, row, Some(code));
            add_text(&mut self.status_message, row, message);
        }
        add_count(&mut self.flags, row, span.flags);
        add_count(&mut self.dropped_attributes, row, span.dropped_attributes);
        add_count(&mut self.dropped_events, row, span.dropped_events);
        add_count(&mut self.dropped_links, row, span.dropped_links);
    }

    pub(crate) fn end_group(&mut self) {
        self.envelopes.end_group();
    }

    pub(crate) fn finish(&mut self, tables: &Tables) -> Result<Vec<(Field, ArrayRef)>, Error> {
        let rows = std::mem::take(&mut self.rows);
        let column = |name: &str, kind, array: ArrayRef| (Field::new(name, kind, false), array);
        let sparse = |name: &str, array: ArrayRef| {
            (Field::new(name, array.data_type().clone(), true), array)
        };
        let text = |name: &str, builder: &mut StringBuilder| {
            column(name, DataType::Utf8, Arc::new(builder.finish()))
        };
        let time = |name: &str, builder: &mut UInt64Builder| {
            column(name, DataType::UInt64, Arc::new(builder.finish()))
        };
        let kind = Arc::new(self.kind.finish());
        let mut columns = self.envelopes.finish(tables)?;
        columns.extend([
            text("trace_id", &mut self.trace_id),
            text("span_id", &mut self.span_id),
            text("parent_span_id", &mut self.parent_span_id),
            sparse("trace_state", self.trace_state.finish(rows)),
            text("name", &mut self.name),
            column("kind", DataType::Int32, kind),
            time("start_time_unix_nano", &mut self.start),
            time("duration_ns", &mut self.duration),
            sparse("early_end_time_unix_nano", self.early_end.finish(rows)),
            sparse("status_code", self.status_code.finish(rows)),
            sparse("status_message", self.status_message.finish(rows)),
            sparse("flags", self.flags.finish(rows)),
            sparse(
                "dropped_attributes_count",
                self.dropped_attributes.finish(rows),
            ),
            sparse("dropped_events_count", self.dropped_events.finish(rows)),
            sparse("dropped_links_count", self.dropped_links.finish(rows)),
        ]);
        columns.extend(self.attributes.finish()?);
        columns.push(self.events.finish()?);
        columns.push(self.links.finish()?);
        columns.push(sparse("otlp", self.otlp.finish(rows)));
        Ok(columns)
    }
}

impl<'a> Scalars<'a> {
    fn read_status(&mut self, status: &'a [u8]) {
        let (code, message) = self.status.get_or_insert((0, &[]));
        for field in Fields::new(status) {
            match (field.number, field.value) {
                (2, Value::Delimited(text)) => *message = text,
                (3, Value::Varint(bits)) => *code = bits as i32,
                _ => self.is_odd = true,
            }
        }
    }
}

/// The text of a validated field.
pub(crate) fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).unwrap_or_default()
}
