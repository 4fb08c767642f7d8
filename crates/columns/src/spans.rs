//! Spans as columns.

use arrow_schema::DataType;
use millrace_wire::field::{Fields, Value};

use crate::attributes::AttributeColumns;
use crate::column::Column;
use crate::envelopes::EnvelopeColumns;
use crate::error::Error;
use crate::hex;
use crate::leaf::{Leaf, Use, Width};
use crate::nested::{EventColumns, LinkColumns};
use crate::rows::Row;
use crate::tables::Tables;

/// Builds the columns of spans.
pub(crate) struct SpanColumns {
    envelopes: EnvelopeColumns,
    name: Leaf,
    start: Leaf,
    duration: Leaf,
    /// Where a span ends before it starts; else the end is start and duration.
    early_end: Leaf,
    trace_id: Leaf,
    span_id: Leaf,
    parent_span_id: Leaf,
    trace_state: Leaf,
    kind: Leaf,
    status_code: Leaf,
    status_message: Leaf,
    flags: Leaf,
    dropped_attributes: Leaf,
    dropped_events: Leaf,
    dropped_links: Leaf,
    attributes: AttributeColumns,
    events: EventColumns,
    links: LinkColumns,
    otlp: Leaf,
    rows: usize,
    id: Vec<u8>,
}

/// Most items have no more attributes: a vector for so many does not grow.
pub(crate) const ATTRIBUTES: usize = 16;

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
        let count = || Leaf::optional(Use::Number(Width::UInt32));
        Self {
            envelopes: EnvelopeColumns::default(),
            name: Leaf::required(Use::Name),
            start: Leaf::required(Use::Time),
            duration: Leaf::required(Use::Duration),
            early_end: Leaf::optional(Use::Duration),
            trace_id: Leaf::required(Use::TraceId),
            span_id: Leaf::required(Use::Id),
            parent_span_id: Leaf::required(Use::Id),
            trace_state: Leaf::optional(Use::Text),
            kind: Leaf::required(Use::Number(Width::Int32)),
            status_code: Leaf::optional(Use::Number(Width::Int32)),
            status_message: Leaf::optional(Use::Text),
            flags: count(),
            dropped_attributes: count(),
            dropped_events: count(),
            dropped_links: count(),
            attributes,
            events: EventColumns::default(),
            links: LinkColumns::default(),
            otlp: Leaf::optional(Use::Text),
            rows: 0,
            id: Vec::new(),
        }
    }

    pub(crate) fn push(&mut self, tables: &Tables, row: &Row<'_>) {
        self.envelopes.push(tables, row);
        let mut attributes = Vec::with_capacity(ATTRIBUTES);
        let (mut events, mut links) = (Vec::new(), Vec::new());
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
                (9, Value::Delimited(pair)) => attributes.push(pair),
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
        self.attributes.push(&attributes);
        self.events.push(span.start, &events);
        self.links.push(&links);
        if span.is_odd {
            self.otlp.put(self.rows, row.item);
        }
        self.rows += 1;
    }

    fn push_scalars(&mut self, span: &Scalars<'_>) {
        let row = self.rows;
        for (column, id) in [
            (&mut self.trace_id, span.trace_id),
            (&mut self.span_id, span.span_id),
            (&mut self.parent_span_id, span.parent_span_id),
        ] {
            self.id.clear();
            hex::push_digits(&mut self.id, id);
            column.put(row, &self.id);
        }
        self.name.put(row, span.name);
        self.trace_state.put_some(row, span.trace_state);
        self.kind.put_number(row, bits(span.kind));
        self.start.put_number(row, span.start);
        let duration = span.end.checked_sub(span.start);
        self.duration.put_number(row, duration.unwrap_or_default());
        if duration.is_none() {
            self.early_end.put_number(row, span.end);
        }
        if let Some((code, message)) = span.status {
            self.status_code.put_number(row, bits(code));
            self.status_message.put_some(row, message);
        }
        self.flags.put_count(row, span.flags);
        self.dropped_attributes
            .put_count(row, span.dropped_attributes);
        self.dropped_events.put_count(row, span.dropped_events);
        self.dropped_links.put_count(row, span.dropped_links);
    }

    /// The least and greatest start in this row group.
    pub(crate) const fn starts(&self) -> Option<(u64, u64)> {
        self.start.bounds
    }

    pub(crate) fn end_group(&mut self) {
        self.envelopes.end_group();
        self.attributes.end_group();
        self.rows = 0;
    }

    pub(crate) fn finish(&mut self) -> Result<Vec<Column<'_>>, Error> {
        use DataType::{Int32, UInt32, UInt64};
        let mut columns = self.envelopes.finish()?;
        columns.extend([
            Column::text("trace_id", &mut self.trace_id),
            Column::text("span_id", &mut self.span_id),
            Column::text("parent_span_id", &mut self.parent_span_id),
            Column::text("trace_state", &mut self.trace_state),
            Column::text("name", &mut self.name),
            Column::leaf("kind", Int32, &mut self.kind),
            Column::leaf("start_time_unix_nano", UInt64, &mut self.start),
            Column::leaf("duration_ns", UInt64, &mut self.duration),
            Column::leaf("early_end_time_unix_nano", UInt64, &mut self.early_end),
            Column::leaf("status_code", Int32, &mut self.status_code),
            Column::text("status_message", &mut self.status_message),
            Column::leaf("flags", UInt32, &mut self.flags),
            Column::leaf(
                "dropped_attributes_count",
                UInt32,
                &mut self.dropped_attributes,
            ),
            Column::leaf("dropped_events_count", UInt32, &mut self.dropped_events),
            Column::leaf("dropped_links_count", UInt32, &mut self.dropped_links),
        ]);
        columns.extend(self.attributes.finish());
        columns.push(Column::array(self.events.finish()?));
        columns.push(Column::array(self.links.finish()?));
        columns.push(Column::bytes("otlp", &mut self.otlp));
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

/// The bits of a number of 4 bytes, as a leaf takes them.
pub(crate) fn bits(number: i32) -> u64 {
    u64::from(number.cast_unsigned())
}
