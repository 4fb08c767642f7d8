//! A message in the making that remembers where its ids and times stand, however deep it is nested later.
use millrace_wire::{field, varint};

/// Eight bytes of a request that are written anew for each send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// Where they stand, from the start of the message.
    pub offset: u32,
    /// What is added to the sequence number or the time of the send.
    pub add: u32,
    pub kind: MarkKind,
}

/// What is written at a [`Mark`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MarkKind {
    /// The first sequence number of the request plus `add`, big-endian as ids are read.
    Sequence,
    /// The time of the send plus `add` nanoseconds, little-endian as protobuf's `fixed64` is.
    Time,
}

/// An attribute's value.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(String),
    Integer(i64),
    Flag(bool),
    Number(f64),
}

/// Bytes of one message and the marks in them.
#[derive(Clone, Debug, Default)]
pub(super) struct Draft {
    pub bytes: Vec<u8>,
    pub marks: Vec<Mark>,
}

impl Draft {
    pub(super) fn varint(&mut self, number: u32, value: u64) {
        field::push_varint(&mut self.bytes, number, value);
    }

    pub(super) fn fixed64(&mut self, number: u32, value: u64) {
        field::push_fixed64(&mut self.bytes, number, value);
    }

    pub(super) fn double(&mut self, number: u32, value: f64) {
        self.fixed64(number, value.to_bits());
    }

    pub(super) fn text(&mut self, number: u32, value: &str) {
        field::push_delimited(&mut self.bytes, number, value.as_bytes());
    }

    /// Packed `fixed64` or `double` elements.
    pub(super) fn packed(&mut self, number: u32, bits: &[u64]) {
        let content: Vec<u8> = bits.iter().flat_map(|bits| bits.to_le_bytes()).collect();
        field::push_delimited(&mut self.bytes, number, &content);
    }

    /// A `fixed64` time: that of the send plus `add_ns`.
    pub(super) fn time(&mut self, number: u32, add_ns: u32) {
        field::push_tag(&mut self.bytes, number, field::FIXED64);
        self.mark(MarkKind::Time, add_ns);
    }

    /// A span id: the sequence number of the item at this place in the request.
    pub(super) fn span_id(&mut self, number: u32, place: u32) {
        field::push_tag(&mut self.bytes, number, field::DELIMITED);
        varint::push(&mut self.bytes, 8);
        self.mark(MarkKind::Sequence, place);
    }

    /// A trace or profile id: the generator, then the sequence number of the item at this place.
    pub(super) fn generator_id(&mut self, number: u32, generator: u64, place: u32) {
        field::push_tag(&mut self.bytes, number, field::DELIMITED);
        varint::push(&mut self.bytes, 16);
        self.bytes.extend_from_slice(&generator.to_be_bytes());
        self.mark(MarkKind::Sequence, place);
    }

    fn mark(&mut self, kind: MarkKind, add: u32) {
        let offset = self.bytes.len() as u32;
        self.marks.push(Mark { offset, add, kind });
        self.bytes.extend_from_slice(&[0; 8]);
    }

    /// A submessage; its marks move along with its bytes.
    pub(super) fn nest(&mut self, number: u32, inner: &Self) {
        field::push_tag(&mut self.bytes, number, field::DELIMITED);
        varint::push(&mut self.bytes, inner.bytes.len() as u64);
        let start = self.bytes.len() as u32;
        self.bytes.extend_from_slice(&inner.bytes);
        self.marks.extend(inner.marks.iter().map(|mark| Mark {
            offset: mark.offset + start,
            ..*mark
        }));
    }

    /// A `KeyValue`.
    pub(super) fn attribute(&mut self, number: u32, key: &str, value: &Value) {
        let mut any = Self::default();
        match value {
            Value::Text(text) => any.text(1, text),
            Value::Flag(flag) => any.varint(2, u64::from(*flag)),
            Value::Integer(integer) => any.varint(3, integer.cast_unsigned()),
            Value::Number(double) => any.double(4, *double),
        }
        let mut pair = Self::default();
        pair.text(1, key);
        pair.nest(2, &any);
        self.nest(number, &pair);
    }
}
