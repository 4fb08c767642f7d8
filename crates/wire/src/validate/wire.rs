//! Checked reading: every primitive of the encoding, over bytes that nobody has looked at yet.
//!
//! All functions take what is left of the enclosing message and return what is left after the value.

use crate::error::Fault;
use crate::field::{DELIMITED, FIXED32, FIXED64, GROUP_END, GROUP_START, VARINT};
use crate::varint;

/// What is wrong, and the address of the byte where. The request's own address turns it into an offset: that way the hot
/// code carries slices alone, and an error costs nothing until it happens.
#[derive(Debug)]
pub(super) struct Flaw {
    pub(super) fault: Fault,
    pub(super) address: usize,
}

/// A box keeps the results of the hot functions as small as a pointer.
pub(super) type Checked<T> = Result<T, Box<Flaw>>;

/// How deep groups may nest; only unknown fields have any.
const GROUP_LIMIT: usize = 100;

#[cold]
#[inline(never)]
pub(super) fn flaw<T>(fault: Fault, at: &[u8]) -> Checked<T> {
    Err(Box::new(Flaw {
        fault,
        address: at.as_ptr() as usize,
    }))
}

/// Reads a varint.
#[inline]
pub(super) fn varint(bytes: &[u8]) -> Checked<(u64, &[u8])> {
    match varint::read(bytes) {
        Some(read) => Ok(read),
        None => broken_varint(bytes),
    }
}

#[cold]
#[inline(never)]
fn broken_varint<T>(bytes: &[u8]) -> Checked<T> {
    let cut_off = bytes.len() < varint::MAX_LENGTH && bytes.iter().all(|byte| *byte >= 0x80);
    let fault = if cut_off {
        Fault::Truncated {
            needed: bytes.len() + 1,
            left: bytes.len(),
        }
    } else {
        Fault::VarintTooLong
    };
    flaw(fault, bytes)
}

/// Reads a tag: field number and wire type as one number. A number out of range is an error.
#[inline]
pub(super) fn tag(bytes: &[u8]) -> Checked<(u32, &[u8])> {
    match bytes {
        [tag @ 8..0x80, rest @ ..] => Ok((u32::from(*tag), rest)),
        _ => long_tag(bytes),
    }
}

#[cold]
#[inline(never)]
fn long_tag(bytes: &[u8]) -> Checked<(u32, &[u8])> {
    let (tag, rest) = varint(bytes)?;
    match u32::try_from(tag) {
        Ok(tag @ 8..) => Ok((tag, rest)),
        _ => flaw(Fault::FieldNumber(tag >> 3), bytes),
    }
}

/// Reads a length and as many bytes.
#[inline]
pub(super) fn delimited(bytes: &[u8]) -> Checked<(&[u8], &[u8])> {
    if let [length @ ..0x80, rest @ ..] = bytes
        && let Some(split) = rest.split_at_checked(usize::from(*length))
    {
        return Ok(split);
    }
    long_delimited(bytes)
}

#[inline(never)]
fn long_delimited(bytes: &[u8]) -> Checked<(&[u8], &[u8])> {
    let (length, rest) = varint(bytes)?;
    match usize::try_from(length)
        .ok()
        .and_then(|length| rest.split_at_checked(length))
    {
        Some(split) => Ok(split),
        None => flaw(
            Fault::Length {
                declared: length,
                left: rest.len(),
            },
            bytes,
        ),
    }
}

/// Reads 8 bytes.
#[inline]
pub(super) fn fixed64(bytes: &[u8]) -> Checked<(u64, &[u8])> {
    match bytes.split_first_chunk() {
        Some((value, rest)) => Ok((u64::from_le_bytes(*value), rest)),
        None => flaw(
            Fault::Truncated {
                needed: 8,
                left: bytes.len(),
            },
            bytes,
        ),
    }
}

/// Reads 4 bytes.
#[inline]
pub(super) fn fixed32(bytes: &[u8]) -> Checked<(u32, &[u8])> {
    match bytes.split_first_chunk() {
        Some((value, rest)) => Ok((u32::from_le_bytes(*value), rest)),
        None => flaw(
            Fault::Truncated {
                needed: 4,
                left: bytes.len(),
            },
            bytes,
        ),
    }
}

/// Reads the packed elements of a repeated field of 8 bytes each.
#[inline]
pub(super) fn fixed64s(bytes: &[u8]) -> Checked<(&[[u8; 8]], &[u8])> {
    let (elements, rest) = delimited(bytes)?;
    match elements.as_chunks() {
        (elements, []) => Ok((elements, rest)),
        _ => flaw(
            Fault::Packed {
                width: 8,
                length: elements.len(),
            },
            bytes,
        ),
    }
}

