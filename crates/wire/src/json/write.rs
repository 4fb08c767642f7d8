//! Protobuf to OTLP/JSON: one pass over validated bytes, appending as it goes.

use super::text;
use crate::field::{FIXED64, Fields, RawField, VARINT, Value};
use crate::schema::{Field, Kind, Message};
use crate::varint;

/// Appends one message as a JSON object.
pub(super) fn message(out: &mut Vec<u8>, message: &'static Message, bytes: &[u8]) {
    if is_tidy(message, bytes) {
        tidy(out, message, bytes);
    } else {
        untidy(out, message, &[bytes]);
    }
}

/// Whether every field stands in one piece, so that the message can be written in the order of its bytes.
///
/// It is known before anything is written: to find out on the way and to begin again would cost twice the time for every
/// level of a message that is built to be untidy at all of them.
fn is_tidy(message: &'static Message, bytes: &[u8]) -> bool {
    let mut seen = 0u32;
    let mut last = 0;
    let mut chosen = false;
    for raw in Fields::new(bytes) {
        let Some(field) = message.field(raw.number) else {
            continue;
        };
        if raw.number == last && field.repeated {
            continue;
        }
        // No OTLP message has a field number above 31.
        let bit = 1u32.checked_shl(raw.number).unwrap_or(0);
        if seen & bit != 0 || field.oneof && chosen {
            return false;
        }
        seen |= bit;
        chosen |= field.oneof;
        last = raw.number;
    }
    true
}

fn tidy(out: &mut Vec<u8>, message: &'static Message, bytes: &[u8]) {
    out.push(b'{');
    // The number of the array that is open; zero for none.
    let mut array = 0;
    for raw in Fields::new(bytes) {
        let Some(field) = message.field(raw.number) else {
            continue;
        };
        if array != raw.number && array != 0 {
            end_array(out);
            array = 0;
        }
        if field.repeated {
            if array == 0 {
                begin_array(out, field);
                array = raw.number;
            }
            push_elements(out, field, raw.value);
        } else if is_written(field, raw.value) {
            push_key(out, field);
            push_value(out, field.kind, raw.value);
            out.push(b',');
        }
    }
    if array != 0 {
        end_array(out);
    }
    close(out, b'}');
}

/// Appends a message whose fields occur in pieces, or that itself stands in several pieces, which protobuf merges.
#[cold]
#[inline(never)]
fn untidy(out: &mut Vec<u8>, message: &'static Message, parts: &[&[u8]]) {
    let fields = || parts.iter().flat_map(|part| Fields::new(part));
    let in_oneof = |raw: &RawField<'_>| message.field(raw.number).is_some_and(|it| it.oneof);
    let arm = fields().filter(in_oneof).last();
    out.push(b'{');
    for field in message.fields {
        if field.oneof && arm.is_none_or(|arm| arm.number != field.number) {
            continue;
        }
        let mut pieces = fields().filter(|raw| raw.number == field.number).peekable();
        if pieces.peek().is_none() {
            continue;
        }
        if field.repeated {
            begin_array(out, field);
            pieces.for_each(|raw| push_elements(out, field, raw.value));
            end_array(out);
        } else if let Kind::Message(inner) = field.kind {
            // Pieces of an arm that another arm has replaced since do not count.
            let mut merged = Vec::new();
            for raw in fields() {
                if raw.number == field.number {
                    merged.push(raw.value.delimited());
                } else if field.oneof && in_oneof(&raw) {
                    merged.clear();
                }
            }
            push_key(out, field);
            match merged.as_slice() {
                [whole] => self::message(out, inner, whole),
                merged => untidy(out, inner, merged),
            }
            out.push(b',');
        } else if let Some(raw) = pieces.last()
            && is_written(field, raw.value)
        {
            push_key(out, field);
            push_value(out, field.kind, raw.value);
            out.push(b',');
        }
    }
    close(out, b'}');
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
fn is_written(field: &Field, value: Value<'_>) -> bool {
    field.presence || value.bits() != 0 || !value.delimited().is_empty()
}

/// Appends what one field on the wire adds to an array, each element with a comma behind it.
#[inline]
fn push_elements(out: &mut Vec<u8>, field: &Field, value: Value<'_>) {
    match value {
        Value::Delimited(pack) if field.packed => push_pack(out, field.kind, pack),
        value => {
            push_value(out, field.kind, value);
            out.push(b',');
        }
    }
}

fn push_pack(out: &mut Vec<u8>, kind: Kind, mut pack: &[u8]) {
    while let Some((value, rest)) = unpack(kind, pack) {
        push_value(out, kind, value);
        out.push(b',');
        pack = rest;
    }
}

fn unpack(kind: Kind, pack: &[u8]) -> Option<(Value<'_>, &[u8])> {
    match kind.wire_type() {
        VARINT => varint::read(pack).map(|(bits, rest)| (Value::Varint(bits), rest)),
        FIXED64 => pack
            .split_first_chunk()
            .map(|(bits, rest)| (Value::Fixed64(u64::from_le_bytes(*bits)), rest)),
        _ => pack
            .split_first_chunk()
            .map(|(bits, rest)| (Value::Fixed32(u32::from_le_bytes(*bits)), rest)),
    }
}

#[inline]
fn push_value(out: &mut Vec<u8>, kind: Kind, value: Value<'_>) {
    let bits = value.bits();
    match kind {
        Kind::Double => push_double(out, f64::from_bits(bits)),
        // Numbers of 32 bits may be sign-extended to 64 on the wire.
        Kind::Int32 | Kind::Enum(_) => push_integer(out, (bits as u32).cast_signed()),
        Kind::Sint32 => {
            push_integer(out, varint::unzigzag(bits & u64::from(u32::MAX)));
        }
        Kind::Uint32 | Kind::Fixed32 => push_integer(out, bits as u32),
        Kind::Int64 | Kind::Sfixed64 => push_quoted(out, bits.cast_signed()),
        Kind::Uint64 | Kind::Fixed64 => push_quoted(out, bits),
        Kind::Bool => out.extend_from_slice(if bits == 0 { b"false" } else { b"true" }),
        Kind::String => text::push_string(out, value.delimited()),
        Kind::Bytes => text::push_base64(out, value.delimited()),
        Kind::Id => text::push_hex(out, value.delimited()),
        Kind::Message(inner) => message(out, inner, value.delimited()),
    }
}

#[inline]
fn push_integer(out: &mut Vec<u8>, value: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Numbers of 64 bits are strings: JSON readers that know only doubles would round them.
#[inline]
fn push_quoted(out: &mut Vec<u8>, value: impl itoa::Integer) {
    out.push(b'"');
    push_integer(out, value);
    out.push(b'"');
}

fn push_double(out: &mut Vec<u8>, value: f64) {
    let mut buffer = ryu::Buffer::new();
    let text = if value.is_nan() {
        "\"NaN\""
    } else if value == f64::INFINITY {
        "\"Infinity\""
    } else if value == f64::NEG_INFINITY {
        "\"-Infinity\""
    } else {
        buffer.format_finite(value)
    };
    out.extend_from_slice(text.as_bytes());
}
