//! The request as it is rebuilt: bytes are appended, never more than were promised.

use std::ops::Range;

use millrace_wire::varint;

use crate::limits::DEPTH;

/// Bytes that lengths of messages that are still open may have too many.
const OPEN_SPARE: usize = DEPTH * varint::MAX_LENGTH;

/// Room for a request, and how much of it is written.
#[derive(Debug)]
pub(crate) struct Out {
    bytes: Vec<u8>,
    end: usize,
    most: usize,
}

impl Out {
    /// For a request of this length, with memory for a part of it.
    pub(crate) fn new(length: usize, plausible: usize) -> Self {
        Self {
            bytes: vec![0; plausible.min(length) + OPEN_SPARE],
            end: 0,
            most: length + OPEN_SPARE,
        }
    }

    /// The request, if it has exactly the length that was promised.
    pub(crate) fn finish(mut self) -> Option<Vec<u8>> {
        if self.end + OPEN_SPARE != self.most {
            return None;
        }
        self.bytes.truncate(self.end);
        Some(self.bytes)
    }

    /// Where the next byte goes.
    pub(crate) fn position(&self) -> usize {
        self.end
    }

    pub(crate) fn get(&self, start: usize, end: usize) -> &[u8] {
        self.bytes.get(start..end).unwrap_or_default()
    }

    /// Room for that many bytes more, which are to be written. `None` if the request has no so many.
    #[inline]
    pub(crate) fn room(&mut self, length: usize) -> Option<&mut [u8]> {
        let (start, end) = (self.end, self.end + length);
        if end > self.bytes.len() {
            self.grow(end)?;
        }
        self.end = end;
        self.bytes.get_mut(start..end)
    }

    #[cold]
    fn grow(&mut self, end: usize) -> Option<()> {
        if end > self.most {
            return None;
        }
        self.bytes.resize((end * 2).min(self.most), 0);
        Some(())
    }

    #[inline]
    pub(crate) fn push(&mut self, piece: &[u8]) -> Option<()> {
        copy(self.room(piece.len())?, piece);
        Some(())
    }

    pub(crate) fn varint(&mut self, value: u64) -> Option<()> {
        write_varint(self.room(varint::length(value))?, value);
        Some(())
    }

    /// Writes a tag and leaves room for a length; where that is.
    #[inline]
    pub(crate) fn open(&mut self, tag: u8, width: usize) -> Option<usize> {
        *self.room(1 + width)?.first_mut()? = tag;
        Some(self.end - width)
    }

    /// Writes the length of what came after the room for it, moving that if the room is not right; the length's length.
    #[inline]
    pub(crate) fn close(&mut self, start: usize, width: usize) -> Option<usize> {
        let (content, end) = (start + width, self.end);
        let length = end.checked_sub(content)? as u64;
        let needed = varint::length(length);
        if needed != width {
            self.shift(content..end, start + needed)?;
        }
        write_varint(self.bytes.get_mut(start..start + needed)?, length);
        Some(needed)
    }

    /// Moves what was written last.
    #[cold]
    fn shift(&mut self, content: Range<usize>, to: usize) -> Option<()> {
        if to > content.start {
            self.room(to - content.start)?;
        } else {
            self.end -= content.start - to;
        }
        self.bytes.copy_within(content, to);
        Some(())
    }
}

/// Writes a varint over all of `room`, which is as long as it needs.
#[inline]
fn write_varint(room: &mut [u8], mut value: u64) {
    for slot in room.iter_mut() {
        *slot = value as u8 | 0x80;
        value >>= 7;
    }
    if let Some(last) = room.last_mut() {
        *last &= 0x7f;
    }
}

/// Copies a few bytes without a call: in two pieces that may overlap.
#[inline]
pub(crate) fn copy(to: &mut [u8], from: &[u8]) {
    match from.len() {
        8..=16 => ends::<8>(to, from),
        17..=32 => ends::<16>(to, from),
        4..=7 => ends::<4>(to, from),
        0..=3 => {
            for (to, from) in to.iter_mut().zip(from) {
                *to = *from;
            }
        }
        length => {
            if let Some(to) = to.get_mut(..length) {
                to.copy_from_slice(from);
            }
        }
    }
}

#[inline]
fn ends<const SIZE: usize>(to: &mut [u8], from: &[u8]) {
    if let (Some(to), Some(from)) = (to.first_chunk_mut::<SIZE>(), from.first_chunk()) {
        *to = *from;
    }
    if let (Some(to), Some(from)) = (to.last_chunk_mut::<SIZE>(), from.last_chunk()) {
        *to = *from;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_every_length_are_appended_whole() {
        let bytes: Vec<u8> = (0..100).collect();
        let mut out = Out::new(4950, 10);
        let mut all = Vec::new();
        for length in 0..100 {
            out.push(&bytes[..length]).unwrap();
            all.extend_from_slice(&bytes[..length]);
        }
        assert_eq!(out.finish(), Some(all));
    }

    #[test]
    fn lengths_get_the_room_that_they_need_whatever_was_left_for_them() {
        for width in 1..4 {
            for length in [0usize, 1, 127, 128, 20_000] {
                let needed = varint::length(length as u64);
                let mut out = Out::new(1 + length + needed, 0);
                let start = out.open(1, width).unwrap();
                out.push(&vec![7; length]).unwrap();
                assert_eq!(out.close(start, width), Some(needed));
                let mut expected = vec![1];
                varint::push(&mut expected, length as u64);
                expected.extend(vec![7; length]);
                assert_eq!(out.finish(), Some(expected));
            }
        }
    }

    #[test]
    fn nothing_is_written_beyond_what_was_promised() {
        let mut out = Out::new(10, 1 << 20);
        assert!(out.push(&[0; 10 + OPEN_SPARE]).is_some());
        assert!(out.push(&[0]).is_none());
        assert_eq!(out.finish(), None);
    }
}
