//! A running gateway: its threads, its sockets and its end.
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use crate::budget::Budget;
use crate::component::Reason;
use crate::config::{Config, Extension, OtlpReceiver, Processor, Receiver, StartError};
use crate::graph::{Graph, Shared};
use crate::log::{Level, Log};
use crate::net::tls;
use crate::receivers::file::{FileReceiver, Patterns};
use crate::receivers::sessions::Sessions;
use crate::receivers::{Endpoint, Intake, Limits, Listener, Windows};
use crate::self_metrics::{self, Observed};
use crate::status_server::{self, Page};

/// After the deadline, the time that refused clients have to read their answers.
const LAST_ANSWERS: Duration = Duration::from_millis(500);
/// Threads for name resolution, the only blocking work; they end when idle.
const BLOCKING_THREADS: usize = 2;

/// A gateway that runs until it is stopped or dropped.
pub struct Gateway {
    observed: Arc<Observed>,
    addresses: BTreeMap<String, SocketAddr>,
    stop: watch::Sender<Option<Instant>>,
    workers: Vec<JoinHandle<()>>,
    shutdown_timeout: Duration,
}

/// What a stop left behind.
#[derive(Clone, Debug, Default, Serialize)]
pub struct StopReport {
    /// Items that could not be delivered in time, by exporter and signal.
    pub undelivered: BTreeMap<String, BTreeMap<&'static str, u64>>,
    /// How long the stop took.
    pub elapsed_ms: u64,
}

/// What one worker receives from.
#[derive(Default)]
struct Sockets {
    otlp: Vec<(String, Listener, Arc<Blueprint>)>,
    pages: Vec<(Listener, Page)>,
    files: Vec<(String, Patterns)>,
}

/// A listener's endpoint before it is known where its requests go.
struct Blueprint {
    receiver: OtlpReceiver,
    limits: Limits,
    idle: Duration,
    head: Duration,
    max_connection_age: Option<Duration>,
    max_concurrent_streams: u32,
    tls: Option<Arc<tls::ServerTlsFiles>>,
    places: Arc<Semaphore>,
    connections: Arc<Semaphore>,
    windows: Windows,
}

impl Gateway {
    /// Binds every socket, builds every component and starts the workers.
    ///
    /// When this returns, requests are answered; when it fails, nothing is left running.
    pub fn start(config: Config) -> Result<Self, StartError> {
        let config = Arc::new(config);
        let log = Arc::new(Log::new(
            Level::from_name(&config.telemetry.logs_level).unwrap_or(Level::Info),
        ));
        let budget = Budget::new(budget_bytes(&config));
        let observed = Arc::new(Observed {
            shared: Shared::new(&config, log),
            sessions: Sessions::new(budget.clone()),
            budget,
            started: std::time::Instant::now(),
        });
        let (sockets, addresses) = bind(&config)?;
        let (stop, stopping) = watch::channel(None);
        let (report, reports) = mpsc::channel();
        let mut gateway = Self {
            observed,
            addresses,
            stop,
            workers: Vec::new(),
            shutdown_timeout: Duration::from_millis(config.shutdown_timeout_ms),
        };
        let expected = sockets.len();
        for (index, sockets) in sockets.into_iter().enumerate() {
            let worker = Worker {
                config: Arc::clone(&config),
                observed: Arc::clone(&gateway.observed),
                stopping: stopping.clone(),
                first: index == 0,
            };
            let report = report.clone();
            let thread = std::thread::Builder::new()
                .name(format!("millrace-{index}"))
                .spawn(move || worker.run(sockets, &report))
                .map_err(|error| {
                    StartError::of(
                        "service.workers",
                        format!("a thread could not be started: {error}"),
                    )
                })?;
            gateway.workers.push(thread);
        }
        drop(report);
        for _ in 0..expected {
            // Dropping the gateway on the way out stops the workers that did start.
            reports
                .recv()
                .unwrap_or_else(|_| Err(StartError("a worker ended before it was ready".into())))?;
        }
        Ok(gateway)
    }

