//! Checks attributes and their values, the bulk of all telemetry.

use super::generic;
use super::wire::{Checked, delimited, fixed64, flaw, is_ascii, string, tag, text, varint};
use crate::error::Fault;
use crate::key_value::key_then_value;
use crate::schema;

/// How many `AnyValue` messages may stand one inside the other. The specification's `AttributeValueDepthLimit` is 64.
pub(crate) const DEPTH_LIMIT: usize = 128;

const KEY: u32 = 0x0a;
const VALUE: u32 = 0x12;

const STRING_VALUE: u32 = 0x0a;
const BOOL_VALUE: u32 = 0x10;
const INT_VALUE: u32 = 0x18;
const DOUBLE_VALUE: u32 = 0x21;
const ARRAY_VALUE: u32 = 0x2a;
const KVLIST_VALUE: u32 = 0x32;
const BYTES_VALUE: u32 = 0x3a;

const VALUES: u32 = 0x0a;

/// Checks a `KeyValue`.
#[inline]
pub(super) fn attribute(bytes: &[u8]) -> Checked<()> {
    if let Some((key, value)) = key_then_value(bytes) {
        // Tags, lengths, key and text in one sweep: where all of it is ASCII, the strings are.
        if is_ascii(bytes) {
            match value {
                [0x0a, length, text @ ..] if usize::from(*length) == text.len() => return Ok(()),
                [0x18 | 0x10, _] => return Ok(()),
                _ => {}
            }
        } else {
            text(key)?;
        }
        return any_value(value);
    }
    key_value(bytes, DEPTH_LIMIT)
}

fn key_value(bytes: &[u8], depth_left: usize) -> Checked<()> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let (tag, after) = tag(rest)?;
        rest = match tag {
            KEY => string(after)?,
            VALUE => {
                let (value, rest) = delimited(after)?;
                nested_value(value, depth_left)?;
                rest
            }
            _ => generic::field(&schema::KEY_VALUE, tag, after, rest)?,
        };
    }
    Ok(())
}

/// Checks an `AnyValue` that stands in no other.
#[inline]
pub(super) fn any_value(bytes: &[u8]) -> Checked<()> {
    nested_value(bytes, DEPTH_LIMIT)
}

/// Checks an `AnyValue` where this many more may stand one inside the other, itself included.
fn nested_value(bytes: &[u8], depth_left: usize) -> Checked<()> {
    let Some(depth_inside) = depth_left.checked_sub(1) else {
        return flaw(Fault::TooDeep { limit: DEPTH_LIMIT }, bytes);
    };
    let mut rest = bytes;
    while !rest.is_empty() {
        let (tag, after) = tag(rest)?;
        rest = match tag {
            STRING_VALUE => string(after)?,
            BOOL_VALUE | INT_VALUE => varint(after)?.1,
            DOUBLE_VALUE => fixed64(after)?.1,
            BYTES_VALUE => delimited(after)?.1,
            ARRAY_VALUE => {
                let (array, rest) = delimited(after)?;
                array_value(array, depth_inside)?;
                rest
            }
            KVLIST_VALUE => {
                let (list, rest) = delimited(after)?;
                kvlist_value(list, depth_inside)?;
                rest
            }
            _ => generic::field(&schema::ANY_VALUE, tag, after, rest)?,
        };
    }
    Ok(())
}

fn array_value(bytes: &[u8], depth_left: usize) -> Checked<()> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let (tag, after) = tag(rest)?;
        rest = if tag == VALUES {
            let (value, rest) = delimited(after)?;
            nested_value(value, depth_left)?;
            rest
        } else {
            generic::field(&schema::ARRAY_VALUE, tag, after, rest)?
        };
    }
    Ok(())
}

fn kvlist_value(bytes: &[u8], depth_left: usize) -> Checked<()> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let (tag, after) = tag(rest)?;
        rest = if tag == VALUES {
            let (pair, rest) = delimited(after)?;
            key_value(pair, depth_left)?;
            rest
        } else {
            generic::field(&schema::KEY_VALUE_LIST, tag, after, rest)?
        };
    }
    Ok(())
}
