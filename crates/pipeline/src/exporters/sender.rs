//! The sending machine of the network exporters: who sends when, what waits meanwhile, and how it ends.
//!
//! While a sender is free, a batch is sent the moment it arrives. When all are busy, batches wait in the
//! [backlog](super::backlog), and the next sender that becomes free takes everything of one signal at once:
//! under load requests grow by themselves, and without load nobody waits for a timer.
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::Context;
use super::backlog::{Backlog, Settings};
use super::delivery::Delivery;
use super::parcel::{Parcel, Part};
use super::transport::Transport;
use crate::batch::Batch;
use crate::component::{Ack, Consumer, Reason, Refusal};
use crate::config::{Sending, StartError};

/// An exporter made of a [`Transport`].
pub struct Sender<T> {
    shared: Arc<Shared<T>>,
    tasks: Mutex<JoinSet<()>>,
    runtime: Handle,
}

struct Shared<T> {
    delivery: Delivery<T>,
    senders_max: usize,
    answer_early: bool,
    state: Mutex<State>,
    /// Told whenever a sender becomes free.
    idle: Notify,
}

struct State {
    backlog: Backlog,
    /// Senders at work; while one is free, the backlog is empty.
    busy: usize,
    /// The deadline of the shutdown has passed.
    closed: bool,
}

impl<T: Transport> Sender<T> {
    /// An exporter that sends on the current runtime.
    pub fn new(transport: T, settings: &Sending, context: Context) -> Result<Self, StartError> {
        let runtime = Handle::try_current().map_err(|error| StartError::of(&context.id, error))?;
        let queue = &settings.sending_queue;
        let backlog = Backlog::new(Settings {
            capacity: if queue.enabled { queue.queue_size } else { 0 },
            request_bytes_max: settings.max_request_bytes,
            block_on_overflow: queue.enabled && queue.block_on_overflow,
            answer_early: !queue.wait_for_result,
        });
        let shared = Shared {
            delivery: Delivery::new(transport, settings, context),
            senders_max: queue.num_consumers.max(1),
            answer_early: !queue.wait_for_result,
            state: Mutex::new(State {
                backlog,
                busy: 0,
                closed: false,
            }),
            idle: Notify::new(),
        };
        Ok(Self {
            shared: Arc::new(shared),
            tasks: Mutex::default(),
            runtime,
        })
    }

    /// Sends now with a free sender.
    fn start(&self, part: Part) {
        let sender = Busy {
            shared: Arc::clone(&self.shared),
            released: false,
        };
        let mut tasks = lock(&self.tasks);
        while tasks.try_join_next().is_some() {}
        tasks.spawn_on(sender.run(Parcel::of(part)), &self.runtime);
    }
}

/// What becomes of a part at the door.
enum Admission {
    Start(Part),
    Waits,
    Refused(Part, Refusal),
}

impl<T: Transport> Consumer for Sender<T> {
    fn consume(&self, batch: Batch) -> Ack {
        if batch.items == 0 {
            return Ack::ready(Ok(())); // nothing to export, and an empty request is not worth sending (X14)
        }
        let (part, ack) = Part::new(batch, &self.shared.delivery.context.ledger);
        match self.shared.admit(part) {
            Admission::Start(part) => self.start(part),
            Admission::Waits => {}
            Admission::Refused(part, refusal) => part.refuse(&refusal),
        }
        ack
    }

    /// Waits until everything is delivered. Batches are still taken meanwhile, because a processor of another
    /// pipeline may be emptying itself into this exporter; nothing is taken after the deadline.
    fn shutdown(&self, deadline: Instant) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            if timeout_at(deadline, self.shared.until_idle())
                .await
                .is_err()
            {
                lock(&self.shared.state).closed = true;
                let mut tasks = std::mem::take(&mut *lock(&self.tasks));
                tasks.shutdown().await;
            }
            let left = lock(&self.shared.state).backlog.clear();
            drop(left); // outside of the lock: each part answers its client
        })
    }
}

impl<T> Shared<T> {
    fn admit(&self, mut part: Part) -> Admission {
        let mut state = lock(&self.state);
        if state.closed {
            let refusal = Refusal::retryable(
                Reason::Shutdown,
                "the gateway is stopping; send the data again",
            );
            return Admission::Refused(part, refusal);
        }
        if state.busy < self.senders_max {
            state.busy += 1;
            if self.answer_early {
                part.answer_early();
            }
            return Admission::Start(part);
        }
        match state.backlog.push(part) {
            None => Admission::Waits,
            Some(part) => {
                let id = &self.delivery.context.id;
                let message = format!(
                    "the sending queue of exporter {id} is full; send the data again later"
                );
                Admission::Refused(part, Refusal::retryable(Reason::QueueFull, message))
            }
        }
    }

    async fn until_idle(&self) {
        loop {
            let mut told = std::pin::pin!(self.idle.notified());
            told.as_mut().enable();
            if lock(&self.state).busy == 0 {
                return;
            }
            told.await;
        }
    }
}

/// A sender at work; the place is free again when it is dropped, even by a panic or an abort.
struct Busy<T> {
    shared: Arc<Shared<T>>,
    released: bool,
}

impl<T: Transport> Busy<T> {
    async fn run(mut self, first: Parcel) {
        let mut next = Some(first);
        while let Some(parcel) = next {
            self.shared.delivery.deliver(parcel).await;
            next = self.next();
        }
    }

    /// More work, or the end of this sender: one decision under one lock, so that nothing is left waiting.
    fn next(&mut self) -> Option<Parcel> {
        let mut state = lock(&self.shared.state);
        let parcel = state.backlog.take();
        if parcel.is_none() {
            state.busy -= 1;
            self.released = true;
            drop(state);
            self.shared.idle.notify_waiters();
        }
        parcel
    }
}

impl<T> Drop for Busy<T> {
    fn drop(&mut self) {
        if !self.released {
            lock(&self.shared.state).busy -= 1;
            self.shared.idle.notify_waiters();
        }
    }
}

/// The state stays consistent whatever panics: every change of it is one statement.
fn lock<S>(state: &Mutex<S>) -> MutexGuard<'_, S> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
