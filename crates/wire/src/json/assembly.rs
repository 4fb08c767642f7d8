//! Messages inside messages, written front to back although each has its length in front.

use std::ops::Range;

use crate::varint;

/// A protobuf message that grows at its end.
///
/// The length of a submessage is known only when it ends. [`Assembly::open`] leaves one byte for it, which most need.
/// Lengths of two bytes are inserted when the message closes, which moves less than 16 KiB. Longer ones are noted and
/// inserted all together at the end: inserting each when its message closes would move the innermost bytes of a deeply
/// nested value once for every level.
#[derive(Debug)]
pub(super) struct Assembly {
    /// What has been written; plain fields are appended to it directly.
    pub(super) bytes: Vec<u8>,
    long: Vec<LongLength>,
    /// How many bytes the lengths in `long` will add.
    pending: usize,
}

/// A length that takes more than the byte left for it; messages are noted as they close, so inner before outer.
#[derive(Debug)]
struct LongLength {
    at: usize,
    length: usize,
}

impl LongLength {
    const fn added(&self) -> usize {
        varint::length(self.length as u64) - 1
    }
}

/// A submessage that has begun.
#[derive(Clone, Copy, Debug)]
pub(super) struct Open {
    at: usize,
    pending: usize,
}

impl Assembly {
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(capacity),
            long: Vec::new(),
            pending: 0,
        }
    }

    /// Begins a length-delimited value, right after its tag.
    #[inline]
    pub(super) fn open(&mut self) -> Open {
        let at = self.bytes.len();
        self.bytes.push(0);
        Open {
            at,
            pending: self.pending,
        }
    }

    /// Ends the value that was begun last.
    #[inline]
    pub(super) fn close(&mut self, open: Open) {
        let written = self.bytes.len() - open.at - 1;
        let length = written + (self.pending - open.pending);
        match length {
            0..0x80 => self.set(open.at, length as u8),
            0x80..0x4000 => {
                let end = self.bytes.len();
                self.bytes.push(0);
                self.bytes.copy_within(open.at + 1..end, open.at + 2);
                self.set(open.at, length as u8 | 0x80);
                self.set(open.at + 1, (length >> 7) as u8);
            }
            _ => {
                let long = LongLength {
                    at: open.at,
                    length,
                };
                self.pending += long.added();
                self.long.push(long);
            }
        }
    }

    /// Takes out bytes that consist of finished fields of the message that is open.
    pub(super) fn remove(&mut self, range: Range<usize>) {
        let removed = range.len();
        // Whatever closed since `range.start` was noted after everything that closed before it.
        let since = self.long.partition_point(|long| long.at < range.start);
        for mut long in self.long.split_off(since) {
            if range.contains(&long.at) {
                self.pending -= long.added();
            } else {
                long.at -= removed;
                self.long.push(long);
            }
        }
        self.bytes.drain(range);
    }

    /// The finished message.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.long.sort_unstable_by_key(|long| long.at);
        let mut source = self.bytes.len();
        let mut target = source + self.pending;
        self.bytes.reserve_exact(self.pending);
        self.bytes.resize(target, 0);
        let mut digits = Vec::with_capacity(varint::MAX_LENGTH);
        for long in self.long.iter().rev() {
            let content = long.at + 1..source;
            target -= content.len();
            self.bytes.copy_within(content, target);
            digits.clear();
            varint::push(&mut digits, long.length as u64);
            target -= digits.len();
            if let Some(place) = self.bytes.get_mut(target..target + digits.len()) {
                place.copy_from_slice(&digits);
            }
            source = long.at;
        }
        // It may wait in a queue that is bounded in bytes, where room to grow would count for nothing and cost memory.
        self.bytes.shrink_to_fit();
        self.bytes
    }

    #[inline]
    fn set(&mut self, at: usize, byte: u8) {
        if let Some(place) = self.bytes.get_mut(at) {
            *place = byte;
        }
    }
}
