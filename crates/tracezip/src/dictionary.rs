//! The values of each key that were seen last: numbered places in a ring, the same on both sides.
//!
//! A place that is overwritten stands for its new value from then on, wherever it is referred to; both sides overwrite alike.

use std::collections::HashMap;

use crate::hash::quick;
use crate::limits::Limits;
use crate::memory::allocated;
use crate::model::Model;
use crate::template::Templates;

/// The key of what no other key is left for.
const SHARED: u16 = 0;
/// Places of the sender's table.
const LOOKUP_PLACES: usize = 1 << 14;
const EMPTY: u32 = u32::MAX;
/// Bytes that a value outside of its place costs beside its own.
const HEAD: usize = 24;

/// Values up to this length are kept in place.
const SHORT: usize = 22;

/// A value that is remembered.
#[derive(Debug)]
enum Value {
    Short { length: u8, bytes: [u8; SHORT] },
    Long(Box<[u8]>),
}

impl Value {
    fn new(value: &[u8]) -> Self {
        let mut bytes = [0; SHORT];
        match bytes.get_mut(..value.len()) {
            Some(start) => {
                start.copy_from_slice(value);
                Self::Short {
                    length: value.len() as u8,
                    bytes,
                }
            }
            None => Self::Long(value.into()),
        }
    }

    #[inline]
    fn get(&self) -> &[u8] {
        match self {
            Self::Short { length, bytes } => bytes.get(..usize::from(*length)).unwrap_or_default(),
            Self::Long(value) => value,
        }
    }
}

/// What a value of this length costs of the bound.
const fn cost(length: usize) -> usize {
    let longer = if length > SHORT { length + HEAD } else { 0 };
    size_of::<Value>() + longer
}

/// Values of a key that are looked at before it is judged.
const TRIAL: u16 = 256;
/// One in this many values of a key must have been of use again, or few are remembered from then on ...
const USEFUL: u16 = 16;
/// ... one in this many.
const PASSED_MAX: u8 = 16;
/// A value counts once more for each of this many bytes, up to so many bytes.
const DEAR: u16 = 32;
const DEAR_MAX: usize = 4096;

/// One key: its values, and the models of how values that are not expected are told.
#[derive(Debug, Default)]
pub(crate) struct Key {
    values: Vec<Value>,
    /// Values ever added.
    added: usize,
    /// Values that could have been added lately, long ones counted more than once, and how many were told by their age.
    seen: u16,
    useful: u16,
    /// Values that got no place since the last that did.
    passed: u8,
    pub(crate) templates: Templates,
    pub(crate) way: Model,
    pub(crate) length: Model,
    pub(crate) age: Model,
    pub(crate) number: Model,
    pub(crate) difference: Model,
}

impl Key {
    #[inline]
    pub(crate) fn value(&self, place: u16) -> Option<&[u8]> {
        self.values.get(usize::from(place)).map(Value::get)
    }

    /// How many values were added after the one at this place.
    pub(crate) fn age_of(&self, place: u16) -> u64 {
        let places = self.values.len().max(1);
        let newest = (self.added + places - 1) % places;
        ((newest + places - usize::from(place)) % places) as u64
    }

    /// The place of the value after which that many were added; it was of use.
    pub(crate) fn place_of(&mut self, age: u64) -> Option<u16> {
        let places = self.values.len();
        let age = usize::try_from(age).ok().filter(|age| *age < places)?;
        self.useful = self.useful.saturating_add(1);
        Some(((self.added + places - 1 - age) % places) as u16)
    }

    /// Whether the next value, of this length, is worth a place: only one in a few, if those before were hardly ever of use.
    fn is_worth_a_place(&mut self, length: usize) -> bool {
        self.seen += 1 + length.min(DEAR_MAX) as u16 / DEAR;
        if self.seen >= 4 * TRIAL {
            self.seen /= 2;
            self.useful /= 2;
        }
        self.passed = self.passed.saturating_add(1);
        let is_worth =
            self.seen < TRIAL || self.useful >= self.seen / USEFUL || self.passed >= PASSED_MAX;
        if is_worth {
            self.passed = 0;
        }
        is_worth
    }

    fn held(&self) -> usize {
        let models = [
            &self.way,
            &self.length,
            &self.age,
            &self.number,
            &self.difference,
        ];
        let spare = self.values.capacity() - self.values.len();
        size_of::<Self>()
            + spare * size_of::<Value>()
            + self.templates.held()
            + models.into_iter().map(Model::held).sum::<usize>()
    }
}

/// All keys of a session.
#[derive(Debug)]
pub(crate) struct Dictionary {
    keys: Vec<Key>,
    names: HashMap<Box<[u8]>, u16>,
    bytes: usize,
    limits: Limits,
}

