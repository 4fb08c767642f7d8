//! Checks log records: their encoding. A record with unusable ids is kept, it only correlates with nothing (D1).

use super::wire::{Checked, delimited, fixed32, fixed64, string, tag, varint};
use super::{generic, value};
use crate::schema;

const TIME: u32 = 0x09;
const SEVERITY_NUMBER: u32 = 0x10;
const SEVERITY_TEXT: u32 = 0x1a;
const BODY: u32 = 0x2a;
const ATTRIBUTES: u32 = 0x32;
const FLAGS: u32 = 0x45;
const TRACE_ID: u32 = 0x4a;
const SPAN_ID: u32 = 0x52;
const OBSERVED_TIME: u32 = 0x59;
const EVENT_NAME: u32 = 0x62;

/// Checks one `LogRecord`.
pub(super) fn log_record(bytes: &[u8]) -> Checked<()> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let (tag, after) = tag(rest)?;
        rest = match tag {
            ATTRIBUTES => {
                let (attribute, rest) = delimited(after)?;
                value::attribute(attribute)?;
                rest
            }
            TIME | OBSERVED_TIME => fixed64(after)?.1,
            SEVERITY_NUMBER => varint(after)?.1,
            SEVERITY_TEXT | EVENT_NAME => string(after)?,
            BODY => {
                let (body, rest) = delimited(after)?;
                value::any_value(body)?;
                rest
            }
            TRACE_ID | SPAN_ID => delimited(after)?.1,
            FLAGS => fixed32(after)?.1,
            _ => generic::field(&schema::LOG_RECORD, tag, after, rest)?,
        };
    }
    Ok(())
}
