//! What happens to a request whichever protocol brought it: admission, body, validation, hand-over, answer.
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body::Body as _;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use millrace_wire::{PartialSuccess, Signal};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout, timeout_at};

use super::sessions::{Reset, Sessions};
use crate::batch::{Batch, Payload};
use crate::budget::{Budget, Exhausted, Reservation};
use crate::component::{Ack, Consumer, Reason, Refusal};
use crate::ledger::Ledger;
use crate::net::compression::{self, Coding, DecompressError};

/// Memory set aside for a body whose length nobody declared, before it is read.
const UNDECLARED_BODY: usize = 64 << 10;
/// Memory that is allocated on the word of a `Content-Length` alone (S6): beyond it, the buffer grows with what arrives.
const TRUSTED_LENGTH: usize = 1 << 20;
/// A body that comes in one HTTP/2 frame of at least this size is kept as it is instead of being copied. The memory of
/// smaller ones may be part of a larger buffer, which would be held with it and not be counted.
const WHOLE_FRAME: usize = 64 << 10;
/// What telemetry usually grows by when it is decompressed; only the first reservation depends on it.
const USUAL_EXPANSION: usize = 8;

/// The bounds of one listener.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// Largest request after decompression, in bytes.
    pub(crate) request_bytes: usize,
    /// How long a request may wait for a place and for the budget.
    pub(crate) admission: Duration,
    /// Longest time from the first to the last byte of a body.
    pub(crate) body: Duration,
}

/// The door of one receiver: everything that its protocols share.
pub(crate) struct Intake {
    /// Where each signal goes; `None` where no pipeline wants it.
    pub(crate) routes: [Option<Arc<dyn Consumer>>; 4],
    /// The receiver's books.
    pub(crate) ledger: Arc<Ledger>,
    /// The process's memory for telemetry.
    pub(crate) budget: Budget,
    /// Requests that are read or answered at once.
    pub(crate) places: Arc<Semaphore>,
    /// The `otz1` sessions of the gateway.
    pub(crate) sessions: Arc<Sessions>,
}

/// Why a body did not become a request.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// Larger than the limit, before or after decompression.
    TooLarge(usize),
    /// No place or no budget within the admission time-out.
    Overload,
    /// The body did not arrive in time.
    TimedOut(Duration),
    /// The connection or its framing broke.
    Broken(String),
    /// The compressed data is damaged.
    Corrupt(String),
}

/// How a readable request ended.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// Everything was taken.
    Accepted,
    /// Some items break the data model; the rest was taken.
    Partial(PartialSuccess),
    /// The bytes are not a request; nothing was taken.
    Malformed(String),
    /// A component refused the request.
    Refused(Refusal),
}

/// A request as it was sent, uncompressed, with the memory that is set aside for it.
pub(crate) struct Plain {
    reservation: Reservation,
    bytes: Vec<u8>,
    /// The body as it came, where it came in one frame; `bytes` is empty then.
    frame: Option<Bytes>,
    envelope: usize,
}

impl Plain {
    fn of(reservation: Reservation, bytes: Vec<u8>) -> Self {
        Self {
            reservation,
            bytes,
            frame: None,
            envelope: 0,
        }
    }

    /// The request as bytes whose budget is free again when the last of them is dropped.
    pub(crate) fn hold(self) -> Bytes {
        let held = match self.frame {
            Some(frame) => self.reservation.tie(frame),
            None => self.reservation.hold(self.bytes),
        };
        held.slice(self.envelope.min(held.len())..)
    }

