//! Starts spans: finds the parent, draws the ids, asks the sampler.
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use pyo3::prelude::*;
use pyo3::types::PyString;

use super::ids::{RANDOM, SAMPLED};
use super::parent::Parent;
use super::sampling::{Candidate, Decision, TraceState};
use super::span::{self, Options};
use super::{NonRecordingSpan, Span, SpanIds, SpanRecorder, SpanScope};
use crate::api::Api;
use crate::{complaint, context};

/// Starts the spans of one instrumentation scope.
#[pyclass(frozen, subclass, module = "millrace._native")]
pub(crate) struct Tracer {
    pub(crate) recorder: Py<SpanRecorder>,
    pub(crate) place: Option<millrace_recorder::Scope>,
    pub(crate) instrumentation_scope: Py<PyAny>,
    is_enabled: AtomicBool,
}

/// What a user says about a span that is to start.
pub(crate) struct SpanRequest<'a, 'py> {
    pub(crate) name: &'a Bound<'py, PyAny>,
    pub(crate) context: Option<&'a Bound<'py, PyAny>>,
    pub(crate) kind: Option<&'a Bound<'py, PyAny>>,
    pub(crate) attributes: Option<&'a Bound<'py, PyAny>>,
    pub(crate) links: Option<&'a Bound<'py, PyAny>>,
    pub(crate) start_time: Option<&'a Bound<'py, PyAny>>,
    pub(crate) options: Options,
}

#[pymethods]
impl Tracer {
    /// See `opentelemetry.trace.Tracer.start_span`.
    #[pyo3(signature = (name, context=None, kind=None, attributes=None, links=None, start_time=None, record_exception=None, set_status_on_exception=None))]
    #[expect(clippy::too_many_arguments, reason = "the API's own")]
    fn start_span<'py>(
        slf: &Bound<'py, Self>,
        name: &Bound<'py, PyAny>,
        context: Option<&Bound<'py, PyAny>>,
        kind: Option<&Bound<'py, PyAny>>,
        attributes: Option<&Bound<'py, PyAny>>,
        links: Option<&Bound<'py, PyAny>>,
        start_time: Option<&Bound<'py, PyAny>>,
        record_exception: Option<&Bound<'py, PyAny>>,
        set_status_on_exception: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let start = SpanRequest {
            name,
            context,
            kind,
            attributes,
            links,
            start_time,
            options: Options::new(record_exception, set_status_on_exception, None)?,
        };
        let current = if context.is_none() {
            context::current(slf.py())?
        } else {
            None
        };
        started(slf, &start, current.as_ref())
    }

    /// See `opentelemetry.trace.Tracer.start_as_current_span`. What it returns is a context manager and a decorator.
    #[pyo3(signature = (name, context=None, kind=None, attributes=None, links=None, start_time=None, record_exception=None, set_status_on_exception=None, end_on_exit=None))]
    #[expect(clippy::too_many_arguments, reason = "the API's own")]
    fn start_as_current_span(
        slf: Py<Self>,
        name: Py<PyAny>,
        context: Option<Py<PyAny>>,
        kind: Option<Py<PyAny>>,
        attributes: Option<Py<PyAny>>,
        links: Option<Py<PyAny>>,
        start_time: Option<Py<PyAny>>,
        record_exception: Option<&Bound<'_, PyAny>>,
        set_status_on_exception: Option<&Bound<'_, PyAny>>,
        end_on_exit: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<SpanScope> {
        let options = Options::new(record_exception, set_status_on_exception, end_on_exit)?;
        Ok(SpanScope::new(
            slf, name, context, kind, attributes, links, start_time, options,
        ))
    }

    /// Whether this tracer records at all.
    fn set_enabled(&self, enabled: bool) {
        self.is_enabled.store(enabled, Ordering::Relaxed);
    }

    #[getter]
    fn enabled(&self) -> bool {
        self.is_enabled.load(Ordering::Relaxed)
    }

    #[getter]
    fn instrumentation_scope(&self, py: Python<'_>) -> Py<PyAny> {
        self.instrumentation_scope.clone_ref(py)
    }

    #[getter]
    fn resource(&self, py: Python<'_>) -> Py<PyAny> {
        self.recorder.get().resource(py)
    }
}