/// Reads a string.
#[inline]
pub(super) fn string(bytes: &[u8]) -> Checked<&[u8]> {
    let (content, rest) = delimited(bytes)?;
    text(content)?;
    Ok(rest)
}

/// Checks that bytes are UTF-8.
#[inline]
pub(super) fn text(bytes: &[u8]) -> Checked<()> {
    if is_ascii(bytes) {
        Ok(())
    } else {
        long_text(bytes)
    }
}

#[inline(never)]
fn long_text(bytes: &[u8]) -> Checked<()> {
    if simdutf8::basic::from_utf8(bytes).is_ok() {
        return Ok(());
    }
    let valid = str::from_utf8(bytes).map_or_else(|error| error.valid_up_to(), str::len);
    flaw(Fault::Utf8, bytes.get(valid..).unwrap_or(bytes))
}

/// Whether short bytes are plain ASCII. Long ones are not looked at: the vectorised UTF-8 check is as fast there.
///
/// Overlapping words instead of a loop: almost all strings of telemetry have 8 to 64 bytes, and a loop whose length changes
/// from string to string costs a branch miss each.
#[inline]
pub(super) fn is_ascii(bytes: &[u8]) -> bool {
    const HIGH_BITS: u64 = 0x8080_8080_8080_8080;
    let length = bytes.len();
    let word = |at: usize| {
        bytes
            .get(at..)
            .and_then(|tail| tail.first_chunk())
            .map_or(HIGH_BITS, |chunk| u64::from_le_bytes(*chunk))
    };
    let bits = match length {
        16..=64 => {
            let last = length - 16;
            let (second, third) = (last.min(16), last.min(32));
            word(0)
                | word(8)
                | word(second)
                | word(second + 8)
                | word(third)
                | word(third + 8)
                | word(last)
                | word(last + 8)
        }
        8..16 => word(0) | word(length - 8),
        0..8 => bytes.iter().fold(0, |bits, byte| bits | u64::from(*byte)),
        _ => HIGH_BITS,
    };
    bits & HIGH_BITS == 0
}

/// Passes over the value of a field that the schema does not know; `start` is where its tag stands.
#[cold]
#[inline(never)]
pub(super) fn skip<'a>(tag: u32, bytes: &'a [u8], start: &'a [u8]) -> Checked<&'a [u8]> {
    match tag as u8 & 7 {
        GROUP_START => skip_group(tag >> 3, bytes, start),
        _ => skip_plain(tag, bytes, start),
    }
}

fn skip_plain<'a>(tag: u32, bytes: &'a [u8], start: &'a [u8]) -> Checked<&'a [u8]> {
    match tag as u8 & 7 {
        VARINT => Ok(varint(bytes)?.1),
        FIXED64 => Ok(fixed64(bytes)?.1),
        DELIMITED => Ok(delimited(bytes)?.1),
        FIXED32 => Ok(fixed32(bytes)?.1),
        GROUP_END => flaw(Fault::UnmatchedGroupEnd, start),
        wire_type => flaw(Fault::UnknownWireType(wire_type), start),
    }
}

/// Finds the end of a group. The numbers of the groups that are open stand in an array, not on the stack of the thread.
fn skip_group<'a>(number: u32, bytes: &'a [u8], start: &'a [u8]) -> Checked<&'a [u8]> {
    let mut open = [0; GROUP_LIMIT];
    let mut depth = 0;
    let mut rest = bytes;
    let mut innermost = number;
    loop {
        if rest.is_empty() {
            return flaw(Fault::UnclosedGroup, start);
        }
        let (tag, after) = tag(rest)?;
        match tag as u8 & 7 {
            GROUP_START => {
                let Some(slot) = open.get_mut(depth) else {
                    return flaw(Fault::TooDeep { limit: GROUP_LIMIT }, rest);
                };
                *slot = innermost;
                innermost = tag >> 3;
                depth += 1;
                rest = after;
            }
            GROUP_END if tag >> 3 != innermost => return flaw(Fault::UnmatchedGroupEnd, rest),
            GROUP_END => {
                rest = after;
                let Some(outer) = depth.checked_sub(1) else {
                    return Ok(rest);
                };
                depth = outer;
                innermost = open.get(outer).copied().unwrap_or(number);
            }
            _ => rest = skip_plain(tag, after, rest)?,
        }
    }
}