    /// Makes room for `total` bytes: twice as much as there was, paid for before it is taken, or no more than needed
    /// where the budget is short.
    fn make_room(&mut self, total: usize, largest: usize) -> Result<(), Exhausted> {
        let room = self.bytes.capacity();
        if total <= room {
            return Ok(());
        }
        let doubled = (room * 2).min(largest + self.envelope).max(total);
        let paid = self.reservation.bytes() + self.envelope;
        let room = if total <= paid {
            doubled.min(paid)
        } else if self.reservation.grow_to(doubled - self.envelope).is_ok() {
            doubled
        } else {
            self.reservation.grow_to(total - self.envelope)?;
            total
        };
        self.bytes.reserve_exact(room - self.bytes.len());
        Ok(())
    }

    /// What was read, framing included.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.frame.as_deref().unwrap_or(&self.bytes)
    }

    /// Sets aside what is missing to so many bytes, before they are made.
    pub(super) fn grow_to(&mut self, bytes: usize) -> Result<(), ReadError> {
        self.reservation
            .grow_to(bytes)
            .map_err(|Exhausted| ReadError::Overload)
    }

    /// Replaces the request by a translation of it, which takes over the memory set aside.
    pub(crate) fn translate<E>(
        self,
        translation: impl FnOnce(&[u8]) -> Result<Vec<u8>, E>,
    ) -> Result<Result<Self, ReadError>, E> {
        let bytes = translation(self.bytes())?;
        let mut reservation = self.reservation;
        Ok(match reservation.grow_to(bytes.len()) {
            Ok(()) => Ok(Self::of(reservation, bytes)),
            Err(Exhausted) => Err(ReadError::Overload),
        })
    }
}

impl Intake {
    /// The pipeline behind a signal.
    pub(crate) fn route(&self, signal: Signal) -> Option<&Arc<dyn Consumer>> {
        self.routes
            .iter()
            .zip(Signal::ALL)
            .find(|(_, of)| *of == signal)
            .and_then(|(route, _)| route.as_ref())
    }

