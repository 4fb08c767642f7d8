//! The span retrieval tree of one shape, kept as its leaves: which values of the slots came together.
//!
//! A path names the values of all slots that have few of them, so that one symbol stands for all. A slot that gets more
//! than ψ values, or the one with the most when there are too many paths, takes part no longer, and the paths begin anew.

use crate::hash::quick;
use crate::model::Model;

/// Paths of one shape; as many as its model can tell apart.
const PATHS_MAX: usize = 60;

/// What the paths of a session may take together.
#[derive(Debug)]
pub(crate) struct Budget {
    pub(crate) nodes: usize,
}

/// The paths of one shape.
#[derive(Debug)]
pub(crate) struct Paths {
    /// The slots that take part.
    pub(crate) slots: Vec<u16>,
    /// Places in the dictionaries, one for each slot of each path.
    nodes: Vec<u16>,
    hashes: Vec<u32>,
    pub(crate) model: Model,
    last: usize,
    values_max: usize,
}

impl Paths {
    pub(crate) fn new(slots: usize, values_max: usize) -> Self {
        // A single slot says as much by itself.
        let takes_part = values_max > 0 && slots > 1;
        Self {
            slots: (0..slots as u16).filter(|_| takes_part).collect(),
            nodes: Vec::new(),
            hashes: Vec::new(),
            model: Model::default(),
            last: 0,
            values_max,
        }
    }

    pub(crate) fn is_used(&self) -> bool {
        self.slots.len() > 1
    }

    /// The places that a path stands for.
    pub(crate) fn get(&self, path: usize) -> Option<&[u16]> {
        let width = self.slots.len();
        self.nodes.get(path * width..(path + 1) * width)
    }

    /// The path of these places.
    pub(crate) fn find(&mut self, places: &[u16]) -> Option<usize> {
        if self.get(self.last) == Some(places) {
            return Some(self.last);
        }
        let hash = hash_of(places);
        let found = self
            .hashes
            .iter()
            .position(|known| *known == hash)
            .filter(|path| self.get(*path) == Some(places))?;
        self.last = found;
        Some(found)
    }

    /// Learns that these places came together, and which slots have too many values for that to be worth it.
    pub(crate) fn learn(
        &mut self,
        places: &[u16],
        surprises: impl Fn(u16) -> u32,
        budget: &mut Budget,
    ) {
        let mut crowded = self
            .slots
            .iter()
            .copied()
            .filter(|slot| surprises(*slot) as usize > self.values_max)
            .collect::<Vec<u16>>();
        if crowded.is_empty() && self.hashes.len() >= PATHS_MAX {
            crowded.extend(
                self.slots
                    .iter()
                    .copied()
                    .max_by_key(|slot| surprises(*slot)),
            );
        }
        if !crowded.is_empty() {
            budget.nodes += self.nodes.len();
            self.slots.retain(|slot| !crowded.contains(slot));
            self.nodes.clear();
            self.hashes.clear();
            self.model = Model::default();
            self.last = 0;
            return;
        }
        if places.len() == self.slots.len() && places.len() <= budget.nodes {
            budget.nodes -= places.len();
            self.model.learn(self.hashes.len() as u16);
            self.hashes.push(hash_of(places));
            self.nodes.extend_from_slice(places);
        }
    }

    pub(crate) fn held(&self) -> usize {
        (self.slots.capacity() + self.nodes.capacity()) * size_of::<u16>()
            + self.hashes.capacity() * size_of::<u32>()
            + self.model.held()
    }

    /// A hash of all paths.
    pub(crate) fn digest(&self) -> u64 {
        self.nodes
            .iter()
            .chain(&self.slots)
            .fold(0, |hash, place| quick(&place.to_le_bytes(), hash))
    }
}

fn hash_of(places: &[u16]) -> u32 {
    places.iter().fold(0x811c_9dc5, |hash: u32, place| {
        (hash ^ u32::from(*place))
            .wrapping_mul(0x0100_0193)
            .rotate_left(13)
    })
}
