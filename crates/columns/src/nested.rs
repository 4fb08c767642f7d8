//! Events and links of spans, and exemplars of points: lists of small structures inside of a row.

use std::sync::Arc;

use arrow_array::builder::{
    BinaryBuilder, Float64Builder, Int64Builder, StringBuilder, UInt32Builder, UInt64Builder,
};
use arrow_array::{ArrayRef, ListArray, StructArray};
use arrow_buffer::{OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, Field};
use millrace_wire::field::{Fields, Value, children};

use crate::error::Error;
use crate::hex;
use crate::pairs::{PairColumns, TEXT};
use crate::spans::text;
use crate::sparse::{Sparse, add_bytes, add_count, add_number, add_text};

/// What all of them have: where each row's list ends, attributes, and the bytes of those that columns cannot say.
struct Lists {
    ends: Vec<i32>,
    count: i32,
    attributes: PairColumns,
    attribute_types: Sparse<StringBuilder>,
    otlp: Sparse<BinaryBuilder>,
    types: String,
    id: String,
}

impl Default for Lists {
    fn default() -> Self {
        Self {
            ends: vec![0],
            count: 0,
            attributes: PairColumns::default(),
            attribute_types: Sparse::default(),
            otlp: Sparse::default(),
            types: String::new(),
            id: String::new(),
        }
    }
}

impl Lists {
    /// Adds the attributes in field `number` of a message.
    fn push(&mut self, message: &[u8], number: u32, is_odd: bool) {
        let pairs = children(message, number);
        let is_exact = self.attributes.push(pairs, &mut self.types);
        let place = self.place();
        if self.types.chars().any(|letter| letter != TEXT) {
            self.attribute_types.at(place).append_value(&self.types);
        }
        let kept = (is_odd || !is_exact).then_some(message);
        add_bytes(&mut self.otlp, place, kept);
        self.count += 1;
    }

    /// How many elements are there already.
    const fn place(&self) -> usize {
        self.count.cast_unsigned() as usize
    }

    fn end_row(&mut self) {
        self.ends.push(self.count);
    }

    fn append_id(&mut self, builder: &mut StringBuilder, id: &[u8]) {
        self.id.clear();
        hex::push(&mut self.id, id);
        builder.append_value(&self.id);
    }

    /// A column of lists of structures with these members and the shared ones.
    fn finish(
        &mut self,
        name: &str,
        members: Vec<(Field, ArrayRef)>,
    ) -> Result<(Field, ArrayRef), Error> {
        let (mut members, count) = (members, self.place());
        members.push(self.attributes.finish("attributes")?);
        members.push((
            Field::new("attribute_types", DataType::Utf8, true),
            self.attribute_types.finish(count),
        ));
        members.push((
            Field::new("otlp", DataType::Binary, true),
            self.otlp.finish(count),
        ));
        let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = members.into_iter().unzip();
        let structures = StructArray::try_new(fields.into(), arrays, None)?;
        let element = Field::new("element", structures.data_type_of(), false);
        let ends = std::mem::replace(&mut self.ends, vec![0]);
        self.count = 0;
        list(name, element, ends, Arc::new(structures))
    }
}

/// A column of lists.
pub(crate) fn list(
    name: &str,
    element: Field,
    ends: Vec<i32>,
    values: ArrayRef,
) -> Result<(Field, ArrayRef), Error> {
    let element = Arc::new(element);
    let offsets = OffsetBuffer::new(ScalarBuffer::from(ends));
    let array = ListArray::try_new(Arc::clone(&element), offsets, values, None)?;
    Ok((
        Field::new(name, DataType::List(element), false),
        Arc::new(array),
    ))
}

trait DataTypeOf {
    fn data_type_of(&self) -> DataType;
}

impl DataTypeOf for StructArray {
    fn data_type_of(&self) -> DataType {
        DataType::Struct(self.fields().clone())
    }
}

/// Builds the column `events`.
#[derive(Default)]
pub(crate) struct EventColumns {
    lists: Lists,
    offset: Int64Builder,
    name: StringBuilder,
    dropped_attributes: Sparse<UInt32Builder>,
}

impl EventColumns {
    /// Adds the events of a span. Their times are kept as distances from its start, which take half of the space.
    pub(crate) fn push(&mut self, start: u64, events: &[&[u8]]) {
        for event in events {
            let (mut time, mut name, mut dropped, mut is_odd) = (0, &[][..], 0, false);
            for field in Fields::new(event) {
                match (field.number, field.value) {
                    (1, Value::Fixed64(value)) => time = value,
                    (2, Value::Delimited(text)) => name = text,
                    (3, Value::Delimited(_)) => {}
                    (4, Value::Varint(bits)) => dropped = bits as u32,
                    _ => is_odd = true,
                }
            }
            self.offset
                .append_value(time.wrapping_sub(start).cast_signed());
            self.name.append_value(text(name));
            add_count(&mut self.dropped_attributes, self.lists.place(), dropped);
            self.lists.push(event, 3, is_odd);
        }
        self.lists.end_row();
    }

