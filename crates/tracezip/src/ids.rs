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

    fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        self.get(number)?;
        self.items.get_mut((number % self.size as u64) as usize)
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

/// What the ids of a message have told so far: by which case, of which trace, when.
struct Told {
    case: u8,
    trace: u64,
    time: Option<u64>,
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
    ) -> Option<(MessageIds, Remembered)> {
        let mut told = Told {
            case: 0,
            trace: self.last_trace,
            time: None,
        };
        let mut own = MessageIds::default();
        let (mut parent, mut span) = (None, None);
        if let Some(id) = ids.parent {
            let (id, number) =
                self.code_span(coder, raw, &mut models.parent, id, (2, &mut told))?;
            (own.parent, parent) = (Some(id), number);
        }
        if let Some(id) = ids.span {
            let (id, number) = self.code_span(coder, raw, &mut models.span, id, (1, &mut told))?;
            (own.span, span) = (Some(id), number);
        }
        let mut trace = told.trace;
        if let Some(id) = ids.trace {
            let [a, b, c] = &mut models.trace;
            let model = match told.case {
                0 => a,
                1 => b,
                _ => c,
            };
            let (number, id, is_known) = self.code_trace(coder, raw, model, id, told.trace)?;
            if is_known {
                told.time = told
                    .time
                    .or(self.traces.get(number).map(|known| known.time));
            } else {
                told.time = None;
            }
            (trace, own.trace) = (number, Some(id));
        }
        self.last_trace = trace;
        let fresh = |id: Option<u64>, number: Option<u64>| id.filter(|_| number.is_none());
        let fresh_parent = fresh(own.parent, parent).map(|id| self.add_span(id, trace));
        if let Some(id) = fresh(own.span, span) {
            span = Some(self.add_span(id, trace));
        }
        let remembered = Remembered {
            time: told.time,
            trace,
            spans: [span, fresh_parent],
        };
        Some((own, remembered))
    }

    fn add_span(&mut self, id: u64, trace: u64) -> u64 {
        let known = KnownSpan {
            id,
            trace: trace as u32,
            time: 0,
        };
        self.spans.add(known, hash_of(id))
    }

    /// Remembers when a message began.
    pub(crate) fn began(&mut self, remembered: &Remembered, time: u64) {
        if let Some(trace) = self.traces.get_mut(remembered.trace) {
            trace.time = time;
        }
        for number in remembered.spans.into_iter().flatten() {
            if let Some(span) = self.spans.get_mut(number) {
                span.time = time as u32;
            }
        }
    }

    /// 0 for an id that is not known, else how long ago it came, counted from 1; the id, and its number if it was known.
    fn code_span<C: Code>(
        &mut self,
        coder: &mut C,
        raw: &mut impl Raw,
        model: &mut Model,
        id: u64,
        (case, told): (u8, &mut Told),
    ) -> Option<(u64, Option<u64>)> {
        let mut age = 0;
        if C::SENDS
            && let Some(number) = self.spans.find(hash_of(id), |known| known.id == id)
        {
            age = self.spans.added - number;
        }
        age = model.code_number(coder, age);
        if age == 0 {
            return Some((raw.eight(id)?, None));
        }
        let number = self.spans.added.checked_sub(age)?;
        let known = *self.spans.get(number)?;
        told.case = case;
        told.trace = widened(known.trace, self.traces.added);
        if told.time.is_none()
            && let Some(trace) = self.traces.get(told.trace)
        {
            told.time = Some(widened(known.time, trace.time));
        }
        Some((known.id, Some(number)))
    }

    /// 0 for the expected trace, 1 for one that is not known, else how long ago it came, counted from 2; its number, the
    /// trace, and whether it was known.
    fn code_trace<C: Code>(
        &mut self,
        coder: &mut C,
        raw: &mut impl Raw,
        model: &mut Model,
        id: [u8; 16],
        expected: u64,
    ) -> Option<(u64, [u8; 16], bool)> {
        let mut way = 1;
        if C::SENDS {
            if self
                .traces
                .get(expected)
                .is_some_and(|known| known.id == id)
            {
                way = 0;
            } else if let Some(number) = self.traces.find(quick(&id, 0), |known| known.id == id) {
                way = self.traces.added - number + 1;
            }
        }
        match model.code_number(coder, way) {
            0 => Some((expected, self.traces.get(expected)?.id, true)),
            1 => {
                let id = raw.sixteen(id)?;
                let known = KnownTrace { id, time: 0 };
                Some((self.traces.add(known, quick(&id, 0)), id, false))
            }
            age => {
                let number = self.traces.added.checked_sub(age - 1)?;
                Some((number, self.traces.get(number)?.id, true))
            }
        }
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
