//! Whole requests: count their items, split them by count and by size, join them.

mod merge;

use std::fmt;

use crate::Signal;
use crate::field::{Fields, RawField};
use crate::splice::Splice;
use crate::walk::{Node, Visitor, is_resource, walk};

pub use merge::merge;

/// How many items a validated request holds: spans, data points, log records or profiles.
#[must_use]
pub fn count(signal: Signal, request: &[u8]) -> usize {
    let mut counter = Counter::default();
    walk(signal, request, &mut counter);
    counter.items
}

#[derive(Default)]
struct Counter {
    items: usize,
}

impl<'a> Visitor<'a> for Counter {
    fn enter(&mut self, _: Node, _: &RawField<'a>, _: &'a [u8]) {}

    fn item(&mut self, _: &RawField<'a>, _: &'a [u8]) {
        self.items += 1;
    }

    fn leave(&mut self) {}
}

/// Splits a validated request into requests of at most `max_items` items (of one item where that is zero).
///
/// Every part repeats the resource, the scope and all other fields that its items stand under, and none holds an envelope
/// without items; so a request without items has no parts. The parts of a request for profiles share its dictionary.
#[must_use]
pub fn split_by_count(signal: Signal, request: &[u8], max_items: usize) -> Vec<Vec<u8>> {
    let mut splitter = Splitter::new(request, Limit::Items(max_items.max(1)));
    walk(signal, request, &mut splitter);
    splitter.finish().0
}

/// Splits a validated request into requests of at most `max_bytes` bytes, as [`split_by_count`] does by items.
///
/// # Errors
/// [`ItemTooLarge`] if single items, together with what they stand under, are larger than that. It holds the parts with all
/// the other items.
pub fn split_by_bytes(
    signal: Signal,
    request: &[u8],
    max_bytes: usize,
) -> Result<Vec<Vec<u8>>, ItemTooLarge> {
    let mut splitter = Splitter::new(request, Limit::Bytes(max_bytes));
    walk(signal, request, &mut splitter);
    let (parts, too_large) = splitter.finish();
    match too_large {
        TooLarge { items: 0, .. } => Ok(parts),
        TooLarge { items, size } => Err(ItemTooLarge {
            parts,
            items,
            size,
            limit: max_bytes,
        }),
    }
}

/// Some items do not fit a request by themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemTooLarge {
    /// The requests with all items that do fit.
    pub parts: Vec<Vec<u8>>,
    /// How many items do not, and are in none of the parts.
    pub items: usize,
    /// The bytes of the largest request that one of them would need.
    pub size: usize,
    /// The bytes that were allowed.
    pub limit: usize,
}

impl fmt::Display for ItemTooLarge {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            items, size, limit, ..
        } = self;
        write!(
            formatter,
            "{items} items were left out: alone in a request, the largest takes {size} bytes where {limit} are allowed"
        )
    }
}

impl std::error::Error for ItemTooLarge {}

#[derive(Clone, Copy, Debug)]
enum Limit {
    Items(usize),
    Bytes(usize),
}

#[derive(Debug, Default)]
struct TooLarge {
    items: usize,
    size: usize,
}

/// Fills one part after the other. An envelope is written when the first item under it is, so none is ever empty.
struct Splitter<'a> {
    limit: Limit,
    part: Splice<'a>,
    items: usize,
    /// How long the part probably gets: as long as the one before it.
    expected: usize,
    /// How many of the envelopes on the path are open in the part.
    opened: usize,
    path: Vec<Enclosing>,
    /// The other fields of the request, and then of every envelope on the path.
    kept: Vec<&'a [u8]>,
    kept_of_request: usize,
    parts: Vec<Vec<u8>>,
    too_large: TooLarge,
}

/// An envelope on the way to the item.
struct Enclosing {
    number: u32,
    length: usize,
    kept_before: usize,
    kept_after: usize,
}

impl<'a> Splitter<'a> {
    fn new(request: &'a [u8], limit: Limit) -> Self {
        let kept: Vec<_> = Fields::new(request)
            .filter(|field| !is_resource(field))
            .map(|field| field.bytes)
            .collect();
        Self {
            limit,
            part: Splice::new(request, 0),
            items: 0,
            expected: match limit {
                Limit::Items(_) => request.len(),
                Limit::Bytes(limit) => limit.min(request.len()),
            },
            opened: 0,
            path: Vec::new(),
            kept_of_request: kept.len(),
            kept,
            parts: Vec::new(),
            too_large: TooLarge::default(),
        }
    }

    /// Opens what is on the path and not yet open.
    fn open(&mut self) {
        if self.part.is_empty() {
            self.part.reserve(self.expected);
            for field in self.kept.iter().take(self.kept_of_request) {
                self.part.copy(field);
            }
        }
        for enclosing in self.path.iter().skip(self.opened) {
            self.part
                .open(enclosing.number, enclosing.length.min(self.expected));
            for field in self
                .kept
                .get(enclosing.kept_before..enclosing.kept_after)
                .unwrap_or_default()
            {
                self.part.copy(field);
            }
        }
        self.opened = self.path.len();
    }

    /// Whether the open part takes an item of this length.
    fn fits(&self, length: usize) -> bool {
        match self.limit {
            Limit::Items(limit) => self.items < limit,
            Limit::Bytes(limit) => self.part.length_with(length) <= limit,
        }
    }

    /// Ends the part, where it has items, and begins the next.
    fn end_part(&mut self) {
        if self.items > 0 {
            let mut part = self.part.finish();
            part.shrink_to_fit();
            self.expected = part.len();
            self.parts.push(part);
        }
        self.items = 0;
        self.opened = 0;
    }

    fn finish(mut self) -> (Vec<Vec<u8>>, TooLarge) {
        self.end_part();
        (self.parts, self.too_large)
    }
}

impl<'a> Visitor<'a> for Splitter<'a> {
    fn enter(&mut self, node: Node, field: &RawField<'a>, content: &'a [u8]) {
        let kept_before = self.kept.len();
        self.kept.extend(
            Fields::new(content)
                .filter(|inner| !node.is_inner(inner))
                .map(|inner| inner.bytes),
        );
        self.path.push(Enclosing {
            number: field.number,
            length: content.len(),
            kept_before,
            kept_after: self.kept.len(),
        });
    }

    fn item(&mut self, field: &RawField<'a>, _: &'a [u8]) {
        let length = field.bytes.len();
        let (mark, opened) = (self.part.mark(), self.opened);
        self.open();
        if !self.fits(length) && self.items > 0 {
            self.part.rewind(mark);
            self.opened = opened;
            self.end_part();
            self.open();
        }
        if self.fits(length) {
            self.part.copy(field.bytes);
            self.items += 1;
        } else {
            self.too_large.items += 1;
            self.too_large.size = self.too_large.size.max(self.part.length_with(length));
            self.part.clear();
            self.opened = 0;
        }
    }

    fn leave(&mut self) {
        if let Some(enclosing) = self.path.pop() {
            self.kept.truncate(enclosing.kept_before);
        }
        if self.opened > self.path.len() {
            self.part.close();
            self.opened = self.path.len();
        }
    }
}
