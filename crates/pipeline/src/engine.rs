//! The engine of an SDK: buffers that this process records into, and one thread that exports them.
//!
//! The thread starts with the first telemetry and belongs to one process: after a fork, the child forgets what it inherited of
//! it, and starts its own when it records something itself. Nothing of the parent's thread is touched in a child, because its
//! locks may be locked for ever, and its connections are the parent's.
mod settings;
mod thread;

use std::collections::BTreeMap;
use std::mem;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, LazyLock, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use millrace_recorder::Buffer;
use millrace_recorder::fork::{AtFork, Shared};
use millrace_wire::Signal;

use crate::ledger::Ledger;
use crate::log::Log;
use crate::receivers::periodic::Collector;
use crate::receivers::recorder::{Command, Flush, discard};
use thread::{Building, Link, Parts};

pub use crate::receivers::periodic::Collect;
pub use settings::{Collected, Recorded, Settings};

/// Taken from the time of a shutdown for counting what was not delivered.
const LAST_STEPS: Duration = Duration::from_millis(30);
/// The longest deadline; also what an infinite one is.
const PATIENCE_MAX: Duration = Duration::from_secs(365 * 24 * 3600);

/// What this process records, on its way out. Clones are the same engine.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

/// The buffers of the signals that are exported item by item.
#[derive(Clone)]
pub(crate) struct Buffers {
    pub(crate) traces: Option<Arc<Buffer>>,
    pub(crate) logs: Option<Arc<Buffer>>,
}

struct Inner {
    settings: Settings,
    buffers: Buffers,
    /// One for each exporter of metrics.
    collectors: Vec<Collector>,
    building: Shared<Building>,
    state: Shared<State>,
}

/// What belongs to this process alone.
struct State {
    ledger: Arc<Ledger>,
    running: Option<Running>,
    /// After the shutdown: nothing is exported any more.
    closed: bool,
    /// The parent of this process exported.
    inherited: bool,
}

struct Running {
    link: Arc<Link>,
    thread: JoinHandle<()>,
}

impl AtFork for State {
    /// Forgets the parent's thread. Dropping any of it would touch its runtime, which has no thread here.
    fn in_child(&mut self) {
        self.inherited = self.running.is_some();
        mem::forget(self.running.take());
        mem::forget(mem::take(&mut self.ledger));
    }
}

/// The engines of this process.
#[derive(Default)]
struct Engines(Vec<Weak<Inner>>);

impl AtFork for Engines {
    fn in_child(&mut self) {}
}

static ENGINES: LazyLock<Shared<Engines>> = LazyLock::new(|| Shared::new(Engines::default()));

