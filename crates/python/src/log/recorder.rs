//! What all loggers of one provider share: the limits, and where log records go.
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use pyo3::prelude::*;

use crate::attributes::AttributeLimits;
use crate::buffer::Buffer;
use crate::clean::ValueLimits;

/// The native half of a `LoggerProvider`.
#[pyclass(frozen, module = "millrace._native")]
pub(crate) struct LogRecorder {
    pub(super) limits: AttributeLimits,
    /// The same as Python's `LogRecordLimits`, for records that processors see.
    pub(super) given_limits: Py<PyAny>,
    pub(super) buffer: Option<Arc<millrace_recorder::Buffer>>,
    is_open: AtomicBool,
    has_processor: AtomicBool,
    processor: Mutex<Option<Py<PyAny>>>,
    resource: Mutex<Py<PyAny>>,
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
        let limit = |name: &str| limits.getattr(name)?.extract::<Option<usize>>();
        let count = limit("max_log_record_attributes")?;
        Ok(Self {
            limits: AttributeLimits {
                count: count.map_or(u32::MAX, |count| u32::try_from(count).unwrap_or(u32::MAX)),
                value: ValueLimits {
                    length: limit("max_log_record_attribute_length")?,
                },
            },
            given_limits: limits.clone().unbind(),
            buffer: buffer.map(|buffer| buffer.shared()),
            is_open: AtomicBool::new(true),
            has_processor: AtomicBool::new(false),
            processor: Mutex::new(None),
            resource: Mutex::new(resource),
        })
    }

    /// Has `processor` called for each record; `None` for nobody.
    fn set_processor(&self, processor: Option<Py<PyAny>>) {
        self.has_processor
            .store(processor.is_some(), Ordering::Relaxed);
        let mut current = self
            .processor
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *current, processor);
        drop(current);
        drop(before);
    }

    /// Says whose records these are from now on.
    fn set_resource(&self, resource: Py<PyAny>) {
        let mut current = self.resource.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *current, resource);
        drop(current);
        drop(before);
    }

    /// After this, nothing is recorded.
    fn close(&self) {
        self.is_open.store(false, Ordering::Relaxed);
    }
}

impl LogRecorder {
    /// Whether anybody wants records.
    #[inline]
    pub(super) fn is_recording(&self) -> bool {
        self.is_open.load(Ordering::Relaxed) && (self.buffer.is_some() || self.has_processor())
    }

    #[inline]
    pub(super) fn has_processor(&self) -> bool {
        self.has_processor.load(Ordering::Relaxed)
    }

    /// The Python processor, if there is one.
    #[inline]
    pub(super) fn processor(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        if !self.has_processor() {
            return None;
        }
        self.processor
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()
            .map(|processor| processor.clone_ref(py))
    }

    pub(super) fn resource(&self, py: Python<'_>) -> Py<PyAny> {
        self.resource
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone_ref(py)
    }
}
