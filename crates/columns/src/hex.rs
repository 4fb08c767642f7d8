//! Ids as lowercase hexadecimal text, which is how people and SQL write them.

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Appends two digits for each byte.
pub(crate) fn push(out: &mut String, bytes: &[u8]) {
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            out.push(char::from(
                DIGITS.get(usize::from(digit)).copied().unwrap_or(b'0'),
            ));
        }
    }
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

const fn digit(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'a'..=b'f' => Some(character - b'a' + 10),
        _ => None,
    }
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
