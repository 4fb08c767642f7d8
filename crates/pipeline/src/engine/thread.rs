//! The one thread of an engine: the receivers of each signal and their exporters, in one runtime.
use std::io;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;

use millrace_recorder::Buffer;
use millrace_recorder::fork::{AtFork, Shared};
use millrace_wire::Signal;
use tokio::runtime::Builder;
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

use super::Buffers;
use super::settings::{self, Settings};
use crate::batch::Batch;
use crate::component::{Ack, Consumer, Reason, Refusal};
use crate::config::Exporter;
use crate::exporters::{self, Context};
use crate::ledger::Ledger;
use crate::log::Log;
use crate::receivers::destinations::{Destination, Destinations};
use crate::receivers::periodic::{Collector, Periodic};
use crate::receivers::recorder::{Command, Means, Recorder};

/// Threads beside the engine's: for name resolution and for collecting metrics. They end when idle.
const BLOCKING_THREADS: usize = 4;

/// Held while exporters are built, which fills what is global in TLS libraries: a fork waits until none is half made.
pub(super) struct Building;

impl AtFork for Building {
    fn in_child(&mut self) {}
}

/// How the rest of the process speaks to the thread.
pub(super) struct Link {
    pub(super) traces: Arc<Notify>,
    pub(super) logs: Arc<Notify>,
    pub(super) commands: Vec<UnboundedSender<Command>>,
}

/// What the thread is made of.
pub(super) struct Parts {
    pub(super) settings: Settings,
    pub(super) buffers: Buffers,
    /// One for each exporter of metrics.
    pub(super) collectors: Vec<Collector>,
    pub(super) ledger: Arc<Ledger>,
    pub(super) building: Shared<Building>,
}

/// Starts the thread.
pub(super) fn start(parts: Parts) -> io::Result<(Link, JoinHandle<()>)> {
    let mut commands = Vec::new();
    let mut door = |wanted: bool| {
        wanted.then(|| {
            let (sender, receiver) = unbounded_channel();
            commands.push(sender);
            receiver
        })
    };
    let doors = Doors {
        traces: door(parts.settings.traces.is_some()),
        logs: door(parts.settings.logs.is_some()),
        metrics: parts
            .settings
            .metrics
            .iter()
            .filter_map(|_| door(true))
            .collect(),
    };
    let (traces, logs) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let link = Link {
        traces: Arc::clone(&traces),
        logs: Arc::clone(&logs),
        commands,
    };
    let thread = std::thread::Builder::new()
        .name("millrace".to_owned())
        .spawn(move || run(&parts, doors, traces, logs))?;
    Ok((link, thread))
}

/// Where the receivers get their commands.
struct Doors {
    traces: Option<UnboundedReceiver<Command>>,
    logs: Option<UnboundedReceiver<Command>>,
    metrics: Vec<UnboundedReceiver<Command>>,
}

type Receivers = JoinSet<Option<Sender<bool>>>;

fn run(parts: &Parts, doors: Doors, traces: Arc<Notify>, logs: Arc<Notify>) {
    let log = Arc::new(Log::of_guest());
    let building = parts.building.clone();
    let held = building.lock();
    let runtime = Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS)
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            log.error("millrace", format_args!("nothing can be exported: {error}"));
            return;
        }
    };
    let mut receivers = {
        let _inside = runtime.enter();
        receivers(parts, doors, traces, logs, &log)
    };
    drop(held);
    let ended = runtime.block_on(async {
        let mut answers = Vec::new();
        while let Some(ended) = receivers.join_next().await {
            answers.push(ended.ok().flatten());
        }
        answers
    });
    // A name that is being resolved, or somebody's callback, must not hold the thread.
    runtime.shutdown_background();
    // Whoever waits for the end of the thread waits for these to be dropped.
    drop(ended);
}

fn receivers(
    parts: &Parts,
    doors: Doors,
    traces: Arc<Notify>,
    logs: Arc<Notify>,
    log: &Arc<Log>,
) -> Receivers {
    let mut receivers = JoinSet::new();
    let Settings {
        traces: spans,
        logs: records,
        metrics,
    } = &parts.settings;
    let recorded = [
        (
            Signal::Traces,
            spans,
            &parts.buffers.traces,
            doors.traces,
            traces,
        ),
        (Signal::Logs, records, &parts.buffers.logs, doors.logs, logs),
    ];
    for (signal, settings, buffer, commands, bell) in recorded {
        let (Some(settings), Some(buffer), Some(commands)) = (settings, buffer, commands) else {
            continue;
        };
        let exporters = settings.exporters();
        let all = exporters.map(|exporter| destination(signal, &exporter, parts, log));
        let destinations = Destinations::new(all.collect(), settings.max_queue_bytes);
        let means = means(signal, destinations.ids(), parts, log, commands);
        let buffer: Arc<Buffer> = Arc::clone(buffer);
        let receiver = Recorder::new(means, destinations, buffer, bell, settings.delay());
        receivers.spawn(receiver.run());
    }
    let collected = metrics.iter().zip(&parts.collectors).zip(doors.metrics);
    for ((settings, collector), commands) in collected {
        let exporter = settings.exporter();
        let id = id(Signal::Metrics, &exporter);
        let exporter = build(&exporter, &id, parts, log);
        let means = means(Signal::Metrics, [id.as_str()], parts, log, commands);
        let (interval, timeout) = (settings.interval(), settings.timeout());
        let periodic = Periodic::new(means, exporter, collector.clone(), interval, timeout);
        receivers.spawn(periodic.run());
    }
    receivers
}

fn id(signal: Signal, exporter: &Exporter) -> String {
    let to = settings::destination(exporter);
    format!("millrace: {} to {to}", signal.name())
}

fn destination(signal: Signal, exporter: &Exporter, parts: &Parts, log: &Arc<Log>) -> Destination {
    let id = id(signal, exporter);
    let built = build(exporter, &id, parts, log);
    Destination::new(built, id, settings::in_flight(exporter))
}

fn means<'a>(
    signal: Signal,
    ids: impl IntoIterator<Item = &'a str>,
    parts: &Parts,
    log: &Arc<Log>,
    commands: UnboundedReceiver<Command>,
) -> Means {
    Means {
        signal,
        ledger: Arc::clone(&parts.ledger),
        log: Arc::clone(log),
        id: ids.into_iter().collect::<Vec<_>>().join(", "),
        commands,
    }
}

fn build(exporter: &Exporter, id: &str, parts: &Parts, log: &Arc<Log>) -> Arc<dyn Consumer> {
    let context = Context {
        id: id.to_owned(),
        ledger: Arc::clone(&parts.ledger),
        log: Arc::clone(log),
    };
    exporters::build(exporter, context).unwrap_or_else(|error| {
        log.error(id, &error);
        let refusal = Refusal::permanent(Reason::DestinationRefused, error.to_string());
        Arc::new(Unusable {
            ledger: Arc::clone(&parts.ledger),
            refusal,
        })
    })
}

/// Stands where an exporter could not be built.
struct Unusable {
    ledger: Arc<Ledger>,
    refusal: Refusal,
}

impl Consumer for Unusable {
    fn consume(&self, batch: Batch) -> Ack {
        self.ledger.receive(batch.signal, batch.items);
        Ledger::drop(&self.ledger, batch.signal, batch.items, self.refusal.reason);
        Ack::ready(Err(self.refusal.clone()))
    }
}
