//! Submessages in a buffer that grows front to back: the length stands before the content, and is known after it.

use crate::field::{DELIMITED, push_tag};
use crate::varint;

/// A submessage that has been begun and not ended.
#[derive(Clone, Copy, Debug)]
#[must_use = "without `end` the length stays zero"]
pub(crate) struct Nested {
    /// Where the content begins.
    content: usize,
    /// How many bytes in front of that are the place of the length.
    reserved: usize,
}

impl Nested {
    /// How long the buffer would be with the submessage ended when it is this long.
    pub(crate) const fn length_ended(self, length: usize) -> usize {
        length - self.reserved + varint::length((length - self.content) as u64)
    }
}

/// Begins a submessage of about `expected` bytes. The length is filled in by [`end`]; only where it takes more or fewer bytes
/// than expected does the content move.
#[inline]
pub(crate) fn begin(out: &mut Vec<u8>, number: u32, expected: usize) -> Nested {
    push_tag(out, number, DELIMITED);
    let place = out.len();
    varint::push(out, expected as u64);
    Nested {
        content: out.len(),
        reserved: out.len() - place,
    }
}

/// Ends the submessage that was begun last.
#[inline]
pub(crate) fn end(out: &mut Vec<u8>, nested: Nested) {
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
