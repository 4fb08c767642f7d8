//! The names of opentelemetry-api that the hot path needs, looked up once.
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyString, PyType};

/// Objects of the installed `opentelemetry-api`.
pub(crate) struct Api {
    /// The key of the current span in a `Context`.
    pub(crate) span_key: Py<PyString>,
    /// `opentelemetry.context.Context`.
    pub(crate) context: Py<PyType>,
    /// `opentelemetry.trace.Span`.
    pub(crate) span: Py<PyType>,
    /// `opentelemetry.trace.SpanContext`.
    pub(crate) span_context: Py<PyType>,
    /// `TraceFlags` of 0 to 3: neither, sampled, random, both.
    trace_flags: [Py<PyAny>; 4],
    trace_flags_type: Py<PyType>,
    /// The members of `SpanKind` in the order of their values.
    pub(crate) kinds: [Py<PyAny>; 5],
    /// The members of `StatusCode` in the order of their values.
    pub(crate) status_codes: [Py<PyAny>; 3],
    /// `opentelemetry.trace.Status`.
    pub(crate) status: Py<PyType>,
    /// `opentelemetry.trace.Link`.
    pub(crate) link: Py<PyType>,
    /// `opentelemetry.attributes.BoundedAttributes`.
    pub(crate) bounded_attributes: Py<PyType>,
    /// The empty `TraceState`.
    pub(crate) no_trace_state: Py<PyAny>,
}

static API: PyOnceLock<Api> = PyOnceLock::new();

impl Api {
    /// The API as it is installed; an error only where it is not.
    #[inline]
    pub(crate) fn get(py: Python<'_>) -> PyResult<&'static Self> {
        API.get_or_try_init(py, || Self::load(py))
    }

    fn load(py: Python<'_>) -> PyResult<Self> {
        let trace = py.import("opentelemetry.trace")?;
        let attribute = |name: &str| trace.getattr(name).map(Bound::unbind);
        let class = |name: &str| Ok::<_, PyErr>(trace.getattr(name)?.cast_into()?.unbind());
        let flags = trace.getattr("TraceFlags")?;
        let flag = |value: u8| flags.call1((value,)).map(Bound::unbind);
        let kinds = trace.getattr("SpanKind")?;
        let kind = |name: &str| kinds.getattr(name).map(Bound::unbind);
        let codes = trace.getattr("StatusCode")?;
        let code = |name: &str| codes.getattr(name).map(Bound::unbind);
        let propagation = py.import("opentelemetry.trace.propagation")?;
        let context = py.import("opentelemetry.context")?;
        Ok(Self {
            span_key: propagation.getattr("_SPAN_KEY")?.cast_into()?.unbind(),
            context: context.getattr("Context")?.cast_into()?.unbind(),
            span: class("Span")?,
            span_context: class("SpanContext")?,
            trace_flags: [flag(0)?, flag(1)?, flag(2)?, flag(3)?],
            trace_flags_type: class("TraceFlags")?,
            kinds: [
                kind("INTERNAL")?,
                kind("SERVER")?,
                kind("CLIENT")?,
                kind("PRODUCER")?,
                kind("CONSUMER")?,
            ],
            status_codes: [code("UNSET")?, code("OK")?, code("ERROR")?],
            status: class("Status")?,
            link: class("Link")?,
            bounded_attributes: py
                .import("opentelemetry.attributes")?
                .getattr("BoundedAttributes")?
                .cast_into()?
                .unbind(),
            no_trace_state: attribute("DEFAULT_TRACE_STATE")?,
        })
    }

    /// The `TraceFlags` object of these bits.
    pub(crate) fn trace_flags(&self, py: Python<'_>, flags: u8) -> PyResult<Py<PyAny>> {
        match self.trace_flags.get(usize::from(flags)) {
            Some(known) => Ok(known.clone_ref(py)),
            None => self
                .trace_flags_type
                .bind(py)
                .call1((flags,))
                .map(Bound::unbind),
        }
    }

    /// The position of an enumeration's member among `members`, or its `value`.
    pub(crate) fn position(members: &[Py<PyAny>], member: &Bound<'_, PyAny>) -> Option<u8> {
        if let Some(known) = members.iter().position(|known| known.is(member)) {
            return u8::try_from(known).ok();
        }
        let value: u8 = member.getattr("value").ok()?.extract().ok()?;
        (usize::from(value) < members.len()).then_some(value)
    }
}
