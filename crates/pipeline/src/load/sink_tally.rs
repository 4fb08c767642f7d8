//! What a sink has received, and which sequence numbers are missing.
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use millrace_wire::Signal;
use serde::Serialize;

use super::latency::{Histogram, Quantiles};
use super::sequences::Sequences;
use super::walk::{self, Identity, Malformed};

/// How many holes a report lists for each generator; the count of missing items covers all.
const HOLES_MAX: usize = 8;
/// No generator counts so far, and the random ids of other telemetry are nearly always beyond.
const FOREIGN: u64 = 1 << 48;

/// The counts of one sink.
#[derive(Debug, Default)]
pub(super) struct Tally {
    signals: BTreeMap<Signal, SignalReport>,
    generators: BTreeMap<u64, Sequences>,
    unidentified_items: u64,
    malformed_requests: u64,
    refused_requests: u64,
    wire_bytes: u64,
    body_bytes: u64,
    transit: Histogram,
    hold: Histogram,
    first_arrival: Option<Instant>,
    last_arrival: Option<Instant>,
}

/// A run of consecutive sequence numbers, as most requests hold.
#[derive(Clone, Copy)]
struct Span {
    generator: u64,
    first: u64,
    end: u64,
}

/// The size of a request as it came.
#[derive(Clone, Copy, Debug)]
pub(super) struct RequestBytes {
    /// Before decompression.
    pub(super) wire: usize,
    /// After it.
    pub(super) body: usize,
}

impl Tally {
    /// Notes that a request begins to arrive.
    pub(super) fn arrive(&mut self, now: Instant) {
        self.first_arrival.get_or_insert(now);
        self.last_arrival = Some(now);
    }

    /// Counts the items of an accepted request, however it came; returns how many.
    pub(super) fn accept(
        &mut self,
        signal: Signal,
        request: &[u8],
        bytes: RequestBytes,
        unix_nano: u64,
    ) -> Result<u64, Malformed> {
        let mut items = 0;
        let mut run: Option<Span> = None;
        let walked = walk::items(signal, request, &mut |item| {
            items += 1;
            match (
                walk::identity(signal, item).filter(|found| found.sequence < FOREIGN),
                &mut run,
            ) {
                (
                    Some(Identity {
                        generator,
                        sequence,
                    }),
                    Some(run),
                ) if run.end == sequence && run.generator == generator => {
                    run.end += 1;
                }
                (
                    Some(Identity {
                        generator,
                        sequence,
                    }),
                    run,
                ) => {
                    let begun = Span {
                        generator,
                        first: sequence,
                        end: sequence.saturating_add(1),
                    };
                    self.end_run(run.replace(begun));
                    self.note_transit(walk::time_unix_nano(signal, item), unix_nano);
                }
                (None, _) => self.unidentified_items += 1,
            }
        });
        self.end_run(run);
        let report = self.signals.entry(signal).or_default();
        report.requests += 1;
        report.items += items;
        self.wire_bytes += bytes.wire as u64;
        self.body_bytes += bytes.body as u64;
        if walked.is_err() {
            self.malformed_requests += 1;
        }
        walked.map(|()| items)
    }

    /// Counts a request that was refused on purpose.
    pub(super) fn refuse(&mut self) {
        self.refused_requests += 1;
    }

    /// Counts a request that could not be read.
    pub(super) fn malformed(&mut self) {
        self.malformed_requests += 1;
    }

    /// Counts how long a request waited here for its answer.
    pub(super) fn answered(&mut self, arrival: Instant) {
        let now = Instant::now();
        self.hold.record(now.saturating_duration_since(arrival));
        self.last_arrival = Some(now);
    }

    /// Items of all signals.
    pub(super) fn items(&self) -> u64 {
        self.signals.values().map(|signal| signal.items).sum()
    }

    fn end_run(&mut self, run: Option<Span>) {
        if let Some(Span {
            generator,
            first,
            end,
        }) = run
        {
            self.generators
                .entry(generator)
                .or_default()
                .insert(first, end);
        }
    }

    fn note_transit(&mut self, sent_unix_nano: Option<u64>, now_unix_nano: u64) {
        if let Some(nanos) = sent_unix_nano.and_then(|sent| now_unix_nano.checked_sub(sent)) {
            self.transit.record(Duration::from_nanos(nanos));
        }
    }

