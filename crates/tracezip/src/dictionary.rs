//! The values of each key that were seen last: numbered places in a ring, the same on both sides.
//!
//! A place that is overwritten stands for its new value from then on, wherever it is referred to; both sides overwrite alike.

use std::collections::HashMap;

use crate::hash::quick;
use crate::limits::Limits;
use crate::model::Model;

/// The key of what no other key is left for.
const SHARED: u16 = 0;
/// Places of the sender's table.
const LOOKUP_PLACES: usize = 1 << 15;
const EMPTY: u32 = u32::MAX;
/// Bytes that a value costs beside its own.
const VALUE_OVERHEAD: usize = 16;

/// One key: its values, and the models of how values that are not expected are told.
#[derive(Debug, Default)]
pub(crate) struct Key {
    values: Vec<Box<[u8]>>,
    /// Values ever added.
    added: usize,
    pub(crate) way: Model,
    pub(crate) length: Model,
    pub(crate) age: Model,
    pub(crate) number: Model,
    pub(crate) difference: Model,
}

impl Key {
    pub(crate) fn value(&self, place: u16) -> Option<&[u8]> {
        self.values.get(usize::from(place)).map(AsRef::as_ref)
    }

    /// How many values were added after the one at this place.
    pub(crate) fn age_of(&self, place: u16) -> u64 {
        let places = self.values.len().max(1);
        let newest = (self.added + places - 1) % places;
        ((newest + places - usize::from(place)) % places) as u64
    }

    /// The place of the value after which that many were added.
    pub(crate) fn place_of(&self, age: u64) -> Option<u16> {
        let places = self.values.len();
        let age = usize::try_from(age).ok().filter(|age| *age < places)?;
        Some(((self.added + places - 1 - age) % places) as u16)
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

    /// The number of a key, which is made if there is room for it.
    pub(crate) fn key_of(&mut self, name: &[u8]) -> u16 {
        if let Some(key) = self.names.get(name) {
            return *key;
        }
        if self.keys.len() >= self.limits.keys {
            return SHARED;
        }
        let key = self.keys.len() as u16;
        self.keys.push(Key::default());
        self.names.insert(name.into(), key);
        key
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
        let is_full = entry.values.len() >= self.limits.values_per_key;
        let place = if is_full {
            entry.added % entry.values.len().max(1)
        } else {
            entry.values.len()
        };
        let freed = entry
            .values
            .get(place)
            .map_or(0, |old| old.len() + VALUE_OVERHEAD);
        let bytes = self.bytes - freed + value.len() + VALUE_OVERHEAD;
        if value.len() > self.limits.value_length || bytes > self.limits.value_bytes {
            return None;
        }
        self.bytes = bytes;
        match entry.values.get_mut(place) {
            Some(old) => *old = value.into(),
            None => entry.values.push(value.into()),
        }
        entry.added += 1;
        Some(place as u16)
    }

    /// Bytes held, about.
    pub(crate) fn held(&self) -> usize {
        let models: usize = self
            .keys
            .iter()
            .flat_map(|key| {
                [
                    &key.way,
                    &key.length,
                    &key.age,
                    &key.number,
                    &key.difference,
                ]
            })
            .map(Model::held)
            .sum();
        let names: usize = self.names.keys().map(|name| name.len() + 32).sum();
        self.bytes + models + names
    }

    /// A hash of every value in its place.
    pub(crate) fn digest(&self) -> u64 {
        self.keys.iter().fold(self.bytes as u64, |hash, key| {
            let hash = quick(&key.added.to_le_bytes(), hash);
            key.values
                .iter()
                .fold(hash, |hash, value| quick(value, hash))
        })
    }
}

/// The sender's way from a value to its place. A miss costs bytes, never a wrong value: what is found is compared.
#[derive(Debug)]
pub(crate) struct Lookup {
    places: Vec<u32>,
}

impl Default for Lookup {
    fn default() -> Self {
        Self {
            places: vec![EMPTY; LOOKUP_PLACES],
        }
    }
}

impl Lookup {
    #[inline]
    fn slot(key: u16, value: &[u8]) -> usize {
        quick(value, u64::from(key) << 32) as usize & (LOOKUP_PLACES - 1)
    }

    #[inline]
    pub(crate) fn find(&self, dictionary: &Dictionary, key: u16, value: &[u8]) -> Option<u16> {
        let found = *self.places.get(Self::slot(key, value))?;
        let place = found as u16;
        let is_it = found >> 16 == u32::from(key) && dictionary.key(key)?.value(place)? == value;
        is_it.then_some(place)
    }

    pub(crate) fn note(&mut self, key: u16, value: &[u8], place: u16) {
        if let Some(slot) = self.places.get_mut(Self::slot(key, value)) {
            *slot = u32::from(key) << 16 | u32::from(place);
        }
    }

    pub(crate) fn held(&self) -> usize {
        self.places.capacity() * size_of::<u32>()
    }
}
