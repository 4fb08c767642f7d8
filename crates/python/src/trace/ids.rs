//! What identifies a span, between the API's integers and the wire's bytes.
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::api::Api;

/// W3C trace flag: the span is recorded and exported.
pub(crate) const SAMPLED: u8 = 1;
/// W3C trace flag (level 2): the lower 56 bits of the trace id are random.
pub(crate) const RANDOM: u8 = 2;

/// The ids and flags of a span.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SpanIds {
    pub(crate) trace_id: [u8; 16],
    pub(crate) span_id: [u8; 8],
    pub(crate) flags: u8,
}

impl SpanIds {
    /// Whether the span is one of those that are exported.
    pub(crate) fn is_sampled(&self) -> bool {
        self.flags & SAMPLED != 0
    }

    /// The API's `SpanContext`.
    pub(crate) fn to_span_context<'py>(
        self,
        py: Python<'py>,
        is_remote: bool,
        trace_state: Option<&Py<PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let api = Api::get(py)?;
        let trace_id = u128::from_be_bytes(self.trace_id);
        let span_id = u64::from_be_bytes(self.span_id);
        let state = trace_state.unwrap_or(&api.no_trace_state);
        let flags = api.trace_flags(py, self.flags)?;
        api.span_context
            .bind(py)
            .call1((trace_id, span_id, is_remote, flags, state))
    }

    /// The ids in an API's `SpanContext`; `None` where they are not valid.
    pub(crate) fn from_span_context(context: &Bound<'_, PyAny>) -> PyResult<Option<Self>> {
        if context.is_none() {
            return Ok(None);
        }
        // Upstream's class is a tuple of (trace id, span id, remote, flags, state, valid), and its properties are slow.
        let (trace_id, span_id, flags): (u128, u64, u8) = match context.cast::<PyTuple>() {
            Ok(tuple) if tuple.len() == 6 => {
                if !tuple.get_item(5)?.is_truthy()? {
                    return Ok(None);
                }
                (
                    tuple.get_item(0)?.extract()?,
                    tuple.get_item(1)?.extract()?,
                    flags_of(&tuple.get_item(3)?),
                )
            }
            _ => {
                if !context.getattr("is_valid")?.is_truthy()? {
                    return Ok(None);
                }
                (
                    context.getattr("trace_id")?.extract()?,
                    context.getattr("span_id")?.extract()?,
                    flags_of(&context.getattr("trace_flags")?),
                )
            }
        };
        Ok(Some(Self {
            trace_id: trace_id.to_be_bytes(),
            span_id: span_id.to_be_bytes(),
            flags,
        }))
    }
}

/// Flags have eight bits on the wire; whatever else somebody put there means nothing.
fn flags_of(flags: &Bound<'_, PyAny>) -> u8 {
    flags.extract::<u64>().map_or(0, |flags| flags as u8)
}
