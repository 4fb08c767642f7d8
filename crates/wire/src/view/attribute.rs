//! Reads attributes and their values.

use super::scalar::text;
use crate::field::{Fields, Value};
use crate::key_value;

/// The attributes of one message, in order; keys may repeat, and then the last one counts (D4).
#[derive(Clone, Debug)]
pub struct Attributes<'a> {
    fields: Fields<'a>,
    number: u32,
}

impl<'a> Attributes<'a> {
    pub(super) const fn new(message: &'a [u8], number: u32) -> Self {
        Self {
            fields: Fields::new(message),
            number,
        }
    }

    /// The value of the attribute with this key.
    #[must_use]
    pub fn get(self, key: &str) -> Option<ValueView<'a>> {
        self.filter(|attribute| attribute.key == key)
            .last()
            .map(|attribute| attribute.value())
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = KeyValueView<'a>;

    fn next(&mut self) -> Option<KeyValueView<'a>> {
        let number = self.number;
        self.fields.find_map(|field| match field.value {
            Value::Delimited(pair) if field.number == number => Some(KeyValueView::new(pair)),
            _ => None,
        })
    }
}

/// One `KeyValue`.
#[derive(Clone, Copy, Debug)]
pub struct KeyValueView<'a> {
    bytes: &'a [u8],
    /// The key.
    pub key: &'a str,
    /// Where the key stands in the string table of the dictionary, in profiles and where `key` is empty.
    pub key_strindex: i32,
}

impl<'a> KeyValueView<'a> {
    /// Reads the content of a validated `KeyValue`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        let (key, index) = key_value::key(bytes);
        Self {
            bytes,
            key: text(key),
            key_strindex: index as i32,
        }
    }

    /// The value.
    #[must_use]
    pub fn value(&self) -> ValueView<'a> {
        match key_value::key_then_value(self.bytes) {
            Some((_, value)) => ValueView::new(value),
            None => ValueView::in_field(self.bytes, key_value::VALUE),
        }
    }

    /// The bytes of the message.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

/// One `AnyValue`, by its forms.
#[derive(Clone, Debug, Default)]
pub enum ValueView<'a> {
    /// Deliberately nothing, or a form that this version does not know.
    #[default]
    Empty,
    /// Text.
    String(&'a str),
    /// True or false.
    Bool(bool),
    /// A signed integer.
    Int(i64),
    /// A floating-point number.
    Double(f64),
    /// Values, in order.
    Array(ArrayView<'a>),
    /// Values by key, in order.
    KvList(Attributes<'a>),
    /// Bytes.
    Bytes(&'a [u8]),
    /// Text in the string table of a dictionary. It means nothing outside of profiles (C11).
    StringIndex(i32),
}

impl<'a> ValueView<'a> {
    /// Reads the content of a validated `AnyValue`. The last form on the wire is the value.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Fields::new(bytes).fold(Self::Empty, |value, field| {
            match (field.number, field.value) {
                (1, Value::Delimited(bytes)) => Self::String(text(bytes)),
                (2, Value::Varint(bits)) => Self::Bool(bits != 0),
                (3, Value::Varint(bits)) => Self::Int(bits.cast_signed()),
                (4, Value::Fixed64(bits)) => Self::Double(f64::from_bits(bits)),
                (5, Value::Delimited(array)) => Self::Array(ArrayView {
                    fields: Fields::new(array),
                }),
                (6, Value::Delimited(list)) => Self::KvList(Attributes::new(list, 1)),
                (7, Value::Delimited(bytes)) => Self::Bytes(bytes),
                (8, Value::Varint(bits)) => Self::StringIndex(bits as i32),
                _ => value,
            }
        })
    }

    /// Reads the last `AnyValue` in the field `number` of a message.
    pub(super) fn in_field(message: &'a [u8], number: u32) -> Self {
        let last = crate::field::children(message, number).last();
        last.map_or(Self::Empty, Self::new)
    }
}

/// The values of an `ArrayValue`, in order.
#[derive(Clone, Debug)]
pub struct ArrayView<'a> {
    fields: Fields<'a>,
}

impl<'a> Iterator for ArrayView<'a> {
    type Item = ValueView<'a>;

    fn next(&mut self) -> Option<ValueView<'a>> {
        self.fields.find_map(|field| match field.value {
            Value::Delimited(value) if field.number == 1 => Some(ValueView::new(value)),
            _ => None,
        })
    }
}
