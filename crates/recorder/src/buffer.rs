//! Telemetry that has ended and waits to be taken: bytes in chunks, each chunk a whole request as soon as it is taken.
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use millrace_wire::field::{DELIMITED, push_delimited};
use millrace_wire::varint;

use crate::fork::{AtFork, Shared};

/// A chunk this long is a request of its own: large enough that a request costs little beside its bytes.
const CHUNK_BYTES: usize = 512 * 1024;
/// What the first chunk of a scope has room for; it doubles from there.
const CHUNK_BYTES_MIN: usize = 4 * 1024;
/// Emptied chunks that are kept for the next ones, so that a busy process does not ask the kernel for fresh pages.
const SPARE_CHUNKS: usize = 4;
/// Field numbers and wire types of OTLP's envelopes, the same for every signal: see `ResourceSpans` and `ScopeSpans`.
const RESOURCES: u8 = 1 << 3 | DELIMITED;
const INNER: u8 = 2 << 3 | DELIMITED;
const DESCRIPTION: u32 = 1;
const SCHEMA_URL: u32 = 3;

/// How much may wait.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes that wait or are being sent; what does not fit is dropped and counted.
    pub bytes: usize,
    /// Items that wait, where somebody has asked for a number.
    pub items: Option<usize>,
    /// Items in one request at most.
    pub request_items: Option<usize>,
    /// Waiting items at which the pipeline is woken instead of waiting for its next look.
    pub wake_items: usize,
}

impl Default for Limits {
    /// 64 MiB; woken at 512 items (`OTEL_BSP_MAX_EXPORT_BATCH_SIZE`'s default).
    fn default() -> Self {
        Self {
            bytes: 64 << 20,
            items: None,
            request_items: None,
            wake_items: 512,
        }
    }
}

/// An instrumentation scope of one [`Buffer`]: where its items are put.
#[derive(Clone, Debug)]
pub struct Scope {
    slot: usize,
    /// Fields of `ScopeSpans` or `ScopeLogs` that say which scope it is.
    fields: Arc<[u8]>,
}

/// One export request, taken out of a [`Buffer`].
#[derive(Clone, Debug)]
pub struct Request {
    /// The whole request. Its place in the buffer's limit is free when the last reference to it goes.
    pub bytes: Bytes,
    /// Spans or log records in it.
    pub items: usize,
}

/// What has become of everything a [`Buffer`] was given in this process: `recorded = taken + dropped + waiting`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Items given.
    pub recorded: u64,
    /// Items handed out in requests.
    pub taken: u64,
    /// Items that found the buffer full.
    pub dropped: u64,
    /// Items that wait.
    pub waiting: u64,
}

/// Holds finished items of one signal, each in its final bytes, until the pipeline takes them.
pub struct Buffer {
    limits: Limits,
    slots: AtomicUsize,
    returns: Arc<Returns>,
    state: Shared<State>,
}

/// Where requests that were taken give back what they held.
struct Returns {
    /// Bytes that are being sent.
    taken: AtomicUsize,
    spare: Shared<Spare>,
}

/// Emptied chunks.
#[derive(Default)]
struct Spare(Vec<Vec<u8>>);

type Waker = Arc<dyn Fn() + Send + Sync>;

struct State {
    /// Fields of `ResourceSpans` or `ResourceLogs` that say whose telemetry it is.
    resource: Arc<[u8]>,
    /// The growing chunk of each scope, by slot.
    open: Vec<Option<Chunk>>,
    /// Slots with a growing chunk, oldest first.
    growing: VecDeque<usize>,
    full: VecDeque<Chunk>,
    /// The scope that has filled a chunk last.
    busy: Option<Arc<[u8]>>,
    /// Bytes that wait.
    used: usize,
    tally: Tally,
    waker: Option<Waker>,
    returns: Arc<Returns>,
}

/// Items of one scope behind room for their envelopes.
struct Chunk {
    bytes: Vec<u8>,
    room: usize,
    items: usize,
    resource: Arc<[u8]>,
    scope: Arc<[u8]>,
}

/// Owns the bytes of a request that was taken; gives them back to the buffer.
struct Taken {
    bytes: Vec<u8>,
    charged: usize,
    returns: Arc<Returns>,
}

