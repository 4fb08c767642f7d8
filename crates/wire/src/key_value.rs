//! Takes a `KeyValue`, the commonest message of telemetry, apart.

use crate::field::{Fields, Value};

/// Number of the field with the key.
pub(crate) const KEY: u32 = 1;
/// Number of the field with the value.
pub(crate) const VALUE: u32 = 2;
/// Number of the field with the key's index into the string table of a dictionary of profiles.
pub(crate) const KEY_STRINDEX: u32 = 3;

/// The shape that every SDK writes: a key of less than 128 bytes, a value of less than 128 bytes, and nothing else.
#[inline]
pub(crate) fn key_then_value(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let [0x0a, length @ ..0x80, rest @ ..] = bytes else {
        return None;
    };
    let (key, rest) = rest.split_at_checked(usize::from(*length))?;
    let [0x12, length @ ..0x80, value @ ..] = rest else {
        return None;
    };
    (usize::from(*length) == value.len()).then_some((key, value))
}

/// The key of a validated `KeyValue`, and its index into a string table, which counts where the key is empty.
#[inline]
pub(crate) fn key(bytes: &[u8]) -> (&[u8], u64) {
    match key_then_value(bytes) {
        Some((key, _)) => (key, 0),
        None => last_key(bytes),
    }
}

fn last_key(bytes: &[u8]) -> (&[u8], u64) {
    let (mut key, mut index) = (&[][..], 0);
    for field in Fields::new(bytes) {
        match (field.number, field.value) {
            (KEY, Value::Delimited(content)) => key = content,
            (KEY_STRINDEX, Value::Varint(value)) => index = value,
            _ => {}
        }
    }
    (key, index)
}
