//! Writes spans with their events and links.

use super::request::push_text;
use super::{EncodeValue, begin, end, push_attribute};
use crate::field::{DELIMITED, FIXED64, push_delimited, push_fixed32, push_fixed64, push_varint};

/// Appends the content of one `Span`, field by field.
#[derive(Debug)]
pub struct SpanEncoder<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> SpanEncoder<'a> {
    /// Appends to `out`, which [`RequestEncoder::item`](super::RequestEncoder::item) hands out.
    #[must_use]
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out }
    }

    /// Which span of which trace this is, and under which it stands.
    pub fn ids(
        &mut self,
        trace_id: &[u8; 16],
        span_id: &[u8; 8],
        parent_span_id: Option<&[u8; 8]>,
    ) -> &mut Self {
        // One piece: tag and length of each id before it.
        let mut ids = [0; 28];
        ids[0] = 1 << 3 | DELIMITED;
        ids[1] = 16;
        ids[2..18].copy_from_slice(trace_id);
        ids[18] = 2 << 3 | DELIMITED;
        ids[19] = 8;
        ids[20..28].copy_from_slice(span_id);
        self.out.extend_from_slice(&ids);
        if let Some(parent) = parent_span_id {
            push_delimited(self.out, 4, parent);
        }
        self
    }

    /// The W3C trace state.
    pub fn trace_state(&mut self, trace_state: &str) -> &mut Self {
        push_text(self.out, 3, trace_state);
        self
    }

    /// Name and kind, a number of the enum `SpanKind`.
    pub fn name(&mut self, name: &str, kind: i32) -> &mut Self {
        push_text(self.out, 5, name);
        push_varint(self.out, 6, i64::from(kind).cast_unsigned());
        self
    }

    /// Start and end, in nanoseconds since 1970.
    pub fn times(&mut self, start_time_unix_nano: u64, end_time_unix_nano: u64) -> &mut Self {
        let mut times = [0; 18];
        times[0] = 7 << 3 | FIXED64;
        times[1..9].copy_from_slice(&start_time_unix_nano.to_le_bytes());
        times[9] = 8 << 3 | FIXED64;
        times[10..18].copy_from_slice(&end_time_unix_nano.to_le_bytes());
        self.out.extend_from_slice(&times);
        self
    }

    /// One attribute.
    pub fn attribute(&mut self, key: &str, value: &(impl EncodeValue + ?Sized)) -> &mut Self {
        push_attribute(self.out, 9, key, value);
        self
    }

    /// How many attributes, events and links did not fit the limits of their span.
    pub fn dropped(&mut self, attributes: u32, events: u32, links: u32) -> &mut Self {
        for (number, count) in [(10, attributes), (12, events), (14, links)] {
            if count > 0 {
                push_varint(self.out, number, u64::from(count));
            }
        }
        self
    }

    /// An event; `encode` adds its attributes.
    pub fn event(
        &mut self,
        time_unix_nano: u64,
        name: &str,
        encode: impl FnOnce(&mut EventEncoder<'_>),
    ) -> &mut Self {
        let event = begin(self.out, 11, 0);
        push_fixed64(self.out, 1, time_unix_nano);
        push_text(self.out, 2, name);
        encode(&mut EventEncoder {
            out: self.out,
            attributes: 3,
        });
        end(self.out, event);
        self
    }

    /// A link to another span; `encode` adds its attributes.
    pub fn link(
        &mut self,
        trace_id: &[u8; 16],
        span_id: &[u8; 8],
        trace_state: &str,
        flags: u32,
        encode: impl FnOnce(&mut EventEncoder<'_>),
    ) -> &mut Self {
        let link = begin(self.out, 13, 0);
        push_delimited(self.out, 1, trace_id);
        push_delimited(self.out, 2, span_id);
        push_text(self.out, 3, trace_state);
        encode(&mut EventEncoder {
            out: self.out,
            attributes: 4,
        });
        push_fixed32(self.out, 6, flags);
        end(self.out, link);
        self
    }

    /// The status: a number of the enum `StatusCode`, and for an error its description.
    pub fn status(&mut self, code: i32, message: &str) -> &mut Self {
        let status = begin(self.out, 15, 0);
        push_text(self.out, 2, message);
        push_varint(self.out, 3, i64::from(code).cast_unsigned());
        end(self.out, status);
        self
    }

    /// The W3C trace flags, and the bits that tell whether the parent is remote.
    pub fn flags(&mut self, flags: u32) -> &mut Self {
        push_fixed32(self.out, 16, flags);
        self
    }
}

/// Appends the attributes of an event or a link.
#[derive(Debug)]
pub struct EventEncoder<'a> {
    out: &'a mut Vec<u8>,
    attributes: u32,
}

impl EventEncoder<'_> {
    /// One attribute.
    pub fn attribute(&mut self, key: &str, value: &(impl EncodeValue + ?Sized)) -> &mut Self {
        push_attribute(self.out, self.attributes, key, value);
        self
    }

    /// How many attributes did not fit the limits. The field has the number behind that of the attributes.
    pub fn dropped_attributes(&mut self, count: u32) -> &mut Self {
        push_varint(self.out, self.attributes + 1, u64::from(count));
        self
    }
}
