//! Span and trace ids: sent once, then referred to, also across requests.
//!
//! A span's parent is often known before the span itself (children end first), and both tell the trace: a reference to
//! either makes the trace id cost nothing.

use crate::coder::Code;
use crate::hash::quick;
use crate::memory::of_vec;
use crate::model::Model;

/// Trace ids are this many times fewer than span ids.
const SPANS_PER_TRACE: usize = 4;

/// Bits of the class of how long ago an id came: below 8 the number itself, else by its highest bit.
const AGE_BITS: u32 = 5;
const AGE_EXACT: u64 = 8;

#[inline]
fn age_class(age: u64) -> u16 {
    if age < AGE_EXACT {
        return age as u16;
    }
    (AGE_EXACT as u32 + age.ilog2() - AGE_EXACT.ilog2()) as u16
}

/// Codes what its class leaves open of an age.
#[inline]
fn code_age<C: Code>(coder: &mut C, class: u16, age: u64) -> u64 {
    let class = u32::from(class);
    let exact = AGE_EXACT as u32;
    if class < exact {
        return u64::from(class);
    }
    let bits = class - exact + AGE_EXACT.ilog2();
    (1 << bits) + coder.bits(age.wrapping_sub(1 << bits), bits)
}

/// How the ids of a message are told: each by how long ago it came.
#[derive(Clone, Copy, Debug, Default)]
struct Ages {
    /// 0 for an id that is not known, else counted from 1.
    parent: u64,
    span: u64,
    /// 0 for the expected one, 1 for one that is not known, else counted from 2.
    trace: u64,
}

/// The model of the ids of one shape: the classes of all three are one symbol.
#[derive(Debug, Default)]
pub(crate) struct IdModel(Model);

impl IdModel {
    fn code<C: Code>(&mut self, coder: &mut C, ages: Ages) -> Ages {
        const CLASS: u16 = (1 << AGE_BITS) - 1;
        let mut symbol = 0;
        if C::SENDS {
            symbol = age_class(ages.parent)
                | age_class(ages.span) << AGE_BITS
                | age_class(ages.trace) << (2 * AGE_BITS);
        }
        symbol = self.0.code_of(coder, symbol, 3 * AGE_BITS);
        Ages {
            parent: code_age(coder, symbol & CLASS, ages.parent),
            span: code_age(coder, symbol >> AGE_BITS & CLASS, ages.span),
            trace: code_age(coder, symbol >> (2 * AGE_BITS), ages.trace),
        }
    }

    pub(crate) fn held(&self) -> usize {
        self.0.held()
    }
}

/// The ids of one message, as far as it has them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct MessageIds {
    pub(crate) trace: Option<[u8; 16]>,
    pub(crate) span: Option<u64>,
    pub(crate) parent: Option<u64>,
}

/// What is remembered of a message by its ids.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Remembered {
    /// When its trace, or better its parent, was seen last; `None` if neither is known.
    pub(crate) time: Option<u64>,
    trace: u64,
    /// The span, and its parent if that was not known.
    spans: [Option<u64>; 2],
}

/// A span id.
#[derive(Clone, Copy, Debug)]
struct KnownSpan {
    id: u64,
    /// The low half of the number of its trace.
    trace: u32,
    /// The low half of its first time.
    time: u32,
}

#[derive(Clone, Copy, Debug)]
struct KnownTrace {
    id: [u8; 16],
    /// The first time of its last message.
    time: u64,
}

/// The number below or near `whole` whose low half this is.
const fn widened(low: u32, whole: u64) -> u64 {
    whole.wrapping_add_signed(low.wrapping_sub(whole as u32).cast_signed() as i64)
}

/// A ring of what was seen last, with a table of where: for the sender only, and never relied upon.
#[derive(Debug)]
struct Ring<T> {
    items: Vec<T>,
    added: u64,
    /// How many there are room for, a power of two, less one.
    mask: u64,
    places: Vec<u16>,
}

