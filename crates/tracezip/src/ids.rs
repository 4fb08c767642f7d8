//! Span and trace ids: sent once, then referred to, also across requests.
//!
//! A span's parent is often known before the span itself (children end first), and both tell the trace: a reference to
//! either makes the trace id cost nothing.

use crate::coder::Code;
use crate::hash::quick;
use crate::model::Model;

/// Trace ids are this many times fewer than span ids.
const SPANS_PER_TRACE: usize = 4;

/// Models of the ids of one shape.
#[derive(Debug, Default)]
pub(crate) struct IdModels {
    parent: Model,
    span: Model,
    /// By what tells the trace: nothing, the span, the parent.
    trace: [Model; 3],
}

impl IdModels {
    pub(crate) fn held(&self) -> usize {
        let [a, b, c] = &self.trace;
        [&self.parent, &self.span, a, b, c]
            .into_iter()
            .map(Model::held)
            .sum()
    }
}

/// The ids of one message, as far as it has them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct MessageIds {
    pub(crate) trace: Option<[u8; 16]>,
    pub(crate) span: Option<u64>,
    pub(crate) parent: Option<u64>,
}

/// A ring of what was seen last, with a table of where: for the sender only, and never relied upon.
#[derive(Debug)]
struct Ring<T> {
    items: Vec<T>,
    added: u64,
    size: usize,
    places: Vec<u16>,
}

impl<T: Copy> Ring<T> {
    fn new(size: usize, sends: bool) -> Self {
        let places = if sends {
            (2 * size).next_power_of_two()
        } else {
            0
        };
        Self {
            items: Vec::new(),
            added: 0,
            size,
            places: vec![0; places],
        }
    }

    fn get(&self, number: u64) -> Option<&T> {
        if number >= self.added || self.added - number > self.size as u64 {
            return None;
        }
        self.items.get((number % self.size as u64) as usize)
    }

    fn add(&mut self, item: T, hash: u64) -> u64 {
        let number = self.added;
        let place = (number % self.size as u64) as usize;
        match self.items.get_mut(place) {
            Some(old) => *old = item,
            None => self.items.push(item),
        }
        self.added += 1;
        let mask = self.places.len().wrapping_sub(1);
        if let Some(slot) = self.places.get_mut(hash as usize & mask) {
            *slot = place as u16;
        }
        number
    }

    /// The number of an item that passes the test, if the table leads to it.
    fn find(&self, hash: u64, is_it: impl Fn(&T) -> bool) -> Option<u64> {
        let mask = self.places.len().wrapping_sub(1);
        let place = u64::from(*self.places.get(hash as usize & mask)?);
        let item = self.items.get(place as usize)?;
        if !is_it(item) {
            return None;
        }
        let size = self.size as u64;
        let newest = (self.added + size - 1) % size;
        let age = (newest + size - place) % size;
        Some(self.added - 1 - age)
    }

    fn held(&self) -> usize {
        self.items.capacity() * size_of::<T>() + self.places.capacity() * size_of::<u16>()
    }
}

/// Ids of a session.
#[derive(Debug)]
pub(crate) struct Ids {
    /// Span ids, each with the number of its trace.
    spans: Ring<(u64, u64)>,
    traces: Ring<[u8; 16]>,
    /// The trace of the last message.
    last_trace: u64,
}

/// What is sent as it is, taken from the front by the receiver.
pub(crate) trait Raw {
    /// Sixteen bytes.
    fn sixteen(&mut self, bytes: [u8; 16]) -> Option<[u8; 16]>;
    /// Eight bytes.
    fn eight(&mut self, bytes: u64) -> Option<u64>;
}

impl Raw for Vec<u8> {
    fn sixteen(&mut self, bytes: [u8; 16]) -> Option<[u8; 16]> {
        self.extend_from_slice(&bytes);
        Some(bytes)
    }

    fn eight(&mut self, bytes: u64) -> Option<u64> {
        self.extend_from_slice(&bytes.to_le_bytes());
        Some(bytes)
    }
}

impl Raw for &[u8] {
    fn sixteen(&mut self, _: [u8; 16]) -> Option<[u8; 16]> {
        let (bytes, rest) = self.split_first_chunk()?;
        *self = rest;
        Some(*bytes)
    }

    fn eight(&mut self, _: u64) -> Option<u64> {
        let (bytes, rest) = self.split_first_chunk()?;
        *self = rest;
        Some(u64::from_le_bytes(*bytes))
    }
}

