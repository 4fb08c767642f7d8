//! Reads events, links and exemplars back.

use std::ops::Range;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float64Type, Int64Type, UInt32Type, UInt64Type};
use arrow_array::{
    BinaryArray, Float64Array, Int64Array, ListArray, MapArray, StringArray, StructArray,
    UInt32Array, UInt64Array,
};
use millrace_wire::encode::push_attribute;
use millrace_wire::field::{push_delimited, push_fixed32, push_fixed64};

use super::{Named, bytes_of, push_count, push_id, push_text, push_time, text_of, typed, value_of};
use crate::error::Error;
use crate::pairs::{BOOL, DOUBLE, INT, TEXT};

/// What all of them have.
struct Lists<'a> {
    list: &'a ListArray,
    members: &'a StructArray,
    attributes: &'a MapArray,
    keys: &'a StringArray,
    values: &'a StringArray,
    types: &'a StringArray,
    otlp: &'a BinaryArray,
}

impl<'a> Lists<'a> {
    fn new(batch: &'a impl Named, name: &str) -> Result<Self, Error> {
        let list: &ListArray = typed(batch.any(name)?.as_list_opt(), name)?;
        let members: &StructArray = typed(list.values().as_struct_opt(), name)?;
        let attributes: &MapArray = typed(members.any("attributes")?.as_map_opt(), "attributes")?;
        Ok(Self {
            list,
            members,
            attributes,
            keys: typed(attributes.keys().as_string_opt(), "attributes.key")?,
            values: typed(attributes.values().as_string_opt(), "attributes.value")?,
            types: members.text("attribute_types")?,
            otlp: members.bytes("otlp")?,
        })
    }

    /// The places of the elements of a row.
    fn places(&self, row: usize) -> Range<usize> {
        range(self.list.value_offsets(), row)
    }

    /// Appends the elements of a row as fields `number`, each as its bytes where columns cannot say it, else as `write` puts it.
    fn append(
        &self,
        row: usize,
        number: u32,
        scratch: &mut Vec<u8>,
        out: &mut Vec<u8>,
        mut write: impl FnMut(usize, &mut Vec<u8>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        for place in self.places(row) {
            if let Some(element) = bytes_of(self.otlp, place) {
                push_delimited(out, number, element);
                continue;
            }
            scratch.clear();
            write(place, scratch)?;
            push_delimited(out, number, scratch);
        }
        Ok(())
    }

    fn append_attributes(&self, place: usize, number: u32, out: &mut Vec<u8>) -> Result<(), Error> {
        let mut letters = text_of(self.types, place).chars();
        for entry in range(self.attributes.value_offsets(), place) {
            let (key, value) = (text_of(self.keys, entry), text_of(self.values, entry));
            match letters.next().unwrap_or(TEXT) {
                INT => push_attribute(out, number, key, &parsed::<i64>(value)?),
                DOUBLE => push_attribute(out, number, key, &parsed::<f64>(value)?),
                BOOL => push_attribute(out, number, key, &parsed::<bool>(value)?),
                _ => push_attribute(out, number, key, value),
            }
        }
        Ok(())
    }
}

fn parsed<T: std::str::FromStr>(text: &str) -> Result<T, Error> {
    text.parse()
        .map_err(|_| Error::damaged("the text of an attribute does not fit its type"))
}

fn range(offsets: &[i32], at: usize) -> Range<usize> {
    match offsets.get(at..at + 2) {
        Some([start, end]) => start.cast_unsigned() as usize..end.cast_unsigned() as usize,
        _ => 0..0,
    }
}

/// Reads the column `events`.
pub(crate) struct EventDecoder<'a> {
    lists: Lists<'a>,
    offset: &'a Int64Array,
    name: &'a StringArray,
    dropped: &'a UInt32Array,
    scratch: Vec<u8>,
}

impl<'a> EventDecoder<'a> {
    pub(crate) fn new(batch: &'a impl Named) -> Result<Self, Error> {
        let lists = Lists::new(batch, "events")?;
        Ok(Self {
            offset: lists.members.numbers::<Int64Type>("offset_ns")?,
            name: lists.members.text("name")?,
            dropped: lists
                .members
                .numbers::<UInt32Type>("dropped_attributes_count")?,
            lists,
            scratch: Vec::new(),
        })
    }

