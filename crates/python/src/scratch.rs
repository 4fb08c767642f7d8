//! Where a span or log record is put together before it goes to the buffer.
use std::cell::Cell;

use millrace_recorder::{Buffer, Scope};

/// More than this is not kept for the next one.
const KEPT_BYTES_MAX: usize = 64 * 1024;

thread_local! {
    /// Taken, not borrowed: reading Python objects can run a finalizer, which may record something itself.
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Adds to the buffer what `write` writes.
#[inline]
pub(crate) fn append(buffer: &Buffer, place: &Scope, write: impl FnOnce(&mut Vec<u8>)) {
    let mut scratch = SCRATCH.take();
    scratch.clear();
    write(&mut scratch);
    buffer.append(place, &scratch);
    scratch.shrink_to(KEPT_BYTES_MAX);
    SCRATCH.set(scratch);
}
