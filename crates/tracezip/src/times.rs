//! Times, as differences: from the message before, from the trace, or from another time of the same message.
//!
//! A time is kept in a unit: that of the clock or the language that wrote it. Unit, direction and magnitude of a difference are
//! one symbol.

use crate::coder::Code;
use crate::model::{CLASS_BITS, Model, class_of, code_rest};

const MILLISECOND: u64 = 1_000_000;
const MICROSECOND: u64 = 1000;
/// Above the bits of the class: twice the unit, and the direction; or that the time is zero.
const WAY_BITS: u32 = 3;
const ZERO: u16 = 6 << CLASS_BITS;

/// Times of one message; what is beyond is a value.
pub(crate) const TIMES_MAX: usize = 4;

/// The times of one message.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Times {
    times: [u64; TIMES_MAX],
    count: usize,
}

impl Times {
    /// So many of them, none known yet.
    pub(crate) fn unknown(count: usize) -> Self {
        Self {
            times: [0; TIMES_MAX],
            count: count.min(TIMES_MAX),
        }
    }

    #[inline]
    pub(crate) fn push(&mut self, time: u64) {
        if let Some(slot) = self.times.get_mut(self.count) {
            *slot = time;
            self.count += 1;
        }
    }

    #[inline]
    pub(crate) fn all(&self) -> &[u64] {
        self.times.get(..self.count).unwrap_or_default()
    }

    #[inline]
    pub(crate) fn all_mut(&mut self) -> &mut [u64] {
        self.times.get_mut(..self.count).unwrap_or_default()
    }
}

/// The model of one time of a shape.
#[derive(Debug, Default)]
pub(crate) struct TimeModel(Model);

/// Which of two times comes first, as a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    KnownFirst,
    KnownLast,
}

impl TimeModel {
    pub(crate) fn held(&self) -> usize {
        self.0.held()
    }

    /// Codes a time by its distance from one that both sides know.
    #[inline]
    pub(crate) fn code<C: Code>(
        &mut self,
        coder: &mut C,
        time: u64,
        known: u64,
        rule: Rule,
    ) -> u64 {
        let (mut symbol, mut distance) = (0, 0);
        if C::SENDS {
            (symbol, distance) = symbol_and_distance(time, known, rule);
        }
        symbol = self.0.code_of(coder, symbol, WAY_BITS + CLASS_BITS);
        if symbol >= ZERO {
            return 0;
        }
        distance = code_rest(coder, symbol & ((1 << CLASS_BITS) - 1), distance);
        let is_later = (symbol >> CLASS_BITS) & 1 == u16::from(rule == Rule::KnownLast);
        let moved = |base: u64| {
            if is_later {
                base.wrapping_add(distance)
            } else {
                base.wrapping_sub(distance)
            }
        };
        match symbol >> (CLASS_BITS + 1) {
            0 => moved(known),
            1 => moved(known / MICROSECOND).wrapping_mul(MICROSECOND),
            _ => moved(known / MILLISECOND).wrapping_mul(MILLISECOND),
        }
    }
}

#[inline]
fn symbol_and_distance(time: u64, known: u64, rule: Rule) -> (u16, u64) {
    let (unit, count, base) = if !time.is_multiple_of(MICROSECOND) {
        (0, time, known)
    } else if time == 0 {
        return (ZERO, 0);
    } else if !time.is_multiple_of(MILLISECOND) {
        (1, time / MICROSECOND, known / MICROSECOND)
    } else {
        (2, time / MILLISECOND, known / MILLISECOND)
    };
    // What follows the rule has an even number.
    let is_later = count > base || (count == base && rule == Rule::KnownFirst);
    let against = u16::from(is_later != (rule == Rule::KnownFirst));
    let distance = count.abs_diff(base);
    (
        (2 * unit + against) << CLASS_BITS | class_of(distance),
        distance,
    )
}

/// Which known time has been nearer to a shape's: that of the item before, or that of the trace.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Anchor {
    item: u32,
    trace: u32,
}

/// How fast older distances are forgotten: by this power of two.
const FORGET: u32 = 4;

impl Anchor {
    /// Whether the trace's time is the better one to expect.
    pub(crate) const fn is_trace(self) -> bool {
        self.trace < self.item
    }

    /// Remembers how far both were: from the last time to that of the item before, from the first to that of the trace.
    pub(crate) fn learn(&mut self, to_item: u64, to_trace: u64) {
        for (sum, distance) in [(&mut self.item, to_item), (&mut self.trace, to_trace)] {
            *sum += (64 - distance.leading_zeros()) << FORGET;
            *sum -= *sum >> FORGET;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coder::{Reader, Writer};

    #[test]
    fn every_time_comes_back_from_every_known_one() {
        let times = [
            0,
            1,
            999,
            1000,
            1_000_000,
            1_700_000_000_000_000_000,
            1_700_000_000_123_456_789,
            1_700_000_000_123_456_000,
            u64::MAX,
            u64::MAX - u64::MAX % 1000,
            1 << 63,
        ];
        let pairs = || {
            times
                .iter()
                .flat_map(|time| times.map(|known| (*time, known)))
                .flat_map(|pair| [(pair, Rule::KnownFirst), (pair, Rule::KnownLast)])
        };
        let (mut writer, mut model) = (Writer::default(), TimeModel::default());
        for ((time, known), rule) in pairs() {
            model.code(&mut writer, time, known, rule);
        }
        let mut symbols = Vec::new();
        let bits = writer.finish(&mut symbols).to_vec();
        let mut reader = Reader::new(&symbols, &bits).unwrap();
        let mut twin = TimeModel::default();
        for ((time, known), rule) in pairs() {
            assert_eq!(twin.code(&mut reader, 0, known, rule), time, "from {known}");
        }
        assert!(reader.is_finished());
    }
}
