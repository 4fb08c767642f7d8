//! Variable-length integers, the atoms of protobuf.

/// The most bytes that a varint of 64 bits takes.
pub const MAX_LENGTH: usize = 10;

/// Appends a varint.
#[inline]
pub fn push(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// How many bytes [`push`] appends for this value.
#[must_use]
#[inline]
pub const fn length(value: u64) -> usize {
    // Bits in use, divided by 7 and rounded up; zero still takes a byte.
    let bits = 64 - (value | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

/// Reads the varint at the start: its value and what follows. `None` if it is cut off, or longer than 64 bits.
#[must_use]
#[inline]
pub fn read(bytes: &[u8]) -> Option<(u64, &[u8])> {
    match bytes {
        [byte, rest @ ..] if *byte < 0x80 => Some((u64::from(*byte), rest)),
        [low, high, rest @ ..] if *high < 0x80 => {
            Some((u64::from(low & 0x7f) | u64::from(*high) << 7, rest))
        }
        _ => read_long(bytes),
    }
}

fn read_long(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0;
    let mut rest = bytes;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first()?;
        rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if *byte < 0x80 {
            // Of the tenth byte only one bit fits.
            return (shift < 63 || *byte < 2).then_some((value, rest));
        }
    }
    None
}

/// The unsigned number that `sint32` and `sint64` fields carry for a signed one.
#[must_use]
#[inline]
pub const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

/// The signed number that [`zigzag`] made this one from.
#[must_use]
#[inline]
pub const fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -((value & 1).cast_signed())
}
