//! The engine of the SDK for Python: buffers to record into, and one native thread that exports what they hold.
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use millrace_pipeline::config::StartError;
use millrace_pipeline::engine::{self as pipeline, Answers, Collect};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;

use crate::buffer::Buffer;
use crate::door;
use crate::error::Error;
use crate::otlp::SignalName;
use crate::settings;

/// How long a wait may keep Python from noticing Ctrl-C.
const SIGNAL_CHECK: Duration = Duration::from_millis(100);

/// Exports what its buffers hold, in one thread that never takes the GIL but to collect metrics.
#[pyclass(frozen, module = "millrace._native")]
pub(crate) struct Engine(pipeline::Engine);

#[pymethods]
impl Engine {
    /// Reads the resolved settings, a dict; the thread starts with the first telemetry.
    #[new]
    fn new(settings: &Bound<'_, PyAny>) -> PyResult<Self> {
        let settings = serde_json::from_value(settings::read(settings)?)
            .map_err(|error| Error::Start(StartError(format!("the engine's settings: {error}"))))?;
        Ok(Self(pipeline::Engine::new(settings)))
    }

    /// Returns the buffer of a signal, `traces` or `logs`; `None` where the settings do not export it.
    fn buffer(&self, signal: SignalName) -> Option<Buffer> {
        Some(Buffer::of_engine(self.0.buffer(signal.0)?, self.0.clone()))
    }

    /// Has `callback(timeout_s)` asked for an export request of metrics, or `None`, at the interval of one of their exporters
    /// and by each flush.
    #[pyo3(signature = (callback, exporter=0))]
    fn collect_metrics(&self, callback: Option<Py<PyAny>>, exporter: usize) {
        drop(self.0.collect_metrics(exporter, callback.map(collector)));
    }

    /// Starts the thread. Recording something does the same.
    fn start(&self) {
        self.0.start();
    }

    /// Delivers what has been recorded until now; false when something of it was lost or the time is over.
    fn force_flush(&self, py: Python<'_>, timeout_s: f64) -> PyResult<bool> {
        let timeout = timeout(timeout_s)?;
        wait(py, &mut self.0.flush(timeout))
    }

    /// Delivers what is held, ends the thread, and drops what is recorded from now on; false as for `force_flush`.
    fn shutdown(&self, py: Python<'_>, timeout_s: f64) -> PyResult<bool> {
        let timeout = timeout(timeout_s)?;
        wait(py, &mut self.0.shutdown(timeout))
    }

    /// Returns items recorded, exported, dropped by reason and queued, by signal, as JSON.
    fn stats(&self, py: Python<'_>) -> PyResult<String> {
        door::leave(py, || {
            Ok::<_, Error>(serde_json::json!(self.0.stats()).to_string())
        })
    }
}

/// Makes the engines of a forked child usable where the C library's own handlers cannot: metrics need a thread that nothing wakes.
#[pyfunction]
pub(crate) fn after_fork_in_child() {
    pipeline::Engine::after_fork_in_child();
}

/// The callback as the engine's thread calls it: never while the interpreter ends, and with its exceptions shown where Python
/// shows those that nobody can catch.
fn collector(callback: Py<PyAny>) -> Collect {
    Arc::new(move |patience| {
        Python::try_attach(|py| {
            let called = callback.call1(py, (patience.as_secs_f64(),));
            let answer = called.and_then(|answer| {
                answer
                    .extract::<Option<PyBackedBytes>>(py)
                    .map_err(Into::into)
            });
            match answer {
                Ok(request) => request.map(|request| Bytes::copy_from_slice(&request)),
                Err(error) => {
                    error.write_unraisable(py, Some(callback.bind(py)));
                    None
                }
            }
        })
        .flatten()
    })
}

fn timeout(timeout_s: f64) -> PyResult<Duration> {
    if timeout_s == f64::INFINITY {
        return Ok(Duration::MAX);
    }
    let invalid = "timeout_s must be a number of seconds, zero or more";
    Duration::try_from_secs_f64(timeout_s).map_err(|_| Error::Argument(invalid.to_owned()).into())
}

/// Waits without the GIL, noticing Ctrl-C meanwhile.
fn wait(py: Python<'_>, answers: &mut Answers) -> PyResult<bool> {
    loop {
        if let Some(delivered) = door::leave(py, || Ok::<_, Error>(answers.wait(SIGNAL_CHECK)))? {
            return Ok(delivered);
        }
        py.check_signals()?;
    }
}