impl Engine {
    /// An engine that has nothing to do yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let buffer = |recorded: &Recorded| Arc::new(Buffer::new(recorded.limits()));
        let buffers = Buffers {
            traces: settings.traces.as_ref().map(buffer),
            logs: settings.logs.as_ref().map(buffer),
        };
        let collectors = settings.metrics.iter().map(|_| Collector::new());
        let inner = Arc::new(Inner {
            collectors: collectors.collect(),
            settings,
            buffers,
            building: Shared::new(Building),
            state: Shared::new(State {
                ledger: Arc::default(),
                running: None,
                closed: false,
                inherited: false,
            }),
        });
        for signal in [Signal::Traces, Signal::Logs] {
            if let Some(buffer) = inner.buffers.of(signal) {
                let weak = Arc::downgrade(&inner);
                buffer.wake_with(move || {
                    if let Some(inner) = weak.upgrade() {
                        inner.wake(signal);
                    }
                });
            }
        }
        let mut engines = ENGINES.lock();
        engines.0.retain(|engine| engine.strong_count() > 0);
        engines.0.push(Arc::downgrade(&inner));
        drop(engines);
        Self(inner)
    }

    /// The buffer of a signal; `None` where the signal is not exported, or not recorded item by item.
    #[must_use]
    pub fn buffer(&self, signal: Signal) -> Option<Arc<Buffer>> {
        self.0.buffers.of(signal).cloned()
    }

    /// Has metrics collected for one of their exporters, at its interval and by every flush. Returns the collector before, or
    /// the one that is given where there is no such exporter.
    #[must_use = "dropping it may run what somebody else wrote"]
    pub fn collect_metrics(&self, exporter: usize, collect: Option<Collect>) -> Option<Collect> {
        let Some(collector) = self.0.collectors.get(exporter) else {
            return collect;
        };
        let wanted = collect.is_some();
        let before = collector.replace(collect);
        if wanted {
            self.start();
        }
        before
    }

    /// Starts the thread, if it does not run already; recording something does the same.
    pub fn start(&self) {
        drop(self.0.link());
    }

    /// Asks for everything recorded until now to be delivered.
    #[must_use]
    pub fn flush(&self, timeout: Duration) -> Answers {
        let deadline = Instant::now() + timeout.min(PATIENCE_MAX);
        let inner = &self.0;
        if !inner.has_something() {
            return Answers::known(inner.lost() == 0, deadline);
        }
        let Some(link) = inner.link() else {
            return Answers::known(inner.lost() == 0, deadline);
        };
        Answers::of(&link, deadline, deadline, Command::Flush, None)
    }

    /// Ends the engine: delivers what is held until the deadline, counts the rest as dropped, and ends the thread.
    #[must_use]
    pub fn shutdown(&self, timeout: Duration) -> Answers {
        let timeout = timeout.min(PATIENCE_MAX);
        let now = Instant::now();
        let inner = &self.0;
        if inner.has_something() {
            drop(inner.link());
        }
        let mut state = inner.state.lock();
        state.closed = true;
        let running = state.running.take();
        drop(state);
        let deadline = now + timeout;
        let Some(Running { link, thread }) = running else {
            return Answers::known(inner.lost() == 0, deadline);
        };
        let end = now + timeout.saturating_sub(LAST_STEPS).max(timeout / 2);
        Answers::of(&link, end, deadline, Command::Shutdown, Some(thread))
    }

    /// What has become of everything, by signal. `recorded = exported + dropped + queued` always; where a signal has several
    /// exporters, an item counts once for each.
    #[must_use]
    pub fn stats(&self) -> BTreeMap<&'static str, Stats> {
        self.0.stats()
    }

    /// Restarts, in a forked child, the engines whose metrics nobody would collect otherwise: no item wakes them.
    pub fn after_fork_in_child() {
        let engines: Vec<_> = ENGINES.lock().0.iter().filter_map(Weak::upgrade).collect();
        for inner in engines {
            let inherited = mem::take(&mut inner.state.lock().inherited);
            if inherited && inner.collects() {
                drop(inner.link());
            }
        }
    }
}

/// The books of one signal.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Stats {
    /// Items that were recorded.
    pub recorded: u64,
    /// Items that their destination took.
    pub exported: u64,
    /// Items that were dropped, by reason.
    pub dropped: BTreeMap<&'static str, u64>,
    /// Items that wait or are under way.
    pub queued: u64,
}

impl Buffers {
    fn of(&self, signal: Signal) -> Option<&Arc<Buffer>> {
        match signal {
            Signal::Traces => self.traces.as_ref(),
            Signal::Logs => self.logs.as_ref(),
            Signal::Metrics | Signal::Profiles => None,
        }
    }
}

impl Inner {
    /// Called on a thread that records: something waits, or much.
    fn wake(&self, signal: Signal) {
        if let Some(link) = self.link() {
            match signal {
                Signal::Traces => link.traces.notify_one(),
                Signal::Logs => link.logs.notify_one(),
                Signal::Metrics | Signal::Profiles => {}
            }
            return;
        }
        let (closed, ledger) = {
            let state = self.state.lock();
            (state.closed, Arc::clone(&state.ledger))
        };
        if closed && let Some(buffer) = self.buffers.of(signal) {
            discard(buffer, None, &ledger, signal, self.destinations(signal));
        }
    }

    /// The link to the thread, which is started if there is none; `None` after the shutdown, or where no thread can be had.
    fn link(&self) -> Option<Arc<Link>> {
        let mut state = self.state.lock();
        if let Some(running) = &state.running {
            return Some(Arc::clone(&running.link));
        }
        if state.closed {
            return None;
        }
        // Started with the state locked: a fork finds a thread that it knows of, or none.
        let parts = Parts {
            settings: self.settings.clone(),
            buffers: self.buffers.clone(),
            collectors: self.collectors.clone(),
            ledger: Arc::clone(&state.ledger),
            building: self.building.clone(),
        };
        match thread::start(parts) {
            Ok((link, thread)) => {
                let link = Arc::new(link);
                state.running = Some(Running {
                    link: Arc::clone(&link),
                    thread,
                });
                Some(link)
            }
            Err(error) => {
                drop(state);
                // The next item tries again.
                Log::of_guest().error("millrace", format_args!("no thread can be had: {error}"));
                None
            }
        }
    }