    pub(crate) fn append(
        &mut self,
        row: usize,
        start: u64,
        number: u32,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let (lists, scratch) = (&self.lists, &mut self.scratch);
        lists.append(row, number, scratch, out, |place, event| {
            let offset = value_of(self.offset, place).unwrap_or_default();
            push_time(event, 1, start.wrapping_add(offset.cast_unsigned()));
            push_text(event, 2, text_of(self.name, place));
            lists.append_attributes(place, 3, event)?;
            let dropped = value_of(self.dropped, place).unwrap_or_default();
            push_count(event, 4, dropped.into());
            Ok(())
        })
    }
}

/// Reads the column `links`.
pub(crate) struct LinkDecoder<'a> {
    lists: Lists<'a>,
    trace_id: &'a StringArray,
    span_id: &'a StringArray,
    trace_state: &'a StringArray,
    flags: &'a UInt32Array,
    dropped: &'a UInt32Array,
    scratch: Vec<u8>,
    id: Vec<u8>,
}

impl<'a> LinkDecoder<'a> {
    pub(crate) fn new(batch: &'a impl Named) -> Result<Self, Error> {
        let lists = Lists::new(batch, "links")?;
        let members = lists.members;
        Ok(Self {
            trace_id: members.text("trace_id")?,
            span_id: members.text("span_id")?,
            trace_state: members.text("trace_state")?,
            flags: members.numbers::<UInt32Type>("flags")?,
            dropped: members.numbers::<UInt32Type>("dropped_attributes_count")?,
            lists,
            scratch: Vec::new(),
            id: Vec::new(),
        })
    }

    pub(crate) fn append(
        &mut self,
        row: usize,
        number: u32,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let (lists, scratch, id) = (&self.lists, &mut self.scratch, &mut self.id);
        lists.append(row, number, scratch, out, |place, link| {
            push_id(link, 1, text_of(self.trace_id, place), id)?;
            push_id(link, 2, text_of(self.span_id, place), id)?;
            push_text(link, 3, text_of(self.trace_state, place));
            lists.append_attributes(place, 4, link)?;
            let dropped = value_of(self.dropped, place).unwrap_or_default();
            push_count(link, 5, dropped.into());
            if let Some(flags) = value_of(self.flags, place) {
                push_fixed32(link, 6, flags);
            }
            Ok(())
        })
    }
}

/// Reads the column `exemplars`.
pub(crate) struct ExemplarDecoder<'a> {
    lists: Lists<'a>,
    time: &'a UInt64Array,
    double: &'a Float64Array,
    int: &'a Int64Array,
    trace_id: &'a StringArray,
    span_id: &'a StringArray,
    scratch: Vec<u8>,
    id: Vec<u8>,
}

impl<'a> ExemplarDecoder<'a> {
    pub(crate) fn new(batch: &'a impl Named) -> Result<Self, Error> {
        let lists = Lists::new(batch, "exemplars")?;
        let members = lists.members;
        Ok(Self {
            time: members.numbers::<UInt64Type>("time_unix_nano")?,
            double: members.numbers::<Float64Type>("value_double")?,
            int: members.numbers::<Int64Type>("value_int")?,
            trace_id: members.text("trace_id")?,
            span_id: members.text("span_id")?,
            lists,
            scratch: Vec::new(),
            id: Vec::new(),
        })
    }

    pub(crate) fn append(
        &mut self,
        row: usize,
        number: u32,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let (lists, scratch, id) = (&self.lists, &mut self.scratch, &mut self.id);
        lists.append(row, number, scratch, out, |place, exemplar| {
            push_time(exemplar, 2, value_of(self.time, place).unwrap_or_default());
            if let Some(value) = value_of(self.double, place) {
                push_fixed64(exemplar, 3, value.to_bits());
            }
            push_id(exemplar, 4, text_of(self.span_id, place), id)?;
            push_id(exemplar, 5, text_of(self.trace_id, place), id)?;
            if let Some(value) = value_of(self.int, place) {
                push_fixed64(exemplar, 6, value.cast_unsigned());
            }
            lists.append_attributes(place, 7, exemplar)
        })
    }
}