impl<T: Copy> Ring<T> {
    fn new(size: usize, sends: bool) -> Self {
        Self {
            items: Vec::new(),
            added: 0,
            mask: size as u64 - 1,
            places: vec![0; if sends { 2 * size } else { 0 }],
        }
    }

    /// How long ago the item of this number was added, counted from 1, if it is still there.
    #[inline]
    fn age(&self, number: u64) -> Option<u64> {
        let age = self.added.wrapping_sub(number);
        (age.wrapping_sub(1) <= self.mask).then_some(age)
    }

    #[inline]
    fn get(&self, number: u64) -> Option<&T> {
        self.age(number)?;
        self.items.get((number & self.mask) as usize)
    }

    #[inline]
    fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        self.age(number)?;
        self.items.get_mut((number & self.mask) as usize)
    }

    #[inline]
    fn add(&mut self, item: T, hash: impl FnOnce() -> u64) -> u64 {
        let number = self.added;
        let place = (number & self.mask) as usize;
        match self.items.get_mut(place) {
            Some(old) => *old = item,
            None => self.items.push(item),
        }
        self.added += 1;
        if !self.places.is_empty() {
            let mask = self.places.len() - 1;
            if let Some(slot) = self.places.get_mut(hash() as usize & mask) {
                *slot = place as u16;
            }
        }
        number
    }

    /// The age of an item that passes the test, if the table leads to it.
    #[inline]
    fn find(&self, hash: u64, is_it: impl Fn(&T) -> bool) -> Option<u64> {
        let mask = self.places.len().wrapping_sub(1);
        let place = u64::from(*self.places.get(hash as usize & mask)?);
        if !is_it(self.items.get(place as usize)?) {
            return None;
        }
        Some(((self.added - 1).wrapping_sub(place) & self.mask) + 1)
    }

    fn held(&self) -> usize {
        of_vec(&self.items) + of_vec(&self.places)
    }
}

/// Ids of a session.
#[derive(Debug)]
pub(crate) struct Ids {
    spans: Ring<KnownSpan>,
    traces: Ring<KnownTrace>,
    /// The trace of the last message.
    last_trace: u64,
}

/// What parent and span of a message tell of it, as far as they are known.
struct Told {
    parent: Option<KnownSpan>,
    span: Option<KnownSpan>,
    /// The trace that is expected.
    trace: u64,
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
    /// Room for about so many span ids: a power of two.
    pub(crate) fn new(size: usize, sends: bool) -> Self {
        let size = 1 << size.max(SPANS_PER_TRACE).ilog2();
        Self {
            spans: Ring::new(size, sends),
            traces: Ring::new(size / SPANS_PER_TRACE, sends),
            last_trace: 0,
        }
    }

    /// Codes the ids of a message; which it has, its shape tells. `None` if there are not as many as told.
    pub(crate) fn code<C: Code>(
        &mut self,
        coder: &mut C,
        raw: &mut impl Raw,
        model: &mut IdModel,
        ids: &mut MessageIds,
    ) -> Option<Remembered> {
        let mut ages = Ages::default();
        if C::SENDS {
            ages = self.ages_of(ids);
        }
        let ages = model.code(coder, ages);
        let told = self.told(ages)?;
        for (id, known) in [(&mut ids.parent, &told.parent), (&mut ids.span, &told.span)] {
            if let Some(id) = id {
                *id = match known {
                    Some(known) => known.id,
                    None => raw.eight(*id)?,
                };
            }
        }
        let mut trace = told.trace;
        let mut time = self.time_of(&told);
        if let Some(id) = &mut ids.trace {
            if ages.trace == 1 {
                *id = raw.sixteen(*id)?;
                let known = KnownTrace { id: *id, time: 0 };
                trace = self.traces.add(known, || quick(id, 0));
                time = None;
            } else {
                if ages.trace > 1 {
                    trace = self.traces.added.checked_sub(ages.trace - 1)?;
                }
                let known = self.traces.get(trace)?;
                *id = known.id;
                time = Some(time.unwrap_or(known.time));
            }
        }
        self.last_trace = trace;
        Some(self.remember(ids, ages, trace, time))
    }

