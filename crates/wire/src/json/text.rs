//! Text in JSON: strings with their escapes, ids in hexadecimal, bytes in base64.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Padding is optional, and bits after the last whole byte are ignored, as protobuf's own readers do.
const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// Appends a JSON string, quotes included.
#[inline]
pub(super) fn push_string(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    push_escaped(out, text);
    out.push(b'"');
}

fn push_escaped(out: &mut Vec<u8>, text: &[u8]) {
    let mut rest = text;
    while let Some((plain, special)) = find_special(rest).and_then(|at| rest.split_at_checked(at)) {
        out.extend_from_slice(plain);
        rest = push_special(out, special);
    }
    out.extend_from_slice(rest);
}

/// Where the first byte stands that is not copied as it is: a control character, a quote, a backslash, or 0xE2, which
/// begins U+2028, U+2029 and many harmless characters.
#[inline]
fn find_special(text: &[u8]) -> Option<usize> {
    const WORD: usize = size_of::<u64>();
    let (words, tail) = text.as_chunks::<WORD>();
    for (index, word) in words.iter().enumerate() {
        let specials = specials(*word);
        if specials != 0 {
            return Some(index * WORD + first(specials));
        }
    }
    if let Some(last) = text.last_chunk() {
        // Overlaps words that had none.
        let specials = specials(*last);
        return (specials != 0).then(|| text.len() - WORD + first(specials));
    }
    tail.iter()
        .position(|byte| matches!(byte, 0..0x20 | b'"' | b'\\' | 0xe2))
}

/// Sets the highest bit of the first byte that is special, and perhaps of later ones; zero if there is none.
#[inline]
const fn specials(bytes: [u8; 8]) -> u64 {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH_BITS: u64 = ONES << 7;
    const QUOTES: u64 = ONES * b'"' as u64;
    const BACKSLASHES: u64 = ONES * b'\\' as u64;
    const E2S: u64 = ONES * 0xe2;
    /// A byte below this one borrows from its highest bit.
    const fn below(word: u64, limit: u64) -> u64 {
        word.wrapping_sub(ONES * limit) & !word
    }
    let word = u64::from_le_bytes(bytes);
    let found = below(word, 0x20)
        | below(word ^ QUOTES, 1)
        | below(word ^ BACKSLASHES, 1)
        | below(word ^ E2S, 1);
    found & HIGH_BITS
}

/// The place of the first byte whose highest bit is set.
#[inline]
const fn first(specials: u64) -> usize {
    specials.trailing_zeros() as usize / 8
}

/// Appends the character at the start of `text` and returns what follows it.
fn push_special<'a>(out: &mut Vec<u8>, text: &'a [u8]) -> &'a [u8] {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    match text {
        // The line separators of Unicode end a line in JavaScript and in many readers of JSON lines.
        [0xe2, 0x80, 0xa8, rest @ ..] => {
            out.extend_from_slice(b"\\u2028");
            rest
        }
        [0xe2, 0x80, 0xa9, rest @ ..] => {
            out.extend_from_slice(b"\\u2029");
            rest
        }
        [byte, rest @ ..] => {
            match byte {
                b'"' => out.extend_from_slice(b"\\\""),
                b'\\' => out.extend_from_slice(b"\\\\"),
                b'\n' => out.extend_from_slice(b"\\n"),
                b'\r' => out.extend_from_slice(b"\\r"),
                b'\t' => out.extend_from_slice(b"\\t"),
                0x00..0x20 => {
                    let low = HEX.get(usize::from(byte & 0x0f)).copied().unwrap_or(b'0');
                    out.extend_from_slice(&[b'\\', b'u', b'0', b'0', b'0' + (byte >> 4), low]);
                }
                plain => out.push(*plain),
            }
            rest
        }
        [] => text,
    }
}

/// Appends an id in lower-case hexadecimal, quotes included.
pub(super) fn push_hex(out: &mut Vec<u8>, id: &[u8]) {
    out.push(b'"');
    let (halves, rest) = id.as_chunks::<8>();
    for half in halves {
        let mut digits = [[0; 2]; 8];
        for (digits, byte) in digits.iter_mut().zip(half) {
            *digits = hex_digits(*byte);
        }
        out.extend_from_slice(digits.as_flattened());
    }
    for byte in rest {
        out.extend_from_slice(&hex_digits(*byte));
    }
    out.push(b'"');
}

#[inline]
fn hex_digits(byte: u8) -> [u8; 2] {
    [byte >> 4, byte & 0x0f].map(|digit| digit + if digit < 10 { b'0' } else { b'a' - 10 })
}

/// Reads exactly `N` bytes from twice as many hexadecimal digits of either case.
#[inline]
pub(super) fn hex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let (pairs, []) = text.as_chunks::<2>() else {
        return None;
    };
    let pairs: &[[u8; 2]; N] = pairs.try_into().ok()?;
    // All digits are looked at before any is refused: no branch for each.
    let mut wrong = 0;
    let mut id = [0; N];
    for (byte, pair) in id.iter_mut().zip(pairs) {
        let [high, low] = pair.map(hex_digit);
        wrong |= high | low;
        *byte = high << 4 | low & 0x0f;
    }
    (wrong & 0xf0 == 0).then_some(id)
}

/// The value of a hexadecimal digit; for any other byte a value above 15.
#[inline]
const fn hex_digit(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => byte - b'0',
        b'a'..=b'f' => byte - b'a' + 10,
        b'A'..=b'F' => byte - b'A' + 10,
        _ => 0xff,
    }
}

/// Appends bytes in base64, quotes included.
pub(super) fn push_base64(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    let start = out.len();
    // Four characters for every three bytes begun.
    out.resize(start + bytes.len().div_ceil(3) * 4, b'=');
    if let Some(place) = out.get_mut(start..) {
        // Cannot fail: the place has the size of the text.
        let _ = STANDARD.encode_slice(bytes, place);
    }
    out.push(b'"');
}

/// Appends the bytes that base64 text stands for, in the standard or the URL-safe alphabet. False if it is neither.
pub(super) fn base64_into(out: &mut Vec<u8>, text: &[u8]) -> bool {
    let url_safe = text.iter().any(|byte| matches!(byte, b'-' | b'_'));
    let engine = if url_safe { URL_SAFE } else { STANDARD };
    engine.decode_vec(text, out).is_ok()
}
