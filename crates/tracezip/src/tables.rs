//! What sender and receiver remember alike: shapes, values, ids, times. Each frame leaves both with the same.

use crate::coder::Code;
use crate::dictionary::Dictionary;
use crate::family::Families;
use crate::hash::quick;
use crate::ids::{Ids, MessageIds, Raw, Remembered};
use crate::limits::Limits;
use crate::model::Model;
use crate::path::Budget;
use crate::schema::Message;
use crate::shape::{Shape, compile};
use crate::signature::Parsed;
use crate::times::Times;

/// The memory of a session.
#[derive(Debug)]
pub(crate) struct Tables {
    pub(crate) limits: Limits,
    pub(crate) shapes: Vec<Shape>,
    pub(crate) families: Families,
    shape_bytes: usize,
    pub(crate) dictionary: Dictionary,
    pub(crate) ids: Ids,
    pub(crate) budget: Budget,
    /// The shape of the first message of a request.
    pub(crate) root: Model,
    /// How long ago a shape was made that its place does not expect.
    age: Model,
    pub(crate) signature_length: Model,
    /// The last time of the last item.
    pub(crate) time: u64,
}

/// A shape if it is known; outside of it, `None` is for what makes no sense.
type Known = Option<Option<usize>>;

/// What comes after a message, by what stands before it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Before {
    /// Nothing: the request itself.
    Nothing,
    /// Its parent, in this of its places.
    Parent(usize, usize),
    /// The message before it in the same place.
    Sibling(usize),
}

impl Tables {
    pub(crate) fn new(limits: Limits, sends: bool) -> Self {
        Self {
            limits,
            shapes: Vec::new(),
            families: Families::default(),
            shape_bytes: 0,
            dictionary: Dictionary::new(limits),
            ids: Ids::new(limits.ids, sends),
            budget: Budget {
                nodes: limits.path_nodes,
            },
            root: Model::default(),
            age: Model::default(),
            signature_length: Model::default(),
            time: 0,
        }
    }

    fn expectation(&mut self, before: Before) -> Option<&mut Model> {
        match before {
            Before::Nothing => Some(&mut self.root),
            Before::Parent(shape, place) => {
                let place = self.shapes.get_mut(shape)?.places.get_mut(place)?;
                Some(&mut place.first)
            }
            Before::Sibling(shape) => Some(&mut self.shapes.get_mut(shape)?.next),
        }
    }

    /// The shape that most likely comes.
    pub(crate) fn likely(&self, before: Before) -> Option<usize> {
        let model = match before {
            Before::Nothing => &self.root,
            Before::Parent(shape, place) => &self.shapes.get(shape)?.places.get(place)?.first,
            Before::Sibling(shape) => &self.shapes.get(shape)?.next,
        };
        model.likeliest().map(usize::from)
    }

    /// Whether a message has a shape; it is taken apart then.
    #[inline]
    pub(crate) fn has<'a>(
        &self,
        parsed: &mut Parsed<'a>,
        shape: usize,
        kind: Message,
        bytes: &'a [u8],
    ) -> bool {
        let shape = self.shapes.get(shape).filter(|shape| shape.message == kind);
        let family = shape.and_then(|shape| Some((shape, self.families.get(shape.family)?)));
        family.is_some_and(|(shape, family)| parsed.has(shape, &family.head, bytes))
    }

    /// Codes which shape comes; `None` in the answer stands for one that is not known yet.
    pub(crate) fn code_shape<C: Code>(
        &mut self,
        coder: &mut C,
        before: Before,
        shape: Option<usize>,
    ) -> Known {
        let expected = self
            .expectation(before)?
            .code(coder, shape.map_or(Model::OTHER, |shape| shape as u16));
        if let Some(shape) = expected {
            return Some(Some(usize::from(shape)));
        }
        let count = self.shapes.len();
        let age = shape.map_or(0, |shape| (count - shape) as u64);
        let age = usize::try_from(self.age.code_number(coder, age)).ok()?;
        if age == 0 {
            return Some(None);
        }
        let shape = count.checked_sub(age)?;
        self.expectation(before)?.learn(shape as u16);
        Some(Some(shape))
    }

    /// Whether a shape with a signature of this length may be made. The opaque ones always may.
    pub(crate) fn has_room(&self, length: usize) -> bool {
        length <= 2
            || (self.shapes.len() < self.limits.shapes
                && self.shape_bytes + length <= self.limits.shape_bytes)
    }

    /// Whether shapes are scarce, so that names should not make new ones.
    pub(crate) fn is_crowded(&self) -> bool {
        self.shapes.len() >= self.limits.shapes / 2
            || self.shape_bytes >= self.limits.shape_bytes / 2
    }

    /// Makes the shape of a signature. `None` if it is none, or there is no room.
    pub(crate) fn add_shape(
        &mut self,
        message: Message,
        signature: &[u8],
        before: Before,
    ) -> Option<usize> {
        if !self.has_room(signature.len()) {
            return None;
        }
        let shape = compile(
            signature,
            message,
            &mut self.dictionary,
            &mut self.families,
            self.limits.path_values,
        )?;
        self.shape_bytes += signature.len();
        if self.shapes.len() == self.shapes.capacity() {
            self.shapes.reserve_exact(8 + self.shapes.len() / 16);
        }
        self.shapes.push(shape);
        let number = self.shapes.len() - 1;
        self.expectation(before)?.learn(number as u16);
        Some(number)
    }

    /// Codes ids and times of a message: for the sender what is given, for the receiver as many as are given.
    #[inline]
    pub(crate) fn code_own<C: Code>(
        &mut self,
        coder: &mut C,
        raw: &mut impl Raw,
        number: usize,
        ids: &mut MessageIds,
        known_time: u64,
        times: &mut Times,
    ) -> Option<()> {
        let shape = self.shapes.get(number)?;
        let family = self.families.get_mut(shape.family)?;
        let mut remembered = Remembered::default();
        if shape.has_ids {
            remembered = self.ids.code(coder, raw, &mut family.ids, ids)?;
        }
        if !shape.message.is_item() {
            family.code_times(coder, times, known_time, None);
            return Some(());
        }
        family.code_times(coder, times, self.time, remembered.time);
        if let ([first, ..], [.., last]) = (times.all(), times.all()) {
            self.time = *last;
            if shape.has_ids {
                self.ids.began(&remembered, *first);
            }
        }
        Some(())
    }

    /// Bytes held, about.
    pub(crate) fn held(&self) -> usize {
        let spare = self.shapes.capacity() - self.shapes.len();
        self.shapes.iter().map(Shape::held).sum::<usize>()
            + spare * size_of::<Shape>()
            + self.families.held()
            + self.dictionary.held()
            + self.ids.held()
    }

    /// A hash of all that is remembered: equal on both sides after each frame.
    pub(crate) fn digest(&self) -> u64 {
        let hash = self.shapes.iter().fold(self.time, |hash, shape| {
            quick(&shape.paths.digest().to_le_bytes(), hash) ^ shape.steps.len() as u64
        });
        let numbers = [
            self.dictionary.digest(),
            self.ids.digest(),
            self.budget.nodes as u64,
        ];
        numbers
            .into_iter()
            .fold(hash, |hash, number| quick(&number.to_le_bytes(), hash))
    }
}