    /// Whether a flush has anything to do.
    fn has_something(&self) -> bool {
        let waits = |buffer: &Option<Arc<Buffer>>| {
            buffer
                .as_ref()
                .is_some_and(|buffer| buffer.tally().waiting > 0)
        };
        self.collects()
            || waits(&self.buffers.traces)
            || waits(&self.buffers.logs)
            || self.state.lock().running.is_some()
    }

    fn collects(&self) -> bool {
        let mut collectors = self.collectors.iter();
        collectors.any(|collector| collector.get().is_some())
    }

    fn lost(&self) -> u64 {
        let stats = self.stats();
        stats
            .values()
            .map(|stats| stats.dropped.values().sum::<u64>() + stats.queued)
            .sum()
    }

    /// How many exporters a signal has whose items are recorded one by one.
    fn destinations(&self, signal: Signal) -> usize {
        let recorded = match signal {
            Signal::Traces => self.settings.traces.as_ref(),
            Signal::Logs => self.settings.logs.as_ref(),
            Signal::Metrics | Signal::Profiles => None,
        };
        recorded.map_or(1, |recorded| recorded.exporters.len())
    }

    fn stats(&self) -> BTreeMap<&'static str, Stats> {
        let ledger = Arc::clone(&self.state.lock().ledger);
        let mut found = BTreeMap::new();
        // The exporters' books first: what they know of has been recorded before.
        for (signal, tally) in ledger.snapshot() {
            let buffer = self.buffers.of(signal);
            let metrics = signal == Signal::Metrics && !self.collectors.is_empty();
            if buffer.is_none() && !metrics {
                continue;
            }
            let mut dropped: BTreeMap<_, _> = tally
                .dropped
                .iter()
                .map(|(reason, items)| (reason.name(), *items))
                .collect();
            let mut recorded = tally.received;
            if let Some(buffer) = buffer {
                let held = buffer.tally();
                let times = self.destinations(signal) as u64;
                recorded = held.recorded * times;
                if held.dropped > 0 {
                    *dropped.entry("queue_full").or_default() += held.dropped * times;
                }
            }
            let settled = tally.delivered + dropped.values().sum::<u64>();
            let stats = Stats {
                recorded,
                exported: tally.delivered,
                dropped,
                queued: recorded.saturating_sub(settled),
            };
            found.insert(signal.name(), stats);
        }
        found
    }
}

/// The answers to one question, awaited in slices so that a signal handler gets its turn.
pub struct Answers {
    receiver: Receiver<bool>,
    expected: usize,
    good: usize,
    deadline: Instant,
    thread: Option<JoinHandle<()>>,
}

impl Answers {
    fn known(good: bool, deadline: Instant) -> Self {
        let (_, receiver) = channel();
        Self {
            receiver,
            expected: usize::from(!good),
            good: 0,
            deadline,
            thread: None,
        }
    }

    fn of(
        link: &Link,
        end: Instant,
        deadline: Instant,
        command: fn(Flush) -> Command,
        thread: Option<JoinHandle<()>>,
    ) -> Self {
        let (answer, receiver): (Sender<bool>, _) = channel();
        for receiver in &link.commands {
            let flush = Flush {
                deadline: end.into(),
                answer: answer.clone(),
            };
            // A receiver that has ended gives no answer, which is a bad one.
            let _ = receiver.send(command(flush));
        }
        Self {
            receiver,
            expected: link.commands.len(),
            good: 0,
            deadline,
            thread,
        }
    }

    /// Waits for `slice` at most. `Some(true)` says that everything was delivered; `None` that it is not known yet.
    pub fn wait(&mut self, slice: Duration) -> Option<bool> {
        let end = self.deadline.min(Instant::now() + slice);
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.receiver.recv_timeout(left) {
                Ok(good) => self.good += usize::from(good),
                Err(RecvTimeoutError::Disconnected) => {
                    if let Some(thread) = self.thread.take() {
                        // It has said its last word.
                        let _ = thread.join();
                    }
                    return Some(self.good == self.expected);
                }
                Err(RecvTimeoutError::Timeout) if end == self.deadline => return Some(false),
                Err(RecvTimeoutError::Timeout) => return None,
            }
        }
    }
}
