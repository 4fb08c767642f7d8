//! Log records as columns.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::{
    BinaryBuilder, Int32Builder, StringBuilder, UInt32Builder, UInt64Builder,
};
use arrow_schema::{DataType, Field};
use millrace_wire::field::{Fields, Value};
use millrace_wire::view::ValueView;

use crate::attributes::AttributeColumns;
use crate::envelopes::EnvelopeColumns;
use crate::error::Error;
use crate::hex;
use crate::json_text;
use crate::rows::Row;
use crate::spans::{append_count, append_text};
use crate::tables::Tables;
use crate::value::{Pair, Scalar, scalar};

/// Builds the columns of log records.
#[derive(Default)]
pub(crate) struct LogColumns {
    envelopes: EnvelopeColumns,
    time: UInt64Builder,
    observed_time: UInt64Builder,
    severity_number: Int32Builder,
    severity_text: StringBuilder,
    body: StringBuilder,
    /// The `AnyValue` of a body that is not just text.
    body_otlp: BinaryBuilder,
    event_name: StringBuilder,
    trace_id: StringBuilder,
    span_id: StringBuilder,
    flags: UInt32Builder,
    dropped_attributes: UInt32Builder,
    attributes: AttributeColumns,
    otlp: BinaryBuilder,
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
        let mut pairs = Vec::with_capacity(8);
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
                (6, Value::Delimited(pair)) => pairs.push(Pair::new(pair)),
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
        append_text(&mut self.severity_text, severity_text);
        self.push_body(body);
        append_text(&mut self.event_name, event_name);
        for (column, id) in [(&mut self.trace_id, trace_id), (&mut self.span_id, span_id)] {
            self.scratch.clear();
            hex::push(&mut self.scratch, id);
            append_text(column, self.scratch.as_bytes());
        }
        append_count(&mut self.flags, flags);
        append_count(&mut self.dropped_attributes, dropped);
        self.attributes.push(&pairs);
        if is_odd {
            self.otlp.append_value(row.item);
        } else {
            self.otlp.append_null();
        }
    }

    fn push_body(&mut self, body: Option<&[u8]>) {
        match body.map(|value| (value, scalar(value))) {
            None => {
                self.body.append_null();
                self.body_otlp.append_null();
            }
            Some((_, Some(Scalar::Text(text)))) => {
                self.body.append_value(text);
                self.body_otlp.append_null();
            }
            Some((value, _)) => {
                let view = ValueView::new(value);
                if matches!(view, ValueView::Empty) {
                    self.body.append_null();
                } else {
                    self.scratch.clear();
                    json_text::push_text(&mut self.scratch, &view);
                    self.body.append_value(&self.scratch);
                }
                self.body_otlp.append_value(value);
            }
        }
    }

    pub(crate) fn finish(&mut self, tables: &Tables) -> Result<Vec<(Field, ArrayRef)>, Error> {
        let text = |name: &str, builder: &mut StringBuilder| -> (Field, ArrayRef) {
            let field = Field::new(name, DataType::Utf8, true);
            (field, Arc::new(builder.finish()))
        };
        let count = |name: &str, builder: &mut UInt32Builder| -> (Field, ArrayRef) {
            let field = Field::new(name, DataType::UInt32, true);
            (field, Arc::new(builder.finish()))
        };
        let time = |name: &str, builder: &mut UInt64Builder| -> (Field, ArrayRef) {
            let field = Field::new(name, DataType::UInt64, false);
            (field, Arc::new(builder.finish()))
        };
        let bytes = |name: &str, builder: &mut BinaryBuilder| -> (Field, ArrayRef) {
            let field = Field::new(name, DataType::Binary, true);
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
            text("severity_text", &mut self.severity_text),
            text("body", &mut self.body),
            bytes("body_otlp", &mut self.body_otlp),
            text("event_name", &mut self.event_name),
            text("trace_id", &mut self.trace_id),
            text("span_id", &mut self.span_id),
            count("flags", &mut self.flags),
            count("dropped_attributes_count", &mut self.dropped_attributes),
        ]);
        columns.extend(self.attributes.finish()?);
        columns.push(bytes("otlp", &mut self.otlp));
        Ok(columns)
    }
}
