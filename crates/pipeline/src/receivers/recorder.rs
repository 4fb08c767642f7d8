//! The receiver of this process's own spans and log records: takes them out of their buffer and hands them to exporters.
//!
//! Nothing waits while a batch is full and fewer requests are under way than allowed. What is less waits for the schedule
//! delay of the specification's batching processors, or for a flush.
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use millrace_recorder::{Buffer, Request};
use millrace_wire::Signal;
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::batch::{Batch, Payload};
use crate::component::Reason;
use crate::ledger::Ledger;
use crate::log::Log;
use crate::receivers::destinations::{Destinations, Settled};

/// Requests of several scopes are joined up to this size: gRPC servers refuse what is larger than 4 MiB.
const JOINED_BYTES_MAX: usize = 2 << 20;
/// A busy process gets its batches at this distance instead of one for each full batch: larger ones cost less.
const PACE: Duration = Duration::from_millis(10);
/// Where less may wait than this, it is taken without delay, because it could be full before the pace comes round.
const PACED_BYTES_MIN: usize = 16 << 20;

/// What the receivers of this process's telemetry are asked.
#[derive(Debug)]
pub(crate) enum Command {
    /// Deliver what has been recorded until now.
    Flush(Flush),
    /// Deliver it and end at the deadline at the latest; the answer's sender is returned by `run`.
    Shutdown(Flush),
}

/// A question whose answer is whether everything was delivered. Not answered in time it is not answered at all.
#[derive(Debug)]
pub(crate) struct Flush {
    /// After it nobody waits for the answer.
    pub(crate) deadline: Instant,
    /// Where the answer goes.
    pub(crate) answer: Sender<bool>,
}

/// What a receiver of recorded telemetry works with.
pub(crate) struct Means {
    pub(crate) signal: Signal,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) log: Arc<Log>,
    /// Who is speaking, for the log.
    pub(crate) id: String,
    pub(crate) commands: UnboundedReceiver<Command>,
}

/// Takes requests out of one buffer.
pub(crate) struct Recorder {
    means: Means,
    destinations: Destinations,
    buffer: Arc<Buffer>,
    bell: Arc<Notify>,
    delay: Duration,
    /// Items handed to the exporter, counted as the buffer counts those it has accepted.
    sent: u64,
    /// Items that leave as soon as there is a place for their request.
    owed: u64,
    /// When what waits has to leave.
    due: Option<Instant>,
    last_sent: Option<Instant>,
    /// Taken, and too large for the request before it.
    held: Option<Request>,
    in_flight: JoinSet<Settled>,
    /// `sent` before each request under way, and how many destinations have not settled it.
    unsettled: BTreeMap<u64, usize>,
    flushes: Vec<Waiting>,
    /// No more commands come.
    ending: bool,
    /// Items lost until the last flush was answered.
    lost: u64,
    /// Items that found the buffer full, as far as the log knows.
    overflowed: u64,
}

/// A flush that is not answered yet.
struct Waiting {
    flush: Flush,
    /// What `sent` has to reach.
    until: u64,
    /// Items lost when the flush before was answered, and found the buffer full when this one was asked for.
    lost_before: u64,
    overflowed: u64,
}

impl Recorder {
    /// A receiver that has taken nothing yet; `bell` rings as the buffer's waker does.
    pub(crate) fn new(
        means: Means,
        destinations: Destinations,
        buffer: Arc<Buffer>,
        bell: Arc<Notify>,
        delay: Duration,
    ) -> Self {
        Self {
            sent: buffer.tally().taken,
            means,
            destinations,
            buffer,
            bell,
            delay,
            owed: 0,
            due: None,
            last_sent: None,
            held: None,
            in_flight: JoinSet::new(),
            unsettled: BTreeMap::new(),
            flushes: Vec::new(),
            ending: false,
            lost: 0,
            overflowed: 0,
        }
    }

