//! The destinations of one signal that this process records: each gets every batch, and none waits for another (X13).
//!
//! One alone is held back by its number of requests under way, and what it does not take waits in the buffer. Several go on as
//! long as one of them takes batches; what the others have not taken yet is bounded in bytes, for each of them.
use std::sync::Arc;

use bytes::Bytes;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::batch::{Batch, Payload};
use crate::component::{Consumer, Outcome, Reason};
use crate::graph::together;
use crate::ledger::Ledger;

/// One of the places where a signal goes.
pub(crate) struct Destination {
    exporter: Arc<dyn Consumer>,
    /// Who it is, for the log.
    pub(crate) id: String,
    /// Requests that it may have under way before it counts as busy.
    in_flight_max: usize,
    in_flight: usize,
    bytes: usize,
}

impl Destination {
    pub(crate) fn new(exporter: Arc<dyn Consumer>, id: String, in_flight_max: usize) -> Self {
        Self {
            exporter,
            id,
            in_flight_max: in_flight_max.max(1),
            in_flight: 0,
            bytes: 0,
        }
    }

    fn is_free(&self) -> bool {
        self.in_flight < self.in_flight_max
    }
}

/// How a batch ended at one destination.
pub(crate) struct Settled {
    /// What the batch was given to know it by.
    pub(crate) batch: u64,
    pub(crate) outcome: Outcome,
    destination: usize,
    bytes: usize,
}

/// All of them.
pub(crate) struct Destinations {
    all: Vec<Destination>,
    /// Bytes that one of several may hold.
    bytes_max: usize,
}

impl Destinations {
    pub(crate) fn new(all: Vec<Destination>, bytes_max: usize) -> Self {
        Self { all, bytes_max }
    }

    /// Whether a batch would find somebody who is free.
    pub(crate) fn is_free(&self) -> bool {
        self.all.iter().any(Destination::is_free)
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = &str> {
        self.all.iter().map(|destination| destination.id.as_str())
    }

    /// Gives a batch to everybody who has room for it. Returns how many have it, and how many it was dropped for.
    pub(crate) fn send(
        &mut self,
        batch: Batch,
        number: u64,
        ledger: &Ledger,
        acks: &mut JoinSet<Settled>,
    ) -> (usize, usize) {
        let several = self.all.len() > 1;
        let batch = if several { detached(&batch) } else { batch };
        let bytes = batch.payload.len();
        let (mut taken, mut refused) = (0, 0);
        for (index, destination) in self.all.iter_mut().enumerate() {
            if several && destination.bytes + bytes > self.bytes_max {
                ledger.receive(batch.signal, batch.items);
                Ledger::drop(ledger, batch.signal, batch.items, Reason::QueueFull);
                refused += 1;
                continue;
            }
            destination.in_flight += 1;
            destination.bytes += bytes;
            taken += 1;
            let ack = destination.exporter.consume(batch.clone());
            acks.spawn(async move {
                Settled {
                    batch: number,
                    outcome: ack.await,
                    destination: index,
                    bytes,
                }
            });
        }
        (taken, refused)
    }

    /// A batch has ended somewhere.
    pub(crate) fn settle(&mut self, settled: &Settled) {
        if let Some(destination) = self.all.get_mut(settled.destination) {
            destination.in_flight -= 1;
            destination.bytes -= settled.bytes;
        }
    }

    /// Finishes what they hold, giving up at `deadline`.
    pub(crate) async fn shutdown(&self, deadline: Instant) {
        let all = self.all.iter();
        together(all.map(|one| one.exporter.shutdown(deadline)).collect()).await;
    }
}

/// The batch in memory of its own: what a slow destination holds must not fill the buffer that the others live from.
fn detached(batch: &Batch) -> Batch {
    let copies = batch
        .payload
        .chunks()
        .iter()
        .fold(Payload::default(), |mut payload, chunk| {
            payload.append(Payload::from(Bytes::copy_from_slice(chunk)));
            payload
        });
    Batch {
        payload: copies,
        ..*batch
    }
}
