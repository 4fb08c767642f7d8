//! How likely each symbol is in one place of a message, learned from what stood there before.
//!
//! A model begins empty: whatever comes is "another one", which costs nothing as long as nothing else is known. What has been
//! seen is counted; the parts of the scale are dealt out anew after 1, 2, 4 … symbols, so that a model learns fast and costs
//! little when it knows. Sender and receiver count alike, so that no table of frequencies ever travels.

use crate::coder::{Code, SCALE, SCALE_BITS};
use crate::memory::of_vec;

/// What one occurrence counts.
const STEP: u16 = 32;
/// Counts are halved above this sum, so that a model forgets: the last thousand symbols or so matter.
const SUM_MAX: u32 = 32_768;
/// Symbols that one model knows; what is rarer is "another one".
const ENTRIES_MAX: usize = 32;
/// Symbols between two dealings at most.
const INTERVAL_MAX: u8 = 128;

/// A symbol of a model and its part of the scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Entry {
    pub(crate) symbol: u16,
    /// Where its part ends ...
    pub(crate) end: u16,
    /// ... and how large it is.
    pub(crate) size: u16,
    count: u16,
}

/// An adaptive model of symbols below [`Model::OTHER`].
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Model {
    /// Their parts follow each other from 0; what is left of the scale is for all others.
    entries: Vec<Entry>,
    /// The count of all others.
    others: u16,
    interval: u8,
    pending: u8,
}

impl Model {
    /// No symbol: what the sender asks for when it has none that the model may know.
    pub(crate) const OTHER: u16 = u16::MAX;

    /// Codes a symbol that the model may know. `None`: it is another one, which must be coded in another way.
    #[inline]
    pub(crate) fn code<C: Code>(&mut self, coder: &mut C, symbol: u16) -> Option<u16> {
        let index = if C::SENDS { self.find(symbol) } else { None };
        self.code_at(coder, index)
    }

    /// Codes the symbol at this place of the model, or another one.
    #[inline]
    pub(crate) fn code_at<C: Code>(&mut self, coder: &mut C, index: Option<usize>) -> Option<u16> {
        if self.entries.is_empty() {
            return None;
        }
        let index = coder.pick(&self.entries, index.unwrap_or(self.entries.len()));
        let entry = self.entries.get_mut(index);
        let known = entry.as_ref().map(|entry| entry.symbol);
        *entry.map_or(&mut self.others, |entry| &mut entry.count) += STEP;
        self.pending -= 1;
        if self.pending == 0 {
            self.deal();
        }
        known
    }

    /// Codes one of a small fixed set: what is not known yet travels as plain bits and is learned.
    #[inline]
    pub(crate) fn code_of<C: Code>(&mut self, coder: &mut C, symbol: u16, bits: u32) -> u16 {
        if let Some(symbol) = self.code(coder, symbol) {
            return symbol;
        }
        let symbol = coder.bits(u64::from(symbol), bits) as u16;
        self.learn(symbol);
        symbol
    }

    /// Codes a number: its magnitude by the model, the rest as plain bits.
    #[inline]
    pub(crate) fn code_number<C: Code>(&mut self, coder: &mut C, value: u64) -> u64 {
        let class = self.code_of(coder, class_of(value), CLASS_BITS);
        code_rest(coder, class, value)
    }

    /// Adds a symbol, if there is room for it: it gets half of what all others have until the scale is dealt anew.
    #[cold]
    pub(crate) fn learn(&mut self, symbol: u16) {
        if self.entries.len() >= ENTRIES_MAX || self.find(symbol).is_some() {
            return;
        }
        if self.entries.is_empty() {
            (self.others, self.interval, self.pending) = (STEP, 2, 1);
        }
        if self.entries.len() == self.entries.capacity() {
            self.entries.reserve_exact(2);
        }
        let start = self.entries.last().map_or(0, |last| last.end);
        let size = (SCALE as u16 - start) / 2;
        self.entries.push(Entry {
            symbol,
            end: start + size,
            size,
            count: STEP,
        });
        // A large model is dealt less often, for that takes longer.
        self.interval = (self.interval / 2).max(1 + self.entries.len() as u8 / 4);
        self.pending = self.pending.min(self.interval);
        if size == 0 {
            self.deal();
        }
    }

    /// The place of a symbol in the model.
    #[inline]
    pub(crate) fn find(&self, symbol: u16) -> Option<usize> {
        self.entries.iter().position(|entry| entry.symbol == symbol)
    }

