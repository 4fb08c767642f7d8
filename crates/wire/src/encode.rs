//! Appends requests, spans, metrics and log records to a buffer, already in their final bytes.
//!
//! Each encoder has a view with the same stem that reads back what it wrote.

mod attribute;
mod log;
mod metric;
mod request;
mod span;

use crate::field::{DELIMITED, push_tag};
use crate::varint;

pub use attribute::{
    AttributeValue, EncodeValue, EncodedAttributes, push_array, push_attribute, push_map, push_pair,
};
pub use log::LogEncoder;
pub use metric::{
    Buckets, Exemplar, ExponentialHistogramPoint, HistogramPoint, MetricEncoder, Number,
    NumberPoint, PointAttributes, PointsEncoder, SummaryPoint, Temporality,
};
pub use request::RequestEncoder;
pub use span::{EventEncoder, SpanEncoder};

/// A submessage that has been begun and not ended.
#[derive(Clone, Copy, Debug)]
#[must_use = "without `end` the length stays zero"]
struct Nested {
    content: usize,
    reserved: usize,
}

/// Begins a submessage of about `expected` bytes. The length is filled in by [`end`]; only where it takes more or fewer bytes
/// than expected does the content move.
#[inline]
fn begin(out: &mut Vec<u8>, number: u32, expected: usize) -> Nested {
    push_tag(out, number, DELIMITED);
    let reserved = varint::length(expected as u64);
    out.resize(out.len() + reserved, 0);
    Nested {
        content: out.len(),
        reserved,
    }
}

#[inline]
fn end(out: &mut Vec<u8>, nested: Nested) {
    let Nested { content, reserved } = nested;
    let length = (out.len() - content) as u64;
    let start = content - reserved;
    let needed = varint::length(length);
    if needed != reserved {
        move_content(out, nested, needed);
    }
    let mut left = length;
    for byte in out.iter_mut().skip(start).take(needed) {
        *byte = left as u8 | 0x80;
        left >>= 7;
    }
    if let Some(last) = out.get_mut(start + needed - 1) {
        *last &= 0x7f;
    }
}

#[cold]
fn move_content(out: &mut Vec<u8>, nested: Nested, needed: usize) {
    let Nested { content, reserved } = nested;
    if let Some(surplus) = reserved.checked_sub(needed) {
        out.drain(content - surplus..content);
    } else {
        out.splice(content..content, std::iter::repeat_n(0, needed - reserved));
    }
}
