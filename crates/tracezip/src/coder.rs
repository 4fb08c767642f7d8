//! Symbols and bits to bytes and back: a range coder of two interleaved states (rANS), and a stream of plain bits.
//!
//! A symbol is a part of 2^14, given by the model that knows how likely it is. [`Code`] is what sender and receiver have in
//! common, so that every step of a model is written once.

use crate::model::Entry;

/// Models divide 2 to this power among their symbols
pub(crate) const SCALE_BITS: u32 = 14;
/// ... which is this.
pub(crate) const SCALE: u32 = 1 << SCALE_BITS;
/// States of the coder are kept from here up to 2^32.
const STATE_MIN: u32 = 1 << 16;

/// One side of the coder. The sender passes what is so, the receiver anything; both get what is so.
pub(crate) trait Code {
    /// Whether this side knows what it codes.
    const SENDS: bool;
    /// Codes the number of one of `entries`, of which there is at least one; how many there are stands for none of them.
    fn pick(&mut self, entries: &[Entry], index: usize) -> usize;
    /// Codes the low `count` bits, at most 64, as they are.
    fn bits(&mut self, value: u64, count: u32) -> u64;
}

/// What the entries leave of the scale: from where, and how much.
#[inline]
fn others(entries: &[Entry]) -> (u16, u16) {
    let low = entries.last().map_or(0, |last| last.end);
    (low, SCALE as u16 - low)
}

/// The sender's side: collects symbols, because a range coder of this kind writes them last to first.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    parts: Vec<u32>,
    bits: Vec<u8>,
    held: u64,
    held_count: u32,
}

impl Code for Writer {
    const SENDS: bool = true;

    #[inline]
    fn pick(&mut self, entries: &[Entry], index: usize) -> usize {
        let (low, size) = match entries.get(index) {
            Some(entry) => (entry.end - entry.size, entry.size),
            None => others(entries),
        };
        self.parts.push(u32::from(low) << 16 | u32::from(size));
        index
    }

    #[inline]
    fn bits(&mut self, value: u64, count: u32) -> u64 {
        if count > 32 {
            self.short_bits(value & 0xffff_ffff, 32);
            self.short_bits(value >> 32, count - 32);
        } else {
            self.short_bits(value, count);
        }
        value
    }
}

impl Writer {
    pub(crate) fn clear(&mut self) {
        self.parts.clear();
        self.bits.clear();
        self.held = 0;
        self.held_count = 0;
    }

    #[inline]
    fn short_bits(&mut self, value: u64, count: u32) {
        let mask = (1u64 << count) - 1;
        self.held |= (value & mask) << self.held_count;
        self.held_count += count;
        if self.held_count >= 32 {
            self.bits
                .extend_from_slice(&(self.held as u32).to_le_bytes());
            self.held >>= 32;
            self.held_count -= 32;
        }
    }

    /// Appends the coded symbols to `out` and returns the plain bits.
    pub(crate) fn finish(&mut self, out: &mut Vec<u8>) -> &[u8] {
        let start = out.len();
        let mut states = [STATE_MIN; 2];
        for (index, part) in self.parts.iter().enumerate().rev() {
            let (low, size) = (part >> 16, part & 0xffff);
            let [first, second] = &mut states;
            let state = if index & 1 == 0 { first } else { second };
            if *state >= size << (32 - SCALE_BITS) {
                // Written backwards: the receiver reads from the end.
                let [a, b, ..] = state.to_le_bytes();
                out.extend_from_slice(&[b, a]);
                *state >>= 16;
            }
            // A model gives no symbol nothing, so that this divides by no zero.
            let size = size.max(1);
            *state = ((*state / size) << SCALE_BITS) + *state % size + low;
        }
        let [first, second] = states;
        out.extend(second.to_be_bytes());
        out.extend(first.to_be_bytes());
        if let Some(written) = out.get_mut(start..) {
            written.reverse();
        }
        let held = self.held.to_le_bytes();
        let bytes = self.held_count.div_ceil(8) as usize;
        self.bits
            .extend_from_slice(held.get(..bytes).unwrap_or_default());
        (self.held, self.held_count) = (0, 0);
        &self.bits
    }
}

/// The receiver's side. Past the end it reads zeros and remembers that it did.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    words: &'a [u8],
    /// The state whose turn it is, and the other.
    states: [u32; 2],
    bits: &'a [u8],
    held: u64,
    held_count: u32,
    overrun: bool,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(symbols: &'a [u8], bits: &'a [u8]) -> Option<Self> {
        let (first, rest) = symbols.split_first_chunk()?;
        let (second, words) = rest.split_first_chunk()?;
        Some(Self {
            words,
            states: [u32::from_le_bytes(*first), u32::from_le_bytes(*second)],
            bits,
            held: 0,
            held_count: 0,
            overrun: false,
        })
    }

    /// Whether more was asked for than there is.
    pub(crate) fn is_overrun(&self) -> bool {
        self.overrun
    }

    /// Whether all was read, and the coder is back where the sender began.
    pub(crate) fn is_finished(&self) -> bool {
        !self.overrun
            && self.words.is_empty()
            && self.bits.is_empty()
            && self.held == 0
            && self.held_count < 8
            && self.states == [STATE_MIN; 2]
    }

    #[inline]
    fn short_bits(&mut self, count: u32) -> u64 {
        while self.held_count < count {
            if let Some((word, rest)) = self.bits.split_first_chunk::<4>()
                && self.held_count <= 32
            {
                self.held |= u64::from(u32::from_le_bytes(*word)) << self.held_count;
                self.held_count += 32;
                self.bits = rest;
            } else if let Some((byte, rest)) = self.bits.split_first() {
                self.held |= u64::from(*byte) << self.held_count;
                self.held_count += 8;
                self.bits = rest;
            } else {
                self.overrun = true;
                self.held_count = 64;
            }
        }
        let value = self.held & ((1u64 << count) - 1);
        self.held >>= count;
        self.held_count -= count;
        value
    }
}

impl Code for Reader<'_> {
    const SENDS: bool = false;

    #[inline]
    fn pick(&mut self, entries: &[Entry], _: usize) -> usize {
        let [state, next] = self.states;
        let slot = state & (SCALE - 1);
        let found = entries.iter().position(|entry| slot < u32::from(entry.end));
        let index = found.unwrap_or(entries.len());
        let (low, size) = match entries.get(index) {
            Some(entry) => (entry.end - entry.size, entry.size),
            None => others(entries),
        };
        let mut state = u32::from(size) * (state >> SCALE_BITS) + slot - u32::from(low);
        if state < STATE_MIN {
            if let Some((word, rest)) = self.words.split_first_chunk() {
                state = state << 16 | u32::from(u16::from_le_bytes(*word));
                self.words = rest;
            } else {
                self.overrun = true;
                state |= STATE_MIN;
            }
        }
        self.states = [next, state];
        index
    }

    #[inline]
    fn bits(&mut self, _: u64, count: u32) -> u64 {
        if count > 32 {
            let low = self.short_bits(32);
            low | self.short_bits(count - 32) << 32
        } else {
            self.short_bits(count)
        }
    }
}