impl Dictionary {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            keys: vec![Key::default()],
            names: HashMap::new(),
            bytes: 0,
            limits,
        }
    }

    /// The number of a key, which is made if there is room for it; else that of the one that many share.
    pub(crate) fn key_of(&mut self, name: &[u8]) -> u16 {
        self.own_key_of(name).unwrap_or(SHARED)
    }

    /// The number of a key that nothing shares.
    pub(crate) fn own_key_of(&mut self, name: &[u8]) -> Option<u16> {
        if let Some(key) = self.names.get(name) {
            return Some(*key);
        }
        if self.keys.len() >= self.limits.keys {
            return None;
        }
        let key = self.keys.len() as u16;
        self.keys.push(Key::default());
        self.names.insert(name.into(), key);
        Some(key)
    }

    pub(crate) fn key(&self, key: u16) -> Option<&Key> {
        self.keys.get(usize::from(key))
    }

    pub(crate) fn key_mut(&mut self, key: u16) -> Option<&mut Key> {
        self.keys.get_mut(usize::from(key))
    }

    /// Remembers a value, unless that would pass a bound; its place.
    pub(crate) fn add(&mut self, key: u16, value: &[u8]) -> Option<u16> {
        let entry = self.keys.get_mut(usize::from(key))?;
        if !entry.is_worth_a_place(value.len()) {
            return None;
        }
        let is_full = entry.values.len() >= self.limits.values_per_key;
        let place = if is_full {
            entry.added % entry.values.len().max(1)
        } else {
            entry.values.len()
        };
        let freed = entry
            .values
            .get(place)
            .map_or(0, |old| cost(old.get().len()));
        let bytes = self.bytes - freed + cost(value.len());
        if value.len() > self.limits.value_length || bytes > self.limits.value_bytes {
            return None;
        }
        self.bytes = bytes;
        if let Some(old) = entry.values.get_mut(place) {
            *old = Value::new(value);
        } else {
            if entry.values.len() == entry.values.capacity() {
                let room = self.limits.values_per_key - entry.values.len();
                entry
                    .values
                    .reserve_exact(room.min(4 + entry.values.len() / 4));
            }
            entry.values.push(Value::new(value));
        }
        entry.added += 1;
        Some(place as u16)
    }

    /// Bytes held, about.
    pub(crate) fn held(&self) -> usize {
        let keys: usize = self.keys.iter().map(Key::held).sum();
        let names: usize = self.names.keys().map(|name| allocated(name.len())).sum();
        let table = self.names.capacity() * (size_of::<(Box<[u8]>, u16)>() + 1);
        self.bytes + keys + names + table
    }

    /// A hash of every value in its place.
    pub(crate) fn digest(&self) -> u64 {
        self.keys.iter().fold(self.bytes as u64, |hash, key| {
            let count = key.added as u64 ^ u64::from(key.useful) << 32 ^ u64::from(key.seen) << 48;
            let hash = quick(&count.to_le_bytes(), hash);
            key.values
                .iter()
                .fold(hash, |hash, value| quick(value.get(), hash))
        })
    }
}

/// The sender's way from a value to its place. A miss costs bytes, never a wrong value: what is found is compared.
#[derive(Debug)]
pub(crate) struct Lookup {
    places: Vec<[u32; 2]>,
}

impl Default for Lookup {
    fn default() -> Self {
        Self {
            places: vec![[EMPTY; 2]; LOOKUP_PLACES / 2],
        }
    }
}

impl Lookup {
    /// The pair of places for a value: the newer first.
    #[inline]
    fn pair(key: u16, value: &[u8]) -> usize {
        quick(value, u64::from(key) << 32) as usize & (LOOKUP_PLACES / 2 - 1)
    }

    #[inline]
    pub(crate) fn find(&self, dictionary: &Dictionary, key: u16, value: &[u8]) -> Option<u16> {
        let known = dictionary.key(key)?;
        self.places
            .get(Self::pair(key, value))?
            .iter()
            .filter(|found| *found >> 16 == u32::from(key))
            .map(|found| *found as u16)
            .find(|place| known.value(*place) == Some(value))
    }

    pub(crate) fn note(&mut self, key: u16, value: &[u8], place: u16) {
        if let Some([first, second]) = self.places.get_mut(Self::pair(key, value)) {
            *second = std::mem::replace(first, u32::from(key) << 16 | u32::from(place));
        }
    }

    pub(crate) fn held(&self) -> usize {
        self.places.capacity() * size_of::<[u32; 2]>()
    }
}
