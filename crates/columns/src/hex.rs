//! Ids as lowercase hexadecimal text, which is how people and SQL write them.

/// The two digits of every byte.
static DIGITS: [[u8; 2]; 256] = digits();

#[expect(
    clippy::indexing_slicing,
    reason = "a constant function has nothing else, and the compiler runs it"
)]
const fn digits() -> [[u8; 2]; 256] {
    const OF_16: &[u8; 16] = b"0123456789abcdef";
    let mut pairs = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        pairs[byte] = [OF_16[byte >> 4], OF_16[byte & 15]];
        byte += 1;
    }
    pairs
}

/// What each character stands for as a digit; 255 where it is none.
static VALUES: [u8; 256] = values();

#[expect(
    clippy::indexing_slicing,
    reason = "a constant function has nothing else, and the compiler runs it"
)]
const fn values() -> [u8; 256] {
    let mut values = [255; 256];
    let mut digit = 0u8;
    while digit < 16 {
        let character = if digit < 10 {
            b'0' + digit
        } else {
            b'a' + digit - 10
        };
        values[character as usize] = digit;
        digit += 1;
    }
    values
}

/// Appends two digits for each byte.
pub(crate) fn push(out: &mut String, bytes: &[u8]) {
    let mut digits = Vec::with_capacity(2 * bytes.len());
    push_digits(&mut digits, bytes);
    out.push_str(str::from_utf8(&digits).unwrap_or_default());
}

/// The same for those who need no text.
#[inline]
pub(crate) fn push_digits(out: &mut Vec<u8>, bytes: &[u8]) {
    // Ids have 8 or 16 bytes: a piece at a time, and not a character.
    let (pieces, rest) = bytes.as_chunks::<8>();
    for piece in pieces {
        let mut digits = [[0; 2]; 8];
        for (pair, byte) in digits.iter_mut().zip(piece) {
            *pair = of_byte(*byte);
        }
        out.extend_from_slice(digits.as_flattened());
    }
    for byte in rest {
        out.extend_from_slice(&of_byte(*byte));
    }
}

#[inline]
fn of_byte(byte: u8) -> [u8; 2] {
    DIGITS.get(usize::from(byte)).copied().unwrap_or_default()
}

/// The digits of a number, most significant first.
pub(crate) fn of_number(number: u64) -> String {
    let mut text = String::with_capacity(16);
    push(&mut text, &number.to_be_bytes());
    text
}

/// Appends the bytes that [`push`] wrote; `None` where the text is not hexadecimal.
pub(crate) fn read(out: &mut Vec<u8>, text: &str) -> Option<()> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    for pair in digits.chunks_exact(2) {
        let [high, low] = pair else { return None };
        out.push(digit(*high)? << 4 | digit(*low)?);
    }
    Some(())
}

fn digit(character: u8) -> Option<u8> {
    VALUES
        .get(usize::from(character))
        .copied()
        .filter(|value| *value < 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_any_length_come_back_and_other_text_does_not() {
        for id in [&b""[..], &[0], &[0xff, 0x0a], &[7; 33]] {
            let (mut text, mut back) = (String::new(), Vec::new());
            push(&mut text, id);
            assert_eq!(text.len(), 2 * id.len());
            assert_eq!(read(&mut back, &text), Some(()));
            assert_eq!(back, id);
        }
        for text in ["0", "0g", "AB", "é"] {
            assert_eq!(read(&mut Vec::new(), text), None, "{text}");
        }
        assert_eq!(of_number(0x00ab), "00000000000000ab");
    }
}
