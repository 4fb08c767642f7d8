//! A span that is not recorded: it only carries its context on, and costs next to nothing.
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use super::SpanIds;
use super::parent::Parent;
use crate::recycled::{Blocks, Recycled};

/// A span that its sampler dropped. To the API it is a `NonRecordingSpan`.
#[pyclass(frozen, module = "millrace._native")]
pub(crate) struct NonRecordingSpan {
    pub(crate) ids: SpanIds,
    pub(crate) trace_state: Option<Py<PyAny>>,
}

impl NonRecordingSpan {
    /// Its ids; `None` where it stands for no span at all.
    pub(crate) fn valid_ids(&self) -> Option<SpanIds> {
        (self.ids.trace_id != [0; 16] && self.ids.span_id != [0; 8]).then_some(self.ids)
    }

    pub(crate) fn as_parent(&self, py: Python<'_>) -> Option<Parent> {
        Some(Parent {
            ids: self.valid_ids()?,
            is_remote: false,
            trace_state: self.trace_state.as_ref().map(|state| state.clone_ref(py)),
        })
    }
}

impl Recycled for NonRecordingSpan {
    fn blocks() -> &'static Blocks {
        static BLOCKS: Blocks = Blocks::new();
        &BLOCKS
    }

    #[expect(unsafe_code, reason = "as in `recycled`")]
    #[inline]
    unsafe fn release(&mut self, py: Python<'_>) {
        if let Some(state) = self.trace_state.take() {
            state.drop_ref(py);
        }
    }
}

#[pymethods]
#[expect(
    clippy::unused_self,
    reason = "methods of the API that do nothing here"
)]
impl NonRecordingSpan {
    fn get_span_context<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.ids
            .to_span_context(py, false, self.trace_state.as_ref())
    }

    fn is_recording(&self) -> bool {
        false
    }

    #[pyo3(signature = (*_arguments, **_named))]
    fn end(&self, _arguments: &Bound<'_, PyTuple>, _named: Option<&Bound<'_, PyDict>>) {}

    #[pyo3(signature = (*_arguments, **_named))]
    fn set_attribute(&self, _arguments: &Bound<'_, PyTuple>, _named: Option<&Bound<'_, PyDict>>) {}

    #[pyo3(signature = (*_arguments, **_named))]
    fn set_attributes(&self, _arguments: &Bound<'_, PyTuple>, _named: Option<&Bound<'_, PyDict>>) {}

    #[pyo3(signature = (*_arguments, **_named))]
    fn add_event(&self, _arguments: &Bound<'_, PyTuple>, _named: Option<&Bound<'_, PyDict>>) {}

    #[pyo3(signature = (*_arguments, **_named))]
    fn add_link(&self, _arguments: &Bound<'_, PyTuple>, _named: Option<&Bound<'_, PyDict>>) {}

    #[pyo3(signature = (*_arguments, **_named))]
    fn update_name(&self, _arguments: &Bound<'_, PyTuple>, _named: Option<&Bound<'_, PyDict>>) {}

    #[pyo3(signature = (*_arguments, **_named))]
    fn set_status(&self, _arguments: &Bound<'_, PyTuple>, _named: Option<&Bound<'_, PyDict>>) {}

    #[pyo3(signature = (*_arguments, **_named))]
    fn record_exception(
        &self,
        _arguments: &Bound<'_, PyTuple>,
        _named: Option<&Bound<'_, PyDict>>,
    ) {
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (*_arguments))]
    fn __exit__(&self, _arguments: &Bound<'_, PyTuple>) {}

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!(
            "NonRecordingSpan({})",
            self.get_span_context(py)?.repr()?.to_string_lossy()
        ))
    }
}