    /// Where it listens: `otlp/grpc`, `otlp/http`, `health_check`, `telemetry/metrics`.
    #[must_use]
    pub fn addresses(&self) -> &BTreeMap<String, SocketAddr> {
        &self.addresses
    }

    /// The books of every component as JSON.
    #[must_use]
    pub fn stats_json(&self) -> String {
        self.observed.stats().to_string()
    }

    /// Stops taking requests, delivers what is held, and gives up after `timeout` (or the configured one).
    pub fn stop(&mut self, timeout: Option<Duration>) -> StopReport {
        let began = std::time::Instant::now();
        let timeout = timeout.unwrap_or(self.shutdown_timeout);
        self.stop
            .send_replace(Some(Instant::from_std(began + timeout)));
        for worker in self.workers.drain(..) {
            // A worker that panicked has nothing left to deliver; the others have.
            let _ = worker.join();
        }
        let mut undelivered = BTreeMap::new();
        for (id, ledger) in &self.observed.shared.books.exporters {
            let left: BTreeMap<_, _> = ledger
                .snapshot()
                .into_iter()
                .filter_map(|(signal, tally)| {
                    tally
                        .dropped
                        .get(&Reason::Shutdown)
                        .map(|items| (signal.name(), *items))
                })
                .collect();
            if !left.is_empty() {
                undelivered.insert(id.clone(), left);
            }
        }
        let elapsed_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        StopReport {
            undelivered,
            elapsed_ms,
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if !self.workers.is_empty() {
            self.stop(None);
        }
    }
}

/// The configured budget, or less where a `memory_limiter` in use says so.
fn budget_bytes(config: &Config) -> usize {
    let used = config
        .pipelines
        .iter()
        .flat_map(|pipeline| &pipeline.processors);
    used.filter_map(|id| match config.processors.get(id) {
        Some(Processor::MemoryLimiter { limit_bytes }) => Some(*limit_bytes),
        _ => None,
    })
    .fold(config.budget_bytes, usize::min)
}

type Bound = (Vec<Sockets>, BTreeMap<String, SocketAddr>);

fn bind(config: &Config) -> Result<Bound, StartError> {
    let workers = config.workers.max(1);
    let mut sockets: Vec<Sockets> = (0..workers).map(|_| Sockets::default()).collect();
    let mut addresses = BTreeMap::new();
    let windows = Windows::beside(budget_bytes(config));
    for (id, receiver) in &config.receivers {
        let mut pipelines = config.pipelines.iter();
        if !pipelines.any(|pipeline| pipeline.receivers.contains(id)) {
            continue;
        }
        let receiver = match receiver {
            Receiver::Otlp(receiver) => receiver,
            Receiver::File(settings) => {
                // Files are read once, whatever the number of workers.
                if let Some(first) = sockets.first_mut() {
                    first.files.push((id.clone(), Patterns::of(id, settings)?));
                }
                continue;
            }
        };
        for (protocol, endpoint, blueprint) in blueprints(id, receiver, config, &windows)? {
            let setting = format!("receivers.{id}.protocols.{protocol}.endpoint");
            let listeners = Listener::bind(&setting, &endpoint, workers)?;
            for (worker, listener) in sockets.iter_mut().zip(listeners) {
                addresses.insert(format!("{id}/{protocol}"), listener.address());
                worker
                    .otlp
                    .push((id.clone(), listener, Arc::clone(&blueprint)));
            }
        }
    }
    let mut page =
        |key: &str, setting: String, endpoint: &str, page: Page| -> Result<(), StartError> {
            for listener in Listener::bind(&setting, endpoint, 1)? {
                addresses.insert(key.to_owned(), listener.address());
                if let Some(first) = sockets.first_mut() {
                    first.pages.push((listener, page.clone()));
                }
            }
            Ok(())
        };
    for (id, Extension::HealthCheck { endpoint, path }) in &config.extensions {
        page(
            id,
            format!("extensions.{id}.endpoint"),
            endpoint,
            Page::Health { path: path.clone() },
        )?;
    }
    if config.telemetry.metrics_level != "none" {
        for reader in &config.telemetry.metrics_pull {
            page(
                "telemetry/metrics",
                "service.telemetry.metrics.readers".into(),
                &reader.endpoint,
                Page::Metrics,
            )?;
        }
    }
    Ok((sockets, addresses))
}

/// A protocol's name, the endpoint that it listens on, and what happens there.
type Protocol = (&'static str, String, Arc<Blueprint>);

/// What each protocol of a receiver listens with.
fn blueprints(
    id: &str,
    receiver: &OtlpReceiver,
    config: &Config,
    windows: &Windows,
) -> Result<Vec<Protocol>, StartError> {
    let places = Arc::new(Semaphore::new(
        receiver
            .max_concurrent_requests
            .clamp(1, Semaphore::MAX_PERMITS),
    ));
    let connections = Arc::new(Semaphore::new(
        receiver.max_connections.clamp(1, Semaphore::MAX_PERMITS),
    ));
    let limits = |request_bytes| Limits {
        request_bytes,
        admission: Duration::from_millis(config.admission_timeout_ms),
        body: Duration::from_millis(receiver.body_timeout_ms),
    };
    // What both protocols can do does not depend on the port: each port serves both (H11).
    let streams = receiver
        .grpc
        .as_ref()
        .map_or(1000, |grpc| grpc.max_concurrent_streams);
    let (idle_ms, head_ms) = receiver.http.as_ref().map_or((60_000, 10_000), |http| {
        (http.idle_timeout_ms, http.header_timeout_ms)
    });
    let blueprint = |request_bytes, age: Option<u64>, tls| {
        Arc::new(Blueprint {
            receiver: receiver.clone(),
            limits: limits(request_bytes),
            // hyper's clock for the silence runs on until a head is complete.
            idle: Duration::from_millis(idle_ms.max(head_ms)),
            head: Duration::from_millis(head_ms),
            max_connection_age: age.map(Duration::from_millis),
            max_concurrent_streams: streams,
            tls,
            places: Arc::clone(&places),
            connections: Arc::clone(&connections),
            windows: windows.clone(),
        })
    };
    let tls_of = |protocol: &str, tls: &Option<_>| {
        let setting = format!("receivers.{id}.protocols.{protocol}.tls");
        tls.as_ref()
            .map(|tls| tls::server_files(&setting, tls).map(Arc::new))
            .transpose()
    };
    let mut found = Vec::new();
    if let Some(grpc) = &receiver.grpc {
        let tls = tls_of("grpc", &grpc.tls)?;
        found.push((
            "grpc",
            grpc.endpoint.clone(),
            blueprint(grpc.max_request_bytes, grpc.max_connection_age_ms, tls),
        ));
    }
    if let Some(http) = &receiver.http {
        let tls = tls_of("http", &http.tls)?;
        found.push((
            "http",
            http.endpoint.clone(),
            blueprint(http.max_request_bytes, None, tls),
        ));
    }
    Ok(found)
}

/// One thread of the gateway.
struct Worker {
    config: Arc<Config>,
    observed: Arc<Observed>,
    stopping: watch::Receiver<Option<Instant>>,
    first: bool,
}

impl Worker {
    fn run(self, sockets: Sockets, report: &mpsc::Sender<Result<(), StartError>>) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(BLOCKING_THREADS)
            .build();
        let runtime = match runtime {
            Ok(runtime) => runtime,
            Err(error) => {
                let _ = report.send(Err(StartError::of(
                    "service.workers",
                    format!("the I/O driver could not be started: {error}"),
                )));
                return;
            }
        };
        runtime.block_on(async {
            let mut tasks = JoinSet::new();
            match self.build(&mut tasks) {
                Ok(graph) => {
                    let _ = report.send(Ok(()));
                    self.serve(graph, sockets, tasks).await;
                }
                Err(error) => drop(report.send(Err(error))),
            }
        });
        // Connections that did not end in time must not hold the process.
        runtime.shutdown_background();
    }

    /// Everything that can fail, before the first request is taken.
    fn build(&self, tasks: &mut JoinSet<io::Result<()>>) -> Result<Graph, StartError> {
        if self.first {
            self_metrics::push::start(&self.config.telemetry, &self.observed, tasks)?;
        }
        Graph::build(&self.config, &self.observed.shared)
    }

    async fn serve(mut self, graph: Graph, sockets: Sockets, mut pages: JoinSet<io::Result<()>>) {
        let (close, closing) = watch::channel(false);
        let mut listeners = JoinSet::new();
        for (id, listener, blueprint) in sockets.otlp {
            let endpoint = Arc::new(self.endpoint(&id, &graph, &blueprint));
            listeners.spawn(listener.serve(endpoint, closing.clone()));
        }
        for (id, patterns) in sockets.files {
            let receiver = self.file_receiver(id, &graph, patterns);
            listeners.spawn(receiver.serve(closing.clone()));
        }
        for (listener, page) in sockets.pages {
            let observed = Arc::clone(&self.observed);
            pages.spawn(status_server::serve(
                listener,
                page,
                observed,
                self.stopping.clone(),
                closing.clone(),
            ));
        }
        let deadline = loop {
            if let Some(deadline) = *self.stopping.borrow_and_update() {
                break deadline;
            }
            if self.stopping.changed().await.is_err() {
                break Instant::now();
            }
        };
        close.send_replace(true);
        // Clients that dawdle must not use up the time that the exporters need for what is held.
        let half = Instant::now() + deadline.saturating_duration_since(Instant::now()) / 2;
        let ended = async { while listeners.join_next().await.is_some() {} };
        let _ = timeout_at(half, ended).await;
        graph.shutdown(deadline).await;
        let answered = async { while listeners.join_next().await.is_some() {} };
        let _ = timeout_at(Instant::now() + LAST_ANSWERS, answered).await;
        pages.abort_all();
    }

    fn endpoint(&self, id: &str, graph: &Graph, blueprint: &Blueprint) -> Endpoint {
        let paths = blueprint
            .receiver
            .http
            .as_ref()
            .map_or_else(crate::config::SignalMap::default_paths, |http| {
                http.paths.clone()
            });
        let intake = |transport| Arc::new(self.intake(id, transport, graph, &blueprint.places));
        Endpoint {
            grpc: intake("grpc"),
            http: intake("http"),
            limits: blueprint.limits.clone(),
            paths,
            max_concurrent_streams: blueprint.max_concurrent_streams,
            idle: blueprint.idle,
            head: blueprint.head,
            max_connection_age: blueprint.max_connection_age,
            tls: blueprint.tls.clone(),
            connections: Arc::clone(&blueprint.connections),
            windows: blueprint.windows.clone(),
        }
    }

    fn file_receiver(&self, id: String, graph: &Graph, patterns: Patterns) -> FileReceiver {
        let limits = Limits {
            request_bytes: self.observed.budget.limit(),
            admission: Duration::from_millis(self.config.admission_timeout_ms),
            body: Duration::ZERO, // nothing comes slowly
        };
        let places = Arc::new(Semaphore::new(0)); // it counts for itself
        FileReceiver {
            intake: Arc::new(self.intake(&id, "file", graph, &places)),
            limits,
            log: Arc::clone(&self.observed.shared.log),
            patterns,
            id,
        }
    }

    fn intake(&self, id: &str, transport: &str, graph: &Graph, places: &Arc<Semaphore>) -> Intake {
        let books = self.observed.shared.books.receivers.get(id);
        Intake {
            routes: graph.routes.get(id).cloned().unwrap_or_default(),
            ledger: books
                .map(|books| books.ledger(transport))
                .unwrap_or_default(),
            budget: self.observed.budget.clone(),
            places: Arc::clone(places),
            sessions: Arc::clone(&self.observed.sessions),
        }
    }
}