    pub(crate) fn finish(&mut self) -> Result<(Field, ArrayRef), Error> {
        let count = self.lists.place();
        let members: Vec<(Field, ArrayRef)> = vec![
            (
                Field::new("offset_ns", DataType::Int64, false),
                Arc::new(self.offset.finish()),
            ),
            (
                Field::new("name", DataType::Utf8, false),
                Arc::new(self.name.finish()),
            ),
            (
                Field::new("dropped_attributes_count", DataType::UInt32, true),
                self.dropped_attributes.finish(count),
            ),
        ];
        self.lists.finish("events", members)
    }
}

/// Builds the column `links`.
#[derive(Default)]
pub(crate) struct LinkColumns {
    lists: Lists,
    trace_id: StringBuilder,
    span_id: StringBuilder,
    trace_state: Sparse<StringBuilder>,
    flags: Sparse<UInt32Builder>,
    dropped_attributes: Sparse<UInt32Builder>,
}

impl LinkColumns {
    pub(crate) fn push(&mut self, links: &[&[u8]]) {
        for link in links {
            let (mut trace_id, mut span_id, mut state) = (&[][..], &[][..], &[][..]);
            let (mut flags, mut dropped, mut is_odd) = (0, 0, false);
            for field in Fields::new(link) {
                match (field.number, field.value) {
                    (1, Value::Delimited(id)) => trace_id = id,
                    (2, Value::Delimited(id)) => span_id = id,
                    (3, Value::Delimited(text)) => state = text,
                    (4, Value::Delimited(_)) => {}
                    (5, Value::Varint(bits)) => dropped = bits as u32,
                    (6, Value::Fixed32(bits)) => flags = bits,
                    _ => is_odd = true,
                }
            }
            self.lists.append_id(&mut self.trace_id, trace_id);
            self.lists.append_id(&mut self.span_id, span_id);
            add_text(&mut self.trace_state, self.lists.place(), state);
            add_count(&mut self.flags, self.lists.place(), flags);
            add_count(&mut self.dropped_attributes, self.lists.place(), dropped);
            self.lists.push(link, 4, is_odd);
        }
        self.lists.end_row();
    }

    pub(crate) fn finish(&mut self) -> Result<(Field, ArrayRef), Error> {
        let count = self.lists.place();
        let members: Vec<(Field, ArrayRef)> = vec![
            (
                Field::new("trace_id", DataType::Utf8, false),
                Arc::new(self.trace_id.finish()),
            ),
            (
                Field::new("span_id", DataType::Utf8, false),
                Arc::new(self.span_id.finish()),
            ),
            (
                Field::new("trace_state", DataType::Utf8, true),
                self.trace_state.finish(count),
            ),
            (
                Field::new("flags", DataType::UInt32, true),
                self.flags.finish(count),
            ),
            (
                Field::new("dropped_attributes_count", DataType::UInt32, true),
                self.dropped_attributes.finish(count),
            ),
        ];
        self.lists.finish("links", members)
    }
}

/// Builds the column `exemplars`.
#[derive(Default)]
pub(crate) struct ExemplarColumns {
    lists: Lists,
    time: UInt64Builder,
    double: Sparse<Float64Builder>,
    int: Sparse<Int64Builder>,
    trace_id: StringBuilder,
    span_id: StringBuilder,
}

impl ExemplarColumns {
    pub(crate) fn push(&mut self, exemplars: &[&[u8]]) {
        for exemplar in exemplars {
            let (mut time, mut double, mut int) = (0, None, None);
            let (mut trace_id, mut span_id, mut is_odd) = (&[][..], &[][..], false);
            for field in Fields::new(exemplar) {
                match (field.number, field.value) {
                    (2, Value::Fixed64(value)) => time = value,
                    (3, Value::Fixed64(bits)) => (double, int) = (Some(f64::from_bits(bits)), None),
                    (4, Value::Delimited(id)) => span_id = id,
                    (5, Value::Delimited(id)) => trace_id = id,
                    (6, Value::Fixed64(bits)) => (double, int) = (None, Some(bits.cast_signed())),
                    (7, Value::Delimited(_)) => {}
                    _ => is_odd = true,
                }
            }
            self.time.append_value(time);
            let place = self.lists.place();
            add_number(&mut self.double, place, double);
            add_number(&mut self.int, place, int);
            self.lists.append_id(&mut self.trace_id, trace_id);
            self.lists.append_id(&mut self.span_id, span_id);
            self.lists.push(exemplar, 7, is_odd);
        }
        self.lists.end_row();
    }

    pub(crate) fn finish(&mut self) -> Result<(Field, ArrayRef), Error> {
        let count = self.lists.place();
        let members: Vec<(Field, ArrayRef)> = vec![
            (
                Field::new("time_unix_nano", DataType::UInt64, false),
                Arc::new(self.time.finish()),
            ),
            (
                Field::new("value_double", DataType::Float64, true),
                self.double.finish(count),
            ),
            (
                Field::new("value_int", DataType::Int64, true),
                self.int.finish(count),
            ),
            (
                Field::new("trace_id", DataType::Utf8, false),
                Arc::new(self.trace_id.finish()),
            ),
            (
                Field::new("span_id", DataType::Utf8, false),
                Arc::new(self.span_id.finish()),
            ),
        ];
        self.lists.finish("exemplars", members)
    }
}