    /// Begins the books of a request.
    pub(crate) fn visit(&self, signal: Signal) -> Visit<'_> {
        self.ledger.request(signal);
        Visit {
            ledger: &self.ledger,
            signal,
            reason: Some(Reason::ClientGone),
        }
    }

    /// Waits for a place among the requests in progress; it is kept until the answer.
    pub(crate) async fn enter(&self, limits: &Limits) -> Result<SemaphorePermit<'_>, ReadError> {
        match timeout(limits.admission, self.places.acquire()).await {
            Ok(Ok(place)) => Ok(place),
            _ => Err(ReadError::Overload),
        }
    }

    /// The largest request that can be held: no more than the whole budget.
    fn largest(&self, limits: &Limits) -> usize {
        limits.request_bytes.min(self.budget.limit())
    }

    /// Waits for memory before a byte of the body is read: where it is read to.
    pub(super) async fn admit(
        &self,
        declared: Option<usize>,
        coding: Coding,
        limits: &Limits,
    ) -> Result<Plain, ReadError> {
        let largest = self.largest(limits);
        if declared.is_some_and(|length| length > largest) {
            return Err(ReadError::TooLarge(largest));
        }
        let expected = declared.unwrap_or(UNDECLARED_BODY);
        let expected = if coding == Coding::Identity {
            expected
        } else {
            expected.saturating_mul(USUAL_EXPANSION)
        };
        let reserved = self
            .budget
            .reserve(expected.min(largest), limits.admission)
            .await;
        match reserved {
            Ok(reservation) => Ok(Plain::of(reservation, Vec::new())),
            Err(Exhausted) => Err(ReadError::Overload),
        }
    }

    /// Reads a whole body within every limit; `envelope` bytes of framing do not count.
    pub(crate) async fn read(
        &self,
        body: Incoming,
        envelope: usize,
        coding: Coding,
        limits: &Limits,
    ) -> Result<Plain, ReadError> {
        let declared = body
            .size_hint()
            .exact()
            .map(|length| usize::try_from(length).unwrap_or(usize::MAX));
        let declared = declared.map(|length| length.saturating_sub(envelope));
        let mut plain = self.admit(declared, coding, limits).await?;
        plain.envelope = envelope;
        let expected = declared.map_or(0, |length| length + envelope);
        timeout(
            limits.body,
            self.collect(body, &mut plain, expected, limits),
        )
        .await
        .unwrap_or(Err(ReadError::TimedOut(limits.body)))?;
        Ok(plain)
    }

    async fn collect(
        &self,
        mut body: Incoming,
        into: &mut Plain,
        expected: usize,
        limits: &Limits,
    ) -> Result<(), ReadError> {
        let largest = self.largest(limits);
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| ReadError::Broken(error.to_string()))?;
            let Ok(data) = frame.into_data() else {
                continue;
            };
            let total = into.bytes.len() + data.len();
            if total <= largest + into.envelope
                && total == data.len()
                && data.len() >= WHOLE_FRAME
                && body.is_end_stream()
            {
                into.reservation
                    .grow_to(total.min(largest))
                    .map_err(|Exhausted| ReadError::Overload)?;
                into.frame = Some(data);
                return Ok(());
            }
            self.append(into, &data, expected, limits)?;
        }
        Ok(())
    }

    /// Adds what came of a body of `expected` bytes; 0 is an unknown length.
    pub(super) fn append(
        &self,
        into: &mut Plain,
        data: &[u8],
        expected: usize,
        limits: &Limits,
    ) -> Result<(), ReadError> {
        let largest = self.largest(limits);
        let total = into.bytes.len() + data.len();
        if total > largest + into.envelope {
            return Err(ReadError::TooLarge(largest));
        }
        if into.bytes.is_empty() {
            into.bytes.reserve_exact(expected.min(TRUSTED_LENGTH));
        }
        into.make_room(total, largest)
            .map_err(|Exhausted| ReadError::Overload)?;
        into.bytes.extend_from_slice(data);
        Ok(())
    }

    /// Undoes the content coding.
    pub(crate) fn decompress(
        &self,
        plain: Plain,
        coding: Coding,
        limits: &Limits,
    ) -> Result<Plain, ReadError> {
        if coding == Coding::Identity {
            return Ok(plain);
        }
        // Whatever is free now bounds what may come out, so that a bomb cannot exceed the budget.
        let mut affordable = plain.reservation.bytes() + self.budget.available();
        let largest = self.largest(limits);
        let compressed = plain.bytes().get(plain.envelope..).unwrap_or_default();
        let mut outcome = compression::decompress(coding, compressed, largest.min(affordable));
        if matches!(outcome, Err(DecompressError::TooLarge))
            && affordable < largest
            && self.budget.reclaim(largest - affordable)
        {
            affordable = plain.reservation.bytes() + self.budget.available();
            outcome = compression::decompress(coding, compressed, largest.min(affordable));
        }
        match outcome {
            Ok(bytes) => {
                let mut reservation = plain.reservation;
                reservation
                    .grow_to(bytes.len())
                    .map_err(|Exhausted| ReadError::Overload)?;
                Ok(Plain::of(reservation, bytes))
            }
            Err(DecompressError::TooLarge) if affordable < largest => Err(ReadError::Overload),
            Err(DecompressError::TooLarge) => Err(ReadError::TooLarge(largest)),
            Err(DecompressError::Corrupt(problem)) => Err(ReadError::Corrupt(problem)),
        }
    }

    /// Validates a request, hands it over and waits until the promise of every destination holds.
    pub(crate) async fn take(
        &self,
        mut visit: Visit<'_>,
        request: Bytes,
        consumer: &Arc<dyn Consumer>,
        deadline: Option<Instant>,
    ) -> Verdict {
        let signal = visit.signal;
        let summary = match millrace_wire::validate(signal, &request) {
            Ok(summary) => summary,
            Err(error) => {
                visit.is_malformed();
                return Verdict::Malformed(error.to_string());
            }
        };
        visit.is_counted();
        let mut books = Pending::new(&self.ledger, signal, summary.items);
        let request = Payload::from(request);
        let (payload, partial) = if summary.invalid == 0 {
            (request, None)
        } else {
            let kept = millrace_wire::reject_invalid(signal, &request.to_contiguous());
            books.drop(kept.rejected, Reason::InvalidData);
            let rejected = i64::try_from(kept.rejected).unwrap_or(i64::MAX);
            (
                request.derive(kept.request),
                Some(PartialSuccess {
                    rejected,
                    message: kept.message,
                }),
            )
        };
        if books.items > 0 {
            let batch = Batch {
                signal,
                items: books.items,
                payload,
            };
            if let Err(refusal) = wait(consumer.consume(batch), deadline).await {
                books.refuse(refusal.reason);
                return Verdict::Refused(refusal);
            }
        }
        books.accept();
        partial.map_or(Verdict::Accepted, Verdict::Partial)
    }
}

