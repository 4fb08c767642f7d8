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
    while let Some(at) = find_special(rest) {
        let (plain, special) = rest.split_at(at);
        out.extend_from_slice(plain);
        rest = push_special(out, special);
    }
    out.extend_from_slice(rest);
}

/// Whether a byte ends a run that is copied as it is. 0xE2 begins U+2028 and U+2029, and many harmless characters.
const fn is_special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\' || byte == 0xe2
}

fn find_special(text: &[u8]) -> Option<usize> {
    // Blocks without a branch inside become vector instructions.
    const BLOCK: usize = 16;
    let (blocks, _) = text.as_chunks::<BLOCK>();
    let clean = blocks
        .iter()
        .take_while(|block| {
            !block
                .iter()
                .fold(false, |any, byte| any | is_special(*byte))
        })
        .count()
        * BLOCK;
    let tail = text.get(clean..)?;
    let at = tail.iter().position(|byte| is_special(*byte))?;
    Some(clean + at)
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
    out.extend(
        id.iter()
            .flat_map(|byte| [byte >> 4, byte & 0x0f])
            .map(|digit| digit + if digit < 10 { b'0' } else { b'a' - 10 }),
    );
    out.push(b'"');
}

/// Reads exactly `N` bytes from twice as many hexadecimal digits of either case.
pub(super) fn hex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let (pairs, []) = text.as_chunks::<2>() else {
        return None;
    };
    let pairs: &[[u8; 2]; N] = pairs.try_into().ok()?;
    // All digits are looked at before any is refused: no branch for each.
    let mut wrong = 0;
    let id = pairs.map(|[high, low]| {
        let (high, low) = (hex_digit(high), hex_digit(low));
        wrong |= high | low;
        high << 4 | low & 0x0f
    });
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
