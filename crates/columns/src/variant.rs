//! Writes values in Parquet's Variant encoding: what stands beside the typed columns of an attribute.

use std::collections::BTreeMap;

use millrace_wire::view::ValueView;

use crate::value::Scalar;

/// How deep values are written; the wire refuses deeper ones.
const DEPTH_MAX: usize = 64;
const SHORT_STRING: u8 = 1;
const OBJECT: u8 = 2;
const ARRAY: u8 = 3;
const NULL: u8 = 0;
const TRUE: u8 = 1 << 2;
const FALSE: u8 = 2 << 2;
const INT64: u8 = 6 << 2;
const DOUBLE: u8 = 7 << 2;
const BINARY: u8 = 15 << 2;
const STRING: u8 = 16 << 2;
const SHORT_STRING_MAX: usize = 63;

/// The metadata of an object whose keys are these, in this order.
pub(crate) fn metadata<'a>(keys: impl ExactSizeIterator<Item = &'a str> + Clone) -> Vec<u8> {
    const VERSION: u8 = 1;
    const OFFSETS_OF_4_BYTES: u8 = 3 << 6;
    let mut out = vec![VERSION | OFFSETS_OF_4_BYTES];
    out.extend_from_slice(&(keys.len() as u32).to_le_bytes());
    let mut end = 0u32;
    out.extend_from_slice(&end.to_le_bytes());
    for key in keys.clone() {
        end += key.len() as u32;
        out.extend_from_slice(&end.to_le_bytes());
    }
    keys.for_each(|key| out.extend_from_slice(key.as_bytes()));
    out
}

/// The keys that [`metadata`] wrote, in their order; `None` where the bytes are something else.
pub(crate) fn keys_of(metadata: &[u8]) -> Option<Vec<&str>> {
    let (_, rest) = metadata.split_first()?;
    let number = |at: usize| {
        let bytes = rest.get(4 * at..4 * at + 4)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?) as usize)
    };
    let count = number(0)?;
    let texts = rest.get(4 * (count + 2)..)?;
    (0..count)
        .map(|index| {
            let text = texts.get(number(index + 1)?..number(index + 2)?)?;
            str::from_utf8(text).ok()
        })
        .collect()
}

/// Appends a scalar.
pub(crate) fn push_scalar(out: &mut Vec<u8>, scalar: Scalar<'_>) {
    match scalar {
        Scalar::Text(text) if text.len() <= SHORT_STRING_MAX => {
            out.push((text.len() as u8) << 2 | SHORT_STRING);
            out.extend_from_slice(text.as_bytes());
        }
        Scalar::Text(text) => push_long(out, STRING, text.as_bytes()),
        Scalar::Bool(value) => out.push(if value { TRUE } else { FALSE }),
        Scalar::Int(value) => {
            out.push(INT64);
            out.extend_from_slice(&value.to_le_bytes());
        }
        Scalar::Double(value) => {
            out.push(DOUBLE);
            out.extend_from_slice(&value.to_le_bytes());
        }
        Scalar::Bytes(bytes) => push_long(out, BINARY, bytes),
    }
}

fn push_long(out: &mut Vec<u8>, header: u8, bytes: &[u8]) {
    out.push(header);
    out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    out.extend_from_slice(bytes);
}

/// Appends any value. The names of objects inside it are added to `names`, whose order is that of the metadata.
pub(crate) fn push_value<'a>(out: &mut Vec<u8>, value: &ValueView<'a>, names: &mut Vec<&'a str>) {
    push_nested(out, value, names, DEPTH_MAX);
}

fn push_nested<'a>(
    out: &mut Vec<u8>,
    value: &ValueView<'a>,
    names: &mut Vec<&'a str>,
    depth: usize,
) {
    match value {
        ValueView::String(text) => push_scalar(out, Scalar::Text(text)),
        ValueView::Bool(value) => push_scalar(out, Scalar::Bool(*value)),
        ValueView::Int(value) => push_scalar(out, Scalar::Int(*value)),
        ValueView::Double(value) => push_scalar(out, Scalar::Double(*value)),
        ValueView::Bytes(bytes) => push_scalar(out, Scalar::Bytes(bytes)),
        ValueView::Array(values) if depth > 0 => {
            let values = values.clone().map(|value| {
                let mut one = Vec::new();
                push_nested(&mut one, &value, names, depth - 1);
                one
            });
            let values: Vec<_> = values.collect();
            push_array(out, &values);
        }
        ValueView::KvList(pairs) if depth > 0 => {
            let mut fields = BTreeMap::new();
            for pair in pairs.clone() {
                let mut one = Vec::new();
                push_nested(&mut one, &pair.value(), names, depth - 1);
                fields.insert(pair.key, one); // of several with one key, the last one counts (D4)
            }
            let mut fields: Vec<_> = fields
                .into_iter()
                .map(|(key, value)| (key, id_of(key, names), value))
                .collect();
            push_object(out, &mut fields);
        }
        _ => out.push(NULL),
    }
}

fn id_of<'a>(name: &'a str, names: &mut Vec<&'a str>) -> u32 {
    let known = names.iter().position(|known| *known == name);
    known.unwrap_or_else(|| {
        names.push(name);
        names.len() - 1
    }) as u32
}

fn push_array(out: &mut Vec<u8>, values: &[Vec<u8>]) {
    const LARGE: u8 = 1 << 2;
    const OFFSETS_OF_4_BYTES: u8 = 3;
    out.push((LARGE | OFFSETS_OF_4_BYTES) << 2 | ARRAY);
    out.extend_from_slice(&(values.len() as u32).to_le_bytes());
    push_offsets(out, values.iter());
    for value in values {
        out.extend_from_slice(value);
    }
}

fn push_offsets<'a>(out: &mut Vec<u8>, values: impl Iterator<Item = &'a Vec<u8>>) {
    let mut end = 0u32;
    out.extend_from_slice(&end.to_le_bytes());
    for value in values {
        end += value.len() as u32;
        out.extend_from_slice(&end.to_le_bytes());
    }
}

/// Appends an object: each field is the key, the place of the key in the metadata, and the value. The keys differ.
pub(crate) fn push_object(out: &mut Vec<u8>, fields: &mut [(&str, u32, Vec<u8>)]) {
    const LARGE: u8 = 1 << 4;
    const IDS_AND_OFFSETS_OF_4_BYTES: u8 = 3 << 2 | 3;
    fields.sort_unstable_by_key(|(key, ..)| *key);
    out.push((LARGE | IDS_AND_OFFSETS_OF_4_BYTES) << 2 | OBJECT);
    out.extend_from_slice(&(fields.len() as u32).to_le_bytes());
    for (_, id, _) in fields.iter() {
        out.extend_from_slice(&id.to_le_bytes());
    }
    push_offsets(out, fields.iter().map(|(.., value)| value));
    for (.., value) in fields.iter() {
        out.extend_from_slice(value);
    }
}
