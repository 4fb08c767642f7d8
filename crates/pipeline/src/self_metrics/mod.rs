//! What the gateway measures about itself, under the names that the Collector gave these metrics.
#![expect(
    clippy::cast_precision_loss,
    reason = "Prometheus counts in doubles: exact up to 2^53 items, some 142 years at two million a second"
)]
pub(crate) mod prometheus;
pub(crate) mod push;

use std::sync::Arc;
use std::time::Instant;

use millrace_wire::Signal;
use serde_json::{Map, Value, json};

use crate::budget::Budget;
use crate::component::Reason;
use crate::graph::Shared;
use crate::ledger::Tally;
use crate::receivers::sessions::Sessions;

/// Everything that can be measured.
pub(crate) struct Observed {
    pub(crate) shared: Shared,
    pub(crate) budget: Budget,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) started: Instant,
}

/// One metric with all of its points.
#[derive(Debug)]
pub(crate) struct Metric {
    pub(crate) name: String,
    pub(crate) description: &'static str,
    pub(crate) unit: &'static str,
    /// A monotonic sum, else a gauge.
    pub(crate) monotonic: bool,
    pub(crate) points: Vec<Point>,
}

/// A value and the labels that tell it from its neighbours.
#[derive(Debug)]
pub(crate) struct Point {
    pub(crate) labels: Vec<(&'static str, String)>,
    pub(crate) value: f64,
}

impl Observed {
    /// All metrics at this moment.
    pub(crate) fn measure(&self) -> Vec<Metric> {
        let mut metrics = self.process();
        for (id, books) in &self.shared.books.receivers {
            for (transport, ledger) in books.by_transport() {
                for (signal, tally) in ledger.snapshot() {
                    receiver(&mut metrics, id, transport, signal, &tally);
                }
            }
        }
        for (id, ledger) in &self.shared.books.exporters {
            let capacity = self.shared.queue_capacities.get(id).copied();
            for (signal, tally) in ledger.snapshot() {
                exporter(&mut metrics, id, signal, &tally);
                if let Some(capacity) = capacity {
                    queue(&mut metrics, id, signal, tally.waiting, capacity as u64);
                }
            }
        }
        metrics
    }

    fn process(&self) -> Vec<Metric> {
        let gauge = |name: &str, description, unit, value| Metric {
            name: name.into(),
            description,
            unit,
            monotonic: false,
            points: vec![Point {
                labels: Vec::new(),
                value,
            }],
        };
        let mut metrics = vec![
            Metric {
                monotonic: true,
                ..gauge(
                    "otelcol_process_uptime",
                    "Uptime of the process",
                    "s",
                    self.started.elapsed().as_secs_f64(),
                )
            },
            gauge(
                "millrace_budget_used_bytes",
                "Telemetry held in memory",
                "By",
                self.budget.used() as f64,
            ),
            gauge(
                "millrace_tracezip_sessions",
                "Sessions of otz1 that wait for their next frame; what they hold counts as held in memory",
                "",
                self.sessions.waiting() as f64,
            ),
            gauge(
                "millrace_budget_limit_bytes",
                "Telemetry that may be held in memory",
                "By",
                self.budget.limit() as f64,
            ),
        ];
        if let Some((cpu_s, rss_bytes)) = process_usage() {
            metrics.push(Metric {
                monotonic: true,
                ..gauge(
                    "otelcol_process_cpu_seconds",
                    "Total CPU user and system time in seconds",
                    "s",
                    cpu_s,
                )
            });
            metrics.push(gauge(
                "otelcol_process_memory_rss",
                "Total physical memory (resident set size)",
                "By",
                rss_bytes,
            ));
        }
        metrics
    }

    /// The books of every component, for `stats()`; all numbers are items unless the name says otherwise.
    pub(crate) fn stats(&self) -> Value {
        let books = &self.shared.books;
        let receivers: Map<_, _> = books
            .receivers
            .iter()
            .map(|(id, books)| (id.clone(), by_signal(&books.snapshot(), receiver_stats)))
            .collect();
        let exporters: Map<_, _> = books
            .exporters
            .iter()
            .map(|(id, ledger)| (id.clone(), by_signal(&ledger.snapshot(), exporter_stats)))
            .collect();
        json!({
            "receivers": receivers,
            "exporters": exporters,
            "budget": {"limit_bytes": self.budget.limit(), "used_bytes": self.budget.used()},
        })
    }
}

fn by_signal(tallies: &[(Signal, Tally); 4], stats: fn(&Tally) -> Value) -> Value {
    tallies
        .iter()
        .map(|(signal, tally)| (signal.name().to_owned(), stats(tally)))
        .collect::<Map<_, _>>()
        .into()
}

fn receiver_stats(tally: &Tally) -> Value {
    let turned_away: Map<_, _> = tally
        .turned_away
        .iter()
        .map(|(reason, requests)| named((*reason, *requests)))
        .collect();
    let refused: Map<_, _> = reasons(tally)
        .filter(|(reason, _)| *reason != Reason::InvalidData)
        .map(named)
        .collect();
    json!({
        "received": tally.received,
        "accepted": tally.delivered,
        "refused": refused,
        "rejected": tally.dropped.get(&Reason::InvalidData).copied().unwrap_or(0),
        "pending": tally.held,
        "requests": tally.requests,
        "refused_requests": turned_away,
    })
}

fn exporter_stats(tally: &Tally) -> Value {
    let dropped: Map<_, _> = reasons(tally).map(named).collect();
    json!({
        "received": tally.received,
        "exported": tally.delivered,
        "dropped": dropped,
        "queued": tally.held,
        "waiting_requests": tally.waiting,
        "requests_sent": tally.requests,
        "retries": tally.retries,
    })
}

fn reasons(tally: &Tally) -> impl Iterator<Item = (Reason, u64)> + '_ {
    tally
        .dropped
        .iter()
        .map(|(reason, items)| (*reason, *items))
}

