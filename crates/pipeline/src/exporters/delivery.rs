//! From a parcel to its end: attempts, waits between them, splitting what is too large, parting what was merged.
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use millrace_wire::{PartialSuccess, Signal};
use tokio::time::{Instant, sleep, timeout};

use super::Context;
use super::parcel::{Parcel, Part};
use super::transport::{Failure, Transport, remark};
use crate::batch::Payload;
use crate::component::{Reason, Refusal};
use crate::config::Sending;
use crate::retry::{Backoff, Policy};

/// Brings requests to one destination.
pub(crate) struct Delivery<T> {
    pub(crate) context: Context,
    transport: T,
    policy: Policy,
    /// The longest time for all attempts of one request.
    patience: Option<Duration>,
    request_bytes_max: usize,
    /// Until when the destination asked everybody to wait (X9).
    throttled_until: Mutex<Option<Instant>>,
}

/// A part of a part that is sent by itself.
struct Piece {
    request: Payload,
    items: usize,
}

/// How a request ended that was not taken.
enum End {
    /// It is given up.
    Refused {
        refusal: Refusal,
        /// Whether its bytes may be why.
        content: bool,
    },
    /// It was too large; the sentence says for whom.
    TooLarge(String),
}

impl<T: Transport> Delivery<T> {
    pub(crate) fn new(transport: T, settings: &Sending, context: Context) -> Self {
        Self {
            context,
            transport,
            policy: Policy::from(&settings.retry_on_failure),
            patience: settings.export_timeout_ms.map(Duration::from_millis),
            request_bytes_max: settings.max_request_bytes,
            throttled_until: Mutex::new(None),
        }
    }

    /// Sends a parcel and settles each of its parts.
    pub(crate) async fn deliver(&self, parcel: Parcel) {
        let Parcel {
            mut parts,
            request,
            items,
        } = parcel;
        if let [only] = parts.as_mut_slice() {
            drop(request);
            self.deliver_part(only).await;
        } else {
            self.deliver_merged(parts, Piece { request, items }).await;
        }
    }

    /// Sends parts as one request, and one by one when that is refused for its content: whoever sends bad
    /// data must not hurt the others that happened to travel with it.
    async fn deliver_merged(&self, mut parts: Vec<Part>, merged: Piece) {
        let Some(signal) = parts.first().map(|part| part.signal) else {
            return;
        };
        match self.send(signal, &merged.request, true).await {
            Ok(partial) => {
                let mut rejected = self.rejected(signal, partial, merged.items);
                for part in &mut parts {
                    // Nobody says whose items were rejected; the books only need their number.
                    let here = rejected.min(part.items);
                    rejected -= here;
                    part.rejected(here);
                    part.delivered(part.items);
                }
            }
            Err(End::Refused {
                refusal,
                content: false,
            }) => {
                for part in parts {
                    part.refuse(&refusal);
                }
            }
            Err(_) => {
                drop(merged);
                for mut part in parts {
                    self.deliver_part(&mut part).await;
                }
            }
        }
    }

    /// Sends one part, in halves of halves where it is too large.
    async fn deliver_part(&self, part: &mut Part) {
        let signal = part.signal;
        let mut pieces = vec![Piece {
            request: part.payload.clone(),
            items: part.items,
        }];
        while let Some(piece) = pieces.pop() {
            let end = if piece.request.len() > self.request_bytes_max {
                let (size, limit) = (piece.request.len(), self.request_bytes_max);
                Err(End::TooLarge(format!(
                    "{size} bytes are more than max_request_bytes of {limit}"
                )))
            } else {
                self.send(signal, &piece.request, false).await
            };
            match end {
                Ok(partial) => {
                    let rejected = self.rejected(signal, partial, piece.items);
                    part.rejected(rejected);
                    part.delivered(piece.items - rejected);
                }
                Err(End::TooLarge(problem)) => match halves(signal, &piece) {
                    Some(halves) => pieces.extend(halves),
                    None => self.drop_too_large(part, &piece, &problem),
                },
                Err(End::Refused { refusal, .. }) if refusal.retryable => {
                    // A destination that is down is not asked again for each further piece.
                    part.dropped(part.items, &refusal);
                    return;
                }
                Err(End::Refused { refusal, .. }) => part.dropped(piece.items, &refusal),
            }
        }
    }

    fn drop_too_large(&self, part: &mut Part, piece: &Piece, problem: &str) {
        let message = format!("one item alone is too large for the destination: {problem}");
        let (items, name) = (piece.items, part.signal.item_name());
        self.context.log.warn(
            &self.context.id,
            format_args!("{items} {name} are dropped: {message}"),
        );
        part.dropped(items, &Refusal::permanent(Reason::TooLarge, message));
    }