    /// Works until it is told to shut down. The sender that it returns has its answer, and is dropped when all has ended.
    pub(crate) async fn run(mut self) -> Option<Sender<bool>> {
        let end = self.until_shutdown().await;
        self.ending = true;
        let deadline = end.as_ref().map_or_else(Instant::now, |end| end.deadline);
        if let Some(Flush { deadline, answer }) = &end {
            self.begin_flush(Flush {
                deadline: *deadline,
                answer: answer.clone(),
            });
            let flushed = async {
                self.advance();
                while !self.flushes.is_empty() {
                    self.event().await;
                    self.advance();
                }
            };
            let _ = timeout_at(*deadline, flushed).await;
        }
        self.destinations.shutdown(deadline).await;
        while let Some(ended) = self.in_flight.join_next().await {
            self.settle(ended.ok());
        }
        self.give_up();
        end.map(|end| end.answer)
    }

    async fn until_shutdown(&mut self) -> Option<Flush> {
        loop {
            self.advance();
            if let Some(end) = self.event().await {
                return end;
            }
        }
    }

    /// Does what can be done now.
    fn advance(&mut self) {
        self.look();
        self.send_what_is_owed();
        self.answer_flushes();
    }

    /// Waits for a reason to look again; `Some` is the end.
    async fn event(&mut self) -> Option<Option<Flush>> {
        let due = self.due;
        let flush_ends = self.flushes.iter().map(|waiting| waiting.flush.deadline);
        let alarm = flush_ends.chain(due).min();
        tokio::select! {
            command = self.means.commands.recv(), if !self.ending => match command {
                Some(Command::Flush(flush)) => self.begin_flush(flush),
                Some(Command::Shutdown(end)) => return Some(Some(end)),
                None => return Some(None),
            },
            Some(ended) = self.in_flight.join_next() => self.settle(ended.ok()),
            () = self.bell.notified() => {}
            () = sleep_until(alarm.unwrap_or_else(Instant::now)), if alarm.is_some() => {}
        }
        None
    }

    /// Decides what has to leave by now.
    fn look(&mut self) {
        let tally = self.buffer.tally();
        if tally.dropped > self.overflowed {
            let items = tally.dropped - self.overflowed;
            let limit = self.buffer.limits().bytes;
            self.overflowed = tally.dropped;
            let message = format!("more than {limit} bytes, or than the set number of items, wait");
            self.complain(items, Reason::QueueFull, &message);
        }
        let accepted = tally.recorded - tally.dropped;
        if accepted <= self.sent {
            self.due = None;
            return;
        }
        let now = Instant::now();
        let due = *self.due.get_or_insert(now + self.delay);
        if due <= now {
            self.buffer.seal();
            self.owed = accepted;
            self.due = None;
        } else if self.buffer.is_pressing() {
            let ready = self.last_sent.map_or(now, |last| last + self.pace());
            if ready <= now {
                self.owed = accepted;
            } else {
                self.due = Some(due.min(ready));
            }
        }
    }

    fn pace(&self) -> Duration {
        let limits = self.buffer.limits();
        let small = limits.bytes < PACED_BYTES_MIN
            || limits.items.is_some()
            || limits.request_items.is_some();
        if small { Duration::ZERO } else { PACE }
    }

    fn send_what_is_owed(&mut self) {
        while self.sent < self.owed && self.destinations.is_free() {
            let Some(batch) = self.next_batch() else {
                // Somebody else has taken it.
                self.sent = self.sent.max(self.buffer.tally().taken);
                return;
            };
            let first = self.sent;
            self.sent += batch.items as u64;
            self.last_sent = Some(Instant::now());
            let ledger = &self.means.ledger;
            let (taken, refused) =
                self.destinations
                    .send(batch, first, ledger, &mut self.in_flight);
            if taken > 0 {
                self.unsettled.insert(first, taken);
            }
            if refused > 0 {
                self.complain_of_exporters(
                    Reason::QueueFull,
                    "one of several destinations holds too much that it has not taken",
                );
            }
        }
    }

    /// One request's worth of what waits, oldest first.
    fn next_batch(&mut self) -> Option<Batch> {
        let items_max = self.buffer.limits().request_items.unwrap_or(usize::MAX);
        let Request { bytes, mut items } = self.held.take().or_else(|| self.buffer.take())?;
        let mut payload = Payload::from(bytes);
        while payload.len() < JOINED_BYTES_MAX && items < items_max {
            let Some(next) = self.buffer.take() else {
                break;
            };
            let bytes = payload.len() + next.bytes.len();
            if bytes > JOINED_BYTES_MAX || items + next.items > items_max {
                self.held = Some(next);
                break;
            }
            payload.append(Payload::from(next.bytes));
            items += next.items;
        }
        Some(Batch {
            signal: self.means.signal,
            items,
            payload,
        })
    }

