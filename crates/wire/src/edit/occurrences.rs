//! Finds the bytes of a key in a request, so that an edit looks only into messages that have them.

use std::cell::Cell;

use memchr::memmem::Finder;

/// Where the bytes of a key stand in a request: in keys, and by chance anywhere else.
#[derive(Debug)]
pub(super) struct Occurrences<'a> {
    request: &'a [u8],
    finder: Finder<'a>,
    /// The last one that was found; the greatest number once there are no more, nothing before the first search.
    found: Cell<Option<usize>>,
}

impl<'a> Occurrences<'a> {
    pub(super) fn new(request: &'a [u8], key: &'a [u8]) -> Self {
        Self {
            request,
            finder: Finder::new(key),
            found: Cell::new(None),
        }
    }

    /// Whether the bytes begin inside a message of the request. Messages are asked about in the order in which they stand:
    /// so all of the request is searched once, and most messages cost a comparison.
    #[inline]
    pub(super) fn begin_in(&self, message: &[u8]) -> bool {
        let start = message.as_ptr() as usize - self.request.as_ptr() as usize;
        let found = match self.found.get() {
            Some(found) if found >= start => found,
            _ => self.find_from(start),
        };
        found < start + message.len()
    }

    #[inline(never)]
    fn find_from(&self, start: usize) -> usize {
        let rest = self.request.get(start..).unwrap_or_default();
        let found = self.finder.find(rest).map_or(usize::MAX, |at| start + at);
        self.found.set(Some(found));
        found
    }
}