async fn wait(ack: Ack, deadline: Option<Instant>) -> Result<(), Refusal> {
    let Some(deadline) = deadline else {
        return ack.await;
    };
    timeout_at(deadline, ack).await.unwrap_or_else(|_| {
        Err(Refusal::retryable(
            Reason::DeadlineExceeded,
            "the deadline passed before the data was safe; it may still be delivered",
        ))
    })
}

/// A request from its head to the moment when its items are known; one that does not get so far is counted as
/// turned away, with its reason.
pub(crate) struct Visit<'a> {
    ledger: &'a Ledger,
    signal: Signal,
    /// Why, should it end now; `None` once its items are in the books.
    reason: Option<Reason>,
}

impl Visit<'_> {
    /// Notes why the request could not be read, if it could not.
    pub(crate) fn note<T>(&mut self, result: Result<T, ReadError>) -> Result<T, ReadError> {
        if let Err(error) = &result {
            self.reason = Some(match error {
                ReadError::TooLarge(_) => Reason::TooLarge,
                ReadError::Overload => Reason::BudgetExhausted,
                ReadError::TimedOut(_) => Reason::DeadlineExceeded,
                ReadError::Broken(_) => Reason::ClientGone,
                ReadError::Corrupt(_) => Reason::Malformed,
            });
        }
        result
    }

    /// Notes that the request is not OTLP.
    pub(crate) fn is_malformed(&mut self) {
        self.reason = Some(Reason::Malformed);
    }

    /// Notes that the sender must begin a new session, or do without one.
    pub(crate) fn is_reset(&mut self, reset: Reset) {
        self.reason = Some(match reset {
            Reset::Budget => Reason::SessionRefused,
            _ => Reason::SessionReset,
        });
    }

    /// Notes that nobody here wants the signal.
    pub(crate) fn has_no_pipeline(&mut self) {
        self.reason = Some(Reason::NoPipeline);
    }

    fn is_counted(&mut self) {
        self.reason = None;
    }
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        if let Some(reason) = self.reason {
            self.ledger.turn_away(self.signal, reason);
        }
    }
}

/// Items between arrival and answer; when the client goes away first, they are counted as refused.
struct Pending<'a> {
    ledger: &'a Ledger,
    signal: Signal,
    items: usize,
    reason: Reason,
}

impl<'a> Pending<'a> {
    fn new(ledger: &'a Ledger, signal: Signal, items: usize) -> Self {
        ledger.receive(signal, items);
        Self {
            ledger,
            signal,
            items,
            reason: Reason::ClientGone,
        }
    }

    fn drop(&mut self, items: usize, reason: Reason) {
        self.ledger.drop(self.signal, items, reason);
        self.items -= items;
    }

    fn refuse(mut self, reason: Reason) {
        self.reason = reason;
    }

    fn accept(mut self) {
        self.ledger.deliver(self.signal, self.items);
        self.items = 0;
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        self.ledger.drop(self.signal, self.items, self.reason);
    }
}
