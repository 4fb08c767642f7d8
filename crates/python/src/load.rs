//! The load generator and the sink for Python: options and reports cross as JSON.
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use millrace_pipeline::load::{Run, RunOptions, Shape, Sink, SinkOptions, Template};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use serde::de::DeserializeOwned;

use crate::door;
use crate::error::Error;

/// A load generator at work.
#[pyclass(frozen, module = "millrace._native")]
pub(crate) struct LoadRun(Mutex<Option<Run>>);

#[pymethods]
impl LoadRun {
    /// Begins to send, as the options (JSON) say.
    #[new]
    fn new(py: Python<'_>, options: &str) -> PyResult<Self> {
        let options: RunOptions = from_json(options)?;
        let run = door::leave(py, || Run::start(&options).map_err(Error::Load))?;
        Ok(Self(Mutex::new(Some(run))))
    }

    /// Returns how it stands, as JSON.
    fn progress(&self) -> PyResult<String> {
        self.with(|run| to_json(&run.progress()))
    }

    /// Returns whether every request has its answer.
    fn is_finished(&self) -> PyResult<bool> {
        self.with(|run| Ok(run.is_finished()))
    }

    /// Lets no further request begin.
    fn stop(&self) -> PyResult<()> {
        self.with(|run| {
            run.stop();
            Ok(())
        })
    }

    /// Waits for the last answer; returns the report, as JSON.
    fn finish(&self, py: Python<'_>) -> PyResult<String> {
        let run = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let run = run.ok_or(Error::State("the run is finished"))?;
        let report = door::leave(py, || Ok::<_, Error>(run.finish()))?;
        to_json(&report)
    }
}

impl LoadRun {
    fn with<T>(&self, work: impl FnOnce(&Run) -> PyResult<T>) -> PyResult<T> {
        match &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(run) => work(run),
            None => Err(Error::State("the run is finished").into()),
        }
    }
}

/// Makes requests without sending them.
#[pyclass(frozen, module = "millrace._native")]
pub(crate) struct LoadTemplate(Template);

#[pymethods]
impl LoadTemplate {
    /// Prepares requests of a shape (JSON) whose items bear the mark of `generator`.
    #[new]
    fn new(py: Python<'_>, shape: &str, generator: u64) -> PyResult<Self> {
        let shape: Shape = from_json(shape)?;
        let template = door::leave(py, || Template::new(&shape, generator).map_err(Error::Load))?;
        Ok(Self(template))
    }

    /// Returns the request whose items are numbered from `first` on.
    fn request<'py>(
        &self,
        py: Python<'py>,
        first: u64,
        time_unix_nano: u64,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let request = door::leave(py, || Ok::<_, Error>(self.0.request(first, time_unix_nano)))?;
        Ok(PyBytes::new(py, &request))
    }
}

/// An OTLP server that counts.
#[pyclass(frozen, module = "millrace._native")]
pub(crate) struct LoadSink(Mutex<Option<Arc<Sink>>>);

#[pymethods]
impl LoadSink {
    /// Begins to listen, as the options (JSON) say.
    #[new]
    fn new(py: Python<'_>, options: &str) -> PyResult<Self> {
        let options: SinkOptions = from_json(options)?;
        let sink = door::leave(py, || Sink::start(&options).map_err(Error::Load))?;
        Ok(Self(Mutex::new(Some(Arc::new(sink)))))
    }

    /// Returns host and port by protocol, `http` and `grpc`.
    fn addresses(&self) -> PyResult<BTreeMap<&'static str, (String, u16)>> {
        let sink = self.sink()?;
        let addresses = [("http", sink.http_address()), ("grpc", sink.grpc_address())];
        let known = addresses
            .into_iter()
            .filter_map(|(protocol, address)| Some((protocol, address?)));
        Ok(known
            .map(|(protocol, address)| (protocol, (address.ip().to_string(), address.port())))
            .collect())
    }

    /// Answers from now on as `behaviour` (JSON) says.
    fn behave(&self, behaviour: &str) -> PyResult<()> {
        self.sink()?.behave(from_json(behaviour)?);
        Ok(())
    }

    /// Returns all figures so far, as JSON.
    fn report(&self, py: Python<'_>) -> PyResult<String> {
        let sink = self.sink()?;
        to_json(&door::leave(py, || Ok::<_, Error>(sink.report()))?)
    }

    /// Forgets all figures.
    fn reset(&self) -> PyResult<()> {
        self.sink()?.reset();
        Ok(())
    }

    /// Waits until this many items have arrived; false when the time is over first.
    fn wait_for_items(&self, py: Python<'_>, items: u64, timeout_s: f64) -> PyResult<bool> {
        let timeout = Duration::try_from_secs_f64(timeout_s).map_err(|_| {
            PyValueError::new_err("timeout_s must be a number of seconds, zero or more")
        })?;
        let sink = self.sink()?;
        door::leave(py, || Ok::<_, Error>(sink.wait_for_items(items, timeout)))
    }

    /// Closes the ports; returns the last figures, as JSON.
    fn stop(&self, py: Python<'_>) -> PyResult<String> {
        let sink = self.sink()?;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let report = door::leave(py, || {
            let report = sink.report();
            drop(sink);
            Ok::<_, Error>(report)
        })?;
        to_json(&report)
    }
}

impl LoadSink {
    /// The sink, unless it is stopped; the lock is not held while it is used.
    fn sink(&self) -> PyResult<Arc<Sink>> {
        let sink = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        Ok(sink.ok_or(Error::State(STOPPED))?)
    }
}

const STOPPED: &str = "the sink is stopped";

fn from_json<T: DeserializeOwned>(text: &str) -> PyResult<T> {
    serde_json::from_str(text)
        .map_err(|error| PyValueError::new_err(format!("the options: {error}")))
}

fn to_json(report: &impl serde::Serialize) -> PyResult<String> {
    serde_json::to_string(report).map_err(|error| PyValueError::new_err(error.to_string()))
}