    /// Adds the ids that are not known yet.
    #[inline]
    fn remember(
        &mut self,
        own: &MessageIds,
        ages: Ages,
        trace: u64,
        time: Option<u64>,
    ) -> Remembered {
        let added = self.spans.added;
        let mut spans = [None; 2];
        let [parent, span] = &mut spans;
        if let Some(id) = own.parent.filter(|_| ages.parent == 0) {
            *parent = Some(self.add_span(id, trace));
        }
        if let Some(id) = own.span {
            *span = Some(match ages.span {
                0 => self.add_span(id, trace),
                age => added.wrapping_sub(age),
            });
        }
        Remembered { time, trace, spans }
    }

    /// How many span ids were new so far.
    pub(crate) fn spans_added(&self) -> u64 {
        self.spans.added
    }

    /// When the parent was seen, or else the span, if their trace is still known.
    #[inline]
    fn time_of(&self, told: &Told) -> Option<u64> {
        let time = |span: KnownSpan| {
            let trace = self.traces.get(widened(span.trace, self.traces.added))?;
            Some(widened(span.time, trace.time))
        };
        let by_parent = told.parent.and_then(time);
        by_parent.or_else(|| told.span.and_then(time))
    }

    #[inline]
    fn add_span(&mut self, id: u64, trace: u64) -> u64 {
        let known = KnownSpan {
            id,
            trace: trace as u32,
            time: 0,
        };
        self.spans.add(known, || hash_of(id))
    }

    /// Remembers when a message began.
    #[inline]
    pub(crate) fn began(&mut self, remembered: &Remembered, time: u64) {
        if let Some(trace) = self.traces.get_mut(remembered.trace) {
            trace.time = time;
        }
        for number in remembered.spans {
            if let Some(span) = number.and_then(|number| self.spans.get_mut(number)) {
                span.time = time as u32;
            }
        }
    }

    /// What the ages of parent and span tell. `None` if there are no such spans.
    #[inline]
    fn told(&self, ages: Ages) -> Option<Told> {
        let known = |age: u64| match age {
            0 => Some(None),
            age => Some(Some(*self.spans.get(self.spans.added.checked_sub(age)?)?)),
        };
        let (parent, span) = (known(ages.parent)?, known(ages.span)?);
        let trace = span.or(parent).map_or(self.last_trace, |known| {
            widened(known.trace, self.traces.added)
        });
        Some(Told {
            parent,
            span,
            trace,
        })
    }

    /// How the sender tells ids.
    #[inline]
    fn ages_of(&self, ids: &MessageIds) -> Ages {
        let age = |id: Option<u64>| {
            let id = id?;
            self.spans.find(hash_of(id), |known| known.id == id)
        };
        let mut ages = Ages {
            parent: age(ids.parent).unwrap_or(0),
            span: age(ids.span).unwrap_or(0),
            trace: 0,
        };
        let (Some(id), Some(told)) = (ids.trace, self.told(ages)) else {
            return ages;
        };
        let is_expected = self
            .traces
            .get(told.trace)
            .is_some_and(|known| known.id == id);
        if !is_expected {
            let found = self.traces.find(quick(&id, 0), |known| known.id == id);
            ages.trace = found.map_or(1, |age| age + 1);
        }
        ages
    }

    pub(crate) fn held(&self) -> usize {
        self.spans.held() + self.traces.held()
    }

    /// A hash of all that is remembered.
    pub(crate) fn digest(&self) -> u64 {
        let hash = self.spans.items.iter().fold(self.last_trace, |hash, span| {
            let place = u64::from(span.trace) << 32 | u64::from(span.time);
            quick(&place.to_le_bytes(), quick(&span.id.to_le_bytes(), hash))
        });
        self.traces.items.iter().fold(hash, |hash, trace| {
            quick(&trace.time.to_le_bytes(), quick(&trace.id, hash))
        })
    }
}
