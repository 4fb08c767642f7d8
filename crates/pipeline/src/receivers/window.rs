//! What clients of HTTP/2 may send before anybody has admitted it, bounded over all connections.
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What the protocol gives to every connection (RFC 9113, 6.9.2); a server cannot give less.
const LEAST: u32 = 65_535;
/// Enough that a sender seldom waits for permission in the middle of a large batch.
const MOST: u32 = 1 << 20;
/// The smallest limit of a frame that the protocol allows.
const FRAME_LEAST: u32 = 16 << 10;
/// The part of the budget that all connections together may hold beside it, without what the protocol gives anyway.
const BUDGET_PART: usize = 4;
/// The part of what is left that one connection gets, so that the next ones find something too.
const LEFT_PART: usize = 4;

/// The windows that are left for connections to come.
#[derive(Clone, Debug)]
pub(crate) struct Windows {
    left: Arc<Semaphore>,
}

/// The window of one connection; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Window {
    /// Bytes of bodies that the client may send unasked, over all requests of the connection.
    pub(crate) bytes: u32,
    /// The largest frame. One that is not complete yet is held without counting against the window, so what a
    /// client can make us hold is the sum of both; large frames take fewer system calls and wake-ups.
    pub(crate) frame_bytes: u32,
    _given: Option<OwnedSemaphorePermit>,
}

impl Windows {
    /// Windows beside a budget of so many bytes.
    pub(crate) fn beside(budget: usize) -> Self {
        let left = (budget / BUDGET_PART).min(Semaphore::MAX_PERMITS);
        Self {
            left: Arc::new(Semaphore::new(left)),
        }
    }

    /// The window of a new connection: large while there are few connections, and never less than the protocol's.
    pub(crate) fn give(&self) -> Window {
        let most = 2 * (MOST - LEAST);
        let left = self.left.available_permits() / LEFT_PART;
        let more = u32::try_from(left).unwrap_or(most).min(most);
        // Another worker may have taken it in between: then the least will do.
        let given = Arc::clone(&self.left).try_acquire_many_owned(more).ok();
        let half = given.as_ref().map_or(0, |_| more / 2);
        Window {
            bytes: LEAST + half,
            frame_bytes: half.max(FRAME_LEAST),
            _given: given,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_among_few_has_a_window_for_a_large_batch() {
        let windows = Windows::beside(256 << 20);
        let first: Vec<_> = (0..16).map(|_| windows.give().bytes).collect();
        assert_eq!(first, [MOST; 16]);
    }

    #[test]
    fn s6_thousands_of_connections_may_send_no_more_unasked_than_a_quarter_of_the_budget_and_what_the_protocol_gives()
     {
        for budget in [1 << 20, 16 << 20, 256 << 20] {
            let windows = Windows::beside(budget);
            let given: Vec<_> = (0..4096).map(|_| windows.give()).collect();
            let held: usize = given
                .iter()
                .map(|window| (window.bytes + window.frame_bytes) as usize)
                .sum();
            let most = budget / 4 + 4096 * (LEAST + FRAME_LEAST) as usize;
            assert!(held <= most, "{held} of {most} beside {budget}");
        }
    }

    #[test]
    fn a_connection_that_ends_gives_its_window_to_the_next() {
        let windows = Windows::beside(16 << 20);
        let first = windows.give().bytes;
        for _ in 0..1000 {
            assert_eq!(windows.give().bytes, first);
        }
    }
}