#[inline]
fn hash_of(id: u64) -> u64 {
    // Ids should be random, but not every SDK's are.
    let wide = id.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    wide ^ wide >> 32
}

impl Ids {
    pub(crate) fn new(size: usize, sends: bool) -> Self {
        Self {
            spans: Ring::new(size, sends),
            traces: Ring::new((size / SPANS_PER_TRACE).max(1), sends),
            last_trace: 0,
        }
    }

    /// Codes the ids of a message; which it has, its shape tells. `None` if there are not as many as told.
    pub(crate) fn code<C: Code>(
        &mut self,
        coder: &mut C,
        raw: &mut impl Raw,
        models: &mut IdModels,
        ids: MessageIds,
    ) -> Option<MessageIds> {
        let mut told = (0, self.last_trace);
        let mut fresh = [None; 2];
        let [fresh_parent, fresh_span] = &mut fresh;
        let parent = match ids.parent {
            None => None,
            Some(id) => Some(self.code_span(
                coder,
                raw,
                &mut models.parent,
                id,
                (2, &mut told),
                fresh_parent,
            )?),
        };
        let span = match ids.span {
            None => None,
            Some(id) => Some(self.code_span(
                coder,
                raw,
                &mut models.span,
                id,
                (1, &mut told),
                fresh_span,
            )?),
        };
        let (case, expected) = told;
        let mut number = expected;
        let trace = match ids.trace {
            None => None,
            Some(id) => {
                let [a, b, c] = &mut models.trace;
                let model = match case {
                    0 => a,
                    1 => b,
                    _ => c,
                };
                let (found, id) = self.code_trace(coder, raw, model, id, expected)?;
                number = found;
                Some(id)
            }
        };
        self.last_trace = number;
        for id in fresh.into_iter().flatten() {
            self.spans.add((id, number), hash_of(id));
        }
        Some(MessageIds {
            trace,
            span,
            parent,
        })
    }

    /// 0 for an id that is not known, else how long ago it came, counted from 1.
    fn code_span<C: Code>(
        &mut self,
        coder: &mut C,
        raw: &mut impl Raw,
        model: &mut Model,
        id: u64,
        (case, told): (u8, &mut (u8, u64)),
        fresh: &mut Option<u64>,
    ) -> Option<u64> {
        let mut age = 0;
        if C::SENDS
            && let Some(number) = self.spans.find(hash_of(id), |known| known.0 == id)
        {
            age = self.spans.added - number;
        }
        age = model.code_number(coder, age);
        if age == 0 {
            let id = raw.eight(id)?;
            *fresh = Some(id);
            return Some(id);
        }
        let number = self.spans.added.checked_sub(age)?;
        let (id, trace) = *self.spans.get(number)?;
        *told = (case, trace);
        Some(id)
    }

    /// 0 for the expected trace, 1 for one that is not known, else how long ago it came, counted from 2.
    fn code_trace<C: Code>(
        &mut self,
        coder: &mut C,
        raw: &mut impl Raw,
        model: &mut Model,
        id: [u8; 16],
        expected: u64,
    ) -> Option<(u64, [u8; 16])> {
        let mut way = 1;
        if C::SENDS {
            if self.traces.get(expected) == Some(&id) {
                way = 0;
            } else if let Some(number) = self.traces.find(quick(&id, 0), |known| *known == id) {
                way = self.traces.added - number + 1;
            }
        }
        match model.code_number(coder, way) {
            0 => Some((expected, *self.traces.get(expected)?)),
            1 => {
                let id = raw.sixteen(id)?;
                Some((self.traces.add(id, quick(&id, 0)), id))
            }
            age => {
                let number = self.traces.added.checked_sub(age - 1)?;
                Some((number, *self.traces.get(number)?))
            }
        }
    }

    pub(crate) fn held(&self) -> usize {
        self.spans.held() + self.traces.held()
    }

    /// A hash of all that is remembered.
    pub(crate) fn digest(&self) -> u64 {
        let hash = self
            .spans
            .items
            .iter()
            .fold(self.last_trace, |hash, (id, trace)| {
                quick(&trace.to_le_bytes(), quick(&id.to_le_bytes(), hash))
            });
        self.traces
            .items
            .iter()
            .fold(hash, |hash, id| quick(id, hash))
    }
}