    /// Makes attempts for as long as the settings allow.
    async fn send(
        &self,
        signal: Signal,
        request: &Payload,
        merged: bool,
    ) -> Result<Option<PartialSuccess>, End> {
        let attempts = self.attempts(signal, request, merged);
        let Some(patience) = self.patience else {
            return attempts.await;
        };
        if let Ok(end) = timeout(patience, attempts).await {
            return end;
        }
        let seconds = patience.as_secs_f64();
        let mut message = format!("the destination did not take them within {seconds} s");
        if let Some(last) = self.context.log.last(&self.context.id) {
            message = format!("{message}; the last that happened was: {last}");
        }
        let refusal = Refusal::retryable(Reason::RetriesExhausted, message);
        Err(End::Refused {
            refusal,
            content: false,
        })
    }

    /// Makes attempts until one succeeds, fails for good, or the policy ends.
    ///
    /// A request that is `merged` and may be refused for its content is not repeated as it is.
    async fn attempts(
        &self,
        signal: Signal,
        request: &Payload,
        merged: bool,
    ) -> Result<Option<PartialSuccess>, End> {
        let began = Instant::now();
        let mut backoff = Backoff::new(&self.policy);
        loop {
            self.wait_for_throttle().await;
            self.context.ledger.request(signal);
            let (message, asked) = match self.transport.send(signal, request).await {
                Ok(partial) => return Ok(partial),
                Err(Failure::TooLarge { message }) => return Err(End::TooLarge(message)),
                Err(Failure::Permanent {
                    reason,
                    message,
                    content,
                }) => {
                    self.context.log.warn(
                        &self.context.id,
                        format_args!("{} are not sent again: {message}", signal.item_name()),
                    );
                    return Err(End::Refused {
                        refusal: Refusal::permanent(reason, message),
                        content,
                    });
                }
                Err(Failure::Retryable {
                    message,
                    content: true,
                    ..
                }) if merged => {
                    let refusal = Refusal::retryable(Reason::RetriesExhausted, message);
                    return Err(End::Refused {
                        refusal,
                        content: true,
                    });
                }
                Err(Failure::Retryable {
                    message,
                    retry_after,
                    ..
                }) => (message, retry_after),
            };
            let Some(wait) = backoff.next(began.elapsed(), asked, fastrand::f64()) else {
                self.context.log.warn(
                    &self.context.id,
                    format_args!("{} are given up: {message}", signal.item_name()),
                );
                let refusal = Refusal {
                    retry_after: asked,
                    ..Refusal::retryable(Reason::RetriesExhausted, message)
                };
                return Err(End::Refused {
                    refusal,
                    content: false,
                });
            };
            let seconds = wait.as_secs_f64();
            self.context.log.warn(
                &self.context.id,
                format_args!("sending again in {seconds:.1} s: {message}"),
            );
            if asked.is_some() {
                self.throttle(wait);
            }
            sleep(wait).await;
            self.context.ledger.retry(signal);
        }
    }

    /// The number of rejected items of a partial success, with a warning where there is something to say (X5).
    fn rejected(&self, signal: Signal, partial: Option<PartialSuccess>, items: usize) -> usize {
        let Some(partial) = partial else { return 0 };
        let rejected = usize::try_from(partial.rejected).unwrap_or(0).min(items);
        if rejected > 0 || !partial.message.is_empty() {
            let remark = remark(&partial.message);
            let name = signal.item_name();
            self.context.log.warn(
                &self.context.id,
                format_args!("the destination rejected {rejected} of {items} {name}: {remark}"),
            );
        }
        rejected
    }

    /// Waits as long as the destination asked for, a little more or less each, so that not all come at once.
    async fn wait_for_throttle(&self) {
        loop {
            let until = *self
                .throttled_until
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let left = until
                .map(|until| until.saturating_duration_since(Instant::now()))
                .unwrap_or_default();
            if left.is_zero() {
                return;
            }
            sleep(left.mul_f64(1.0 + 0.1 * fastrand::f64())).await;
        }
    }

    fn throttle(&self, wait: Duration) {
        let until = Instant::now().checked_add(wait);
        let mut throttled = self
            .throttled_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *throttled = (*throttled).max(until);
    }
}

/// Two requests with half of the items each, the first one last, where it is taken next.
fn halves(signal: Signal, piece: &Piece) -> Option<Vec<Piece>> {
    let whole = piece.request.to_contiguous();
    let parts = millrace_wire::split_by_count(signal, &whole, piece.items.div_ceil(2));
    let pieces = parts.into_iter().rev().map(|bytes| {
        let items = millrace_wire::count(signal, &bytes);
        Piece {
            request: Payload::from(Bytes::from(bytes)),
            items,
        }
    });
    (pieces.len() > 1).then(|| pieces.collect())
}
