//! Tells which attributes a typed column can say exactly, and which have to be kept as they are.

use millrace_wire::field::{DELIMITED, Fields, VARINT, Value};
use millrace_wire::varint;

/// The value of an attribute, where it is one that a typed column can hold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Scalar<'a> {
    Text(&'a str),
    Bool(bool),
    Int(i64),
    Double(f64),
    Bytes(&'a [u8]),
}

/// A `KeyValue` taken apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pair<'a> {
    /// The whole message.
    pub(crate) bytes: &'a [u8],
    /// The key; the last one where it stands several times.
    pub(crate) key: &'a str,
    /// The content of the `AnyValue`; empty where there is none.
    pub(crate) value: &'a [u8],
    /// The value, where key and value are all there is and the value is a scalar.
    pub(crate) scalar: Option<Scalar<'a>>,
}

impl<'a> Pair<'a> {
    /// Reads a validated `KeyValue`.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        let (mut key, mut value, mut fields) = (None, None, 0);
        for field in Fields::new(bytes) {
            fields += 1;
            match (field.number, field.value) {
                (1, Value::Delimited(content)) => key = Some(content),
                (2, Value::Delimited(content)) => value = Some(content),
                _ => {}
            }
        }
        // Key, value and nothing else: then the two of them say everything.
        let is_plain = fields == 2 && key.is_some();
        let key = str::from_utf8(key.unwrap_or_default()).unwrap_or_default();
        Self {
            bytes,
            key,
            value: value.unwrap_or_default(),
            scalar: value.filter(|_| is_plain).and_then(scalar),
        }
    }
}

/// The scalar that an `AnyValue` is, if it is one and nothing more.
#[inline]
pub(crate) fn scalar(value: &[u8]) -> Option<Scalar<'_>> {
    const TEXT: u8 = 1 << 3 | DELIMITED;
    const INT: u8 = 3 << 3 | VARINT;
    // Most values are short texts or integers: a short way for these.
    if let [TEXT, length @ ..0x80, text @ ..] = value
        && text.len() == usize::from(*length)
    {
        return str::from_utf8(text).ok().map(Scalar::Text);
    }
    if let [INT, bits @ ..] = value
        && let Some((bits, [])) = varint::read(bits)
    {
        return Some(Scalar::Int(bits.cast_signed()));
    }
    let mut fields = Fields::new(value);
    let field = fields.next()?;
    if !fields.rest().is_empty() {
        return None;
    }
    match (field.number, field.value) {
        (1, Value::Delimited(text)) => str::from_utf8(text).ok().map(Scalar::Text),
        (2, Value::Varint(bits @ 0..=1)) => Some(Scalar::Bool(bits != 0)),
        (3, Value::Varint(bits)) => Some(Scalar::Int(bits.cast_signed())),
        (4, Value::Fixed64(bits)) => Some(Scalar::Double(f64::from_bits(bits))),
        (7, Value::Delimited(bytes)) => Some(Scalar::Bytes(bytes)),
        _ => None,
    }
}