impl Tracer {
    pub(crate) fn new(
        recorder: Py<SpanRecorder>,
        place: Option<millrace_recorder::Scope>,
        scope: Py<PyAny>,
    ) -> Self {
        Self {
            recorder,
            place,
            instrumentation_scope: scope,
            is_enabled: AtomicBool::new(true),
        }
    }
}

/// Starts a span, of which `current` is what is current; what goes wrong costs the span, not the user's program.
#[inline]
pub(crate) fn started<'py>(
    tracer: &Bound<'py, Tracer>,
    start: &SpanRequest<'_, 'py>,
    current: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    match start_span(tracer, start, current) {
        Ok(span) => Ok(span),
        Err(error) => {
            complaint::settle(tracer.py(), Err(error), || ())?;
            let ids = SpanIds::default();
            Ok(Bound::new(
                tracer.py(),
                NonRecordingSpan {
                    ids,
                    trace_state: None,
                },
            )?
            .into_any())
        }
    }
}

#[inline]
fn start_span<'py>(
    tracer: &Bound<'py, Tracer>,
    start: &SpanRequest<'_, 'py>,
    current: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = tracer.py();
    let this = tracer.get();
    let recorder = this.recorder.get();
    let parent = match context::span_in(py, start.context, current)? {
        Some(span) => Parent::of(&span)?,
        None => None,
    };
    if !this.is_enabled.load(Ordering::Relaxed) || !recorder.is_open() {
        return passed_on(py, parent);
    }
    let (trace_id, random) = match &parent {
        Some(parent) => (parent.ids.trace_id, parent.ids.flags & RANDOM != 0),
        None => recorder.new_trace_id(py)?,
    };
    let kind = match start.kind {
        Some(kind) => Api::position(&Api::get(py)?.kinds, kind).unwrap_or(0),
        None => 0,
    };
    let candidate = Candidate {
        context: start.context,
        trace_id,
        name: start.name,
        kind,
        attributes: start.attributes,
        links: start.links,
    };
    let sampled = recorder.sampler.decide(py, parent.as_ref(), &candidate)?;
    let sampled_flag = if sampled.decision == Decision::RecordAndSample {
        SAMPLED
    } else {
        0
    };
    let ids = SpanIds {
        trace_id,
        span_id: recorder.new_span_id(py)?,
        flags: sampled_flag | if random { RANDOM } else { 0 },
    };
    let trace_state = match sampled.trace_state {
        TraceState::Chosen(state) => state,
        TraceState::Parents => parent
            .as_ref()
            .and_then(|parent| parent.trace_state.as_ref().map(|state| state.clone_ref(py))),
    };
    if sampled.decision == Decision::Drop {
        return Ok(Bound::new(py, NonRecordingSpan { ids, trace_state })?.into_any());
    }
    let attributes = match &sampled.attributes {
        Some(attributes) => Some(attributes.bind(py)),
        None => start.attributes,
    };
    let begun = span::Begun {
        ids,
        parent,
        trace_state,
        kind,
        attributes,
    };
    let span = Bound::new(py, Span::begin(tracer, start, begun)?)?;
    if let Some(processor) = recorder.processor(py) {
        processor
            .bind(py)
            .call_method1("on_start", (&span, start.context))?;
    }
    Ok(span.into_any())
}

/// The span of a tracer that does not record: it hands on its parent's context.
fn passed_on(py: Python<'_>, parent: Option<Parent>) -> PyResult<Bound<'_, PyAny>> {
    let (ids, trace_state) =
        parent.map_or_else(Default::default, |parent| (parent.ids, parent.trace_state));
    Ok(Bound::new(py, NonRecordingSpan { ids, trace_state })?.into_any())
}

/// Now, in nanoseconds since 1970.
#[inline]
pub(crate) fn now_unix_nano() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| u64::try_from(now.as_nanos()).unwrap_or(u64::MAX))
}

/// A time that a user gave, in nanoseconds since 1970, or now.
#[inline]
pub(crate) fn time_or_now(time: Option<&Bound<'_, PyAny>>) -> u64 {
    match time {
        Some(time) => time.extract::<u64>().unwrap_or_else(|_| now_unix_nano()),
        None => now_unix_nano(),
    }
}

/// A name as text.
#[inline]
pub(crate) fn name_text<'py>(name: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyString>> {
    match name.cast::<PyString>() {
        Ok(text) => Ok(text.clone()),
        Err(_) => name.str(),
    }
}
