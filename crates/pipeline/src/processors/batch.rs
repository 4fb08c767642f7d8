//! The `batch` processor with limits of its own: joins requests until there are enough or it is time.
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use millrace_wire::Signal;
use tokio::time::{Instant, sleep};

use crate::batch::{Batch, Payload};
use crate::component::{Ack, Consumer, Promise};

/// When a batch is sent on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    timeout: Duration,
    send_items: usize,
    max_items: usize,
}

impl Limits {
    /// The Collector's defaults stand in for the limits that were not set.
    pub(super) fn new(
        timeout_ms: Option<u64>,
        send_items: Option<usize>,
        max_items: usize,
    ) -> Self {
        Self {
            timeout: Duration::from_millis(timeout_ms.unwrap_or(200)),
            send_items: send_items.unwrap_or(8192),
            max_items,
        }
    }
}

/// Holds requests and everyone who waits for them.
pub(super) struct Batcher(Arc<Shared>);

struct Shared {
    signal: Signal,
    limits: Limits,
    next: Arc<dyn Consumer>,
    gathered: Mutex<Gathered>,
}

#[derive(Default)]
struct Gathered {
    payload: Payload,
    items: usize,
    waiting: Vec<Promise>,
    /// Counts the batches sent, so that a timer knows whether its batch is gone already.
    generation: u64,
}

impl Batcher {
    pub(super) fn new(signal: Signal, limits: Limits, next: Arc<dyn Consumer>) -> Self {
        Self(Arc::new(Shared {
            signal,
            limits,
            next,
            gathered: Mutex::default(),
        }))
    }
}

impl Consumer for Batcher {
    fn consume(&self, batch: Batch) -> Ack {
        let (promise, ack) = Ack::pair();
        let mut gathered = self
            .0
            .gathered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let first = gathered.waiting.is_empty();
        gathered.payload.append(batch.payload);
        gathered.items += batch.items;
        gathered.waiting.push(promise);
        let full = self.0.limits.send_items > 0 && gathered.items >= self.0.limits.send_items;
        if full || self.0.limits.timeout.is_zero() {
            let ready = gathered.take();
            drop(gathered);
            self.0.send(ready);
        } else if first {
            let generation = gathered.generation;
            let shared = Arc::clone(&self.0);
            tokio::spawn(async move {
                sleep(shared.limits.timeout).await;
                shared.send_if(|gathered| gathered.generation == generation);
            });
        }
        ack
    }

    fn shutdown(&self, deadline: Instant) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        self.0.send_if(|_| true);
        self.0.next.shutdown(deadline)
    }
}

impl Shared {
    fn send_if(&self, wanted: impl FnOnce(&Gathered) -> bool) {
        let ready = {
            let mut gathered = self.gathered.lock().unwrap_or_else(PoisonError::into_inner);
            if gathered.waiting.is_empty() || !wanted(&gathered) {
                return;
            }
            gathered.take()
        };
        self.send(ready);
    }

    fn send(&self, ready: Gathered) {
        let acks = self
            .parts(ready.payload, ready.items)
            .into_iter()
            .map(|part| self.next.consume(part))
            .collect();
        let ack = Ack::all(acks);
        let waiting = ready.waiting;
        tokio::spawn(async move {
            let outcome = ack.await;
            for promise in waiting {
                promise.answer(outcome.clone());
            }
        });
    }

    fn parts(&self, payload: Payload, items: usize) -> Vec<Batch> {
        let signal = self.signal;
        let max_items = self.limits.max_items;
        if max_items == 0 || items <= max_items {
            return vec![Batch {
                signal,
                items,
                payload,
            }];
        }
        millrace_wire::split_by_count(signal, &payload.to_contiguous(), max_items)
            .into_iter()
            .map(|part| Batch {
                signal,
                items: millrace_wire::count(signal, &part),
                payload: payload.derive(part),
            })
            .collect()
    }
}

impl Gathered {
    fn take(&mut self) -> Self {
        let generation = self.generation + 1;
        std::mem::replace(
            self,
            Self {
                generation,
                ..Self::default()
            },
        )
    }
}
