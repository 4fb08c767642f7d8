//! A buffer of finished telemetry, as Python holds it.
use std::sync::Arc;

use millrace_recorder::{Buffer as Recorded, Limits};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::resource;

/// Finished spans or log records that wait to be taken, bounded in bytes.
#[pyclass(frozen, module = "millrace._native")]
pub(crate) struct Buffer(Arc<Recorded>);

impl Buffer {
    pub(crate) fn shared(&self) -> Arc<Recorded> {
        Arc::clone(&self.0)
    }
}

#[pymethods]
impl Buffer {
    #[new]
    #[pyo3(signature = (max_bytes=64 << 20, max_items=None))]
    fn new(max_bytes: usize, max_items: Option<usize>) -> Self {
        Self(Arc::new(Recorded::new(Limits {
            bytes: max_bytes,
            items: max_items,
            ..Limits::default()
        })))
    }

    /// Says whose telemetry it is from now on.
    fn set_resource(&self, attributes: &Bound<'_, PyAny>, schema_url: &str) -> PyResult<()> {
        self.0
            .set_resource(&resource::encoded(attributes)?, schema_url);
        Ok(())
    }

    /// The next whole export request, or `None`.
    fn drain<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        self.0
            .take()
            .map(|request| PyBytes::new(py, &request.bytes))
    }
}
