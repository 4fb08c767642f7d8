//! What services did: their operations and who called whom, with counts, errors and durations.
//!
//! It is counted once for each file, because files never change, and put together for as many files as somebody asks for.

use std::collections::HashMap;
use std::sync::Arc;

use millrace_wire::varint;

mod count;
mod durations;

use durations::Durations;

/// Operations, and pairs of services, that are told apart; what comes above that is counted under [`OTHER`].
const APART_MAX: usize = 10_000;
/// The operation that stands for all that are not told apart.
const OTHER: u32 = u32::MAX;
/// The first byte of what is written: another number is not read.
const LAYOUT: u8 = 1;

/// Spans of one kind, or calls from one service to another.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Tally {
    count: u64,
    errors: u64,
    first: u64,
    last: u64,
    durations: Durations,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            count: 0,
            errors: 0,
            first: u64::MAX,
            last: 0,
            durations: Durations::default(),
        }
    }
}

/// A service, a name and a kind of spans.
type Operation = (u32, u32, i32);

/// What services did in some spans.
#[derive(Clone, Debug, Default)]
pub struct Activity {
    names: Vec<Arc<str>>,
    by_name: HashMap<Arc<str>, u32>,
    operations: HashMap<Operation, Tally>,
    /// By caller and called.
    calls: HashMap<(u32, u32), Tally>,
    /// Spans whose parent was found nowhere.
    orphans: u64,
}

/// Counts and quantiles.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Names: of a service; of a service and an operation; of the calling and the called service.
    pub names: (Arc<str>, Option<Arc<str>>),
    /// The kind of the spans of an operation, as a number of the protocol.
    pub kind: i32,
    /// Spans.
    pub count: u64,
    /// Those of them with an error.
    pub errors: u64,
    /// When the first and the last began, in nanoseconds since 1970.
    pub times: (u64, u64),
    /// The 50th, 95th and 99th percentile of durations, in nanoseconds, each at most 1/32 wrong.
    pub quantiles: [f64; 3],
    /// Of a service: how many names of spans it has.
    pub operations: usize,
}

impl Tally {
    fn add(&mut self, start: u64, duration: u64, is_error: bool) {
        self.count += 1;
        self.errors += u64::from(is_error);
        self.first = self.first.min(start);
        self.last = self.last.max(start);
        self.durations.add(duration);
    }

    fn write(&self, out: &mut Vec<u8>) {
        for number in [self.count, self.errors, self.first, self.last] {
            varint::push(out, number);
        }
        self.durations.write(out);
    }

    /// Adds what was written; `None` if it makes no sense.
    fn read<'a>(&mut self, bytes: &mut &'a [u8]) -> Option<()> {
        let rest: &'a [u8] = bytes;
        let (count, rest) = varint::read(rest)?;
        let (errors, rest) = varint::read(rest)?;
        let (first, rest) = varint::read(rest)?;
        let (last, rest) = varint::read(rest)?;
        self.count = self.count.saturating_add(count);
        self.errors = self.errors.saturating_add(errors);
        self.first = self.first.min(first);
        self.last = self.last.max(last);
        *bytes = self.durations.read(rest)?;
        Some(())
    }

    fn row(&self, names: (Arc<str>, Option<Arc<str>>), kind: i32) -> Row {
        Row {
            names,
            kind,
            count: self.count,
            errors: self.errors,
            times: (self.first, self.last),
            quantiles: [0.5, 0.95, 0.99].map(|share| self.durations.quantile(share)),
            operations: 0,
        }
    }
}

impl Activity {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn name(&mut self, name: &str) -> u32 {
        if let Some(index) = self.by_name.get(name) {
            return *index;
        }
        let index = self.names.len() as u32;
        let shared: Arc<str> = name.into();
        self.names.push(Arc::clone(&shared));
        self.by_name.insert(shared, index);
        index
    }

    fn text(&self, index: u32) -> Arc<str> {
        self.names.get(index as usize).cloned().unwrap_or_default()
    }

    fn operation(&mut self, operation: Operation) -> &mut Tally {
        let is_known = self.operations.contains_key(&operation);
        let place = if is_known || self.operations.len() < APART_MAX {
            operation
        } else if self.operations.len() < 2 * APART_MAX {
            (operation.0, OTHER, 0)
        } else {
            (OTHER, OTHER, 0)
        };
        self.operations.entry(place).or_default()
    }