impl Buffer {
    /// An empty buffer.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let returns = Arc::new(Returns {
            taken: AtomicUsize::new(0),
            spare: Shared::new(Spare::default()),
        });
        Self {
            limits,
            slots: AtomicUsize::new(0),
            returns: Arc::clone(&returns),
            state: Shared::new(State {
                resource: described(&[], ""),
                open: Vec::new(),
                growing: VecDeque::new(),
                full: VecDeque::new(),
                busy: None,
                used: 0,
                tally: Tally::default(),
                waker: None,
                returns,
            }),
        }
    }

    /// Says whose telemetry it is from now on: the encoded content of a `Resource`, and its schema.
    pub fn set_resource(&self, resource: &[u8], schema_url: &str) {
        self.state.lock().resource = described(resource, schema_url);
    }

    /// A place for the items of one instrumentation scope: the encoded content of an `InstrumentationScope`, and its schema.
    #[must_use]
    pub fn scope(&self, scope: &[u8], schema_url: &str) -> Scope {
        Scope {
            slot: self.slots.fetch_add(1, Ordering::Relaxed),
            fields: described(scope, schema_url),
        }
    }

    /// Has `waker` called when the first item arrives in the empty buffer, again at [`Limits::wake_items`], and for every
    /// request that is full.
    ///
    /// It is called on the thread that records, with nothing locked, and has to return at once.
    pub fn wake_with(&self, waker: impl Fn() + Send + Sync + 'static) {
        self.state.lock().waker = Some(Arc::new(waker));
    }

    /// Adds one item: the encoded content of a `Span` or `LogRecord`. False when it does not fit and was dropped.
    pub fn append(&self, scope: &Scope, item: &[u8]) -> bool {
        let length = item.len() as u64;
        let size = 1 + varint::length(length) + item.len();
        let mut state = self.state.lock();
        state.tally.recorded += 1;
        let waiting = state.tally.waiting as usize;
        let over_items = self.limits.items.is_some_and(|limit| waiting >= limit);
        let used = state.used + self.returns.taken.load(Ordering::Relaxed);
        if over_items || used + size > self.limits.bytes {
            state.tally.dropped += 1;
            return false;
        }
        state.used += size;
        state.tally.waiting += 1;
        let chunk = match state.open.get_mut(scope.slot) {
            Some(Some(chunk)) => chunk,
            _ => state.begin(scope),
        };
        chunk.bytes.push(INNER);
        varint::push(&mut chunk.bytes, length);
        chunk.bytes.extend_from_slice(item);
        chunk.items += 1;
        let is_long = chunk.bytes.len() >= CHUNK_BYTES;
        let full = is_long || Some(chunk.items) == self.limits.request_items;
        if full {
            state.seal(scope.slot);
        }
        if is_long && !state.is_busy(scope) {
            state.busy = Some(Arc::clone(&scope.fields));
        }
        let wake = full || waiting == 0 || waiting + 1 == self.limits.wake_items;
        let waker = if wake { state.waker.clone() } else { None };
        drop(state);
        if let Some(waker) = waker {
            waker();
        }
        true
    }

    /// The next request, of one scope; `None` when nothing waits.
    #[must_use]
    pub fn take(&self) -> Option<Request> {
        let mut state = self.state.lock();
        let chunk = loop {
            if let Some(chunk) = state.full.pop_front() {
                break chunk;
            }
            let oldest = state.growing.front().copied()?;
            state.seal(oldest);
        };
        let items = chunk.items;
        state.tally.taken += items as u64;
        state.tally.waiting -= items as u64;
        let charged = chunk.charged();
        state.used -= charged;
        self.returns.taken.fetch_add(charged, Ordering::Relaxed);
        drop(state);
        Some(Request {
            bytes: chunk.finish(Arc::clone(&self.returns)),
            items,
        })
    }

    /// Lets no waiting request grow further, so that what has been appended until now is taken before what comes later.
    pub fn seal(&self) {
        let mut state = self.state.lock();
        while let Some(oldest) = state.growing.front().copied() {
            state.seal(oldest);
        }
    }

    /// Whether what waits should not wait longer: a request is full, or there are [`Limits::wake_items`].
    #[must_use]
    pub fn is_pressing(&self) -> bool {
        let state = self.state.lock();
        !state.full.is_empty() || state.tally.waiting >= self.limits.wake_items as u64
    }

    /// What has become of everything so far.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.state.lock().tally
    }

    /// Bytes that wait or are being sent.
    #[must_use]
    pub fn used_bytes(&self) -> usize {
        let state = self.state.lock();
        state.used + self.returns.taken.load(Ordering::Relaxed)
    }

    /// The limits it was made with.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.limits
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tally = self.tally();
        formatter
            .debug_struct("Buffer")
            .field("limits", &self.limits)
            .field("tally", &tally)
            .finish_non_exhaustive()
    }
}