fn named((reason, items): (Reason, u64)) -> (String, Value) {
    (reason.name().to_owned(), items.into())
}

fn receiver(metrics: &mut Vec<Metric>, id: &str, transport: &str, signal: Signal, tally: &Tally) {
    let items = signal.item_name();
    let labels = || {
        vec![
            ("receiver", id.to_owned()),
            ("transport", transport.to_owned()),
        ]
    };
    add(
        metrics,
        format!("otelcol_receiver_accepted_{items}"),
        "Items successfully pushed into the pipeline",
        true,
        labels(),
        tally.delivered,
    );
    add(
        metrics,
        format!("otelcol_receiver_refused_{items}"),
        "Items that could not be pushed into the pipeline",
        true,
        labels(),
        tally.dropped_items(),
    );
    add(
        metrics,
        format!("millrace_receiver_pending_{items}"),
        "Items received but not answered yet",
        false,
        labels(),
        tally.held,
    );
    for (reason, requests) in &tally.turned_away {
        let mut labels = labels();
        labels.push(("signal", signal.name().to_owned()));
        labels.push(("reason", reason.name().to_owned()));
        add(
            metrics,
            "millrace_receiver_refused_requests".into(),
            "Requests refused before their items could be counted, by reason",
            true,
            labels,
            *requests,
        );
    }
    dropped(
        metrics,
        &format!("receiver/{id}/{transport}"),
        signal,
        tally,
    );
}

/// The queue of an exporter is one for all signals; the Collector has one for each.
fn queue(metrics: &mut Vec<Metric>, id: &str, signal: Signal, waiting: u64, capacity: u64) {
    let labels = || {
        vec![
            ("data_type", signal.name().to_owned()),
            ("exporter", id.to_owned()),
        ]
    };
    add(
        metrics,
        "otelcol_exporter_queue_size".into(),
        "Requests that wait in the sending queue",
        false,
        labels(),
        waiting,
    );
    add(
        metrics,
        "otelcol_exporter_queue_capacity".into(),
        "Requests of all signals that may wait in the sending queue",
        false,
        labels(),
        capacity,
    );
}

fn exporter(metrics: &mut Vec<Metric>, id: &str, signal: Signal, tally: &Tally) {
    let items = signal.item_name();
    let labels = || vec![("exporter", id.to_owned())];
    // The Collector tells a full queue from a failed send.
    let refused = tally.dropped.get(&Reason::QueueFull).copied().unwrap_or(0);
    add(
        metrics,
        format!("otelcol_exporter_sent_{items}"),
        "Items successfully sent to the destination",
        true,
        labels(),
        tally.delivered,
    );
    add(
        metrics,
        format!("otelcol_exporter_send_failed_{items}"),
        "Items in failed attempts to send to the destination",
        true,
        labels(),
        tally.dropped_items() - refused,
    );
    add(
        metrics,
        format!("otelcol_exporter_enqueue_failed_{items}"),
        "Items that could not be added to the sending queue",
        true,
        labels(),
        refused,
    );
    add(
        metrics,
        format!("millrace_exporter_queued_{items}"),
        "Items handed to the exporter and neither sent nor dropped yet",
        false,
        labels(),
        tally.held,
    );
    dropped(metrics, &format!("exporter/{id}"), signal, tally);
}

fn dropped(metrics: &mut Vec<Metric>, component: &str, signal: Signal, tally: &Tally) {
    for (reason, items) in reasons(tally) {
        let labels = vec![
            ("component", component.to_owned()),
            ("signal", signal.name().to_owned()),
            ("reason", reason.name().to_owned()),
        ];
        add(
            metrics,
            "millrace_dropped_items".into(),
            "Items refused or dropped, by reason",
            true,
            labels,
            items,
        );
    }
}

fn add(
    metrics: &mut Vec<Metric>,
    name: String,
    description: &'static str,
    monotonic: bool,
    labels: Vec<(&'static str, String)>,
    value: u64,
) {
    let point = Point {
        labels,
        value: value as f64,
    };
    match metrics.iter_mut().find(|metric| metric.name == name) {
        Some(metric) => metric.points.push(point),
        None => metrics.push(Metric {
            name,
            description,
            unit: "",
            monotonic,
            points: vec![point],
        }),
    }
}

/// CPU seconds and resident bytes of this process, where the system tells (`/proc`).
fn process_usage() -> Option<(f64, f64)> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the program, in parentheses, may hold anything; numbers follow it.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let user: f64 = fields.nth(11)?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: f64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    // Linux reports both in fixed units on every architecture this is built for: 100 Hz and 4 KiB pages.
    Some(((user + system) / 100.0, pages * 4096.0))
}
