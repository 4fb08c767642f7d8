//! Writes attributes: a key and a value of any of `AnyValue`'s forms.

use super::{begin, end};
use crate::field::{
    DELIMITED, FIXED64, VARINT, children, push_delimited, push_fixed64, push_varint,
};

/// How deep values are written. Readers refuse deeper ones, so what lies deeper is written as the empty value.
const DEPTH_LIMIT: usize = 64;

const KEY: u32 = 1;
const VALUE: u32 = 2;

const STRING: u32 = 1;
const BOOL: u32 = 2;
const INT: u32 = 3;
const DOUBLE: u32 = 4;
const ARRAY: u32 = 5;
const KVLIST: u32 = 6;
const BYTES: u32 = 7;

const VALUES: u32 = 1;

const ENCODED: u32 = 1;

/// The value of an attribute, or the body of a log record.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum AttributeValue {
    /// Deliberately nothing.
    #[default]
    Empty,
    /// Text.
    String(String),
    /// True or false.
    Bool(bool),
    /// A signed integer.
    Int(i64),
    /// A floating-point number.
    Double(f64),
    /// Bytes.
    Bytes(Vec<u8>),
    /// Values of any kind, in order.
    Array(Vec<Self>),
    /// Values by key, in order.
    KvList(Vec<(String, Self)>),
}

impl From<&str> for AttributeValue {
    fn from(value: &str) -> Self {
        Self::String(value.to_owned())
    }
}

impl From<bool> for AttributeValue {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for AttributeValue {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<f64> for AttributeValue {
    fn from(value: f64) -> Self {
        Self::Double(value)
    }
}

/// What can be written as the content of an `AnyValue`. Plain Rust values can, without a detour over [`AttributeValue`].
pub trait EncodeValue {
    /// Appends the content.
    fn encode_value(&self, out: &mut Vec<u8>);

    /// Appends a whole attribute with this value, as field `number` of its owner. Scalars do it without moving what is written.
    #[inline]
    fn encode_pair(&self, out: &mut Vec<u8>, number: u32, key: &str) {
        push_pair(out, number, key, |out| self.encode_value(out));
    }
}

impl EncodeValue for str {
    #[inline]
    fn encode_value(&self, out: &mut Vec<u8>) {
        push_delimited(out, STRING, self.as_bytes());
    }

    #[inline]
    fn encode_pair(&self, out: &mut Vec<u8>, number: u32, key: &str) {
        let head = [tag(STRING, DELIMITED), self.len() as u8];
        if !push_short_pair(out, number, key, &head, self.as_bytes()) {
            push_pair(out, number, key, |out| self.encode_value(out));
        }
    }
}

impl EncodeValue for bool {
    #[inline]
    fn encode_value(&self, out: &mut Vec<u8>) {
        push_varint(out, BOOL, u64::from(*self));
    }

    #[inline]
    fn encode_pair(&self, out: &mut Vec<u8>, number: u32, key: &str) {
        let value = [tag(BOOL, VARINT), u8::from(*self)];
        if !push_short_pair(out, number, key, &value, &[]) {
            push_pair(out, number, key, |out| self.encode_value(out));
        }
    }
}

impl EncodeValue for i64 {
    #[inline]
    fn encode_value(&self, out: &mut Vec<u8>) {
        push_varint(out, INT, self.cast_unsigned());
    }

    #[inline]
    fn encode_pair(&self, out: &mut Vec<u8>, number: u32, key: &str) {
        let bits = self.cast_unsigned();
        let short = match bits {
            0..0x80 => push_short_pair(out, number, key, &[tag(INT, VARINT), bits as u8], &[]),
            0x80..0x4000 => {
                let value = [tag(INT, VARINT), bits as u8 | 0x80, (bits >> 7) as u8];
                push_short_pair(out, number, key, &value, &[])
            }
            _ => false,
        };
        if !short {
            push_pair(out, number, key, |out| self.encode_value(out));
        }
    }
}

impl EncodeValue for f64 {
    #[inline]
    fn encode_value(&self, out: &mut Vec<u8>) {
        push_fixed64(out, DOUBLE, self.to_bits());
    }

    #[inline]
    fn encode_pair(&self, out: &mut Vec<u8>, number: u32, key: &str) {
        if !push_short_pair(
            out,
            number,
            key,
            &[tag(DOUBLE, FIXED64)],
            &self.to_le_bytes(),
        ) {
            push_pair(out, number, key, |out| self.encode_value(out));
        }
    }
}

impl EncodeValue for [u8] {
    #[inline]
    fn encode_value(&self, out: &mut Vec<u8>) {
        push_delimited(out, BYTES, self);
    }
}

#[inline]
const fn tag(number: u32, wire_type: u8) -> u8 {
    (number << 3) as u8 | wire_type
}

/// Appends an attribute whose lengths all take one byte, which is nearly every attribute there is; false where they do not.
///
/// The value is `head` and `tail`, one behind the other.
#[inline]
fn push_short_pair(out: &mut Vec<u8>, number: u32, key: &str, head: &[u8], tail: &[u8]) -> bool {
    let value = head.len() + tail.len();
    let pair = 4 + key.len() + value;
    if pair >= 0x80 || number >= 16 {
        return false;
    }
    out.reserve(2 + pair);
    let tags = [
        tag(number, DELIMITED),
        pair as u8,
        tag(KEY, DELIMITED),
        key.len() as u8,
    ];
    #[expect(
        unsafe_code,
        reason = "appending piece by piece asks five times whether there is room"
    )]
    // SAFETY: there is room for 2 + `pair` bytes behind the end, which is as long as the five pieces are together.
    unsafe {
        let mut end = out.as_mut_ptr().add(out.len());
        for piece in [
            tags.as_slice(),
            key.as_bytes(),
            &[tag(VALUE, DELIMITED), value as u8],
            head,
            tail,
        ] {
            end.copy_from_nonoverlapping(piece.as_ptr(), piece.len());
            end = end.add(piece.len());
        }
        out.set_len(out.len() + 2 + pair);
    }
    true
}

