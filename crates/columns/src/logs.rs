//! Log records as columns.

use arrow_schema::DataType;
use millrace_wire::field::{Fields, Value};
use millrace_wire::view::ValueView;

use crate::attributes::AttributeColumns;
use crate::column::Column;
use crate::envelopes::EnvelopeColumns;
use crate::error::Error;
use crate::hex;
use crate::json_text;
use crate::leaf::{Leaf, Use, Width};
use crate::rows::Row;
use crate::spans::{ATTRIBUTES, bits};
use crate::tables::Tables;
use crate::value::{Scalar, scalar};

/// Builds the columns of log records.
pub(crate) struct LogColumns {
    envelopes: EnvelopeColumns,
    time: Leaf,
    observed_time: Leaf,
    severity_number: Leaf,
    severity_text: Leaf,
    body: Leaf,
    /// The `AnyValue` of a body that is not just text.
    body_otlp: Leaf,
    event_name: Leaf,
    trace_id: Leaf,
    span_id: Leaf,
    flags: Leaf,
    dropped_attributes: Leaf,
    attributes: AttributeColumns,
    otlp: Leaf,
    rows: usize,
    scratch: String,
}

impl LogColumns {
    pub(crate) fn new(attributes: AttributeColumns) -> Self {
        Self {
            envelopes: EnvelopeColumns::default(),
            time: Leaf::required(Use::Time),
            observed_time: Leaf::required(Use::Time),
            severity_number: Leaf::required(Use::Number(Width::Int32)),
            severity_text: Leaf::optional(Use::Text),
            body: Leaf::optional(Use::Text),
            body_otlp: Leaf::optional(Use::Text),
            event_name: Leaf::optional(Use::Text),
            trace_id: Leaf::optional(Use::TraceId),
            span_id: Leaf::optional(Use::Id),
            flags: Leaf::optional(Use::Number(Width::UInt32)),
            dropped_attributes: Leaf::optional(Use::Number(Width::UInt32)),
            attributes,
            otlp: Leaf::optional(Use::Text),
            rows: 0,
            scratch: String::new(),
        }
    }

    pub(crate) fn push(&mut self, tables: &Tables, row: &Row<'_>) {
        self.envelopes.push(tables, row);
        let mut pairs = Vec::with_capacity(ATTRIBUTES);
        let (mut time, mut observed, mut severity, mut flags, mut dropped) = (0, 0, 0, 0, 0);
        let (mut severity_text, mut event_name) = (&[][..], &[][..]);
        let (mut trace_id, mut span_id) = (&[][..], &[][..]);
        let (mut body, mut is_odd) = (None, false);
        for field in Fields::new(row.item) {
            match (field.number, field.value) {
                (1, Value::Fixed64(value)) => time = value,
                (2, Value::Varint(bits)) => severity = bits as i32,
                (3, Value::Delimited(text)) => severity_text = text,
                (5, Value::Delimited(value)) => body = Some(value),
                (6, Value::Delimited(pair)) => pairs.push(pair),
                (7, Value::Varint(bits)) => dropped = bits as u32,
                (8, Value::Fixed32(bits)) => flags = bits,
                (9, Value::Delimited(id)) => trace_id = id,
                (10, Value::Delimited(id)) => span_id = id,
                (11, Value::Fixed64(value)) => observed = value,
                (12, Value::Delimited(text)) => event_name = text,
                _ => is_odd = true,
            }
        }
        let place = self.rows;
        self.time.put_number(place, time);
        self.observed_time.put_number(place, observed);
        self.severity_number.put_number(place, bits(severity));
        self.severity_text.put_some(place, severity_text);
        self.push_body(body);
        self.event_name.put_some(place, event_name);
        for (column, id) in [(&mut self.trace_id, trace_id), (&mut self.span_id, span_id)] {
            self.scratch.clear();
            hex::push(&mut self.scratch, id);
            column.put_some(place, self.scratch.as_bytes());
        }
        self.flags.put_count(place, flags);
        self.dropped_attributes.put_count(place, dropped);
        self.attributes.push(&pairs);
        if is_odd {
            self.otlp.put(place, row.item);
        }
        self.rows += 1;
    }

    fn push_body(&mut self, body: Option<&[u8]>) {
        let Some(value) = body else { return };
        if let Some(Scalar::Text(text)) = scalar(value) {
            self.body.put(self.rows, text.as_bytes());
            return;
        }
        let view = ValueView::new(value);
        if !matches!(view, ValueView::Empty) {
            self.scratch.clear();
            json_text::push_text(&mut self.scratch, &view);
            self.body.put(self.rows, self.scratch.as_bytes());
        }
        self.body_otlp.put(self.rows, value);
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
            Column::leaf("time_unix_nano", UInt64, &mut self.time),
            Column::leaf("observed_time_unix_nano", UInt64, &mut self.observed_time),
            Column::leaf("severity_number", Int32, &mut self.severity_number),
            Column::text("severity_text", &mut self.severity_text),
            Column::text("body", &mut self.body),
            Column::bytes("body_otlp", &mut self.body_otlp),
            Column::text("event_name", &mut self.event_name),
            Column::text("trace_id", &mut self.trace_id),
            Column::text("span_id", &mut self.span_id),
            Column::leaf("flags", UInt32, &mut self.flags),
            Column::leaf(
                "dropped_attributes_count",
                UInt32,
                &mut self.dropped_attributes,
            ),
        ]);
        columns.extend(self.attributes.finish());
        columns.push(Column::bytes("otlp", &mut self.otlp));
        Ok(columns)
    }
}
