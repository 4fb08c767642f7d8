//! Spans as columns.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::{
    BinaryBuilder, Int32Builder, StringBuilder, UInt32Builder, UInt64Builder,
};
use arrow_schema::{DataType, Field};
use millrace_wire::field::{Fields, Value};

use crate::attributes::AttributeColumns;
use crate::envelopes::EnvelopeColumns;
use crate::error::Error;
use crate::hex;
use crate::nested::{EventColumns, LinkColumns};
use crate::rows::Row;
use crate::tables::Tables;
use crate::value::Pair;

/// Builds the columns of spans.
#[derive(Default)]
pub(crate) struct SpanColumns {
    envelopes: EnvelopeColumns,
    name: StringBuilder,
    start: UInt64Builder,
    duration: UInt64Builder,
    /// Where a span ends before it starts; else the end is start and duration.
    early_end: UInt64Builder,
    trace_id: StringBuilder,
    span_id: StringBuilder,
    parent_span_id: StringBuilder,
    trace_state: StringBuilder,
    kind: Int32Builder,
    status_code: Int32Builder,
    status_message: StringBuilder,
    flags: UInt32Builder,
    dropped_attributes: UInt32Builder,
    dropped_events: UInt32Builder,
    dropped_links: UInt32Builder,
    attributes: AttributeColumns,
    events: EventColumns,
    links: LinkColumns,
    otlp: BinaryBuilder,
    id: String,
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
        let mut pairs = Vec::with_capacity(16);
        let mut events = Vec::new();
        let mut links = Vec::new();
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
                (9, Value::Delimited(pair)) => pairs.push(Pair::new(pair)),
                (10, Value::Varint(bits)) => span.dropped_attributes = bits as u32,
                (11, Value::Delimited(event)) => events.push(event),
                (12, Value::Varint(bits)) => span.dropped_events = bits as u32,
                (13, Value::Delimited(link)) => links.push(link),
                (14, Value::Varint(bits)) => span.dropped_links = bits as u32,
                (15, Value::Delimited(status)) => span.read_status(status),
                (16, Value::Fixed32(bits)) => span.flags = bits,
                _ => span.is_odd = true,
            }
        }
        self.push_scalars(&span);
        self.attributes.push(&pairs);
        self.events.push(span.start, &events);
        self.links.push(&links);
        if span.is_odd {
            self.otlp.append_value(row.item);
        } else {
            self.otlp.append_null();
        }
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
        append_text(&mut self.trace_state, span.trace_state);
        self.kind.append_value(span.kind);
        self.start.append_value(span.start);
        let duration = span.end.checked_sub(span.start);
        self.duration.append_value(duration.unwrap_or_default());
        self.early_end
            .append_option(duration.is_none().then_some(span.end));
        self.status_code
            .append_option(span.status.map(|(code, _)| code));
        append_text(
            &mut self.status_message,
            span.status.map_or(&[], |(_, message)| message),
        );
        append_count(&mut self.flags, span.flags);
        append_count(&mut self.dropped_attributes, span.dropped_attributes);
        append_count(&mut self.dropped_events, span.dropped_events);
        append_count(&mut self.dropped_links, span.dropped_links);
    }

    pub(crate) fn finish(&mut self, tables: &Tables) -> Result<Vec<(Field, ArrayRef)>, Error> {
        let text = |name: &str, nullable, builder: &mut StringBuilder| -> (Field, ArrayRef) {
            let field = Field::new(name, DataType::Utf8, nullable);
            (field, Arc::new(builder.finish()))
        };
        let count = |name: &str, builder: &mut UInt32Builder| -> (Field, ArrayRef) {
            let field = Field::new(name, DataType::UInt32, true);
            (field, Arc::new(builder.finish()))
        };
        let number = |name: &str, nullable, builder: &mut Int32Builder| -> (Field, ArrayRef) {
            let field = Field::new(name, DataType::Int32, nullable);
            (field, Arc::new(builder.finish()))
        };
        let time = |name: &str, nullable, builder: &mut UInt64Builder| -> (Field, ArrayRef) {
            let field = Field::new(name, DataType::UInt64, nullable);
            (field, Arc::new(builder.finish()))
        };
        let mut columns = self.envelopes.finish(tables)?;
        columns.extend([
            text("trace_id", false, &mut self.trace_id),
            text("span_id", false, &mut self.span_id),
            text("parent_span_id", false, &mut self.parent_span_id),
            text("trace_state", true, &mut self.trace_state),
            text("name", false, &mut self.name),
            number("kind", false, &mut self.kind),
            time("start_time_unix_nano", false, &mut self.start),
            time("duration_ns", false, &mut self.duration),
            time("early_end_time_unix_nano", true, &mut self.early_end),
            number("status_code", true, &mut self.status_code),
            text("status_message", true, &mut self.status_message),
            count("flags", &mut self.flags),
            count("dropped_attributes_count", &mut self.dropped_attributes),
            count("dropped_events_count", &mut self.dropped_events),
            count("dropped_links_count", &mut self.dropped_links),
        ]);
        columns.extend(self.attributes.finish()?);
        columns.push(self.events.finish()?);
        columns.push(self.links.finish()?);
        columns.push((
            Field::new("otlp", DataType::Binary, true),
            Arc::new(self.otlp.finish()),
        ));
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

/// Appends a text, or nothing where it is empty.
pub(crate) fn append_text(builder: &mut StringBuilder, bytes: &[u8]) {
    if bytes.is_empty() {
        builder.append_null();
    } else {
        builder.append_value(text(bytes));
    }
}

/// Appends a number, or nothing where it is zero.
pub(crate) fn append_count(builder: &mut UInt32Builder, count: u32) {
    if count == 0 {
        builder.append_null();
    } else {
        builder.append_value(count);
    }
}
