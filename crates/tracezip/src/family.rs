//! What shapes have in common that begin alike, up to their first attribute or message: the same operation, by the same writer.
//!
//! Such shapes differ in which attributes, events or links there are, not in how long they take or in what the values of a key
//! are. They learn together, and what is learned is kept once.

use std::collections::HashMap;

use crate::coder::Code;
use crate::head::Head;
use crate::ids::IdModel;
use crate::memory::{allocated, of_vec};
use crate::model::Model;
use crate::shape::Kind;
use crate::times::{Anchor, Rule, TimeModel, Times};

/// What is known of the values of one key.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) key: u16,
    pub(crate) kind: Kind,
    /// The last place, which the sender tries first.
    pub(crate) last: u16,
    /// Values that came as something new.
    pub(crate) surprises: u32,
    /// Places in the key's dictionary, and ways to tell others.
    pub(crate) model: Model,
    /// The last number.
    pub(crate) number: u64,
}

impl Slot {
    pub(crate) fn new(key: u16, kind: Kind) -> Self {
        Self {
            key,
            kind,
            last: 0,
            surprises: 0,
            model: Model::default(),
            number: 0,
        }
    }
}

/// Shapes that begin alike.
#[derive(Debug, Default)]
pub(crate) struct Family {
    pub(crate) head: Head,
    pub(crate) ids: IdModel,
    pub(crate) slots: Vec<Slot>,
    times: Vec<TimeModel>,
    /// The model of the first time, where it is told by the trace's.
    since_trace: TimeModel,
    anchor: Anchor,
}

impl Family {
    /// Makes room for so many times.
    pub(crate) fn take_times(&mut self, count: usize) {
        let more = count.saturating_sub(self.times.len());
        self.times.reserve_exact(more);
        self.times
            .extend(std::iter::repeat_with(TimeModel::default).take(more));
    }

    /// The number of the slot for values of this key.
    pub(crate) fn slot(&mut self, key: u16, kind: Kind) -> u16 {
        let known = self.slots.iter();
        let known = known
            .enumerate()
            .find(|(_, slot)| (slot.key, slot.kind) == (key, kind));
        if let Some((number, _)) = known {
            return number as u16;
        }
        if self.slots.len() == self.slots.capacity() {
            self.slots.reserve_exact(4);
        }
        self.slots.push(Slot::new(key, kind));
        self.slots.len() as u16 - 1
    }

    /// Codes the times of a message, all of `times`: by the time of the item before, or since its trace was seen.
    #[inline]
    pub(crate) fn code_times<C: Code>(
        &mut self,
        coder: &mut C,
        times: &mut Times,
        known_time: u64,
        since: Option<u64>,
    ) {
        let times = times.all_mut();
        let by_trace = since.filter(|_| self.anchor.is_trace());
        if let (Some(since), [first, others @ ..]) = (by_trace, &mut *times) {
            *first = self
                .since_trace
                .code(coder, *first, since, Rule::KnownFirst);
            let mut known = *first;
            for (model, time) in self.times.iter_mut().zip(others) {
                *time = model.code(coder, *time, known, Rule::KnownFirst);
                known = *time;
            }
        } else {
            let (mut known, mut rule) = (known_time, Rule::KnownFirst);
            for (model, time) in self.times.iter_mut().zip(&mut *times).rev() {
                *time = model.code(coder, *time, known, rule);
                (known, rule) = (*time, Rule::KnownLast);
            }
        }
        if let (Some(since), [first, ..], [.., last]) = (since, &*times, &*times) {
            self.anchor
                .learn(last.abs_diff(known_time), first.abs_diff(since));
        }
    }

    fn held(&self) -> usize {
        let slots: usize = self.slots.iter().map(|slot| slot.model.held()).sum();
        let times: usize = self.times.iter().map(TimeModel::held).sum();
        self.head.held()
            + self.ids.held()
            + of_vec(&self.slots)
            + slots
            + of_vec(&self.times)
            + times
            + self.since_trace.held()
    }
}

/// The families of a session.
#[derive(Debug, Default)]
pub(crate) struct Families {
    all: Vec<Family>,
    by_front: HashMap<Box<[u8]>, u16>,
}

impl Families {
    #[inline]
    pub(crate) fn get(&self, family: u16) -> Option<&Family> {
        self.all.get(usize::from(family))
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, family: u16) -> Option<&mut Family> {
        self.all.get_mut(usize::from(family))
    }

    /// The number of the family with this front of its signatures; it gets the head if it is new.
    pub(crate) fn of(&mut self, front: &[u8], head: Head) -> u16 {
        if let Some(family) = self.by_front.get(front) {
            return *family;
        }
        let number = self.all.len() as u16;
        if self.all.len() == self.all.capacity() {
            self.all.reserve_exact(8 + self.all.len() / 8);
        }
        self.all.push(Family {
            head,
            ..Family::default()
        });
        self.by_front.insert(front.into(), number);
        number
    }

    /// Bytes held, about.
    pub(crate) fn held(&self) -> usize {
        let fronts = self.by_front.keys().map(|front| allocated(front.len()));
        of_vec(&self.all)
            + self.all.iter().map(Family::held).sum::<usize>()
            + fronts.sum::<usize>()
            + allocated(self.by_front.capacity() * (size_of::<(Box<[u8]>, u16)>() + 1))
    }
}
