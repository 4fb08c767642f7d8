//! Which sequence numbers the next request carries.
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Mutex, PoisonError};

/// Deals out runs of sequence numbers of equal length. A run that was not accepted is dealt again, so that at the
/// end every number below the highest was accepted, but for those that still lie here.
#[derive(Debug)]
pub(super) struct Ranges {
    length: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    dealt: u64,
    returned: BinaryHeap<Reverse<u64>>,
}

impl Ranges {
    /// Begins at sequence number 1, as a span id must not be zero.
    pub(super) fn new(length: usize) -> Self {
        Self {
            length: length as u64,
            state: Mutex::default(),
        }
    }

    /// The place of a run: 0 for the numbers from 1, 1 for those that follow, and so on.
    pub(super) fn take(&self) -> u64 {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Reverse(place)) = state.returned.pop() {
            return place;
        }
        state.dealt += 1;
        state.dealt - 1
    }

    /// Takes back a run that nobody accepted.
    pub(super) fn give_back(&self, place: u64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.returned.push(Reverse(place));
    }

    /// The first sequence number of the run at this place.
    pub(super) fn first(&self, place: u64) -> u64 {
        place * self.length + 1
    }

    /// The highest number dealt, and how many up to it were never accepted.
    pub(super) fn highest_and_unsent(&self) -> (u64, u64) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        (
            state.dealt * self.length,
            state.returned.len() as u64 * self.length,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_returned_run_is_dealt_again_before_a_new_one() {
        let ranges = Ranges::new(10);
        let (first, second) = (ranges.take(), ranges.take());
        assert_eq!((ranges.first(first), ranges.first(second)), (1, 11));
        ranges.give_back(first);
        assert_eq!(ranges.highest_and_unsent(), (20, 10));
        assert_eq!(ranges.take(), first);
        assert_eq!(ranges.first(ranges.take()), 21);
    }
}
