//! Protobuf to OTLP/JSON: numbers, strings, ids and bytes.

use crate::field::{FIXED64, VARINT};
use crate::json::text;
use crate::schema::Kind;
use crate::varint;

const PROFILE_ID_BYTES: usize = 16;

/// Appends one value from its bits or its content, whichever its wire type uses.
#[inline]
pub(super) fn push_scalar(out: &mut Vec<u8>, kind: Kind, bits: u64, content: &[u8]) {
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
        Kind::String => text::push_string(out, content),
        Kind::Id => text::push_hex(out, content),
        Kind::ProfileId if content.len() == PROFILE_ID_BYTES => text::push_hex(out, content),
        // What is no id of a profile stays bytes: hexadecimal digits of another number would be read as base64.
        Kind::Bytes | Kind::ProfileId => text::push_base64(out, content),
        // Has functions of its own.
        Kind::Message(_) => {}
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

/// Appends packed elements, each with a comma behind it.
pub(super) fn push_pack(out: &mut Vec<u8>, kind: Kind, mut pack: &[u8]) {
    while let Some((bits, rest)) = unpack(kind, pack) {
        push_scalar(out, kind, bits, &[]);
        out.push(b',');
        pack = rest;
    }
}

#[inline]
fn unpack(kind: Kind, pack: &[u8]) -> Option<(u64, &[u8])> {
    match kind.wire_type() {
        VARINT => varint::read(pack),
        FIXED64 => pack
            .split_first_chunk()
            .map(|(bits, rest)| (u64::from_le_bytes(*bits), rest)),
        _ => pack
            .split_first_chunk()
            .map(|(bits, rest)| (u32::from_le_bytes(*bits).into(), rest)),
    }
}
