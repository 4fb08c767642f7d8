//! Protobuf to OTLP/JSON: objects and arrays, in one pass over validated bytes that appends as it goes.

mod raw;
mod scalar;

use raw::{Raw, Raws};
use scalar::{push_pack, push_scalar};

use crate::field::DELIMITED;
use crate::schema::{Field, Kind, Message};

/// Appends one message as a JSON object.
///
/// Protobuf allows a field to come in pieces, with other fields between them, but nobody writes that. So the first attempt
/// takes every field to be in one piece; if it meets one that is not, the second expects nothing. It begins from the top:
/// beginning again at each level would double the time of a message for every level that comes in pieces.
pub(super) fn message(out: &mut Vec<u8>, message: &'static Message, bytes: &[u8]) {
    let start = out.len();
    if whole(out, message, bytes).is_err() {
        out.truncate(start);
        pieces(out, message, &[bytes]);
    }
}

/// A field comes in pieces, or several arms of a oneof come at all.
struct InPieces;

/// Appends a message in the order of its bytes.
fn whole(out: &mut Vec<u8>, message: &'static Message, bytes: &[u8]) -> Result<(), InPieces> {
    out.push(b'{');
    // One bit for each field number; no OTLP message has one above 31.
    let mut seen = 0u32;
    let mut chosen = false;
    // The number of the array that is open; zero for none.
    let mut array = 0;
    for raw in Raws(bytes) {
        let Some(field) = message.field(raw.number) else {
            continue;
        };
        if raw.number != array {
            if array != 0 {
                end_array(out);
                array = 0;
            }
            let bit = 1u32.checked_shl(raw.number).unwrap_or(0);
            if seen & bit != 0 || field.oneof && chosen {
                return Err(InPieces);
            }
            seen |= bit;
            chosen |= field.oneof;
            if field.repeated {
                array = raw.number;
                begin_array(out, field);
            } else if is_written(field, raw) {
                push_key(out, field);
            } else {
                continue;
            }
        }
        match field.kind {
            Kind::Message(inner) => whole(out, inner, raw.content)?,
            kind if field.packed && raw.wire_type == DELIMITED => {
                push_pack(out, kind, raw.content);
                continue;
            }
            kind => push_scalar(out, kind, raw.bits, raw.content),
        }
        out.push(b',');
    }
    if array != 0 {
        end_array(out);
    }
    close(out, b'}');
    Ok(())
}

/// Appends a message that itself comes in pieces, which protobuf merges, and whose fields may do so too.
#[cold]
#[inline(never)]
fn pieces(out: &mut Vec<u8>, message: &'static Message, parts: &[&[u8]]) {
    let raws = || parts.iter().flat_map(|part| Raws(part));
    let in_oneof = |raw: &Raw<'_>| message.field(raw.number).is_some_and(|it| it.oneof);
    let arm = raws().filter(in_oneof).last();
    out.push(b'{');
    for field in message.fields {
        if field.oneof && arm.is_none_or(|arm| arm.number != field.number) {
            continue;
        }
        let mut occurrences = raws().filter(|raw| raw.number == field.number).peekable();
        if occurrences.peek().is_none() {
            continue;
        }
        if field.repeated {
            begin_array(out, field);
            occurrences.for_each(|raw| push_elements(out, field, raw));
            end_array(out);
        } else if let Kind::Message(inner) = field.kind {
            // Pieces of an arm that another arm has replaced since do not count.
            let mut merged = Vec::new();
            for raw in raws() {
                if raw.number == field.number {
                    merged.push(raw.content);
                } else if field.oneof && in_oneof(&raw) {
                    merged.clear();
                }
            }
            push_key(out, field);
            pieces(out, inner, &merged);
            out.push(b',');
        } else if let Some(raw) = occurrences.last()
            && is_written(field, raw)
        {
            push_key(out, field);
            push_scalar(out, field.kind, raw.bits, raw.content);
            out.push(b',');
        }
    }
    close(out, b'}');
}

/// Appends what one occurrence adds to an array, each element with a comma behind it.
fn push_elements(out: &mut Vec<u8>, field: &Field, raw: Raw<'_>) {
    match field.kind {
        Kind::Message(inner) => pieces(out, inner, &[raw.content]),
        kind if field.packed && raw.wire_type == DELIMITED => {
            return push_pack(out, kind, raw.content);
        }
        kind => push_scalar(out, kind, raw.bits, raw.content),
    }
    out.push(b',');
}

#[inline]
fn push_key(out: &mut Vec<u8>, field: &Field) {
    out.push(b'"');
    out.extend_from_slice(field.json_name.as_bytes());
    out.extend_from_slice(b"\":");
}

fn begin_array(out: &mut Vec<u8>, field: &Field) {
    push_key(out, field);
    out.push(b'[');
}

fn end_array(out: &mut Vec<u8>) {
    close(out, b']');
    out.push(b',');
}

/// Ends an object or array, in place of the comma after its last entry.
#[inline]
fn close(out: &mut Vec<u8>, bracket: u8) {
    match out.last_mut() {
        Some(last @ b',') => *last = bracket,
        _ => out.push(bracket),
    }
}

/// Whether a singular field is written: proto3 leaves out what is zero or empty, unless its presence means something.
#[inline]
fn is_written(field: &Field, raw: Raw<'_>) -> bool {
    field.presence || raw.bits != 0 || !raw.content.is_empty()
}
