//! Checks any message by its schema: everything that is not hot enough to have code of its own.

use super::value;
use super::wire::{Checked, delimited, fixed32, fixed64, flaw, skip, tag, text, varint};
use crate::error::Fault;
use crate::field::{DELIMITED, FIXED32, FIXED64, VARINT};
use crate::schema::{self, Field, Kind, Message};

/// Checks every field of a message.
pub(super) fn message(schema: &'static Message, bytes: &[u8]) -> Checked<()> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let (tag, after) = tag(rest)?;
        rest = field(schema, tag, after, rest)?;
    }
    Ok(())
}

/// Checks the value of one field; `start` is where its tag stands.
pub(super) fn field<'a>(
    schema: &'static Message,
    tag: u32,
    bytes: &'a [u8],
    start: &'a [u8],
) -> Checked<&'a [u8]> {
    let Some(field) = schema.field(tag >> 3) else {
        return skip(tag, bytes, start);
    };
    let got = tag as u8 & 7;
    let expected = field.kind.wire_type();
    if got == DELIMITED && expected != DELIMITED && field.repeated {
        return packed(field, bytes);
    }
    if got != expected {
        return flaw(Fault::WrongWireType { expected, got }, start);
    }
    match expected {
        VARINT => Ok(varint(bytes)?.1),
        FIXED64 => Ok(fixed64(bytes)?.1),
        FIXED32 => Ok(fixed32(bytes)?.1),
        _ => content(field.kind, bytes),
    }
}

fn content(kind: Kind, bytes: &[u8]) -> Checked<&[u8]> {
    let (content, rest) = delimited(bytes)?;
    match kind {
        Kind::String => text(content)?,
        Kind::Message(inner) if inner.is(&schema::KEY_VALUE) => value::attribute(content)?,
        Kind::Message(inner) if inner.is(&schema::ANY_VALUE) => value::any_value(content)?,
        Kind::Message(inner) => message(inner, content)?,
        _ => {}
    }
    Ok(rest)
}

fn packed<'a>(field: &Field, bytes: &'a [u8]) -> Checked<&'a [u8]> {
    let (elements, rest) = delimited(bytes)?;
    let width = match field.kind.wire_type() {
        FIXED64 => 8,
        FIXED32 => 4,
        _ => return varints(elements).map(|()| rest),
    };
    if elements.len() % width != 0 {
        return flaw(
            Fault::Packed {
                width,
                length: elements.len(),
            },
            bytes,
        );
    }
    Ok(rest)
}

fn varints(mut elements: &[u8]) -> Checked<()> {
    while !elements.is_empty() {
        (_, elements) = varint(elements)?;
    }
    Ok(())
}
