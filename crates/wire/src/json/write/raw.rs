//! Protobuf to OTLP/JSON: one field after another off validated bytes.

use crate::field::{DELIMITED, FIXED32, FIXED64, Fields, VARINT};
use crate::varint;

/// A field on the wire. Either `bits` or `content` has the value, as the wire type says.
///
/// Two plain members, where [`field::Value`](crate::field::Value) has an enum, so that it stays in registers.
#[derive(Clone, Copy)]
pub(super) struct Raw<'a> {
    pub(super) number: u32,
    pub(super) wire_type: u8,
    pub(super) bits: u64,
    pub(super) content: &'a [u8],
}

/// The fields of validated bytes.
#[derive(Clone)]
pub(super) struct Raws<'a>(pub(super) &'a [u8]);

impl<'a> Iterator for Raws<'a> {
    type Item = Raw<'a>;

    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "inlined, the parts of a field stay in registers"
    )]
    fn next(&mut self) -> Option<Raw<'a>> {
        let (tag, rest) = read_varint(self.0)?;
        let mut raw = Raw {
            number: (tag >> 3) as u32,
            wire_type: tag as u8 & 7,
            bits: 0,
            content: &[],
        };
        match raw.wire_type {
            VARINT => (raw.bits, self.0) = read_varint(rest)?,
            DELIMITED => {
                let (length, rest) = read_varint(rest)?;
                (raw.content, self.0) = rest.split_at_checked(length as usize)?;
            }
            FIXED64 => {
                let (bits, rest) = rest.split_first_chunk()?;
                (raw.bits, self.0) = (u64::from_le_bytes(*bits), rest);
            }
            FIXED32 => {
                let (bits, rest) = rest.split_first_chunk()?;
                (raw.bits, self.0) = (u32::from_le_bytes(*bits).into(), rest);
            }
            _ => self.0 = after_group(self.0)?,
        }
        Some(raw)
    }
}

/// What follows the group that begins here. Only unknown fields are groups.
#[cold]
fn after_group(bytes: &[u8]) -> Option<&[u8]> {
    let mut fields = Fields::new(bytes);
    fields.next()?;
    Some(fields.rest())
}

/// Most varints are a byte long; the others are worth a call.
#[inline]
fn read_varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    match bytes {
        [byte @ ..0x80, rest @ ..] => Some((u64::from(*byte), rest)),
        _ => varint::read(bytes),
    }
}
