//! What all loggers of one provider share: the limits, and where log records go.
use pyo3::prelude::*;

use crate::attributes::AttributeLimits;
use crate::buffer::Buffer;
use crate::destination::Destination;

/// The native half of a `LoggerProvider`.
#[pyclass(frozen, module = "millrace._native")]
pub(crate) struct LogRecorder {
    pub(super) limits: AttributeLimits,
    /// The same as Python's `LogRecordLimits`, for records that processors see.
    pub(super) given_limits: Py<PyAny>,
    pub(super) destination: Destination,
}

#[pymethods]
impl LogRecorder {
    /// `limits` are those of upstream's `LogRecordLimits`, `None` for no limit.
    #[new]
    fn new(
        limits: &Bound<'_, PyAny>,
        buffer: Option<PyRef<'_, Buffer>>,
        resource: Py<PyAny>,
    ) -> PyResult<Self> {
        let (count, length) = (
            "max_log_record_attributes",
            "max_log_record_attribute_length",
        );
        Ok(Self {
            limits: AttributeLimits::named(limits, count, length)?,
            given_limits: limits.clone().unbind(),
            destination: Destination::new(buffer, resource),
        })
    }

    /// Has `processor` called for each record; `None` for nobody.
    fn set_processor(&self, py: Python<'_>, processor: Option<Py<PyAny>>) {
        self.destination.set_processor(py, processor);
    }

    /// Says whose records these are from now on.
    fn set_resource(&self, py: Python<'_>, resource: Py<PyAny>) {
        self.destination.set_resource(py, resource);
    }

    /// After this, nothing is recorded.
    fn close(&self) {
        self.destination.close();
    }
}
