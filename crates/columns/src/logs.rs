//! Log records as columns.

use std::sync::Arc;

use arrow_array::builder::{
    BinaryBuilder, Int32Builder, StringBuilder, UInt32Builder, UInt64Builder,
};
use arrow_array::{Array as _, ArrayRef};
use arrow_schema::{DataType, Field};
use millrace_wire::field::{Fields, Value};
use millrace_wire::view::ValueView;

use crate::attributes::AttributeColumns;
use crate::envelopes::EnvelopeColumns;
use crate::error::Error;
use crate::hex;
use crate::json_text;
use crate::rows::Row;
use crate::spans::emptied;
use crate::sparse::{Sparse, add_bytes, add_count, add_text};
use crate::tables::Tables;
use crate::value::{Scalar, scalar};

/// Builds the columns of log records.
#[derive(Default)]
pub(crate) struct LogColumns {
    envelopes: EnvelopeColumns,
    time: UInt64Builder,
    observed_time: UInt64Builder,
    severity_number: Int32Builder,
    severity_text: Sparse<StringBuilder>,
    body: Sparse<StringBuilder>,
    /// The `AnyValue` of a body that is not just text.
    body_otlp: Sparse<BinaryBuilder>,
    event_name: Sparse<StringBuilder>,
    trace_id: Sparse<StringBuilder>,
    span_id: Sparse<StringBuilder>,
    flags: Sparse<UInt32Builder>,
    dropped_attributes: Sparse<UInt32Builder>,
    attributes: AttributeColumns,
    otlp: Sparse<BinaryBuilder>,
    rows: usize,
    pairs: Vec<&'static [u8]>,
    scratch: String,
}

impl LogColumns {
    pub(crate) fn new(attributes: AttributeColumns) -> Self {
        Self {
            attributes,
            ..Self::default()
        }
    }

    pub(crate) fn push(&mut self, tables: &Tables, row: &Row<'_>) {
        self.envelopes.push(tables, row);
        let mut pairs = emptied(std::mem::take(&mut self.pairs));
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
        self.time.append_value(time);
        self.observed_time.append_value(observed);
        self.severity_number.append_value(severity);
        let place = self.rows;
        add_text(&mut self.severity_text, place, severity_text);
        self.push_body(body);
        add_text(&mut self.event_name, place, event_name);
        for (column, id) in [(&mut self.trace_id, trace_id), (&mut self.span_id, span_id)] {
            self.scratch.clear();
            hex::push(&mut self.scratch, id);
            add_text(column, place, self.scratch.as_bytes());
        }
        add_count(&mut self.flags, place, flags);
        add_count(&mut self.dropped_attributes, place, dropped);
        self.attributes.push(&pairs);
        add_bytes(&mut self.otlp, place, is_odd.then_some(row.item));
        self.rows += 1;
        self.pairs = emptied(pairs);
    }

    fn push_body(&mut self, body: Option<&[u8]>) {
        let Some(value) = body else { return };
        if let Some(Scalar::Text(text)) = scalar(value) {
            self.body.at(self.rows).append_value(text);
            return;
        }
        let view = ValueView::new(value);
        if !matches!(view, ValueView::Empty) {
            self.scratch.clear();
            json_text::push_text(&mut self.scratch, &view);
            self.body.at(self.rows).append_value(&self.scratch);
        }
        add_bytes(&mut self.body_otlp, self.rows, Some(value));
    }

    pub(crate) fn end_group(&mut self) {
        self.envelopes.end_group();
    }

    pub(crate) fn finish(&mut self, tables: &Tables) -> Result<Vec<(Field, ArrayRef)>, Error> {
        let rows = std::mem::take(&mut self.rows);
        let sparse = |name: &str, array: ArrayRef| {
            (Field::new(name, array.data_type().clone(), true), array)
        };
        let time = |name: &str, builder: &mut UInt64Builder| -> (Field, ArrayRef) {
            let field = Field::new(name, DataType::UInt64, false);
            (field, Arc::new(builder.finish()))
        };
        let mut columns = self.envelopes.finish(tables)?;
        columns.extend([
            time("time_unix_nano", &mut self.time),
            time("observed_time_unix_nano", &mut self.observed_time),
            (
                Field::new("severity_number", DataType::Int32, false),
                Arc::new(self.severity_number.finish()),
            ),
            sparse("severity_text", self.severity_text.finish(rows)),
            sparse("body", self.body.finish(rows)),
            sparse("body_otlp", self.body_otlp.finish(rows)),
            sparse("event_name", self.event_name.finish(rows)),
            sparse("trace_id", self.trace_id.finish(rows)),
            sparse("span_id", self.span_id.finish(rows)),
            sparse("flags", self.flags.finish(rows)),
            sparse(
                "dropped_attributes_count",
                self.dropped_attributes.finish(rows),
            ),
        ]);
        columns.extend(self.attributes.finish()?);
        columns.push(sparse("otlp", self.otlp.finish(rows)));
        Ok(columns)
    }
}
