//! The graph of one worker: components built from the configuration and connected by its pipelines.
use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use millrace_wire::Signal;
use tokio::time::Instant;

use crate::batch::Batch;
use crate::component::{Ack, Consumer};
use crate::config::{Config, Exporter, Pipeline, Receiver, StartError};
use crate::exporters::{self, Context};
use crate::ledger::{Ledger, Tally};
use crate::log::Log;
use crate::processors;

/// The books of all components, one for each id, shared by the workers.
#[derive(Debug)]
pub(crate) struct Books {
    /// Of the receivers.
    pub(crate) receivers: BTreeMap<String, ReceiverBooks>,
    /// Of the exporters.
    pub(crate) exporters: BTreeMap<String, Arc<Ledger>>,
}

/// The books of one receiver, kept apart by what brought a request.
#[derive(Clone, Debug)]
pub(crate) struct ReceiverBooks(Vec<(&'static str, Arc<Ledger>)>);

impl ReceiverBooks {
    /// Empty books for what the receiver takes requests from.
    fn of(receiver: Option<&Receiver>) -> Self {
        let transports: &[&str] = match receiver {
            Some(Receiver::File(_)) => &["file"],
            _ => &["grpc", "http"],
        };
        Self(
            transports
                .iter()
                .map(|name| (*name, Arc::default()))
                .collect(),
        )
    }

    /// Each with its name in metrics.
    pub(crate) fn by_transport(&self) -> impl Iterator<Item = (&'static str, &Ledger)> {
        self.0.iter().map(|(name, ledger)| (*name, &**ledger))
    }

    /// Those of one transport.
    pub(crate) fn ledger(&self, transport: &str) -> Arc<Ledger> {
        let found = self.0.iter().find(|(name, _)| *name == transport);
        found
            .map(|(_, ledger)| Arc::clone(ledger))
            .unwrap_or_default()
    }

    /// All together.
    pub(crate) fn snapshot(&self) -> [(Signal, Tally); 4] {
        let mut sums = Ledger::default().snapshot();
        for (_, ledger) in &self.0 {
            for ((_, sum), (_, tally)) in sums.iter_mut().zip(ledger.snapshot()) {
                *sum += tally;
            }
        }
        sums
    }
}

impl Books {
    /// Empty books for every component that a pipeline uses.
    #[must_use]
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            receivers: used(
                config,
                |pipeline| &pipeline.receivers,
                |id| ReceiverBooks::of(config.receivers.get(id)),
            ),
            exporters: used(config, |pipeline| &pipeline.exporters, |_| Arc::default()),
        }
    }
}

/// Something for each component that a pipeline uses.
fn used<T>(
    config: &Config,
    ids: fn(&Pipeline) -> &Vec<String>,
    make: impl Fn(&str) -> T,
) -> BTreeMap<String, T> {
    config
        .pipelines
        .iter()
        .flat_map(ids)
        .map(|id| (id.clone(), make(id)))
        .collect()
}

/// What the graphs of several workers have in common.
pub(crate) struct Shared {
    /// Everybody's books.
    pub(crate) books: Books,
    /// Requests that may wait in the queue of each exporter that has one, over all workers.
    pub(crate) queue_capacities: BTreeMap<String, usize>,
    /// The gateway's own log.
    pub(crate) log: Arc<Log>,
    /// Exporters that all workers must share, because what they write to is one thing.
    singletons: Mutex<HashMap<String, Arc<dyn Consumer>>>,
}

impl Shared {
    /// For the graphs of `config`.
    #[must_use]
    pub(crate) fn new(config: &Config, log: Arc<Log>) -> Self {
        Self {
            books: Books::new(config),
            queue_capacities: queue_capacities(config),
            log,
            singletons: Mutex::default(),
        }
    }
}

fn queue_capacities(config: &Config) -> BTreeMap<String, usize> {
    let capacity = |exporter: &Exporter| {
        let queue = match exporter {
            Exporter::Otlp(settings) => &settings.sending.sending_queue,
            Exporter::OtlpHttp(settings) => &settings.sending.sending_queue,
            Exporter::File(_) | Exporter::Store(_) | Exporter::Debug(_) | Exporter::Nop(_) => {
                return None;
            }
        };
        let each = if queue.enabled { queue.queue_size } else { 0 };
        Some(each.saturating_mul(config.workers.max(1)))
    };
    let exporters = config.exporters.iter();
    exporters
        .filter_map(|(id, exporter)| Some((id.clone(), capacity(exporter)?)))
        .collect()
}

