//! The span retrieval tree of one shape, kept as its leaves: which values of the slots came together.
//!
//! A path is the very bytes of all attributes that have few values, so that one symbol stands for all of them, and they are
//! compared and copied as a whole. A slot that gets more than ψ values, or those with the most when there are too many paths,
//! takes part no longer, and the paths begin anew.

use crate::family::Slot;
use crate::hash::quick;
use crate::memory::{allocated, of_vec};
use crate::model::Model;
use crate::out::Out;
use crate::shape::{Part, Step};

/// Paths of one shape.
const PATHS_MAX: usize = 16;
/// Bytes of a path that count as one of the nodes of a session.
const NODE_BYTES: usize = 8;

/// Bytes of a path at first, and more than any path has: keys and values have their own bounds.
const PATH_BYTES: usize = 1 << 10;
const PATH_BYTES_MAX: usize = 1 << 23;

/// What the paths of a session may take together.
#[derive(Debug)]
pub(crate) struct Budget {
    pub(crate) nodes: usize,
}

/// Steps in a row that belong to the path: from, to, and how many slots are among them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub(crate) from: u16,
    pub(crate) to: u16,
    slots: u16,
}

/// One path: what stands on the wire for each run.
#[derive(Debug, PartialEq, Eq)]
struct Path {
    bytes: Box<[u8]>,
    ends: Box<[u32]>,
}

impl Path {
    #[inline]
    fn run(&self, run: usize) -> &[u8] {
        let end = |run: usize| self.ends.get(run).map_or(0, |end| *end as usize);
        let start = run.checked_sub(1).map_or(0, end);
        self.bytes.get(start..end(run)).unwrap_or_default()
    }

    fn nodes(&self) -> usize {
        self.bytes.len().div_ceil(NODE_BYTES)
    }
}

/// The paths of one shape.
#[derive(Debug, Default)]
pub(crate) struct Paths {
    runs: Box<[Run]>,
    /// The slots that take no part.
    pub(crate) others: Box<[u16]>,
    all: Vec<Path>,
    pub(crate) model: Model,
    /// The path that came last, which the sender tries first.
    last: u16,
    values_max: u32,
}

impl Paths {
    /// None of these slots beyond the first `early` takes part.
    pub(crate) fn new(steps: &[Step], parts: &mut [Part], early: usize, values_max: usize) -> Self {
        for part in parts.iter_mut().take(early) {
            part.on_path = values_max > 0;
        }
        let mut paths = Self {
            values_max: values_max.try_into().unwrap_or(u32::MAX),
            ..Self::default()
        };
        paths.lay_out(steps, parts);
        paths
    }

    #[inline]
    pub(crate) fn is_used(&self) -> bool {
        !self.runs.is_empty()
    }

    pub(crate) fn has_any(&self) -> bool {
        !self.all.is_empty()
    }

    /// The run of this number, if it begins at this step.
    #[inline]
    pub(crate) fn run_at(&self, run: usize, step: usize) -> Option<Run> {
        self.runs
            .get(run)
            .copied()
            .filter(|run| usize::from(run.from) == step)
    }

    /// What a path has in a run.
    #[inline]
    pub(crate) fn bytes(&self, path: usize, run: usize) -> Option<&[u8]> {
        self.all.get(path).map(|path| path.run(run))
    }

    /// The path that came last.
    pub(crate) fn last(&self) -> usize {
        usize::from(self.last)
    }

    pub(crate) fn came(&mut self, path: u16) {
        self.last = path;
    }

    /// The path that is like another up to a run, and goes on as these bytes do.
    pub(crate) fn fork(&self, like: usize, run: usize, bytes: &[u8]) -> Option<usize> {
        let before =
            |path: usize| (0..run).all(|run| self.bytes(path, run) == self.bytes(like, run));
        (0..self.all.len()).find(|path| {
            self.bytes(*path, run)
                .is_some_and(|own| bytes.starts_with(own))
                && before(*path)
        })
    }

    /// Learns which values came together, or which slots have too many for that to be worth it.
    pub(crate) fn learn(
        &mut self,
        steps: &[Step],
        (parts, slots): (&mut [Part], &[Slot]),
        budget: &mut Budget,
        mut write: impl FnMut(Step, &mut Out) -> Option<()>,
    ) -> Option<()> {
        let surprises = |part: &Part| {
            let slot = slots.get(usize::from(part.slot));
            slot.map_or(0, |slot| slot.surprises)
        };
        let most = parts
            .iter()
            .filter(|part| part.on_path)
            .map(surprises)
            .max()?;
        let is_crowded = most > self.values_max;
        if is_crowded || self.all.len() >= PATHS_MAX {
            let allowed = if is_crowded {
                self.values_max
            } else {
                most.saturating_sub(1)
            };
            for part in parts.iter_mut() {
                part.on_path &= surprises(part) <= allowed;
            }
            budget.nodes += self.all.iter().map(Path::nodes).sum::<usize>();
            *self = Self {
                values_max: self.values_max,
                ..Self::default()
            };
            self.lay_out(steps, parts);
            return Some(());
        }
        let mut path = Out::new(PATH_BYTES_MAX, PATH_BYTES);
        let mut ends = Vec::new();
        for run in &self.runs {
            for step in steps.get(usize::from(run.from)..usize::from(run.to))? {
                write(*step, &mut path)?;
            }
            ends.push(path.position() as u32);
        }
        let path = Path {
            bytes: path.get(0, path.position()).into(),
            ends: ends.into(),
        };
        // The model forgets a path that came rarely.
        if let Some(known) = self.all.iter().position(|known| *known == path) {
            self.model.learn(known as u16);
            self.last = known as u16;
        } else if path.nodes() <= budget.nodes {
            budget.nodes -= path.nodes();
            self.model.learn(self.all.len() as u16);
            self.last = self.all.len() as u16;
            if self.all.len() == self.all.capacity() {
                self.all.reserve_exact(2);
            }
            self.all.push(path);
        }
        Some(())
    }

    /// Finds the runs: as long as can be, each with a slot that takes part.
    fn lay_out(&mut self, steps: &[Step], parts: &[Part]) {
        let (mut runs, mut others) = (Vec::new(), Vec::new());
        let mut open: Option<Run> = None;
        for (index, step) in steps.iter().enumerate() {
            let slot = step.slot();
            let is_part = match step {
                Step::Literal(_) => true,
                _ => slot.is_some_and(|slot| {
                    parts
                        .get(usize::from(slot))
                        .is_some_and(|part| part.on_path)
                }),
            };
            others.extend(slot.filter(|_| !is_part));
            let at = index as u16;
            if is_part {
                let run = open.get_or_insert(Run {
                    from: at,
                    to: at,
                    slots: 0,
                });
                run.to = at + 1;
                run.slots += u16::from(slot.is_some());
            } else {
                runs.extend(open.take().filter(|run| run.slots > 0));
            }
        }
        runs.extend(open.filter(|run| run.slots > 0));
        (self.runs, self.others) = (runs.into(), others.into());
    }

    pub(crate) fn held(&self) -> usize {
        let paths: usize = self
            .all
            .iter()
            .map(|path| allocated(path.bytes.len()) + allocated(path.ends.len() * size_of::<u32>()))
            .sum();
        allocated(size_of_val(&*self.runs))
            + allocated(size_of_val(&*self.others))
            + of_vec(&self.all)
            + paths
            + self.model.held()
    }

    /// A hash of all paths.
    pub(crate) fn digest(&self) -> u64 {
        self.all.iter().fold(self.runs.len() as u64, |hash, path| {
            quick(&path.bytes, hash)
        })
    }
}
