//! An exporter for Python: sends requests with the gateway's own retries, splits and counts.
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use millrace_pipeline::batch::{Batch, Payload};
use millrace_pipeline::component::Consumer;
use millrace_pipeline::config::{Exporter, StartError};
use millrace_pipeline::exporters::{self, Context};
use millrace_pipeline::ledger::Ledger;
use millrace_pipeline::log::{Level, Log};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use tokio::runtime::{Builder, Handle};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{Instant, timeout};

use crate::door;
use crate::error::Error;
use crate::otlp::SignalName;

/// How long a wait may keep Python from noticing Ctrl-C.
const SIGNAL_CHECK: Duration = Duration::from_millis(100);
/// Different failures that are remembered word for word.
const MESSAGES_MAX: usize = 5;

/// Sends requests to one destination, several at once.
#[pyclass(frozen, module = "millrace._native")]
pub(crate) struct Sender {
    exporter: Arc<dyn Consumer>,
    ledger: Arc<Ledger>,
    messages: Arc<Mutex<Vec<String>>>,
    places: Arc<Semaphore>,
    in_flight: u32,
    runtime: Handle,
    thread: Mutex<Option<(oneshot::Sender<()>, JoinHandle<()>)>>,
}

#[pymethods]
impl Sender {
    /// Builds an exporter from its resolved configuration, as JSON.
    #[new]
    fn new(py: Python<'_>, exporter: &str, in_flight: u32) -> PyResult<Self> {
        let settings: Exporter = serde_json::from_str(exporter)
            .map_err(|error| Error::Start(StartError(format!("the resolved exporter: {error}"))))?;
        door::leave(py, || Self::build(&settings, in_flight.max(1)))
    }

    /// Hands over a request, waiting while too many are under way; `report` tells what became of it.
    fn send(&self, py: Python<'_>, signal: SignalName, request: PyBackedBytes) -> PyResult<()> {
        let items = door::leave(py, || {
            millrace_wire::validate(signal.0, &request).map_err(Error::from)
        })?
        .items;
        let place = self.place(py, 1)?;
        // A copy: the exporter's threads must not need Python to free it.
        let payload = Payload::from(Bytes::copy_from_slice(&request));
        let ack = self.exporter.consume(Batch {
            signal: signal.0,
            items,
            payload,
        });
        let messages = Arc::clone(&self.messages);
        self.runtime.spawn(async move {
            if let Err(refusal) = ack.await {
                let mut messages = messages.lock().unwrap_or_else(PoisonError::into_inner);
                if messages.len() < MESSAGES_MAX && !messages.contains(&refusal.message) {
                    messages.push(refusal.message);
                }
            }
            drop(place);
        });
        Ok(())
    }

    /// Waits until every request has its answer; returns the report.
    fn finish(&self, py: Python<'_>) -> PyResult<String> {
        drop(self.place(py, self.in_flight)?);
        Ok(self.report())
    }

    /// Returns items received, exported, dropped by reason and queued by signal, and the first messages, as JSON.
    fn report(&self) -> String {
        let signals: BTreeMap<_, _> = self
            .ledger
            .snapshot()
            .into_iter()
            .filter(|(_, tally)| tally.received > 0)
            .map(|(signal, tally)| {
                let dropped: BTreeMap<_, _> =
                    tally.dropped.iter().map(|(reason, items)| (reason.name(), *items)).collect();
                let report = serde_json::json!({
                    "received": tally.received, "exported": tally.delivered, "dropped": dropped, "queued": tally.held,
                    "requests_sent": tally.requests, "retries": tally.retries,
                });
                (signal.name(), report)
            })
            .collect();
        let messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        serde_json::json!({"signals": signals, "messages": *messages}).to_string()
    }
}

impl Sender {
    fn build(settings: &Exporter, in_flight: u32) -> Result<Self, Error> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(Error::Runtime)?;
        let ledger = Arc::new(Ledger::default());
        let context = Context {
            id: "send".to_owned(),
            ledger: Arc::clone(&ledger),
            log: Arc::new(Log::new(Level::Error)),
        };
        let exporter = {
            let _inside = runtime.enter();
            exporters::build(settings, context).map_err(Error::Start)?
        };
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("millrace-send".to_owned())
            .spawn(move || drop(runtime.block_on(stopped)))
            .map_err(Error::Runtime)?;
        Ok(Self {
            exporter,
            ledger,
            messages: Arc::default(),
            places: Arc::new(Semaphore::new(in_flight as usize)),
            in_flight,
            runtime: handle,
            thread: Mutex::new(Some((stop, thread))),
        })
    }

    /// Waits for places among the requests under way, noticing Ctrl-C meanwhile.
    fn place(&self, py: Python<'_>, count: u32) -> PyResult<OwnedSemaphorePermit> {
        loop {
            let place = Arc::clone(&self.places).acquire_many_owned(count);
            // This thread waits; the runtime's own thread drives the timer, and the sockets of the exporter.
            let found = door::leave(py, || {
                Ok::<_, Error>(
                    self.runtime
                        .block_on(async { timeout(SIGNAL_CHECK, place).await }),
                )
            })?;
            match found {
                Ok(Ok(place)) => return Ok(place),
                Ok(Err(_)) => return Err(Error::State("the sender is closed").into()),
                Err(_) => py.check_signals()?,
            }
        }
    }
}

impl Drop for Sender {
    /// Gives up what is still under way: whoever wants it delivered has called `finish`.
    fn drop(&mut self) {
        let thread = self
            .thread
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some((stop, thread)) = thread {
            self.runtime
                .block_on(self.exporter.shutdown(Instant::now()));
            let _ = stop.send(());
            let _ = thread.join();
        }
    }
}
