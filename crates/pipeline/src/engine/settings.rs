//! What an engine is told: the exporters of each signal, and how long telemetry may wait for them.
use std::time::Duration;

use millrace_recorder::Limits;
use serde::Deserialize;

use crate::config::{Exporter, Sending};

/// Exports at once from one process to one destination, where the exporter does not say.
const IN_FLIGHT: usize = 1;

/// The resolved settings of an engine; a signal that is absent is not exported.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Spans.
    pub traces: Option<Recorded>,
    /// Log records.
    pub logs: Option<Recorded>,
    /// Data points, for each exporter by itself: they may prefer different temporalities.
    #[serde(default)]
    pub metrics: Vec<Collected>,
}

/// A signal whose items are recorded one by one; the names are those of the batching processors.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recorded {
    /// Where they go: everything to each of them.
    pub exporters: Vec<Exporter>,
    /// Longest wait of an item for others.
    pub schedule_delay_ms: u64,
    /// Longest time for one request, repetitions included.
    pub export_timeout_ms: u64,
    /// Items in a request, where somebody has asked for a number.
    pub max_export_batch_size: Option<usize>,
    /// Items that wait, where somebody has asked for a number.
    pub max_queue_size: Option<usize>,
    /// Bytes that wait or are being sent; of several exporters, also what each of them may hold.
    pub max_queue_bytes: usize,
}

/// A signal that is collected at an interval.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Collected {
    /// Where it goes.
    pub exporter: Exporter,
    /// From one collection to the next.
    pub interval_ms: u64,
    /// Longest time for one collection and its export.
    pub timeout_ms: u64,
}

impl Recorded {
    /// The limits of its buffer.
    #[must_use]
    pub fn limits(&self) -> Limits {
        let default = Limits::default();
        let full = self.max_export_batch_size.unwrap_or(default.wake_items);
        // A queue that is woken for only when it is full loses what comes before it is emptied.
        let half = self
            .max_queue_size
            .map_or(usize::MAX, |items| items.div_ceil(2));
        Limits {
            bytes: self.max_queue_bytes,
            items: self.max_queue_size,
            request_items: self.max_export_batch_size.map(|items| items.max(1)),
            wake_items: full.min(half).max(1),
        }
    }

    pub(super) fn delay(&self) -> Duration {
        Duration::from_millis(self.schedule_delay_ms)
    }

    /// Its exporters, bound to their deadline.
    pub(super) fn exporters(&self) -> impl Iterator<Item = Exporter> {
        let timeout_ms = self.export_timeout_ms;
        let exporters = self.exporters.iter();
        exporters.map(move |exporter| bound(exporter, timeout_ms))
    }
}

impl Collected {
    pub(super) fn interval(&self) -> Duration {
        Duration::from_millis(self.interval_ms)
    }

    pub(super) fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }

    /// Its exporter, bound to its deadline.
    pub(super) fn exporter(&self) -> Exporter {
        bound(&self.exporter, self.timeout_ms)
    }
}

/// The exporter as an engine uses it: within its time, and with no queue of its own that could refuse anything, since what
/// waits is the buffer's.
fn bound(exporter: &Exporter, timeout_ms: u64) -> Exporter {
    let mut exporter = exporter.clone();
    if let Some(sending) = sending_mut(&mut exporter) {
        let queue = &mut sending.sending_queue;
        queue.enabled = true;
        queue.block_on_overflow = true;
        queue.wait_for_result = true;
        sending.export_timeout_ms = Some(timeout_ms);
    }
    exporter
}

fn sending_mut(exporter: &mut Exporter) -> Option<&mut Sending> {
    match exporter {
        Exporter::Otlp(settings) => Some(&mut settings.sending),
        Exporter::OtlpHttp(settings) => Some(&mut settings.sending),
        Exporter::File(_) | Exporter::Store(_) | Exporter::Debug(_) | Exporter::Nop(_) => None,
    }
}

/// Requests that may be under way.
pub(super) fn in_flight(exporter: &Exporter) -> usize {
    match exporter {
        Exporter::Otlp(settings) => settings.sending.sending_queue.num_consumers,
        Exporter::OtlpHttp(settings) => settings.sending.sending_queue.num_consumers,
        Exporter::File(_) | Exporter::Store(_) | Exporter::Debug(_) | Exporter::Nop(_) => IN_FLIGHT,
    }
}

/// A destination in words, for the log.
pub(super) fn destination(exporter: &Exporter) -> &str {
    match exporter {
        Exporter::Otlp(settings) => &settings.endpoint,
        Exporter::OtlpHttp(settings) => &settings.endpoint,
        Exporter::File(settings) => &settings.path,
        Exporter::Store(settings) => &settings.path,
        Exporter::Debug(_) => "standard error",
        Exporter::Nop(_) => "nowhere",
    }
}
