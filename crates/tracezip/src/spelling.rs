//! Texts that stand for numbers and bytes: read, if they are written as everybody writes them, and written so.

/// The number of a text that is exactly how that number is written.
pub(crate) fn decimal(value: &[u8]) -> Option<u64> {
    let [first, rest @ ..] = value else {
        return None;
    };
    if value.len() > 19 || (*first == b'0' && !rest.is_empty()) {
        return None;
    }
    value.iter().try_fold(0u64, |number, digit| {
        digit
            .is_ascii_digit()
            .then(|| number * 10 + u64::from(digit - b'0'))
    })
}

const HEX: &[u8; 16] = b"0123456789abcdef";
/// Marks what is no digit.
const NO_DIGIT: u8 = 0x80;

/// What a byte is as a hexadecimal digit in lower case.
#[inline]
const fn nibble(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => NO_DIGIT,
    }
}

/// The bytes whose digits stand in pairs at these places of a text of this length.
#[inline]
fn unhex<const LENGTH: usize, const SIZE: usize>(
    value: &[u8],
    places: [usize; SIZE],
) -> Option<[u8; SIZE]> {
    let value: &[u8; LENGTH] = value.first_chunk()?;
    let (mut bytes, mut all) = ([0; SIZE], 0);
    for (byte, at) in bytes.iter_mut().zip(places) {
        let digit = |at: usize| nibble(value.get(at).copied().unwrap_or(0));
        let (high, low) = (digit(at), digit(at + 1));
        all |= high | low;
        *byte = high << 4 | low;
    }
    (all & NO_DIGIT == 0).then_some(bytes)
}

/// Places of digits that follow each other.
const fn in_a_row<const SIZE: usize>() -> [usize; SIZE] {
    let mut places = [0; SIZE];
    let (mut rest, mut at) = (places.as_mut_slice(), 0);
    while let Some((place, others)) = rest.split_first_mut() {
        *place = at;
        (rest, at) = (others, at + 2);
    }
    places
}

/// Places of the digits of a UUID, and of its hyphens.
const UUID_DIGITS: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];
const UUID_HYPHENS: [usize; 4] = [8, 13, 18, 23];

pub(crate) fn hex16(value: &[u8]) -> Option<[u8; 16]> {
    unhex::<32, 16>(value, const { in_a_row() })
}

pub(crate) fn hex8(value: &[u8]) -> Option<u64> {
    unhex::<16, 8>(value, const { in_a_row() }).map(u64::from_be_bytes)
}

pub(crate) fn uuid(value: &[u8]) -> Option<[u8; 16]> {
    if UUID_HYPHENS.iter().any(|at| value.get(*at) != Some(&b'-')) {
        return None;
    }
    unhex::<36, 16>(value, UUID_DIGITS)
}

/// A value that is written here and not found anywhere.
pub(crate) struct Short([u8; 36]);

impl Default for Short {
    fn default() -> Self {
        Self([b'-'; 36])
    }
}

impl Short {
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> &[u8] {
        match self.0.get_mut(..bytes.len()) {
            Some(room) => {
                room.copy_from_slice(bytes);
                room
            }
            None => &[],
        }
    }

    pub(crate) fn varint(&mut self, mut value: u64) -> &[u8] {
        let mut length = 0;
        for slot in &mut self.0 {
            *slot = value as u8 | 0x80;
            length += 1;
            value >>= 7;
            if value == 0 {
                *slot &= 0x7f;
                break;
            }
        }
        self.0.get(..length).unwrap_or_default()
    }

    pub(crate) fn decimal(&mut self, mut value: u64) -> &[u8] {
        // Written backwards into the end.
        let mut start = self.0.len();
        for slot in self.0.iter_mut().rev() {
            *slot = b'0' + (value % 10) as u8;
            value /= 10;
            start -= 1;
            if value == 0 {
                break;
            }
        }
        self.0.get(start..).unwrap_or_default()
    }

    pub(crate) fn hex8(&mut self, number: u64) -> &[u8] {
        self.pairs(number.to_be_bytes(), const { in_a_row() });
        self.0.get(..16).unwrap_or_default()
    }

    pub(crate) fn hex16(&mut self, bytes: [u8; 16]) -> &[u8] {
        self.pairs(bytes, const { in_a_row() });
        self.0.get(..32).unwrap_or_default()
    }

    pub(crate) fn uuid(&mut self, bytes: [u8; 16]) -> &[u8] {
        self.pairs(bytes, UUID_DIGITS);
        &self.0
    }

    #[inline]
    fn pairs<const SIZE: usize>(&mut self, bytes: [u8; SIZE], places: [usize; SIZE]) {
        for (byte, at) in bytes.into_iter().zip(places) {
            let digits = [byte >> 4, byte & 15]
                .map(|digit| HEX.get(usize::from(digit)).copied().unwrap_or_default());
            if let Some(pair) = self.0.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
                *pair = digits;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_from_a_text_is_written_as_that_text() {
        for text in ["0", "7", "18", "9999999999999999999"] {
            let number = decimal(text.as_bytes()).unwrap();
            assert_eq!(Short::default().decimal(number), text.as_bytes());
        }
        let uuid_text = b"00ff1234-56ab-cdef-0123-456789abcdef";
        assert_eq!(Short::default().uuid(uuid(uuid_text).unwrap()), uuid_text);
        let hex = b"0123456789abcdef00ff00ff00ff00f0";
        assert_eq!(Short::default().hex16(hex16(hex).unwrap()), hex);
        let (half, _) = hex.split_at(16);
        assert_eq!(Short::default().hex8(hex8(half).unwrap()), half);
    }

    #[test]
    fn what_is_written_otherwise_is_not_read() {
        for text in ["", "00", "01", "-1", "1a", "99999999999999999999"] {
            assert_eq!(decimal(text.as_bytes()), None, "{text}");
        }
        for text in [
            "00FF1234-56ab-cdef-0123-456789abcdef",
            "00ff1234-56ab-cdef-0123456789abcdef00",
            "00ff1234-56ab-cdef-0123-456789abcdeg",
        ] {
            assert_eq!(uuid(text.as_bytes()), None, "{text}");
        }
    }
}