impl State {
    #[cold]
    fn begin(&mut self, scope: &Scope) -> &mut Chunk {
        if self.open.len() <= scope.slot {
            self.open.resize_with(scope.slot + 1, || None);
        }
        self.growing.push_back(scope.slot);
        // Two tags and two lengths of at most ten bytes stand before the descriptions.
        let room = self.resource.len() + scope.fields.len() + 2 * 11;
        // Only a scope that fills chunks gets a whole one: a process with many quiet scopes stays small.
        let spare = || self.returns.spare.try_lock()?.0.pop();
        let mut bytes = self
            .is_busy(scope)
            .then(spare)
            .flatten()
            .unwrap_or_default();
        bytes.clear();
        bytes.reserve(room + CHUNK_BYTES_MIN);
        bytes.resize(room, 0);
        let chunk = Chunk {
            bytes,
            room,
            items: 0,
            resource: Arc::clone(&self.resource),
            scope: Arc::clone(&scope.fields),
        };
        // The slot exists: it was made above.
        #[expect(clippy::indexing_slicing, reason = "resized to hold it above")]
        self.open[scope.slot].insert(chunk)
    }

    fn is_busy(&self, scope: &Scope) -> bool {
        let busy = self.busy.as_ref();
        busy.is_some_and(|busy| Arc::ptr_eq(busy, &scope.fields))
    }

    fn seal(&mut self, slot: usize) {
        self.growing.retain(|growing| *growing != slot);
        if let Some(chunk) = self.open.get_mut(slot).and_then(Option::take) {
            self.full.push_back(chunk);
        }
    }
}

impl AtFork for State {
    /// What waits is the parent's to send: the child begins with nothing.
    fn in_child(&mut self) {
        self.open.clear();
        self.growing.clear();
        self.full.clear();
        self.tally = Tally::default();
        self.used = 0;
        self.returns.taken.store(0, Ordering::Relaxed);
    }
}

impl AtFork for Spare {
    fn in_child(&mut self) {}
}

impl Chunk {
    /// Bytes that count against the limit.
    fn charged(&self) -> usize {
        self.bytes.len() - self.room
    }

    /// Puts the envelopes before the items; nothing moves.
    fn finish(mut self, returns: Arc<Returns>) -> Bytes {
        let charged = self.charged();
        let inner = self.scope.len() + charged;
        let outer = self.resource.len() + 1 + varint::length(inner as u64) + inner;
        let mut envelopes = Vec::with_capacity(self.room);
        envelopes.push(RESOURCES);
        varint::push(&mut envelopes, outer as u64);
        envelopes.extend_from_slice(&self.resource);
        envelopes.push(INNER);
        varint::push(&mut envelopes, inner as u64);
        envelopes.extend_from_slice(&self.scope);
        let start = self.room - envelopes.len();
        if let Some(room) = self.bytes.get_mut(start..self.room) {
            room.copy_from_slice(&envelopes);
        }
        let owner = Taken {
            bytes: self.bytes,
            charged,
            returns,
        };
        Bytes::from_owner(owner).slice(start..)
    }
}

impl AsRef<[u8]> for Taken {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        // After a fork the child's count begins anew, while its copy of what the parent was sending may still be dropped.
        let left = |used: usize| Some(used.saturating_sub(self.charged));
        let _ = self
            .returns
            .taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, left);
        if self.bytes.capacity() >= CHUNK_BYTES
            && let Some(mut spare) = self.returns.spare.try_lock()
            && spare.0.len() < SPARE_CHUNKS
        {
            spare.0.push(std::mem::take(&mut self.bytes));
        }
    }
}

