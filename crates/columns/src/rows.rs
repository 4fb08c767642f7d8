//! Gathers the items of requests and sorts them as files are sorted.

use bytes::Bytes;
use millrace_wire::Signal;
use millrace_wire::field::{Fields, Value, push_delimited};

use crate::dictionary::Dictionary;
use crate::tables::{Tables, describe_metric, describe_resource, describe_scope, hash, without};

const SCOPES: u32 = 2;
const ITEMS: u32 = 2;
const POINTS: u32 = 1;

/// One item and what it stands under.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row<'a> {
    pub(crate) resource: u32,
    pub(crate) scope: u32,
    pub(crate) metric: u32,
    /// Of metrics: the hash of the point's attributes.
    pub(crate) series: u64,
    /// The span, log record or data point.
    pub(crate) item: &'a [u8],
}

/// In what order rows stand in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    resource: u64,
    /// The rank of the name of a span, or of the metric.
    name: u32,
    series: u64,
    time: u64,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    key: Key,
    resource: u32,
    scope: u32,
    metric: u32,
    request: u32,
    start: u32,
    length: u32,
}

/// Items of requests of one signal, not copied: the requests stay as they came.
#[derive(Debug)]
pub struct Rows {
    pub(crate) signal: Signal,
    requests: Vec<Bytes>,
    entries: Vec<Entry>,
    pub(crate) tables: Tables,
    names: Dictionary,
    /// The least and greatest time of an item: of a span its start, of the others their own.
    times: Option<(u64, u64)>,
    scratch: Vec<u8>,
}

impl Rows {
    /// No rows yet.
    #[must_use]
    pub fn new(signal: Signal) -> Self {
        Self {
            signal,
            requests: Vec::new(),
            entries: Vec::new(),
            tables: Tables::default(),
            names: Dictionary::default(),
            times: None,
            scratch: Vec::new(),
        }
    }

    /// How many items there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Adds the items of a validated request.
    pub fn push(&mut self, request: &Bytes) {
        self.requests.push(request.clone());
        for field in Fields::new(request) {
            if let (1, Value::Delimited(resource)) = (field.number, field.value) {
                self.push_resource(request, resource);
            }
        }
    }

    fn push_resource(&mut self, request: &Bytes, resource: &[u8]) {
        let mut bytes = std::mem::take(&mut self.scratch);
        bytes.clear();
        without(resource, SCOPES, &mut bytes);
        let index = self.tables.resources.intern(&bytes, describe_resource);
        for field in Fields::new(resource) {
            if let (SCOPES, Value::Delimited(scope)) = (field.number, field.value) {
                bytes.clear();
                without(scope, ITEMS, &mut bytes);
                let scope_index = self.tables.scopes.intern(&bytes, describe_scope);
                self.push_scope(request, index, scope_index, scope);
            }
        }
        self.scratch = bytes;
    }

    fn push_scope(&mut self, request: &Bytes, resource: u32, scope_index: u32, scope: &[u8]) {
        let resource_hash = self.tables.resources.get(resource).map_or(0, |it| it.hash);
        for field in Fields::new(scope) {
            let (ITEMS, Value::Delimited(item)) = (field.number, field.value) else {
                continue;
            };
            let place = (resource_hash, resource, scope_index);
            match self.signal {
                Signal::Metrics => self.push_metric(request, place, item),
                Signal::Traces => {
                    let (name, time) = name_and_start(item);
                    let name = self.names.intern(name);
                    self.push_item(request, place, (name, 0, 0, time), item);
                }
                _ => self.push_item(request, place, (0, 0, 0, time_of_log(item)), item),
            }
        }
    }

    fn push_metric(&mut self, request: &Bytes, place: (u64, u32, u32), metric: &[u8]) {
        let mut bytes = Vec::new();
        let mut data = None;
        for field in Fields::new(metric) {
            match (field.number, field.value) {
                (5 | 7 | 9 | 10 | 11, Value::Delimited(content)) => {
                    data = Some((field.number, content));
                }
                _ => bytes.extend_from_slice(field.bytes),
            }
        }
        let Some((arm, data)) = data else {
            return; // a metric without data has no points
        };
        let mut description = Vec::new();
        without(data, POINTS, &mut description);
        push_delimited(&mut bytes, arm, &description);
        let index = self.tables.metrics.intern(&bytes, describe_metric);
        let name = self.names.intern(&bytes);
        for field in Fields::new(data) {
            if let (POINTS, Value::Delimited(point)) = (field.number, field.value) {
                let (series, time) = series_and_time(arm, point);
                self.push_item(request, place, (name, index, series, time), point);
            }
        }
    }

