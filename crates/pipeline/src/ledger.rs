//! The books of one component: every item that came in is delivered, dropped with a reason, or still held.
use std::collections::BTreeMap;
use std::ops::AddAssign;
use std::sync::{Mutex, MutexGuard, PoisonError};

use millrace_wire::Signal;

use crate::component::Reason;

/// Item counts of one component by signal, shared by all workers.
///
/// `received = delivered + dropped + held` holds whenever the books can be read: each movement
/// changes both of its sides under one lock, which is taken once a batch and never across an await.
#[derive(Debug, Default)]
pub struct Ledger {
    tallies: Mutex<[Tally; 4]>,
}

/// The counts of one signal, all in items but the last two.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Items that were handed to the component.
    pub received: u64,
    /// Items whose promise holds: accepted by a receiver, exported by an exporter.
    pub delivered: u64,
    /// Items that were dropped or refused, by reason.
    pub dropped: BTreeMap<Reason, u64>,
    /// Items that are neither yet.
    pub held: u64,
    /// Requests received or sent, whatever became of them.
    pub requests: u64,
    /// Requests that were sent again.
    pub retries: u64,
    /// Requests that were refused before anybody could count their items, by reason.
    pub turned_away: BTreeMap<Reason, u64>,
    /// Requests that wait in a queue now.
    pub waiting: u64,
}

impl Ledger {
    fn tally<R>(&self, signal: Signal, change: impl FnOnce(&mut Tally) -> R) -> R {
        let mut tallies = self.lock();
        let [traces, metrics, logs, profiles] = &mut *tallies;
        change(match signal {
            Signal::Traces => traces,
            Signal::Metrics => metrics,
            Signal::Logs => logs,
            Signal::Profiles => profiles,
        })
    }

    fn lock(&self) -> MutexGuard<'_, [Tally; 4]> {
        // Counters stay meaningful after a panic elsewhere.
        self.tallies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Items came in and are held.
    pub fn receive(&self, signal: Signal, items: usize) {
        self.tally(signal, |tally| {
            tally.received += items as u64;
            tally.held += items as u64;
        });
    }

    /// Held items reached their promise.
    pub fn deliver(&self, signal: Signal, items: usize) {
        self.tally(signal, |tally| {
            tally.held -= items as u64;
            tally.delivered += items as u64;
        });
    }

    /// Held items are given up.
    pub fn drop(&self, signal: Signal, items: usize, reason: Reason) {
        if items == 0 {
            return;
        }
        self.tally(signal, |tally| {
            tally.held -= items as u64;
            *tally.dropped.entry(reason).or_default() += items as u64;
        });
    }

    /// A request was received or sent.
    pub fn request(&self, signal: Signal) {
        self.tally(signal, |tally| tally.requests += 1);
    }

    /// A request was sent again.
    pub fn retry(&self, signal: Signal) {
        self.tally(signal, |tally| tally.retries += 1);
    }

    /// A request was refused before its items could be counted.
    pub fn turn_away(&self, signal: Signal, reason: Reason) {
        self.tally(signal, |tally| {
            *tally.turned_away.entry(reason).or_default() += 1;
        });
    }

    /// A request waits in a queue.
    pub fn enqueue(&self, signal: Signal) {
        self.tally(signal, |tally| tally.waiting += 1);
    }

    /// A request that waited does so no longer.
    pub fn dequeue(&self, signal: Signal) {
        self.tally(signal, |tally| tally.waiting -= 1);
    }

    /// The books at one moment.
    #[must_use]
    pub fn snapshot(&self) -> [(Signal, Tally); 4] {
        let [traces, metrics, logs, profiles] = self.lock().clone();
        [
            (Signal::Traces, traces),
            (Signal::Metrics, metrics),
            (Signal::Logs, logs),
            (Signal::Profiles, profiles),
        ]
    }
}

/// The books of one component that are kept apart, put together.
impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.received += other.received;
        self.delivered += other.delivered;
        self.held += other.held;
        self.requests += other.requests;
        self.retries += other.retries;
        self.waiting += other.waiting;
        for (reason, items) in other.dropped {
            *self.dropped.entry(reason).or_default() += items;
        }
        for (reason, requests) in other.turned_away {
            *self.turned_away.entry(reason).or_default() += requests;
        }
    }
}

impl Tally {
    /// Items dropped for any reason.
    #[must_use]
    pub fn dropped_items(&self) -> u64 {
        self.dropped.values().sum()
    }

    /// True while every item is accounted for; false would be a defect of this program.
    #[must_use]
    pub fn adds_up(&self) -> bool {
        self.received == self.delivered + self.dropped_items() + self.held
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_delivered_dropped_or_held() {
        let ledger = Ledger::default();
        ledger.receive(Signal::Logs, 10);
        ledger.deliver(Signal::Logs, 4);
        ledger.drop(Signal::Logs, 3, Reason::QueueFull);

        let (_, tally) = &ledger.snapshot()[2];
        assert!(tally.adds_up());
        assert_eq!(
            (tally.delivered, tally.dropped_items(), tally.held),
            (4, 3, 3)
        );
    }
}