/// The first and last field of an envelope: what it describes, and the schema of that.
fn described(content: &[u8], schema_url: &str) -> Arc<[u8]> {
    let mut fields = Vec::with_capacity(content.len() + schema_url.len() + 8);
    push_delimited(&mut fields, DESCRIPTION, content);
    if !schema_url.is_empty() {
        push_delimited(&mut fields, SCHEMA_URL, schema_url.as_bytes());
    }
    fields.into()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use millrace_wire::Signal;
    use millrace_wire::encode::SpanEncoder;
    use proptest::prelude::*;

    use super::*;

    fn span(number: u8) -> Vec<u8> {
        let mut out = Vec::new();
        SpanEncoder::new(&mut out)
            .ids(&[number.max(1); 16], &[1; 8], None)
            .name("work", 1)
            .times(1, 2);
        out
    }

    fn named(name: &str) -> Vec<u8> {
        let mut out = Vec::new();
        push_delimited(&mut out, 1, name.as_bytes());
        out
    }

    #[test]
    fn what_is_taken_is_a_valid_request_with_resource_and_scope() {
        let buffer = Buffer::new(Limits::default());
        buffer.set_resource(&[], "https://example.org/resource");
        let scope = buffer.scope(&named("library"), "https://example.org/scope");
        assert!(buffer.append(&scope, &span(1)) && buffer.append(&scope, &span(2)));

        let request = buffer.take().unwrap();
        let summary = millrace_wire::validate(Signal::Traces, &request.bytes).unwrap();
        assert_eq!((summary.items, request.items), (2, 2));
        let json = millrace_wire::json_from_request(Signal::Traces, &request.bytes);
        let json = String::from_utf8(json).unwrap();
        assert!(json.contains(r#""scope":{"name":"library"}"#), "{json}");
        assert!(
            json.contains("https://example.org/resource")
                && json.contains("https://example.org/scope")
        );
        assert!(buffer.take().is_none());
    }

    #[test]
    fn what_does_not_fit_is_dropped_and_counted_and_sending_makes_room() {
        let item = span(1);
        let limits = Limits {
            bytes: 2 * (item.len() + 2),
            ..Limits::default()
        };
        let buffer = Buffer::new(limits);
        let scope = buffer.scope(&[], "");
        assert_eq!(
            [1, 2, 3].map(|_| buffer.append(&scope, &item)),
            [true, true, false]
        );

        let sending = buffer.take().unwrap();
        assert!(
            !buffer.append(&scope, &item),
            "what is being sent still takes its place"
        );
        drop(sending);
        assert!(buffer.append(&scope, &item));
        let expected = Tally {
            recorded: 5,
            taken: 2,
            dropped: 2,
            waiting: 1,
        };
        assert_eq!(buffer.tally(), expected);
    }

    #[test]
    fn a_limit_in_items_holds_exactly() {
        let buffer = Buffer::new(Limits {
            items: Some(3),
            ..Limits::default()
        });
        let scope = buffer.scope(&[], "");
        let taken = (0..5).filter(|_| buffer.append(&scope, &span(1))).count();
        assert_eq!((taken, buffer.tally().dropped), (3, 2));
    }

    #[test]
    fn what_was_appended_before_a_seal_is_taken_before_what_a_busy_scope_adds_later() {
        let buffer = Buffer::new(Limits {
            request_items: Some(2),
            ..Limits::default()
        });
        let [quiet, busy] = ["quiet", "busy"].map(|name| buffer.scope(&named(name), ""));
        buffer.append(&quiet, &span(1));
        assert!(!buffer.is_pressing());
        buffer.seal();
        buffer.append(&busy, &span(2));
        buffer.append(&busy, &span(3));
        assert!(buffer.is_pressing());
        let taken: Vec<_> = std::iter::from_fn(|| buffer.take())
            .map(|request| request.items)
            .collect();
        assert_eq!(taken, [1, 2]);
    }

    #[test]
    fn the_waker_is_called_for_the_first_item_and_when_a_batch_is_full() {
        let buffer = Buffer::new(Limits {
            wake_items: 4,
            ..Limits::default()
        });
        let calls = Arc::new(AtomicU32::new(0));
        let counter = Arc::clone(&calls);
        buffer.wake_with(move || {
            counter.fetch_add(1, Ordering::Relaxed);
        });
        let scope = buffer.scope(&[], "");
        let seen: Vec<_> = (0..6)
            .map(|_| {
                buffer.append(&scope, &span(1));
                calls.load(Ordering::Relaxed)
            })
            .collect();
        assert_eq!(seen, [1, 1, 1, 2, 2, 2]);
    }

    proptest! {
        /// Whatever is recorded comes out once, in whole requests, none with more items than was asked for.
        #[test]
        fn every_item_comes_out_exactly_once(
            steps in proptest::collection::vec((0usize..3, 0usize..60_000, any::<bool>()), 1..200),
            request_items in proptest::option::of(1usize..40),
        ) {
            let buffer = Buffer::new(Limits { request_items, ..Limits::default() });
            buffer.set_resource(&[], "r");
            let scopes = ["a", "b", "c"].map(|name| buffer.scope(&named(name), ""));
            let mut requests = Vec::new();
            for (scope, length, take) in &steps {
                let mut item = span(1);
                push_delimited(&mut item, 3, &vec![b'x'; *length]);
                prop_assert!(buffer.append(&scopes[*scope], &item));
                if *take {
                    requests.extend(buffer.take());
                }
            }
            requests.extend(std::iter::from_fn(|| buffer.take()));
            let mut items = 0;
            for request in &requests {
                let counted = millrace_wire::validate(Signal::Traces, &request.bytes).unwrap().items;
                prop_assert_eq!(counted, request.items);
                prop_assert!(request_items.is_none_or(|limit| counted <= limit));
                items += counted;
            }
            prop_assert_eq!(items, steps.len());
            drop(requests);
            prop_assert_eq!(buffer.used_bytes(), 0);
        }
    }
}