    /// All figures so far.
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    pub(super) fn report(&self, cpu_s: Option<f64>) -> SinkReport {
        let generators: Vec<_> = self.generators.iter().map(GeneratorReport::new).collect();
        let elapsed_s = self
            .first_arrival
            .zip(self.last_arrival)
            .map_or(0.0, |(first, last)| (last - first).as_secs_f64());
        let sum = |count: fn(&GeneratorReport) -> u64| generators.iter().map(count).sum();
        SinkReport {
            elapsed_s,
            requests: self.signals.values().map(|signal| signal.requests).sum(),
            items: self.items(),
            signals: self
                .signals
                .iter()
                .map(|(signal, report)| (signal.name(), report.clone()))
                .collect(),
            unique_items: sum(|generator| generator.unique),
            duplicated_items: sum(|generator| generator.duplicated),
            reordered_items: sum(|generator| generator.reordered),
            missing_items: sum(|generator| generator.missing),
            unidentified_items: self.unidentified_items,
            malformed_requests: self.malformed_requests,
            refused_requests: self.refused_requests,
            wire_bytes: self.wire_bytes,
            body_bytes: self.body_bytes,
            items_per_second: self.items() as f64 / elapsed_s.max(1e-9),
            transit_ms: self.transit.quantiles(),
            hold_ms: self.hold.quantiles(),
            generators,
            cpu_s,
        }
    }
}

/// Requests and items of one signal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SignalReport {
    /// Requests that were accepted.
    pub requests: u64,
    /// Items in them.
    pub items: u64,
}

/// The sequence numbers of one generator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GeneratorReport {
    /// The generator's id in hexadecimal.
    pub generator: String,
    /// The highest sequence number.
    pub highest_sequence: u64,
    /// Distinct items.
    pub unique: u64,
    /// Items that had arrived before.
    pub duplicated: u64,
    /// Items that arrived after one with a higher number.
    pub reordered: u64,
    /// Items from 1 to the highest that have not arrived.
    pub missing: u64,
    /// The first of these, as first and last number of each hole.
    pub missing_ranges: Vec<(u64, u64)>,
}

impl GeneratorReport {
    fn new((generator, sequences): (&u64, &Sequences)) -> Self {
        Self {
            generator: format!("{generator:016x}"),
            highest_sequence: sequences.highest(),
            unique: sequences.unique(),
            duplicated: sequences.duplicated(),
            reordered: sequences.reordered(),
            missing: sequences.highest() - sequences.unique(),
            missing_ranges: sequences.holes().take(HOLES_MAX).collect(),
        }
    }
}

/// What a sink has received.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SinkReport {
    /// From the first request to the last answer.
    pub elapsed_s: f64,
    /// Requests that were accepted.
    pub requests: u64,
    /// Items in them.
    pub items: u64,
    /// The same by signal.
    pub signals: BTreeMap<&'static str, SignalReport>,
    /// Distinct generated items.
    pub unique_items: u64,
    /// Generated items that had arrived before.
    pub duplicated_items: u64,
    /// Generated items that arrived after one with a higher number.
    pub reordered_items: u64,
    /// Generated items that are missing below the highest of their generator.
    pub missing_items: u64,
    /// Items without the identity of a generator.
    pub unidentified_items: u64,
    /// Requests that could not be read to their end.
    pub malformed_requests: u64,
    /// Requests that were refused on purpose.
    pub refused_requests: u64,
    /// Bytes of the bodies as they came.
    pub wire_bytes: u64,
    /// Bytes of the bodies after decompression.
    pub body_bytes: u64,
    /// Items in each second between the first and the last arrival.
    pub items_per_second: f64,
    /// From when items were due to be sent until they arrived: both ends' clocks must be the same.
    pub transit_ms: Quantiles,
    /// From when the head of a request was read until its answer was ready.
    pub hold_ms: Quantiles,
    /// What arrived of each generator.
    pub generators: Vec<GeneratorReport>,
    /// CPU time of this process since the sink was started, where the system tells it.
    pub cpu_s: Option<f64>,
}
