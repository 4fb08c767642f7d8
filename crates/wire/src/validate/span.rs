//! Checks spans: their encoding, and that they can be told apart (D1, D2).

use super::wire::{Checked, delimited, fixed32, fixed64, string, tag, varint};
use super::{Broken, generic, value};
use crate::schema;

const TRACE_ID: u32 = 0x0a;
const SPAN_ID: u32 = 0x12;
const TRACE_STATE: u32 = 0x1a;
const PARENT_SPAN_ID: u32 = 0x22;
const NAME: u32 = 0x2a;
const KIND: u32 = 0x30;
const START_TIME: u32 = 0x39;
const END_TIME: u32 = 0x41;
const ATTRIBUTES: u32 = 0x4a;
const EVENTS: u32 = 0x5a;
const LINKS: u32 = 0x6a;
const STATUS: u32 = 0x7a;
const FLAGS: u32 = 0x85;

/// Checks one `Span` and says which rule of the data model it breaks, if any.
pub(super) fn span(bytes: &[u8]) -> Checked<Option<Broken>> {
    let (mut trace_id, mut span_id, mut parent) = (&[][..], &[][..], &[][..]);
    let mut rest = bytes;
    while !rest.is_empty() {
        let (tag, after) = tag(rest)?;
        rest = match tag {
            ATTRIBUTES => {
                let (attribute, rest) = delimited(after)?;
                value::attribute(attribute)?;
                rest
            }
            TRACE_ID => {
                let (id, rest) = delimited(after)?;
                trace_id = id;
                rest
            }
            SPAN_ID => {
                let (id, rest) = delimited(after)?;
                span_id = id;
                rest
            }
            PARENT_SPAN_ID => {
                let (id, rest) = delimited(after)?;
                parent = id;
                rest
            }
            TRACE_STATE | NAME => string(after)?,
            KIND => varint(after)?.1,
            FLAGS => fixed32(after)?.1,
            START_TIME | END_TIME => fixed64(after)?.1,
            EVENTS => {
                let (event, rest) = delimited(after)?;
                self::event(event)?;
                rest
            }
            LINKS => {
                let (link, rest) = delimited(after)?;
                generic::message(&schema::SPAN_LINK, link)?;
                rest
            }
            STATUS => {
                let (status, rest) = delimited(after)?;
                generic::message(&schema::STATUS, status)?;
                rest
            }
            _ => generic::field(&schema::SPAN, tag, after, rest)?,
        };
    }
    Ok(broken_ids(trace_id, span_id, parent))
}

/// The rule that a span of a validated request breaks.
pub(crate) fn broken(bytes: &[u8]) -> Option<Broken> {
    span(bytes).unwrap_or_default()
}

#[inline]
fn broken_ids(trace_id: &[u8], span_id: &[u8], parent: &[u8]) -> Option<Broken> {
    if !<[u8; 16]>::try_from(trace_id).is_ok_and(|id| u128::from_le_bytes(id) != 0) {
        return Some(Broken::TraceId);
    }
    if !<[u8; 8]>::try_from(span_id).is_ok_and(|id| u64::from_le_bytes(id) != 0) {
        return Some(Broken::SpanId);
    }
    (!matches!(parent.len(), 0 | 8)).then_some(Broken::ParentSpanId)
}

const EVENT_TIME: u32 = 0x09;
const EVENT_NAME: u32 = 0x12;
const EVENT_ATTRIBUTES: u32 = 0x1a;

fn event(bytes: &[u8]) -> Checked<()> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let (tag, after) = tag(rest)?;
        rest = match tag {
            EVENT_ATTRIBUTES => {
                let (attribute, rest) = delimited(after)?;
                value::attribute(attribute)?;
                rest
            }
            EVENT_TIME => fixed64(after)?.1,
            EVENT_NAME => string(after)?,
            _ => generic::field(&schema::SPAN_EVENT, tag, after, rest)?,
        };
    }
    Ok(())
}