/// The routes of each receiver, by id and signal.
pub(crate) type Routes = BTreeMap<String, [Option<Arc<dyn Consumer>>; 4]>;

/// One worker's components.
pub(crate) struct Graph {
    /// Where each receiver sends what it takes.
    pub(crate) routes: Routes,
    /// First step of every pipeline, for the shutdown.
    heads: Vec<Arc<dyn Consumer>>,
}

impl Graph {
    /// Builds and connects what the configuration names; runs inside the worker's runtime.
    pub(crate) fn build(config: &Config, shared: &Shared) -> Result<Self, StartError> {
        let mut exporters = HashMap::new();
        let mut gathered: BTreeMap<String, [Vec<Arc<dyn Consumer>>; 4]> = BTreeMap::new();
        let mut heads = Vec::new();
        for pipeline in &config.pipelines {
            let signal = Signal::from_name(&pipeline.signal).ok_or_else(|| {
                StartError::of(
                    &format!("service.pipelines.{}", pipeline.id),
                    "the name must start with traces, metrics, logs or profiles",
                )
            })?;
            let mut destinations = Vec::new();
            for id in &pipeline.exporters {
                let exporter = match exporters.get(id) {
                    Some(exporter) => Arc::clone(exporter),
                    None => build_exporter(id, config, shared)?,
                };
                exporters.insert(id.clone(), Arc::clone(&exporter));
                destinations.push(exporter);
            }
            let head = pipeline
                .processors
                .iter()
                .rev()
                .filter_map(|id| config.processors.get(id))
                .fold(fan_out(destinations), |next, processor| {
                    processors::build(processor, signal, next)
                });
            heads.push(Arc::clone(&head));
            for id in &pipeline.receivers {
                let by_signal = gathered.entry(id.clone()).or_default();
                if let Some(steps) = by_signal.get_mut(signal as usize) {
                    steps.push(Arc::clone(&head));
                }
            }
        }
        let routes = gathered
            .into_iter()
            .map(|(id, by_signal)| {
                (
                    id,
                    by_signal.map(|steps| (!steps.is_empty()).then(|| fan_out(steps))),
                )
            })
            .collect();
        Ok(Self { routes, heads })
    }

    /// Empties every component, giving up at `deadline`.
    pub(crate) async fn shutdown(&self, deadline: Instant) {
        together(
            self.heads
                .iter()
                .map(|head| head.shutdown(deadline))
                .collect(),
        )
        .await;
    }
}

pub(crate) type Shutdown<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// Waits for all at once, so that one destination that hangs does not use up the time of the others.
pub(crate) async fn together(mut shutdowns: Vec<Shutdown<'_>>) {
    std::future::poll_fn(|context| {
        shutdowns.retain_mut(|shutdown| shutdown.as_mut().poll(context).is_pending());
        if shutdowns.is_empty() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}

fn build_exporter(
    id: &str,
    config: &Config,
    shared: &Shared,
) -> Result<Arc<dyn Consumer>, StartError> {
    let exporter = config.exporters.get(id).ok_or_else(|| {
        StartError::of("service.pipelines", format!("there is no exporter {id:?}"))
    })?;
    let context = Context {
        id: id.to_owned(),
        ledger: shared
            .books
            .exporters
            .get(id)
            .map(Arc::clone)
            .unwrap_or_default(),
        log: Arc::clone(&shared.log),
    };
    if !matches!(exporter, Exporter::File(_) | Exporter::Store(_)) {
        return exporters::build(exporter, context);
    }
    let mut singletons = shared
        .singletons
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    if let Some(built) = singletons.get(id) {
        return Ok(Arc::clone(built));
    }
    let built = exporters::build(exporter, context)?;
    singletons.insert(id.to_owned(), Arc::clone(&built));
    Ok(built)
}

fn fan_out(mut steps: Vec<Arc<dyn Consumer>>) -> Arc<dyn Consumer> {
    match steps.pop() {
        Some(only) if steps.is_empty() => only,
        Some(last) => {
            steps.push(last);
            Arc::new(FanOut(steps))
        }
        None => Arc::new(FanOut(steps)),
    }
}

/// Gives every batch to each of several steps, which share its bytes (X13).
struct FanOut(Vec<Arc<dyn Consumer>>);

impl Consumer for FanOut {
    fn consume(&self, batch: Batch) -> Ack {
        Ack::all(
            self.0
                .iter()
                .map(|step| step.consume(batch.clone()))
                .collect(),
        )
    }

    fn shutdown(&self, deadline: Instant) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(together(
            self.0.iter().map(|step| step.shutdown(deadline)).collect(),
        ))
    }
}