impl EncodeValue for AttributeValue {
    fn encode_value(&self, out: &mut Vec<u8>) {
        encode_nested(self, out, DEPTH_LIMIT);
    }
}

fn encode_nested(value: &AttributeValue, out: &mut Vec<u8>, depth_left: usize) {
    let Some(depth_inside) = depth_left.checked_sub(1) else {
        return;
    };
    match value {
        AttributeValue::Empty => {}
        AttributeValue::String(text) => text.as_str().encode_value(out),
        AttributeValue::Bool(value) => value.encode_value(out),
        AttributeValue::Int(value) => value.encode_value(out),
        AttributeValue::Double(value) => value.encode_value(out),
        AttributeValue::Bytes(bytes) => bytes.as_slice().encode_value(out),
        AttributeValue::Array(values) => push_array(out, values, |value, out| {
            encode_nested(value, out, depth_inside);
        }),
        AttributeValue::KvList(pairs) => {
            push_map(
                out,
                pairs.iter().map(|(key, value)| (key, value)),
                |value, out| {
                    encode_nested(value, out, depth_inside);
                },
            );
        }
    }
}

/// Appends the content of an `AnyValue` that is an array; `encode` appends the content of each value.
pub fn push_array<T>(
    out: &mut Vec<u8>,
    values: impl IntoIterator<Item = T>,
    mut encode: impl FnMut(T, &mut Vec<u8>),
) {
    let array = begin(out, ARRAY, 0);
    for value in values {
        let nested = begin(out, VALUES, 0);
        encode(value, out);
        end(out, nested);
    }
    end(out, array);
}

/// Appends the content of an `AnyValue` that is a list of keys and values; `encode` appends the content of each value.
pub fn push_map<K: AsRef<str>, T>(
    out: &mut Vec<u8>,
    pairs: impl IntoIterator<Item = (K, T)>,
    mut encode: impl FnMut(T, &mut Vec<u8>),
) {
    let list = begin(out, KVLIST, 0);
    for (key, value) in pairs {
        push_pair(out, VALUES, key.as_ref(), |out| encode(value, out));
    }
    end(out, list);
}

/// Appends one attribute to a message whose attributes are the field `number`.
#[inline]
pub fn push_attribute(
    out: &mut Vec<u8>,
    number: u32,
    key: &str,
    value: &(impl EncodeValue + ?Sized),
) {
    value.encode_pair(out, number, key);
}

/// Appends an attribute of any length; `encode_value` appends the content of its value.
#[inline]
pub fn push_pair(
    out: &mut Vec<u8>,
    number: u32,
    key: &str,
    encode_value: impl FnOnce(&mut Vec<u8>),
) {
    let pair = begin(out, number, 0);
    push_delimited(out, KEY, key.as_bytes());
    let value = begin(out, VALUE, 0);
    encode_value(out);
    end(out, value);
    end(out, pair);
}

/// Attributes in their final bytes, for what is written again and again: the points of one series.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EncodedAttributes {
    /// `KeyValue` messages, each under the tag of field 1.
    pairs: Vec<u8>,
}

impl EncodedAttributes {
    /// No attribute.
    #[must_use]
    pub const fn new() -> Self {
        Self { pairs: Vec::new() }
    }

    /// Adds one attribute.
    pub fn push(&mut self, key: &str, value: &(impl EncodeValue + ?Sized)) {
        push_attribute(&mut self.pairs, ENCODED, key, value);
    }

    /// Gives back spare memory.
    pub fn shrink(&mut self) {
        self.pairs.shrink_to_fit();
    }

    /// Appends them to a message whose attributes are the field `number`.
    pub(super) fn append(&self, out: &mut Vec<u8>, number: u32) {
        if number == ENCODED {
            out.extend_from_slice(&self.pairs);
        } else {
            for pair in children(&self.pairs, ENCODED) {
                push_delimited(out, number, pair);
            }
        }
    }
}

/// Appends several attributes.
pub(super) fn push_attributes(
    out: &mut Vec<u8>,
    number: u32,
    attributes: &[(&str, AttributeValue)],
) {
    for (key, value) in attributes {
        push_attribute(out, number, key, value);
    }
}
