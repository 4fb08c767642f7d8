//! What a component is to the one before it: something that takes a batch and promises an answer.
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::batch::Batch;

/// A processor, a fan-out or an exporter, seen from upstream.
pub trait Consumer: Send + Sync {
    /// Takes the batch over at once and never blocks; the [`Ack`] tells later how it ended.
    fn consume(&self, batch: Batch) -> Ack;

    /// Stops taking batches and finishes what is held, giving up at `deadline`.
    ///
    /// What is left then is counted as dropped and refused to whoever waits for it.
    fn shutdown(&self, deadline: Instant) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let _ = deadline;
        Box::pin(std::future::ready(()))
    }
}

/// How a batch ended: `Ok` means that the promise of every destination holds.
pub type Outcome = Result<(), Refusal>;

/// Why a batch was not taken, in the terms that the receiver needs for its answer.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// Whether the same request may succeed later (503, UNAVAILABLE) or never (400, `INVALID_ARGUMENT`).
    pub retryable: bool,
    /// The word under which the items are counted.
    pub reason: Reason,
    /// A sentence for the person who reads the client's log.
    pub message: String,
    /// When the client should come back, if anybody knows.
    pub retry_after: Option<Duration>,
}

impl Refusal {
    /// A refusal after which the client should send the same request again.
    #[must_use]
    pub fn retryable(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            retryable: true,
            reason,
            message: message.into(),
            retry_after: None,
        }
    }

    /// A refusal that no repetition will change.
    #[must_use]
    pub fn permanent(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            retryable: false,
            reason,
            message: message.into(),
            retry_after: None,
        }
    }
}

/// Why items were dropped or refused: one word each, used in metrics, statistics and answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The process's byte budget stayed exhausted for the admission time-out.
    BudgetExhausted,
    /// The exporter's sending queue is full.
    QueueFull,
    /// The destination kept failing until `max_elapsed_time`, or retrying is off.
    RetriesExhausted,
    /// The destination answered that it will never take this data.
    DestinationRefused,
    /// The destination took the request but rejected some of its items.
    PartialSuccess,
    /// The destination's answer was not an OTLP answer, so nobody knows what became of the data.
    BadResponse,
    /// One item alone is larger than the destination's request limit.
    TooLarge,
    /// The gateway stopped before the data was delivered.
    Shutdown,
    /// The client went away before it could be answered.
    ClientGone,
    /// The client's deadline passed before the data was safe.
    DeadlineExceeded,
    /// The items break the OTLP data model.
    InvalidData,
    /// The request is not OTLP.
    Malformed,
    /// The frame belongs to a session that is not known here; its sender begins a new one and sends again.
    SessionReset,
    /// There is no memory for another session; its sender does without one.
    SessionRefused,
    /// The file could not be written.
    WriteFailed,
    /// No pipeline takes the signal.
    NoPipeline,
}

impl Reason {
    /// The label value in metrics and the key in statistics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::BudgetExhausted => "budget_exhausted",
            Self::QueueFull => "queue_full",
            Self::RetriesExhausted => "retries_exhausted",
            Self::DestinationRefused => "destination_refused",
            Self::PartialSuccess => "partial_success",
            Self::BadResponse => "bad_response",
            Self::TooLarge => "too_large",
            Self::Shutdown => "shutdown",
            Self::ClientGone => "client_gone",
            Self::DeadlineExceeded => "deadline_exceeded",
            Self::InvalidData => "invalid_data",
            Self::Malformed => "malformed",
            Self::SessionReset => "session_reset",
            Self::SessionRefused => "session_refused",
            Self::WriteFailed => "write_failed",
            Self::NoPipeline => "no_pipeline",
        }
    }
}

/// The answer to come for one batch: a future that yields its [`Outcome`].
///
/// Dropping it does not cancel the batch: data that was taken over is delivered although nobody waits.
#[derive(Debug)]
pub struct Ack(State);

#[derive(Debug)]
enum State {
    Ready(Outcome),
    Waiting(oneshot::Receiver<Outcome>),
    All { waiting: Vec<Ack>, worst: Outcome },
}

/// The other end of an [`Ack`]; dropped unanswered it refuses the batch, so no client waits for ever.
#[derive(Debug)]
pub struct Promise(oneshot::Sender<Outcome>);

impl Promise {
    /// Tells whoever waits how the batch ended.
    pub fn answer(self, outcome: Outcome) {
        // Nobody waiting is fine: the client may have gone.
        let _ = self.0.send(outcome);
    }
}

impl Ack {
    /// An answer that is known already.
    #[must_use]
    pub fn ready(outcome: Outcome) -> Self {
        Self(State::Ready(outcome))
    }

    /// An answer that its [`Promise`] will give.
    #[must_use]
    pub fn pair() -> (Promise, Self) {
        let (sender, receiver) = oneshot::channel();
        (Promise(sender), Self(State::Waiting(receiver)))
    }

    /// The answer of several destinations: `Ok` when all took the batch, else the refusal that helps
    /// the client most: a retryable one before a permanent one, since repeating can still save data.
    #[must_use]
    pub fn all(acks: Vec<Self>) -> Self {
        Self(State::All {
            waiting: acks,
            worst: Ok(()),
        })
    }
}

impl Future for Ack {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome> {
        match &mut self.0 {
            State::Ready(outcome) => Poll::Ready(outcome.clone()),
            State::Waiting(receiver) => Pin::new(receiver).poll(context).map(|answer| {
                answer.unwrap_or_else(|_| {
                    Err(Refusal::retryable(
                        Reason::Shutdown,
                        "the gateway stopped before the data was safe; send it again",
                    ))
                })
            }),
            State::All { waiting, worst } => {
                waiting.retain_mut(|ack| match Pin::new(ack).poll(context) {
                    Poll::Pending => true,
                    Poll::Ready(outcome) => {
                        if let Err(refusal) = outcome
                            && (worst.is_ok() || refusal.retryable)
                        {
                            *worst = Err(refusal);
                        }
                        false
                    }
                });
                if waiting.is_empty() {
                    Poll::Ready(worst.clone())
                } else {
                    Poll::Pending
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_ack_of_several_destinations_waits_for_all_and_prefers_the_retryable_refusal() {
        let (first, first_ack) = Ack::pair();
        let (second, second_ack) = Ack::pair();
        let all = tokio::spawn(Ack::all(vec![first_ack, second_ack, Ack::ready(Ok(()))]));
        first.answer(Err(Refusal::retryable(Reason::QueueFull, "later")));
        second.answer(Err(Refusal::permanent(Reason::DestinationRefused, "never")));

        let refusal = all.await.unwrap().unwrap_err();
        assert_eq!(
            (refusal.reason, refusal.retryable),
            (Reason::QueueFull, true)
        );
    }

    #[tokio::test]
    async fn a_promise_that_is_dropped_refuses_the_batch_retryably() {
        let (promise, ack) = Ack::pair();
        drop(promise);
        let refusal = ack.await.unwrap_err();
        assert_eq!(
            (refusal.reason, refusal.retryable),
            (Reason::Shutdown, true)
        );
    }
}
