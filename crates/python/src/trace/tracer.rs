//! Starts spans: finds the parent, draws the ids, asks the sampler.
use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::prelude::*;
use pyo3::types::PyString;

use super::ids::{RANDOM, SAMPLED};
use super::parent::Parent;
use super::recorder::Drawn;
use super::sampling::{Candidate, Decision, TraceState};
use super::span::{self, Options};
use super::{NonRecordingSpan, Span, SpanIds, SpanRecorder, SpanScope};
use crate::api::Api;
use crate::clock::now_unix_nano;
use crate::{complaint, context, recycled};

/// Starts the spans of one instrumentation scope.
#[pyclass(frozen, subclass, module = "millrace._native")]
pub(crate) struct Tracer {
    pub(crate) recorder: Py<SpanRecorder>,
    pub(crate) place: Option<millrace_recorder::Scope>,
    pub(crate) instrumentation_scope: Py<PyAny>,
    is_enabled: AtomicBool,
}

/// What a user says about a span that is to start.
#[derive(Clone, Copy)]
pub(crate) struct SpanRequest<'a, 'py> {
    pub(crate) name: &'a Bound<'py, PyAny>,
    pub(crate) context: Option<&'a Bound<'py, PyAny>>,
    pub(crate) kind: Option<&'a Bound<'py, PyAny>>,
    pub(crate) attributes: Option<&'a Bound<'py, PyAny>>,
    pub(crate) links: Option<&'a Bound<'py, PyAny>>,
    pub(crate) start_time: Option<&'a Bound<'py, PyAny>>,
    pub(crate) options: Options,
}

impl<'a, 'py> SpanRequest<'a, 'py> {
    #[inline]
    pub(crate) fn new(
        name: &'a Bound<'py, PyAny>,
        context: Option<&'a Bound<'py, PyAny>>,
        kind: Option<&'a Bound<'py, PyAny>>,
        attributes: Option<&'a Bound<'py, PyAny>>,
        links: Option<&'a Bound<'py, PyAny>>,
        start_time: Option<&'a Bound<'py, PyAny>>,
        options: Options,
    ) -> Self {
        Self {
            name,
            context,
            kind,
            attributes,
            links,
            start_time,
            options,
        }
    }

    /// One that says nothing but a name.
    #[inline]
    pub(crate) fn of(name: &'a Bound<'py, PyAny>) -> Self {
        Self::new(name, None, None, None, None, None, Options::ALL)
    }
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
        let options = Options::new(record_exception, set_status_on_exception, None)?;
        let start = SpanRequest::new(name, context, kind, attributes, links, start_time, options);
        start_anywhere(slf, &start)
    }

    /// See `opentelemetry.trace.Tracer.start_as_current_span`. What it returns is a context manager and a decorator.
    #[pyo3(signature = (name, context=None, kind=None, attributes=None, links=None, start_time=None, record_exception=None, set_status_on_exception=None, end_on_exit=None))]
    #[expect(clippy::too_many_arguments, reason = "the API's own")]
    fn start_as_current_span<'py>(
        slf: &Bound<'py, Self>,
        name: &Bound<'py, PyAny>,
        context: Option<&Bound<'py, PyAny>>,
        kind: Option<&Bound<'py, PyAny>>,
        attributes: Option<&Bound<'py, PyAny>>,
        links: Option<&Bound<'py, PyAny>>,
        start_time: Option<&Bound<'py, PyAny>>,
        record_exception: Option<&Bound<'py, PyAny>>,
        set_status_on_exception: Option<&Bound<'py, PyAny>>,
        end_on_exit: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, SpanScope>> {
        let options = Options::new(record_exception, set_status_on_exception, end_on_exit)?;
        let start = SpanRequest::new(name, context, kind, attributes, links, start_time, options);
        recycled::object(slf.py(), || SpanScope::new(slf, &start))
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
        self.recorder.get().destination.resource(py)
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

/// Starts a span under what its request says, or under what is current.
#[inline]
pub(crate) fn start_anywhere<'py>(
    tracer: &Bound<'py, Tracer>,
    start: &SpanRequest<'_, 'py>,
) -> PyResult<Bound<'py, PyAny>> {
    let current = if start.context.is_none() {
        context::current(tracer.py())?
    } else {
        None
    };
    started(tracer, start, current.as_ref())
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
            let trace_state = None;
            Ok(recycled::object(tracer.py(), || NonRecordingSpan { ids, trace_state })?.into_any())
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
    if !this.is_enabled.load(Ordering::Relaxed) || !recorder.destination.is_open() {
        return passed_on(py, parent);
    }
    let Drawn {
        trace_id,
        random,
        span_id,
    } = match &parent {
        Some(parent) => Drawn {
            trace_id: parent.ids.trace_id,
            random: parent.ids.flags & RANDOM != 0,
            span_id: None,
        },
        None => recorder.draw_root_ids(py)?,
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
        span_id: match span_id {
            Some(span_id) => span_id,
            None => recorder.draw_span_id(py)?,
        },
        flags: sampled_flag | if random { RANDOM } else { 0 },
    };
    let trace_state = match sampled.trace_state {
        TraceState::Chosen(state) => state,
        TraceState::Parents => parent
            .as_ref()
            .and_then(|parent| parent.trace_state.as_ref().map(|state| state.clone_ref(py))),
    };
    if sampled.decision == Decision::Drop {
        return Ok(recycled::object(py, || NonRecordingSpan { ids, trace_state })?.into_any());
    }
    let attributes = sampled.attributes.as_ref().or(start.attributes);
    let begun = span::Begun {
        ids,
        parent,
        trace_state,
        kind,
        attributes,
    };
    let span = Span::begin(tracer, start, begun)?;
    if let Some(processor) = recorder.destination.processor(py) {
        processor.call_method1("on_start", (&span, start.context))?;
    }
    Ok(span.into_any())
}

/// The span of a tracer that does not record: it hands on its parent's context.
fn passed_on(py: Python<'_>, parent: Option<Parent>) -> PyResult<Bound<'_, PyAny>> {
    let (ids, trace_state) =
        parent.map_or_else(Default::default, |parent| (parent.ids, parent.trace_state));
    Ok(recycled::object(py, || NonRecordingSpan { ids, trace_state })?.into_any())
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
