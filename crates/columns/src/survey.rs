//! Looks through many rows before the first is written: which attributes have columns, and which of these hardly repeat.
//!
//! With that known, rows become a file a few thousand at a time, in memory that is used again and again.

use std::collections::{HashMap, HashSet};

use millrace_wire::Signal;
use millrace_wire::field::children;

use crate::attributes::{KEYS_MAX, Kind, prefix_of};
use crate::rows::Row;
use crate::tables::hash;
use crate::value::{Pair, Scalar};

/// Of so many rows one is looked at: they are sorted, so that rows with the same keys stand together. A key that is only in rows
/// between these has no column in this file; its values are kept with those that fit no column.
const LOOKED_AT: usize = 4;
/// Of so many of these, the values are looked at as well.
const SAMPLED: usize = 4;
/// So many values of a key are a sample.
const SAMPLE_MIN: usize = 256;
/// More than so many say nothing new.
const SAMPLE_MAX: usize = 4_096;
/// So many of a hundred values differ where they hardly repeat.
const DISTINCT_PERCENT: usize = 94;

/// What is known of the attributes.
#[derive(Default)]
pub(crate) struct Survey {
    places: HashMap<Box<str>, usize>,
    keys: Vec<Key>,
    /// Of the row before: the bytes that each attribute begins with, up to its value.
    last: Vec<Vec<u8>>,
    rows: usize,
}

struct Key {
    name: String,
    kind: Option<Kind>,
    sampled: usize,
    hashes: HashSet<u64>,
}

impl Survey {
    /// Looks through rows of a signal, whose attributes all stand in one field: those of points do not.
    pub(crate) fn of<'a>(signal: Signal, rows: impl Iterator<Item = Row<'a>>) -> Option<Self> {
        let number = match signal {
            Signal::Traces => 9,
            Signal::Logs => 6,
            _ => return None,
        };
        let mut survey = Self::default();
        rows.step_by(LOOKED_AT)
            .for_each(|row| survey.add(row.item, number));
        Some(survey)
    }

    fn add(&mut self, item: &[u8], number: u32) {
        let is_sampled = self.rows.is_multiple_of(SAMPLED);
        self.rows += 1;
        for (place, pair) in children(item, number).enumerate() {
            let last = self.last.get(place);
            let is_known = last.is_some_and(|prefix| pair.starts_with(prefix));
            if !is_known || is_sampled {
                self.learn(place, &Pair::new(pair), is_sampled);
            }
        }
    }

    fn learn(&mut self, place: usize, pair: &Pair<'_>, is_sampled: bool) {
        if place >= self.last.len() {
            self.last.resize_with(place + 1, Vec::new);
        }
        if let Some(last) = self.last.get_mut(place) {
            *last = prefix_of(pair.key);
        }
        let index = match self.places.get(pair.key) {
            Some(index) => *index,
            None if self.keys.len() >= KEYS_MAX => return,
            None => {
                self.places.insert(pair.key.into(), self.keys.len());
                self.keys.push(Key {
                    name: pair.key.to_owned(),
                    kind: None,
                    sampled: 0,
                    hashes: HashSet::new(),
                });
                self.keys.len() - 1
            }
        };
        let Some(key) = self.keys.get_mut(index) else {
            return;
        };
        key.kind = key.kind.or_else(|| pair.scalar.map(Kind::of));
        if let (true, Some(Scalar::Text(text))) = (is_sampled, pair.scalar)
            && key.sampled < SAMPLE_MAX
        {
            key.sampled += 1;
            key.hashes.insert(hash(text.as_bytes()));
        }
    }

    /// The keys with the type of their columns.
    pub(crate) fn keys(&self) -> Vec<(String, Kind)> {
        self.keys
            .iter()
            .map(|key| (key.name.clone(), key.kind.unwrap_or(Kind::Text)))
            .collect()
    }

    /// The keys whose values are text that hardly repeats.
    pub(crate) fn hardly_repeating(&self) -> Vec<&str> {
        let hardly_repeats = |key: &&Key| {
            key.sampled >= SAMPLE_MIN && key.hashes.len() * 100 >= key.sampled * DISTINCT_PERCENT
        };
        let keys = self.keys.iter().filter(hardly_repeats);
        keys.map(|key| key.name.as_str()).collect()
    }
}
