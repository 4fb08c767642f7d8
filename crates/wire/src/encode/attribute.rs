//! Writes attributes: a key and a value of any of `AnyValue`'s forms.

use super::{begin, end};
use crate::field::{children, push_delimited, push_fixed64, push_varint};

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
}

impl EncodeValue for str {
    #[inline]
    fn encode_value(&self, out: &mut Vec<u8>) {
        push_delimited(out, STRING, self.as_bytes());
    }
}

impl EncodeValue for bool {
    #[inline]
    fn encode_value(&self, out: &mut Vec<u8>) {
        push_varint(out, BOOL, u64::from(*self));
    }
}

impl EncodeValue for i64 {
    #[inline]
    fn encode_value(&self, out: &mut Vec<u8>) {
        push_varint(out, INT, self.cast_unsigned());
    }
}

impl EncodeValue for f64 {
    #[inline]
    fn encode_value(&self, out: &mut Vec<u8>) {
        push_fixed64(out, DOUBLE, self.to_bits());
    }
}

impl EncodeValue for [u8] {
    #[inline]
    fn encode_value(&self, out: &mut Vec<u8>) {
        push_delimited(out, BYTES, self);
    }
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
        AttributeValue::Array(values) => {
            let array = begin(out, ARRAY, 0);
            for value in values {
                let nested = begin(out, VALUES, 0);
                encode_nested(value, out, depth_inside);
                end(out, nested);
            }
            end(out, array);
        }
        AttributeValue::KvList(pairs) => {
            let list = begin(out, KVLIST, 0);
            for (key, value) in pairs {
                push_pair(out, VALUES, key, |out| {
                    encode_nested(value, out, depth_inside);
                });
            }
            end(out, list);
        }
    }
}

/// Appends one attribute to a message whose attributes are the field `number`.
#[inline]
pub fn push_attribute(
    out: &mut Vec<u8>,
    number: u32,
    key: &str,
    value: &(impl EncodeValue + ?Sized),
) {
    push_pair(out, number, key, |out| value.encode_value(out));
}

#[inline]
fn push_pair(out: &mut Vec<u8>, number: u32, key: &str, encode_value: impl FnOnce(&mut Vec<u8>)) {
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
