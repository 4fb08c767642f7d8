//! Joins requests: by concatenation, and for profiles by counting their indices on as well (P6).

use crate::Signal;
use crate::envelope::Envelope;
use crate::field::{Fields, RawField, Value, children, push_varint};
use crate::schema::{Field, Kind, Message, request_schema};
use crate::splice::Splice;
use crate::varint;

/// How many entries the tables of a dictionary have, by the field number of the table.
type Lengths = [u64; 8];

/// Joins validated requests of one signal to one with the items of all, in order.
///
/// Protobuf reads concatenated messages as one, so that is all there is to do; but profiles refer to entries of a dictionary
/// by index. Joined dictionaries continue each other's tables, and indices into the later ones are raised to match.
#[must_use]
pub fn merge(signal: Signal, requests: &[&[u8]]) -> Vec<u8> {
    if signal.merges_by_concatenation() {
        return requests.concat();
    }
    let mut merged = Vec::with_capacity(requests.iter().map(|request| request.len()).sum());
    let mut lengths = Lengths::default();
    let mut first_dictionary = None;
    for request in requests {
        let dictionary = children(request, Envelope::DICTIONARY)
            .collect::<Vec<_>>()
            .concat();
        // The parts of one split request still share their dictionary; it is not needed twice.
        let is_known = first_dictionary.as_ref() == Some(&dictionary);
        let raise_by = if is_known {
            Lengths::default()
        } else {
            lengths
        };
        let mut part = Splice::new(request, request.len());
        for field in Fields::new(request) {
            if !(is_known && field.number == Envelope::DICTIONARY) {
                copy_raised(
                    &mut part,
                    request_schema(signal).field(field.number),
                    &field,
                    &raise_by,
                );
            }
        }
        merged.extend_from_slice(&part.finish());
        if !is_known {
            add_lengths(&mut lengths, &dictionary);
        }
        first_dictionary.get_or_insert(dictionary);
    }
    merged
}

fn add_lengths(lengths: &mut Lengths, dictionary: &[u8]) {
    for entry in Fields::new(dictionary) {
        if let Some(length) = lengths.get_mut(entry.number as usize) {
            *length += 1;
        }
    }
}

/// Copies a field with every index in it raised by the length of the table that it points into.
fn copy_raised(
    out: &mut Splice<'_>,
    field: Option<&'static Field>,
    raw: &RawField<'_>,
    raise_by: &Lengths,
) {
    match (field, raw.value) {
        (
            Some(&Field {
                kind: Kind::Message(inner),
                ..
            }),
            Value::Delimited(content),
        ) => {
            out.open(raw.number, content.len());
            copy_message(out, inner, content, raise_by);
            out.close();
        }
        (
            Some(&Field {
                table: Some(table), ..
            }),
            Value::Varint(index),
        ) => {
            out.add_with(|added| push_varint(added, raw.number, raised(index, table, raise_by)));
        }
        (
            Some(&Field {
                table: Some(table), ..
            }),
            Value::Delimited(mut packed),
        ) => {
            out.open(raw.number, packed.len());
            out.add_with(|added| {
                while let Some((index, rest)) = varint::read(packed) {
                    varint::push(added, raised(index, table, raise_by));
                    packed = rest;
                }
            });
            out.close();
        }
        _ => out.copy(raw.bytes),
    }
}

fn copy_message(
    out: &mut Splice<'_>,
    schema: &'static Message,
    content: &[u8],
    raise_by: &Lengths,
) {
    for inner in Fields::new(content) {
        copy_raised(out, schema.field(inner.number), &inner, raise_by);
    }
}

/// Index 0 refers to nothing, in every dictionary; a negative one, which is huge here, is broken and stays so.
fn raised(index: u64, table: u32, raise_by: &Lengths) -> u64 {
    let by = raise_by.get(table as usize).copied().unwrap_or_default();
    if index == 0 || index > u64::from(u32::MAX) {
        index
    } else {
        index + by
    }
}