    fn push_item(
        &mut self,
        request: &Bytes,
        (resource_hash, resource, scope): (u64, u32, u32),
        (name, metric, series, time): (u32, u32, u64, u64),
        item: &[u8],
    ) {
        let (least, greatest) = self.times.unwrap_or((time, time));
        self.times = Some((least.min(time), greatest.max(time)));
        self.entries.push(Entry {
            key: Key {
                resource: resource_hash,
                name,
                series,
                time,
            },
            resource,
            scope,
            metric,
            request: self.requests.len() as u32 - 1,
            start: (item.as_ptr().addr() - request.as_ptr().addr()) as u32,
            length: item.len() as u32,
        });
    }

    /// Sorts by resource, name and start; points by resource, metric, series and time.
    pub(crate) fn sort(&mut self) {
        let mut names: Vec<_> = self.names.values().zip(0usize..).collect();
        names.sort_unstable();
        let mut ranks = vec![0u32; names.len()];
        for (rank, (_, index)) in names.iter().enumerate() {
            if let Some(place) = ranks.get_mut(*index) {
                *place = rank as u32;
            }
        }
        for entry in &mut self.entries {
            let rank = ranks.get(entry.key.name as usize);
            entry.key.name = rank.copied().unwrap_or_default();
        }
        self.entries.sort_by_key(|entry| entry.key);
    }

    /// The least and greatest time of an item.
    #[must_use]
    pub const fn times(&self) -> Option<(u64, u64)> {
        self.times
    }

    /// The rows, in their order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Row<'_>> {
        self.entries.iter().enumerate().map(|(index, entry)| {
            if let Some(soon) = self.entries.get(index + AHEAD) {
                touch(self.item(soon));
            }
            Row {
                resource: entry.resource,
                scope: entry.scope,
                metric: entry.metric,
                series: entry.key.series,
                item: self.item(entry),
            }
        })
    }

    fn item(&self, entry: &Entry) -> &[u8] {
        let start = entry.start as usize;
        let request = self.requests.get(entry.request as usize);
        let item = request.and_then(|bytes| bytes.get(start..start + entry.length as usize));
        item.unwrap_or_default()
    }
}

/// How many rows before its turn an item is fetched: sorted, they stand all over the memory, and each would be waited for.
const AHEAD: usize = 8;

/// Reads a little of an item, so that it is in the cache when its turn comes.
fn touch(item: &[u8]) {
    const LINE: usize = 64;
    for line in 0..4 {
        std::hint::black_box(item.get(line * LINE).copied());
    }
}

/// Name and start of a span, as far as its order needs them: they stand in front of what is most of it, and a part that
/// stands there again behind that is not looked for.
pub(crate) fn name_and_start(span: &[u8]) -> (&[u8], u64) {
    let (mut name, mut start) = (&[][..], 0);
    for field in Fields::new(span) {
        match field.number {
            5 => name = field.value.delimited(),
            7 => start = field.value.bits(),
            8.. if start != 0 => break,
            _ => {}
        }
    }
    (name, start)
}

/// When a log record happened, or was seen where that is not known.
pub(crate) fn time_of_log(record: &[u8]) -> u64 {
    let (mut time, mut observed) = (0, 0);
    for field in Fields::new(record) {
        match field.number {
            1 => time = field.value.bits(),
            11 => observed = field.value.bits(),
            _ => {}
        }
    }
    if time == 0 { observed } else { time }
}

/// The hash of the attributes of a point, and its time.
pub(crate) fn series_and_time(arm: u32, point: &[u8]) -> (u64, u64) {
    const EXPONENTIAL_HISTOGRAM: u32 = 10;
    const HISTOGRAM: u32 = 9;
    let attributes = match arm {
        HISTOGRAM => 9,
        EXPONENTIAL_HISTOGRAM => 1,
        _ => 7,
    };
    let (mut series, mut time) = (0u64, 0);
    for field in Fields::new(point) {
        if field.number == 3 {
            time = field.value.bits();
        } else if field.number == attributes {
            series = series.rotate_left(7) ^ hash(field.value.delimited());
        }
    }
    (series, time)
}
