//! Puts a request together from stretches of another one and a few new bytes, and keeps the enclosing lengths right.
//!
//! All of it is written once, front to back. The length of an envelope is known only when it ends; its place is as wide as the
//! length that the caller expects, and where that was wrong the content moves by the difference.

use std::mem;
use std::ops::Range;

use crate::field::{DELIMITED, push_tag};
use crate::nested::{self, Nested};
use crate::varint;

/// One new request in the making.
#[derive(Debug)]
pub(crate) struct Splice<'a> {
    source: &'a [u8],
    out: Vec<u8>,
    /// The stretch of the source that comes next. It waits, because what follows it there mostly follows it here too.
    pending: Range<usize>,
    /// The envelopes that are not closed yet.
    open: Vec<Nested>,
}

/// A state of the request.
#[derive(Clone, Debug)]
pub(crate) struct Mark {
    written: usize,
    pending: Range<usize>,
    open: usize,
}

impl<'a> Splice<'a> {
    /// An empty request, to be filled mostly from `source`; it probably takes this many bytes.
    pub(crate) fn new(source: &'a [u8], expected: usize) -> Self {
        Self {
            source,
            out: Vec::with_capacity(expected),
            pending: 0..0,
            open: Vec::new(),
        }
    }

    /// Makes room for this many more bytes.
    pub(crate) fn reserve(&mut self, expected: usize) {
        self.out.reserve(expected);
    }

    /// Takes over a stretch of the source, which `bytes` must be a slice of.
    #[inline]
    pub(crate) fn copy(&mut self, bytes: &[u8]) {
        let start = bytes.as_ptr() as usize - self.source.as_ptr() as usize;
        if self.pending.end != start {
            self.write_pending();
            self.pending.start = start;
        }
        self.pending.end = start + bytes.len();
    }

    /// Adds new bytes.
    #[inline]
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.add_with(|out| out.extend_from_slice(bytes));
    }

    /// Adds what `write` appends.
    #[inline]
    pub(crate) fn add_with(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.write_pending();
        write(&mut self.out);
    }

    /// Begins a submessage whose length is known, in the field with this number. It needs no end.
    #[inline]
    pub(crate) fn begin(&mut self, number: u32, length: usize) {
        self.add_with(|out| {
            push_tag(out, number, DELIMITED);
            varint::push(out, length as u64);
        });
    }

    /// Begins a submessage in the field with this number that [`close`](Self::close) ends, and that probably has this length.
    #[inline]
    pub(crate) fn open(&mut self, number: u32, expected: usize) {
        self.write_pending();
        self.open
            .push(nested::begin(&mut self.out, number, expected));
    }

    /// Ends the submessage that was opened last.
    #[inline]
    pub(crate) fn close(&mut self) {
        self.write_pending();
        if let Some(nested) = self.open.pop() {
            nested::end(&mut self.out, nested);
        }
    }

    /// How long the request would be with `extra` more bytes in the innermost open envelope.
    pub(crate) fn length_with(&self, extra: usize) -> usize {
        let length = self.out.len() + self.pending.len() + extra;
        let open = self.open.iter().rev();
        open.fold(length, |length, nested| nested.length_ended(length))
    }

    /// Remembers the request as it is, to come back to it before an envelope ends that is open now.
    pub(crate) fn mark(&self) -> Mark {
        Mark {
            written: self.out.len(),
            pending: self.pending.clone(),
            open: self.open.len(),
        }
    }

    /// Takes back everything since the mark.
    pub(crate) fn rewind(&mut self, mark: Mark) {
        self.out.truncate(mark.written);
        self.pending = mark.pending;
        self.open.truncate(mark.open);
    }

    /// Takes back everything.
    pub(crate) fn clear(&mut self) {
        self.out.clear();
        self.pending = 0..0;
        self.open.clear();
    }

    /// Whether nothing has been put in.
    pub(crate) fn is_empty(&self) -> bool {
        self.out.is_empty() && self.pending.is_empty()
    }

    /// Closes what is open and hands the request over; what remains is an empty one.
    pub(crate) fn finish(&mut self) -> Vec<u8> {
        while !self.open.is_empty() {
            self.close();
        }
        self.write_pending();
        self.pending = 0..0;
        mem::take(&mut self.out)
    }

    #[inline]
    fn write_pending(&mut self) {
        if !self.pending.is_empty() {
            let bytes = self.source.get(self.pending.clone()).unwrap_or_default();
            self.out.extend_from_slice(bytes);
            self.pending.start = self.pending.end;
        }
    }
}
