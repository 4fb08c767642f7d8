//! Turns wire values into the scalars of views.

use crate::field::{Fields, Value};
use crate::varint;

/// What a plain field of a view can be. A value of another wire type, which validation refuses, is passed over.
pub(super) trait Scalar<'a> {
    fn read(&mut self, value: Value<'a>);
}

macro_rules! scalar {
    ($($type:ty: $pattern:pat => $read:expr;)*) => {
        $(impl<'a> Scalar<'a> for $type {
            #[inline]
            fn read(&mut self, value: Value<'a>) {
                if let $pattern = value {
                    *self = $read;
                }
            }
        })*
    };
}

scalar! {
    &'a [u8]: Value::Delimited(bytes) => bytes;
    &'a str: Value::Delimited(bytes) => text(bytes);
    u64: Value::Varint(value) | Value::Fixed64(value) => value;
    i64: Value::Varint(value) | Value::Fixed64(value) => value.cast_signed();
    i32: Value::Varint(value) => value as i32;
    bool: Value::Varint(value) => value != 0;
    f64: Value::Fixed64(bits) => f64::from_bits(bits);
    Option<f64>: Value::Fixed64(bits) => Some(f64::from_bits(bits));
}

impl<'a> Scalar<'a> for u32 {
    #[inline]
    fn read(&mut self, value: Value<'a>) {
        match value {
            Value::Varint(value) => *self = value as Self,
            Value::Fixed32(value) => *self = value,
            _ => {}
        }
    }
}

/// The text of a validated `string` field.
#[inline]
pub(super) fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).unwrap_or_default()
}

/// The numbers of a repeated varint field, packed or not, as their 64 bits.
#[derive(Clone, Debug)]
pub struct Varints<'a> {
    fields: Fields<'a>,
    number: u32,
    packed: &'a [u8],
}

impl<'a> Varints<'a> {
    pub(super) const fn new(message: &'a [u8], number: u32) -> Self {
        Self {
            fields: Fields::new(message),
            number,
            packed: &[],
        }
    }
}

impl Iterator for Varints<'_> {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        loop {
            if let Some((value, rest)) = varint::read(self.packed) {
                self.packed = rest;
                return Some(value);
            }
            let number = self.number;
            match self.fields.find(|field| field.number == number)?.value {
                Value::Delimited(packed) => self.packed = packed,
                value => return Some(value.bits()),
            }
        }
    }
}

/// The numbers of a repeated field of 8 bytes each, packed or not.
#[derive(Clone, Debug)]
pub struct Fixed64s<'a> {
    fields: Fields<'a>,
    number: u32,
    packed: &'a [u8],
}

impl<'a> Fixed64s<'a> {
    pub(super) const fn new(message: &'a [u8], number: u32) -> Self {
        Self {
            fields: Fields::new(message),
            number,
            packed: &[],
        }
    }
}

impl Iterator for Fixed64s<'_> {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        loop {
            if let Some((value, rest)) = self.packed.split_first_chunk() {
                self.packed = rest;
                return Some(u64::from_le_bytes(*value));
            }
            let number = self.number;
            match self.fields.find(|field| field.number == number)?.value {
                Value::Delimited(packed) => self.packed = packed,
                value => return Some(value.bits()),
            }
        }
    }
}

/// The numbers of a repeated `double` field, packed or not.
#[derive(Clone, Debug)]
pub struct Doubles<'a>(Fixed64s<'a>);

impl<'a> Doubles<'a> {
    pub(super) const fn new(message: &'a [u8], number: u32) -> Self {
        Self(Fixed64s::new(message, number))
    }
}

impl Iterator for Doubles<'_> {
    type Item = f64;

    fn next(&mut self) -> Option<f64> {
        self.0.next().map(f64::from_bits)
    }
}