    fn settle(&mut self, ended: Option<Settled>) {
        let Some(settled) = ended else {
            return;
        };
        self.destinations.settle(&settled);
        if let Some(left) = self.unsettled.get_mut(&settled.batch) {
            *left -= 1;
            if *left == 0 {
                self.unsettled.remove(&settled.batch);
            }
        }
        if let Err(refusal) = settled.outcome
            && refusal.reason != Reason::Shutdown
        {
            self.complain_of_exporters(refusal.reason, &refusal.message);
        }
    }

    fn complain_of_exporters(&self, reason: Reason, message: &str) {
        let items = self.dropped_by_exporter().values().sum();
        self.complain(items, reason, message);
    }

    fn begin_flush(&mut self, flush: Flush) {
        self.buffer.seal();
        let tally = self.buffer.tally();
        let until = tally.recorded - tally.dropped;
        self.owed = self.owed.max(until);
        self.flushes.push(Waiting {
            flush,
            until,
            lost_before: self.lost,
            overflowed: tally.dropped,
        });
    }

    fn answer_flushes(&mut self) {
        if self.flushes.is_empty() {
            return;
        }
        let now = Instant::now();
        let lost: u64 = self.dropped_by_exporter().values().sum();
        let first = self.unsettled.first_key_value();
        let settled = first.map_or(self.sent, |(first, _)| *first);
        let mut waiting = std::mem::take(&mut self.flushes);
        waiting.retain(|waiting| {
            if settled >= waiting.until {
                let lost = lost + waiting.overflowed;
                let _ = waiting.flush.answer.send(lost <= waiting.lost_before);
                self.lost = self.lost.max(lost);
                return false;
            }
            waiting.flush.deadline > now
        });
        self.flushes = waiting;
    }

    fn dropped_by_exporter(&self) -> BTreeMap<Reason, u64> {
        let books = self.means.ledger.snapshot();
        let mine = books
            .into_iter()
            .find(|(signal, _)| *signal == self.means.signal);
        mine.map(|(_, tally)| tally.dropped).unwrap_or_default()
    }

    /// Books what is left at the end, and says why nobody has it.
    fn give_up(&mut self) {
        let Means {
            signal,
            ledger,
            log,
            ..
        } = &self.means;
        let destinations = self.destinations.ids().count();
        discard(
            &self.buffer,
            self.held.take(),
            ledger,
            *signal,
            destinations,
        );
        let left = self.dropped_by_exporter().remove(&Reason::Shutdown);
        if let Some(items) = left {
            let silence = || "the destination has not answered in time".to_owned();
            let last = self.destinations.ids().find_map(|id| log.last(id));
            let said = last.map(|last| format!("no time was left after this: {last}"));
            let message = said.unwrap_or_else(silence);
            self.complain(items, Reason::Shutdown, &message);
        }
    }

    fn complain(&self, items: u64, reason: Reason, message: &str) {
        let Means {
            signal, log, id, ..
        } = &self.means;
        let (name, reason) = (signal.item_name(), reason.name());
        log.error(
            &format!("{id} ({reason})"),
            format_args!(
                "{name} are dropped, {items} until now: {message} (said once; stats() counts on)"
            ),
        );
    }
}

/// Takes everything out of a buffer that nobody will export, and books it as lost to the shutdown, for each destination.
pub(crate) fn discard(
    buffer: &Buffer,
    held: Option<Request>,
    ledger: &Ledger,
    signal: Signal,
    destinations: usize,
) {
    let rest = std::iter::from_fn(|| buffer.take());
    for request in held.into_iter().chain(rest) {
        let items = request.items * destinations;
        ledger.receive(signal, items);
        Ledger::drop(ledger, signal, items, Reason::Shutdown);
    }
}

#[cfg(test)]
#[path = "recorder_tests.rs"]
mod tests;
