//! The span under which a new one stands.
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

use super::{NonRecordingSpan, Span, SpanIds};
use crate::api::Api;

/// What a child takes over from its parent.
pub(crate) struct Parent {
    pub(crate) ids: SpanIds,
    pub(crate) is_remote: bool,
    pub(crate) trace_state: Option<Py<PyAny>>,
}

impl Parent {
    /// The parent that a span of any kind is; `None` where its ids are not valid, so that a new trace begins.
    #[inline]
    pub(crate) fn of(span: &Bound<'_, PyAny>) -> PyResult<Option<Self>> {
        if let Ok(span) = span.cast_exact::<Span>() {
            return Ok(Some(span.get().as_parent(span.py())));
        }
        if let Ok(span) = span.cast_exact::<NonRecordingSpan>() {
            return Ok(span.get().as_parent(span.py()));
        }
        Self::of_foreign(span)
    }

    fn of_foreign(span: &Bound<'_, PyAny>) -> PyResult<Option<Self>> {
        let py = span.py();
        let api = Api::get(py)?;
        // Whatever else somebody put in the place of the span is none.
        if !span.is_instance(api.span.bind(py))? {
            return Ok(None);
        }
        let context = span.call_method0("get_span_context")?;
        if context.is_none() {
            return Ok(None);
        }
        if !context.is_instance(api.span_context.bind(py))? {
            return Err(PyTypeError::new_err(
                "the context of a parent span is an opentelemetry.trace.SpanContext or None",
            ));
        }
        let Some(ids) = SpanIds::from_span_context(&context)? else {
            return Ok(None);
        };
        let state = context.getattr("trace_state")?;
        Ok(Some(Self {
            ids,
            is_remote: context.getattr("is_remote")?.is_truthy()?,
            trace_state: kept_state(&state)?,
        }))
    }

    /// The API's `SpanContext` of the parent.
    pub(crate) fn to_span_context<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.ids
            .to_span_context(py, self.is_remote, self.trace_state.as_ref())
    }
}

/// A trace state that says something; the empty one is not kept.
pub(crate) fn kept_state(state: &Bound<'_, PyAny>) -> PyResult<Option<Py<PyAny>>> {
    if state.is_none() || state.len()? == 0 {
        return Ok(None);
    }
    Ok(Some(state.clone().unbind()))
}
