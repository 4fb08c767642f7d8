//! Which sequence numbers of one generator have arrived: all, some twice, or with holes.
use std::collections::BTreeMap;

/// A set of numbers as disjoint, non-adjacent ranges. Requests arrive in whole runs and nearly in order, so it
/// stays a handful of ranges however many numbers it holds.
#[derive(Clone, Debug, Default)]
pub struct Sequences {
    /// First number of a range to the one after its last.
    ranges: BTreeMap<u64, u64>,
    unique: u64,
    duplicated: u64,
    reordered: u64,
}

impl Sequences {
    /// Counts the arrival of the numbers from `first` up to, not including, `end`.
    pub fn insert(&mut self, first: u64, end: u64) {
        if first >= end {
            return;
        }
        let is_late = first < self.end();
        let known = self.absorb(first, end);
        let fresh = end - first - known;
        self.unique += fresh;
        self.duplicated += known;
        if is_late {
            self.reordered += fresh;
        }
    }

    /// Joins the range with those that it meets; returns how many of its numbers they already had.
    fn absorb(&mut self, first: u64, end: u64) -> u64 {
        if let Some(mut last) = self.ranges.last_entry()
            && *last.get() == first
        {
            last.insert(end); // the usual case: the next run in order
            return 0;
        }
        let (mut joined_first, mut joined_end, mut known) = (first, end, 0);
        while let Some((&start, &stop)) = self.ranges.range(..=joined_end).next_back()
            && stop >= joined_first
        {
            known += stop.min(end).saturating_sub(start.max(first));
            joined_first = joined_first.min(start);
            joined_end = joined_end.max(stop);
            self.ranges.remove(&start);
        }
        self.ranges.insert(joined_first, joined_end);
        known
    }

    /// Distinct numbers that have arrived.
    #[must_use]
    pub fn unique(&self) -> u64 {
        self.unique
    }

    /// Arrivals of numbers that had arrived before.
    #[must_use]
    pub fn duplicated(&self) -> u64 {
        self.duplicated
    }

    /// Numbers that arrived after a higher one.
    #[must_use]
    pub fn reordered(&self) -> u64 {
        self.reordered
    }

    /// The highest number that has arrived; 0 before the first.
    #[must_use]
    pub fn highest(&self) -> u64 {
        self.end().saturating_sub(1)
    }

    /// The numbers from 1 to [`highest`](Self::highest) that have not arrived, as first and last of each hole.
    pub fn holes(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let ends = std::iter::once(1).chain(self.ranges.values().copied());
        ends.zip(self.ranges.keys().copied())
            .filter(|(end, start)| end < start)
            .map(|(end, start)| (end, start - 1))
    }

    /// One more than the highest number.
    fn end(&self) -> u64 {
        self.ranges.last_key_value().map_or(0, |(_, end)| *end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_in_order_are_one_range_without_holes() {
        let mut sequences = Sequences::default();
        sequences.insert(1, 1001);
        sequences.insert(1001, 2001);
        assert_eq!(
            (
                sequences.unique(),
                sequences.highest(),
                sequences.reordered()
            ),
            (2000, 2000, 0)
        );
        assert_eq!(sequences.holes().count(), 0);
    }

    #[test]
    fn what_never_came_is_a_hole() {
        let mut sequences = Sequences::default();
        sequences.insert(11, 21);
        sequences.insert(31, 41);
        assert_eq!(sequences.holes().collect::<Vec<_>>(), [(1, 10), (21, 30)]);
    }

    #[test]
    fn what_comes_late_is_reordered_and_not_lost() {
        let mut sequences = Sequences::default();
        sequences.insert(11, 21);
        sequences.insert(1, 11);
        assert_eq!(
            (
                sequences.reordered(),
                sequences.duplicated(),
                sequences.holes().count()
            ),
            (10, 0, 0)
        );
    }

    proptest! {
        #[test]
        fn counts_are_those_of_a_set_of_single_numbers(runs in prop::collection::vec((1u64..80, 1u64..20), 1..40)) {
            let mut sequences = Sequences::default();
            let mut model = std::collections::BTreeSet::new();
            let (mut duplicated, mut reordered) = (0, 0);
            for (first, length) in runs {
                let is_late = model.last().is_some_and(|highest| first <= *highest);
                for number in first..first + length {
                    if !model.insert(number) {
                        duplicated += 1;
                    } else if is_late {
                        reordered += 1;
                    }
                }
                sequences.insert(first, first + length);
            }
            let highest = model.last().copied().unwrap_or_default();
            prop_assert_eq!(sequences.unique(), model.len() as u64);
            prop_assert_eq!(sequences.duplicated(), duplicated);
            prop_assert_eq!(sequences.reordered(), reordered);
            prop_assert_eq!(sequences.highest(), highest);
            let missing: u64 = sequences.holes().map(|(first, last)| last - first + 1).sum();
            prop_assert_eq!(missing, highest - model.len() as u64);
        }
    }
}
