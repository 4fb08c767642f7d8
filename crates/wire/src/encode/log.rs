//! Writes log records.

use super::request::push_text;
use super::{EncodeValue, begin, end, push_attribute};
use crate::field::{push_delimited, push_fixed32, push_fixed64, push_varint};

/// Appends the content of one `LogRecord`, field by field.
#[derive(Debug)]
pub struct LogEncoder<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> LogEncoder<'a> {
    /// Appends to `out`, which [`RequestEncoder::item`](super::RequestEncoder::item) hands out.
    #[must_use]
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out }
    }

    /// When it happened and when it was seen, in nanoseconds since 1970.
    pub fn times(&mut self, time_unix_nano: u64, observed_time_unix_nano: u64) -> &mut Self {
        push_fixed64(self.out, 1, time_unix_nano);
        push_fixed64(self.out, 11, observed_time_unix_nano);
        self
    }

    /// How bad it is: a number of the enum `SeverityNumber`, and the word that its source has for it.
    pub fn severity(&mut self, number: i32, text: &str) -> &mut Self {
        push_varint(self.out, 2, i64::from(number).cast_unsigned());
        push_text(self.out, 3, text);
        self
    }

    /// What it says.
    pub fn body(&mut self, body: &(impl EncodeValue + ?Sized)) -> &mut Self {
        let nested = begin(self.out, 5, 0);
        body.encode_value(self.out);
        end(self.out, nested);
        self
    }

    /// One attribute.
    pub fn attribute(&mut self, key: &str, value: &(impl EncodeValue + ?Sized)) -> &mut Self {
        push_attribute(self.out, 6, key, value);
        self
    }

    /// How many attributes did not fit the limits.
    pub fn dropped_attributes(&mut self, count: u32) -> &mut Self {
        push_varint(self.out, 7, u64::from(count));
        self
    }

    /// In which span it happened, and the trace flags of that span.
    pub fn context(&mut self, trace_id: &[u8; 16], span_id: &[u8; 8], flags: u32) -> &mut Self {
        push_fixed32(self.out, 8, flags);
        push_delimited(self.out, 9, trace_id);
        push_delimited(self.out, 10, span_id);
        self
    }

    /// In which trace it happened, where the span is not known, and the trace flags.
    pub fn trace(&mut self, trace_id: &[u8; 16], flags: u32) -> &mut Self {
        push_fixed32(self.out, 8, flags);
        push_delimited(self.out, 9, trace_id);
        self
    }

    /// The name that makes it an event.
    pub fn event_name(&mut self, name: &str) -> &mut Self {
        push_text(self.out, 12, name);
        self
    }
}