    /// The symbol that most likely comes, about.
    #[inline]
    pub(crate) fn likeliest(&self) -> Option<u16> {
        self.entries.first().map(|entry| entry.symbol)
    }

    /// Bytes held beside the model itself.
    pub(crate) fn held(&self) -> usize {
        of_vec(&self.entries)
    }

    /// Gives each symbol its part of the scale: at least 1, the rest by its count.
    #[inline(never)]
    fn deal(&mut self) {
        let mut sum = u32::from(self.others);
        // What is frequent moves to where it is found first.
        let mut before: Option<&mut Entry> = None;
        for entry in &mut self.entries {
            sum += u32::from(entry.count);
            if let Some(before) = before.filter(|before| before.count < entry.count) {
                std::mem::swap(before, entry);
            }
            before = Some(entry);
        }
        if sum > SUM_MAX {
            sum = self.forget();
        }
        let spare = SCALE - 1 - self.entries.len() as u32;
        let rate = (spare << (31 - SCALE_BITS)) / sum.max(1);
        let mut end = 0;
        for entry in &mut self.entries {
            entry.size = 1 + ((u32::from(entry.count) * rate) >> (31 - SCALE_BITS)) as u16;
            end += entry.size;
            entry.end = end;
        }
        self.interval = self.interval.min(INTERVAL_MAX / 2) * 2;
        self.pending = self.interval;
    }

    /// Halves all counts and removes what is rare; their sum.
    fn forget(&mut self) -> u32 {
        self.others /= 2;
        for entry in &mut self.entries {
            entry.count /= 2;
        }
        self.entries.retain(|entry| entry.count >= STEP / 2);
        let counts = self.entries.iter().map(|entry| u32::from(entry.count));
        u32::from(self.others) + counts.sum::<u32>()
    }
}

/// Bits of a class that is not known yet.
pub(crate) const CLASS_BITS: u32 = 7;
/// Numbers below this are classes of their own.
const EXACT: u64 = 16;
const EXACT_BITS: u32 = 4;

/// The class of a number: itself when it is small, else its highest bit.
#[inline]
pub(crate) fn class_of(value: u64) -> u16 {
    if value < EXACT {
        return value as u16;
    }
    (EXACT as u32 + value.ilog2() - EXACT_BITS) as u16
}

/// The lowest number of a class, and how many bits tell the others from it.
#[inline]
pub(crate) fn class_range(class: u16) -> (u64, u32) {
    let class = u64::from(class);
    if class < EXACT {
        return (class, 0);
    }
    let highest = (EXACT_BITS + (class - EXACT) as u32).min(63);
    (1 << highest, highest)
}

/// Codes what its class leaves open of a number.
#[inline]
pub(crate) fn code_rest<C: Code>(coder: &mut C, class: u16, value: u64) -> u64 {
    let (low, bits) = class_range(class);
    if bits == 0 {
        return low;
    }
    low.wrapping_add(coder.bits(value.wrapping_sub(low), bits))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coder::{Reader, Writer};

    fn numbers() -> Vec<u64> {
        let mut numbers: Vec<u64> = (0..64)
            .flat_map(|bit| [1u64 << bit, (1 << bit) - 1, 3 << bit >> 1])
            .collect();
        numbers.extend([u64::MAX, 0, 15, 16, 17]);
        let mut state = 7u64;
        numbers.extend((0..5000).map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            state >> 33 >> (state % 31)
        }));
        numbers
    }

    #[test]
    fn every_number_comes_back_and_nothing_is_left() {
        let mut writer = Writer::default();
        let mut model = Model::default();
        for number in numbers() {
            model.code_number(&mut writer, number);
        }
        let mut symbols = Vec::new();
        let bits = writer.finish(&mut symbols).to_vec();
        let mut reader = Reader::new(&symbols, &bits).unwrap();
        let mut twin = Model::default();
        for number in numbers() {
            assert_eq!(twin.code_number(&mut reader, 0), number);
        }
        assert!(reader.is_finished());
        assert_eq!(format!("{model:?}"), format!("{twin:?}"));
    }

    #[test]
    fn a_symbol_that_always_comes_costs_next_to_nothing() {
        let mut writer = Writer::default();
        let mut model = Model::default();
        for _ in 0..10_000 {
            model.code_of(&mut writer, 3, 4);
        }
        let mut symbols = Vec::new();
        let bits = writer.finish(&mut symbols).len();
        assert!(symbols.len() + bits < 60, "{} bytes", symbols.len() + bits);
    }
}
