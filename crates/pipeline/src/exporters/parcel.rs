//! What an exporter holds: batches with their promises, and the parcels they travel in.
use std::sync::Arc;

use millrace_wire::Signal;

use crate::batch::{Batch, Payload};
use crate::component::{Ack, Promise, Reason, Refusal};
use crate::ledger::Ledger;

/// One batch from hand-over to its end. Each of its items is booked once and its promise answered once,
/// whichever way it ends: what is dropped unfinished counts as lost to the shutdown and is refused retryably.
#[derive(Debug)]
pub(crate) struct Part {
    /// The batch's signal.
    pub(crate) signal: Signal,
    /// The batch's request.
    pub(crate) payload: Payload,
    /// Items that are not booked yet.
    pub(crate) items: usize,
    ledger: Arc<Ledger>,
    is_waiting: bool,
    promise: Option<Promise>,
    /// Items whose fate is settled in a way that must not be repeated.
    delivered: usize,
    refusal: Option<Refusal>,
}

impl Part {
    /// Takes a batch over; the ack waits for the end of the part.
    pub(crate) fn new(batch: Batch, ledger: &Arc<Ledger>) -> (Self, Ack) {
        let (promise, ack) = Ack::pair();
        ledger.receive(batch.signal, batch.items);
        let part = Self {
            signal: batch.signal,
            payload: batch.payload,
            items: batch.items,
            ledger: Arc::clone(ledger),
            is_waiting: false,
            promise: Some(promise),
            delivered: 0,
            refusal: None,
        };
        (part, ack)
    }

    /// Waits for a free sender.
    pub(crate) fn enqueue(&mut self) {
        if !self.is_waiting {
            self.is_waiting = true;
            self.ledger.enqueue(self.signal);
        }
    }

    /// Waits no longer.
    pub(crate) fn dequeue(&mut self) {
        if self.is_waiting {
            self.is_waiting = false;
            self.ledger.dequeue(self.signal);
        }
    }

    /// Answers now, whatever becomes of the data: for `wait_for_result: false`.
    pub(crate) fn answer_early(&mut self) {
        if let Some(promise) = self.promise.take() {
            promise.answer(Ok(()));
        }
    }

    /// Some of the items arrived.
    pub(crate) fn delivered(&mut self, items: usize) {
        let items = items.min(self.items);
        self.ledger.deliver(self.signal, items);
        self.items -= items;
        self.delivered += items;
    }

    /// The destination took the request but rejected some of the items (X5). That is not the client's to repair:
    /// sending them again is forbidden, so they are counted and the batch counts as taken.
    pub(crate) fn rejected(&mut self, items: usize) {
        let items = items.min(self.items);
        Ledger::drop(&self.ledger, self.signal, items, Reason::PartialSuccess);
        self.items -= items;
        self.delivered += items;
    }

    /// Some of the items are given up.
    pub(crate) fn dropped(&mut self, items: usize, refusal: &Refusal) {
        let items = items.min(self.items);
        Ledger::drop(&self.ledger, self.signal, items, refusal.reason);
        self.items -= items;
        // A retryable refusal helps the client most: repeating can still save data.
        if self.refusal.as_ref().is_none_or(|known| !known.retryable) {
            self.refusal = Some(refusal.clone());
        }
    }

    /// Gives up everything that is left.
    pub(crate) fn refuse(mut self, refusal: &Refusal) {
        self.dropped(self.items, refusal);
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.dequeue();
        if self.items > 0 {
            let refusal = Refusal::retryable(
                Reason::Shutdown,
                "the gateway stopped before the data was delivered; send it again",
            );
            self.dropped(self.items, &refusal);
        }
        let outcome = match self.refusal.take() {
            // What the destination took must not come again because a few items were refused for good;
            // those are counted, as OTLP counts the rejected items of a partial success.
            Some(refusal) if refusal.retryable || self.delivered == 0 => Err(refusal),
            _ => Ok(()),
        };
        if let Some(promise) = self.promise.take() {
            promise.answer(outcome);
        }
    }
}

/// Parts of one signal that travel in one request.
#[derive(Debug)]
pub(crate) struct Parcel {
    /// What it is made of; never empty.
    pub(crate) parts: Vec<Part>,
    /// The merged request.
    pub(crate) request: Payload,
    /// All items.
    pub(crate) items: usize,
}

impl Parcel {
    /// A parcel of one part.
    pub(crate) fn of(mut part: Part) -> Self {
        part.dequeue();
        Self {
            request: part.payload.clone(),
            items: part.items,
            parts: vec![part],
        }
    }

    /// Puts another part of the same signal in; nothing is copied.
    pub(crate) fn add(&mut self, mut part: Part) {
        part.dequeue();
        self.request.append(part.payload.clone());
        self.items += part.items;
        self.parts.push(part);
    }
}
