//! The different values of a column, each kept once and known by its number.

use ahash::RandomState;
use hashbrown::HashTable;

/// Different texts or bytes, kept as a dictionary page has them: each behind its length in 4 bytes.
#[derive(Debug, Default)]
pub(crate) struct Dictionary {
    table: HashTable<u32>,
    random: RandomState,
    page: Vec<u8>,
    /// Where in the page each value ends.
    ends: Vec<usize>,
}

const LENGTH_BYTES: usize = 4;

impl Dictionary {
    /// The number of a value.
    pub(crate) fn intern(&mut self, value: &[u8]) -> u32 {
        let hash = self.random.hash_one(value);
        let (page, ends) = (&self.page, &self.ends);
        let known = self
            .table
            .find(hash, |number| get(page, ends, *number) == value);
        if let Some(number) = known {
            return *number;
        }
        let number = self.ends.len() as u32;
        self.page
            .extend_from_slice(&(value.len() as u32).to_le_bytes());
        self.page.extend_from_slice(value);
        self.ends.push(self.page.len());
        let (page, ends, random) = (&self.page, &self.ends, &self.random);
        self.table.insert_unique(hash, number, |number| {
            random.hash_one(get(page, ends, *number))
        });
        number
    }

    #[inline]
    pub(crate) fn get(&self, number: u32) -> &[u8] {
        get(&self.page, &self.ends, number)
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len() as u32).map(|number| self.get(number))
    }

    pub(crate) const fn len(&self) -> usize {
        self.ends.len()
    }

    /// The content of a dictionary page.
    pub(crate) fn page(&self) -> &[u8] {
        &self.page
    }
}

#[inline]
fn get<'a>(page: &'a [u8], ends: &[usize], number: u32) -> &'a [u8] {
    let place = number as usize;
    let start = place
        .checked_sub(1)
        .and_then(|before| ends.get(before).copied())
        .unwrap_or_default();
    let end = ends.get(place).copied().unwrap_or_default();
    page.get(start + LENGTH_BYTES..end).unwrap_or_default()
}

/// Different numbers, by their bits.
#[derive(Default)]
pub(crate) struct Numbers {
    table: HashTable<u32>,
    random: RandomState,
    values: Vec<u64>,
}

impl Numbers {
    /// The number of a value.
    pub(crate) fn intern(&mut self, value: u64) -> u32 {
        let hash = self.random.hash_one(value);
        let values = &self.values;
        let known = self
            .table
            .find(hash, |number| values.get(*number as usize) == Some(&value));
        if let Some(number) = known {
            return *number;
        }
        let number = self.values.len() as u32;
        self.values.push(value);
        let (values, random) = (&self.values, &self.random);
        self.table.insert_unique(hash, number, |number| {
            random.hash_one(values.get(*number as usize).copied().unwrap_or_default())
        });
        number
    }

    #[inline]
    pub(crate) fn get(&self, number: u32) -> Option<u64> {
        self.values.get(number as usize).copied()
    }

    pub(crate) fn values(&self) -> &[u64] {
        &self.values
    }
}
