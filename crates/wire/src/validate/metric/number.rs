//! Checks the points of gauges and sums (D5, D6).

use super::super::wire::{Checked, delimited, fixed64, tag, varint};
use super::super::{Broken, generic, value};
use super::verdict;
use crate::schema;

const START_TIME: u32 = 0x11;
const TIME: u32 = 0x19;
const AS_DOUBLE: u32 = 0x21;
const AS_INT: u32 = 0x31;
const ATTRIBUTES: u32 = 0x3a;
const FLAGS: u32 = 0x40;

/// Checks one `NumberDataPoint`.
pub(super) fn point(bytes: &[u8]) -> Checked<Option<Broken>> {
    let (mut time, mut flags, mut has_value) = (0, 0, false);
    let mut rest = bytes;
    while !rest.is_empty() {
        let (tag, after) = tag(rest)?;
        rest = match tag {
            ATTRIBUTES => {
                let (attribute, rest) = delimited(after)?;
                value::attribute(attribute)?;
                rest
            }
            START_TIME => fixed64(after)?.1,
            TIME => {
                let rest;
                (time, rest) = fixed64(after)?;
                rest
            }
            AS_DOUBLE | AS_INT => {
                has_value = true;
                fixed64(after)?.1
            }
            FLAGS => {
                let rest;
                (flags, rest) = varint(after)?;
                rest
            }
            _ => generic::field(&schema::NUMBER_DATA_POINT, tag, after, rest)?,
        };
    }
    Ok(verdict(time, flags, || {
        (!has_value).then_some(Broken::NoValue)
    }))
}
