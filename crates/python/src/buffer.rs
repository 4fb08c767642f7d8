//! A buffer of finished telemetry, as Python holds it.
use std::sync::Arc;

use millrace_pipeline::engine::Engine;
use millrace_recorder::{Buffer as Recorded, Limits, Scope};
use millrace_wire::encode::push_attribute;
use millrace_wire::field::push_delimited;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use crate::resource;

/// Finished spans or log records that wait to be taken, bounded in bytes.
#[pyclass(frozen, module = "millrace._native")]
pub(crate) struct Buffer {
    buffer: Arc<Recorded>,
    /// Whoever can record keeps the engine alive.
    _engine: Option<Engine>,
}

/// An instrumentation scope of one buffer.
#[pyclass(frozen, module = "millrace._native")]
pub(crate) struct BufferScope(Scope);

impl Buffer {
    /// The buffer of a signal that `engine` exports.
    pub(crate) fn of_engine(buffer: Arc<Recorded>, engine: Engine) -> Self {
        Self {
            buffer,
            _engine: Some(engine),
        }
    }

    /// What is recorded into.
    pub(crate) fn shared(&self) -> Arc<Recorded> {
        Arc::clone(&self.buffer)
    }
}

#[pymethods]
impl Buffer {
    /// A buffer without an engine, for exporters that are written in Python.
    #[new]
    #[pyo3(signature = (max_bytes=64 << 20, max_items=None))]
    fn new(max_bytes: usize, max_items: Option<usize>) -> Self {
        let limits = Limits {
            bytes: max_bytes,
            items: max_items,
            ..Limits::default()
        };
        Self {
            buffer: Arc::new(Recorded::new(limits)),
            _engine: None,
        }
    }

    /// Says whose telemetry it is from now on.
    #[pyo3(signature = (attributes, schema_url=""))]
    fn set_resource(&self, attributes: &Bound<'_, PyAny>, schema_url: &str) -> PyResult<()> {
        self.buffer
            .set_resource(&resource::encoded(attributes)?, schema_url);
        Ok(())
    }

    /// A place for the items of one instrumentation scope.
    #[pyo3(signature = (name, version=None, schema_url=None, attributes=None))]
    fn scope(
        &self,
        name: &str,
        version: Option<&str>,
        schema_url: Option<&str>,
        attributes: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<BufferScope> {
        let mut scope = Vec::new();
        push_delimited(&mut scope, 1, name.as_bytes());
        if let Some(version) = version {
            push_delimited(&mut scope, 2, version.as_bytes());
        }
        if let Some(attributes) = attributes {
            resource::unlimited(attributes)?.each(attributes.py(), |key, value| {
                push_attribute(&mut scope, 3, key, value);
            });
        }
        Ok(BufferScope(
            self.buffer.scope(&scope, schema_url.unwrap_or_default()),
        ))
    }

    /// Adds the encoded content of a `Span` or `LogRecord`; false when it does not fit.
    fn append(&self, scope: &BufferScope, item: PyBackedBytes) -> bool {
        self.buffer.append(&scope.0, &item)
    }

    /// The next whole export request, or `None`.
    fn drain<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        self.buffer
            .take()
            .map(|request| PyBytes::new(py, &request.bytes))
    }
}
