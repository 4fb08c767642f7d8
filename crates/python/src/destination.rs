//! Where the spans or log records of one provider go: into a buffer, and to a processor that is written in Python.
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use millrace_recorder::{Buffer as Recorded, Scope};
use millrace_wire::encode::push_attribute;
use millrace_wire::field::push_delimited;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::buffer::Buffer;
use crate::held::Held;
use crate::resource;

/// What a provider's tracers or loggers share, whatever the signal.
pub(crate) struct Destination {
    pub(crate) buffer: Option<Arc<Recorded>>,
    is_open: AtomicBool,
    processor: Held<Option<Py<PyAny>>>,
    resource: Held<Py<PyAny>>,
}

impl Destination {
    pub(crate) fn new(buffer: Option<PyRef<'_, Buffer>>, resource: Py<PyAny>) -> Self {
        Self {
            buffer: buffer.map(|buffer| buffer.shared()),
            is_open: AtomicBool::new(true),
            processor: Held::new(None),
            resource: Held::new(resource),
        }
    }

    /// The place in the buffer of what comes from an `InstrumentationScope`.
    pub(crate) fn place(&self, scope: &Bound<'_, PyAny>) -> PyResult<Option<Scope>> {
        let Some(buffer) = &self.buffer else {
            return Ok(None);
        };
        let schema_url: Option<String> = scope.getattr("schema_url")?.extract()?;
        let schema_url = schema_url.unwrap_or_default();
        Ok(Some(buffer.scope(&encoded_scope(scope)?, &schema_url)))
    }

    pub(crate) fn set_processor(&self, py: Python<'_>, processor: Option<Py<PyAny>>) {
        drop(self.processor.replace(py, processor));
    }

    pub(crate) fn has_processor(&self, py: Python<'_>) -> bool {
        self.processor.hold(py).is_some()
    }

    /// The Python processor, if there is one.
    #[inline]
    pub(crate) fn processor<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        let processor = self.processor.hold(py);
        processor
            .as_ref()
            .map(|processor| processor.bind(py).clone())
    }

    pub(crate) fn set_resource(&self, py: Python<'_>, resource: Py<PyAny>) {
        drop(self.resource.replace(py, resource));
    }

    pub(crate) fn resource(&self, py: Python<'_>) -> Py<PyAny> {
        self.resource.hold(py).clone_ref(py)
    }

    #[inline]
    pub(crate) fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Relaxed)
    }

    pub(crate) fn close(&self) {
        self.is_open.store(false, Ordering::Relaxed);
    }
}

/// The content of the wire's `InstrumentationScope`.
fn encoded_scope(scope: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    let py = scope.py();
    let mut out = Vec::new();
    for (number, name) in [(1, "name"), (2, "version")] {
        if let Ok(text) = scope.getattr(name)?.cast_into::<PyString>() {
            let text = text.to_string_lossy();
            if !text.is_empty() {
                push_delimited(&mut out, number, text.as_bytes());
            }
        }
    }
    let attributes = scope.getattr("attributes")?;
    if !attributes.is_none() {
        resource::unlimited(&attributes)?.each(py, |key, value| {
            push_attribute(&mut out, 3, key, value);
        });
    }
    Ok(out)
}
