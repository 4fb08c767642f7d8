//! A gateway for Python: started from the resolved configuration, stopped with a deadline.
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use millrace_pipeline as pipeline;
use millrace_pipeline::config::{Config, StartError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::door;
use crate::error::Error;

const NOT_RUNNING: &str = "the gateway is not running: call start() first";

/// A gateway: receivers, processors and exporters in threads of their own, which never take the GIL.
#[pyclass(frozen, module = "millrace._native")]
pub(crate) struct Gateway {
    config: Config,
    running: Mutex<Option<pipeline::Gateway>>,
}

#[pymethods]
impl Gateway {
    /// Reads the resolved configuration, as JSON.
    #[new]
    fn new(config: &str) -> PyResult<Self> {
        let config = serde_json::from_str(config).map_err(|error| {
            Error::Start(StartError(format!("the resolved configuration: {error}")))
        })?;
        Ok(Self {
            config,
            running: Mutex::new(None),
        })
    }

    /// Binds every port and starts; when this returns, requests are answered.
    fn start(&self, py: Python<'_>) -> PyResult<()> {
        door::leave(py, || {
            let mut running = self.lock();
            if running.is_some() {
                return Err(Error::State("the gateway is running already"));
            }
            *running = Some(pipeline::Gateway::start(self.config.clone()).map_err(Error::Start)?);
            Ok(())
        })
    }

    /// Returns host and port of each listener by name, such as `otlp/grpc`.
    fn addresses<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let addresses = door::leave(py, || match &*self.lock() {
            Some(gateway) => Ok(gateway.addresses().clone()),
            None => Err(Error::State(NOT_RUNNING)),
        })?;
        let found = PyDict::new(py);
        for (name, address) in addresses {
            found.set_item(name, (address.ip().to_string(), address.port()))?;
        }
        Ok(found)
    }

    /// Returns what every component received, sent, dropped and holds, as JSON.
    fn stats(&self, py: Python<'_>) -> PyResult<String> {
        door::leave(py, || {
            self.lock()
                .as_ref()
                .map(pipeline::Gateway::stats_json)
                .ok_or(Error::State(NOT_RUNNING))
        })
    }

    /// Takes no more requests, delivers what is held within `timeout_s`, and returns what was left and the last
    /// statistics, as JSON.
    #[pyo3(signature = (timeout_s=None))]
    fn stop(&self, py: Python<'_>, timeout_s: Option<f64>) -> PyResult<String> {
        let timeout = timeout_s
            .map(Duration::try_from_secs_f64)
            .transpose()
            .map_err(|_| {
                Error::Argument("timeout_s must be a number of seconds, zero or more".to_owned())
            })?;
        door::leave(py, || {
            let mut gateway = self.lock().take().ok_or(Error::State(NOT_RUNNING))?;
            let report = gateway.stop(timeout);
            let stats: serde_json::Value =
                serde_json::from_str(&gateway.stats_json()).unwrap_or_default();
            Ok::<_, Error>(
                serde_json::json!({"undelivered": report.undelivered, "elapsed_ms": report.elapsed_ms, "stats": stats})
                    .to_string(),
            )
        })
    }
}

impl Gateway {
    /// A panic under the lock leaves a gateway that can still be stopped.
    fn lock(&self) -> MutexGuard<'_, Option<pipeline::Gateway>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