    fn call(&mut self, pair: (u32, u32)) -> &mut Tally {
        let is_told_apart = self.calls.contains_key(&pair) || self.calls.len() < APART_MAX;
        let place = if is_told_apart { pair } else { (OTHER, OTHER) };
        self.calls.entry(place).or_default()
    }

    /// As bytes, which [`add`](Self::add) reads.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = vec![LAYOUT];
        varint::push(&mut out, self.names.len() as u64);
        for name in &self.names {
            varint::push(&mut out, name.len() as u64);
            out.extend_from_slice(name.as_bytes());
        }
        varint::push(&mut out, self.operations.len() as u64);
        for ((service, name, kind), tally) in &self.operations {
            varint::push(&mut out, u64::from(*service));
            varint::push(&mut out, u64::from(*name));
            varint::push(&mut out, varint::zigzag(i64::from(*kind)));
            tally.write(&mut out);
        }
        varint::push(&mut out, self.calls.len() as u64);
        for ((from, to), tally) in &self.calls {
            varint::push(&mut out, u64::from(*from));
            varint::push(&mut out, u64::from(*to));
            tally.write(&mut out);
        }
        varint::push(&mut out, self.orphans);
        out
    }

    /// Adds what [`to_bytes`](Self::to_bytes) has made of another one. `None`, with a part of it added, if it makes no sense.
    #[must_use]
    pub fn add(&mut self, bytes: &[u8]) -> Option<()> {
        let mut rest = bytes.strip_prefix(&[LAYOUT])?;
        let next = |rest: &mut &[u8]| {
            let (number, after) = varint::read(rest)?;
            *rest = after;
            Some(number)
        };
        let mut ours = Vec::new();
        for _ in 0..next(&mut rest)? {
            let length = usize::try_from(next(&mut rest)?).ok()?;
            let name = std::str::from_utf8(rest.get(..length)?).ok()?;
            rest = rest.get(length..)?;
            ours.push(self.name(name));
        }
        let index = |theirs: u64| {
            if theirs == u64::from(OTHER) {
                return Some(OTHER);
            }
            ours.get(usize::try_from(theirs).ok()?).copied()
        };
        for _ in 0..next(&mut rest)? {
            let service = index(next(&mut rest)?)?;
            let name = index(next(&mut rest)?)?;
            let kind = i32::try_from(varint::unzigzag(next(&mut rest)?)).ok()?;
            self.operation((service, name, kind)).read(&mut rest)?;
        }
        for _ in 0..next(&mut rest)? {
            let pair = (index(next(&mut rest)?)?, index(next(&mut rest)?)?);
            self.call(pair).read(&mut rest)?;
        }
        self.orphans = self.orphans.saturating_add(next(&mut rest)?);
        rest.is_empty().then_some(())
    }

    /// Each service.
    #[must_use]
    pub fn services(&self) -> Vec<Row> {
        let mut services: HashMap<u32, (Tally, Vec<u32>)> = HashMap::new();
        let mut bytes = Vec::new();
        for ((service, name, _), tally) in &self.operations {
            let (of_service, names) = services.entry(*service).or_default();
            bytes.clear();
            tally.write(&mut bytes);
            let _ = of_service.read(&mut bytes.as_slice());
            names.push(*name);
        }
        services
            .into_iter()
            .map(|(service, (tally, mut names))| {
                names.sort_unstable();
                names.dedup();
                let mut row = tally.row((self.text(service), None), 0);
                row.operations = names.len();
                row
            })
            .collect()
    }

    /// Each operation that is told apart: of one service, if it is named.
    #[must_use]
    pub fn operations(&self, of: Option<&str>) -> Vec<Row> {
        self.operations
            .iter()
            .filter(|((service, name, _), _)| {
                *name != OTHER && of.is_none_or(|of| &*self.text(*service) == of)
            })
            .map(|((service, name, kind), tally)| {
                tally.row((self.text(*service), Some(self.text(*name))), *kind)
            })
            .collect()
    }

    /// Each pair of services of which one calls the other.
    #[must_use]
    pub fn calls(&self) -> Vec<Row> {
        self.calls
            .iter()
            .filter(|((from, _), _)| *from != OTHER)
            .map(|((from, to), tally)| tally.row((self.text(*from), Some(self.text(*to))), 0))
            .collect()
    }

    /// Spans of operations that are not told apart, and spans whose parent was found nowhere.
    #[must_use]
    pub fn left_out(&self) -> (u64, u64) {
        let other = self
            .operations
            .iter()
            .filter(|((_, it, _), _)| *it == OTHER);
        (other.map(|(_, tally)| tally.count).sum(), self.orphans)
    }
}
