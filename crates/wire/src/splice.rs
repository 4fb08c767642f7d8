//! Puts a request together from stretches of another one and a few new bytes, and works out the enclosing lengths.
//!
//! Nothing is copied until the end: a plan of pieces grows while the old request is walked, and because the plan knows the
//! length of every envelope by then, the new request is written once, front to back.

use crate::field::DELIMITED;
use crate::varint;

/// The plan of one new request.
#[derive(Debug)]
pub(crate) struct Splice<'a> {
    source: &'a [u8],
    added: Vec<u8>,
    pieces: Vec<Piece>,
    open: Vec<Opened>,
    length: usize,
}

#[derive(Debug)]
enum Piece {
    /// From the old request.
    Copied { start: usize, end: usize },
    /// From the bytes that are new.
    Added { start: usize, end: usize },
    /// Tag and length of an envelope; the pieces behind it are inside, as far as the length reaches.
    Envelope { tag: u32, content: usize },
}

/// An envelope that is not closed yet.
#[derive(Debug)]
struct Opened {
    piece: usize,
    tag: u32,
    length_before: usize,
}

/// A state of the plan.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    pieces: usize,
    open: usize,
    length: usize,
}

impl<'a> Splice<'a> {
    /// An empty request, to be filled mostly from `source`.
    pub(crate) fn new(source: &'a [u8]) -> Self {
        Self {
            source,
            added: Vec::new(),
            pieces: Vec::new(),
            open: Vec::new(),
            length: 0,
        }
    }

    /// Takes over a stretch of the source, which `bytes` must be a slice of.
    #[inline]
    pub(crate) fn copy(&mut self, bytes: &[u8]) {
        let start = bytes.as_ptr() as usize - self.source.as_ptr() as usize;
        let end = start + bytes.len();
        self.length += bytes.len();
        match self.pieces.last_mut() {
            Some(Piece::Copied { end: last, .. }) if *last == start => *last = end,
            _ => self.pieces.push(Piece::Copied { start, end }),
        }
    }

    /// Adds new bytes.
    #[inline]
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.add_with(|added| added.extend_from_slice(bytes));
    }

    /// Adds what `write` appends.
    #[inline]
    pub(crate) fn add_with(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.added.len();
        write(&mut self.added);
        let end = self.added.len();
        self.length += end - start;
        self.pieces.push(Piece::Added { start, end });
    }

    /// Begins a submessage in the field with this number.
    #[inline]
    pub(crate) fn open(&mut self, number: u32) {
        let tag = number << 3 | u32::from(DELIMITED);
        self.open.push(Opened {
            piece: self.pieces.len(),
            tag,
            length_before: self.length,
        });
        self.pieces.push(Piece::Envelope { tag, content: 0 });
    }

    /// Ends the submessage that was begun last.
    #[inline]
    pub(crate) fn close(&mut self) {
        let Some(opened) = self.open.pop() else {
            return;
        };
        let size = self.length - opened.length_before;
        self.length += header_length(opened.tag, size);
        if let Some(Piece::Envelope { content, .. }) = self.pieces.get_mut(opened.piece) {
            *content = size;
        }
    }

    /// How long the request would be with `extra` more bytes in the innermost open envelope.
    pub(crate) fn length_with(&self, extra: usize) -> usize {
        let mut length = self.length + extra;
        for opened in self.open.iter().rev() {
            length += header_length(opened.tag, length - opened.length_before);
        }
        length
    }

    /// Remembers the plan as it is, to come back to it.
    pub(crate) fn mark(&self) -> Mark {
        Mark {
            pieces: self.pieces.len(),
            open: self.open.len(),
            length: self.length,
        }
    }

    /// Takes back everything since the mark, which must have begun with [`open`](Self::open) or a mark of an empty plan.
    pub(crate) fn rewind(&mut self, mark: Mark) {
        self.pieces.truncate(mark.pieces);
        self.open.truncate(mark.open);
        self.length = mark.length;
    }

    /// Takes back everything.
    pub(crate) fn clear(&mut self) {
        self.rewind(Mark {
            pieces: 0,
            open: 0,
            length: 0,
        });
        self.added.clear();
    }

    /// Whether nothing has been put in.
    pub(crate) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Closes what is open and writes the request, leaving an empty plan.
    pub(crate) fn finish(&mut self) -> Vec<u8> {
        while !self.open.is_empty() {
            self.close();
        }
        let mut out = Vec::with_capacity(self.length);
        for piece in self.pieces.drain(..) {
            match piece {
                Piece::Copied { start, end } => {
                    out.extend_from_slice(self.source.get(start..end).unwrap_or_default());
                }
                Piece::Added { start, end } => {
                    out.extend_from_slice(self.added.get(start..end).unwrap_or_default());
                }
                Piece::Envelope { tag, content } => {
                    varint::push(&mut out, u64::from(tag));
                    varint::push(&mut out, content as u64);
                }
            }
        }
        self.added.clear();
        self.length = 0;
        out
    }
}

/// The length of a tag and a length in front of this much content.
#[inline]
pub(crate) const fn header_length(tag: u32, content: usize) -> usize {
    varint::length(tag as u64) + varint::length(content as u64)
}
