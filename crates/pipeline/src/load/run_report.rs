//! What became of a run's requests: counted per connection, joined at the end.
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::answer::Answer;
use super::latency::{Histogram, Quantiles};
use super::plan::Plan;

/// The pause before a refused request is sent again, doubled up to a bound where the server names none.
const PAUSE_FIRST: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// What one connection has seen.
#[derive(Debug, Default)]
pub(super) struct Tally {
    latency: Histogram,
    lag: Histogram,
    offered_requests: u64,
    accepted_requests: u64,
    resent_requests: u64,
    rejected_items: u64,
    refused: BTreeMap<String, u64>,
    failed: BTreeMap<String, u64>,
    last_answer: Option<Instant>,
}

/// What follows an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The next request.
    Accepted,
    /// Its sequence numbers go back and its turn is over; after a pause where the server could not be reached.
    GiveBack(Duration),
    /// The same request once more, after this pause.
    Again(Duration),
}

impl Tally {
    /// A request is about to be sent that was due at this time.
    pub(super) fn begin(&mut self, due: Instant) {
        self.offered_requests += 1;
        self.lag.record(due.elapsed());
    }

    /// Counts an answer to attempt number `attempt` (from 0) of a request that was due at this time.
    pub(super) fn judge(
        &mut self,
        plan: &Plan,
        answer: Answer,
        due: Instant,
        attempt: u32,
    ) -> Next {
        let now = Instant::now();
        self.last_answer = Some(now);
        let live = &plan.live;
        let pause = PAUSE_FIRST
            .saturating_mul(1 << attempt.min(16))
            .min(PAUSE_MAX)
            .mul_f64(0.5 + fastrand::f64() / 2.0);
        let (again, pause) = match answer {
            Answer::Accepted { rejected } => {
                self.latency.record(now.saturating_duration_since(due));
                self.accepted_requests += 1;
                self.rejected_items += rejected;
                live.accepted_requests.fetch_add(1, Ordering::Relaxed);
                live.accepted_items
                    .fetch_add(plan.template.items() as u64, Ordering::Relaxed);
                return Next::Accepted;
            }
            Answer::Refused {
                code,
                retryable,
                retry_after,
            } => {
                *self.refused.entry(code).or_default() += 1;
                live.refused_requests.fetch_add(1, Ordering::Relaxed);
                if !retryable || !plan.retry {
                    return Next::GiveBack(Duration::ZERO);
                }
                (true, retry_after.unwrap_or(pause))
            }
            Answer::Failed { reason } => {
                *self.failed.entry(reason).or_default() += 1;
                live.failed_requests.fetch_add(1, Ordering::Relaxed);
                (plan.retry, pause)
            }
        };
        if again && !plan.schedule.is_stopped() {
            self.resent_requests += 1;
            Next::Again(pause)
        } else {
            Next::GiveBack(pause)
        }
    }

    /// Adds what another connection has seen.
    pub(super) fn merge(&mut self, other: Self) {
        self.latency.merge(&other.latency);
        self.lag.merge(&other.lag);
        self.offered_requests += other.offered_requests;
        self.accepted_requests += other.accepted_requests;
        self.resent_requests += other.resent_requests;
        self.rejected_items += other.rejected_items;
        for (code, count) in other.refused {
            *self.refused.entry(code).or_default() += count;
        }
        for (reason, count) in other.failed {
            *self.failed.entry(reason).or_default() += count;
        }
        self.last_answer = self.last_answer.max(other.last_answer);
    }

    /// The report of the whole run.
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    pub(super) fn report(self, plan: &Plan, cpu_s: Option<f64>) -> RunReport {
        let start = plan.schedule.start();
        let elapsed_s = self
            .last_answer
            .map_or(0.0, |last| (last - start).as_secs_f64());
        let items = plan.template.items() as u64;
        let accepted_items = self.accepted_requests * items;
        let accepted_bytes = self.accepted_requests * plan.template.bytes().len() as u64;
        let (highest_sequence, unsent_items) = plan.ranges.highest_and_unsent();
        RunReport {
            generator: format!("{:016x}", plan.template.generator()),
            signal: plan.template.signal().name(),
            elapsed_s,
            offered_requests: self.offered_requests,
            offered_items: self.offered_requests * items,
            accepted_requests: self.accepted_requests,
            accepted_items,
            rejected_items: self.rejected_items,
            refused_requests: self.refused,
            failed_requests: self.failed,
            resent_requests: self.resent_requests,
            highest_sequence,
            unsent_items,
            request_bytes: plan.template.bytes().len() as u64,
            accepted_bytes,
            sent_bytes: plan.live.sent_bytes.load(Ordering::Relaxed),
            items_per_second: accepted_items as f64 / elapsed_s.max(1e-9),
            bytes_per_second: accepted_bytes as f64 / elapsed_s.max(1e-9),
            latency_ms: self.latency.quantiles(),
            lag_ms: self.lag.quantiles(),
            cpu_s,
        }
    }
}

/// How a run stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Progress {
    /// Since the first request was due.
    pub elapsed_s: f64,
    /// Items of accepted requests.
    pub accepted_items: u64,
    /// Requests that were taken.
    pub accepted_requests: u64,
    /// Answers that refused a request.
    pub refused_requests: u64,
    /// Requests that got no answer.
    pub failed_requests: u64,
}

/// What became of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunReport {
    /// The id that marks this run's items, in hexadecimal.
    pub generator: String,
    /// The kind of telemetry.
    pub signal: &'static str,
    /// From the first send to the last answer.
    pub elapsed_s: f64,
    /// Requests whose time came.
    pub offered_requests: u64,
    /// Items in them.
    pub offered_items: u64,
    /// Requests that the server took.
    pub accepted_requests: u64,
    /// Items in them, those of a partial success included.
    pub accepted_items: u64,
    /// Items that partial successes named as rejected.
    pub rejected_items: u64,
    /// Refusals by HTTP status or gRPC code.
    pub refused_requests: BTreeMap<String, u64>,
    /// Requests without an answer, by the reason.
    pub failed_requests: BTreeMap<String, u64>,
    /// Sends of a request that had been sent before.
    pub resent_requests: u64,
    /// The highest sequence number that was sent.
    pub highest_sequence: u64,
    /// Sequence numbers up to it that no server accepted: a sink may miss these and no others.
    pub unsent_items: u64,
    /// Bytes of one request before compression.
    pub request_bytes: u64,
    /// Bytes of the accepted requests before compression.
    pub accepted_bytes: u64,
    /// Bytes of all bodies sent, as compressed, refused ones included.
    pub sent_bytes: u64,
    /// Accepted items in each second.
    pub items_per_second: f64,
    /// Bytes of accepted requests in each second, before compression.
    pub bytes_per_second: f64,
    /// From when an accepted request was due to its answer.
    pub latency_ms: Quantiles,
    /// How much later than due requests were sent: what the generator itself adds to the latency.
    pub lag_ms: Quantiles,
    /// CPU time of this process during the run, where the system tells it.
    pub cpu_s: Option<f64>,
}
