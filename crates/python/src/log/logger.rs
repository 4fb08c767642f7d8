//! Emits log records: straight to the buffer, or past the processors that somebody has added.
use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;

use super::record::{self, Correlation, Record};
use super::recorder::LogRecorder;
use super::severity;
use crate::attributes;
use crate::clock::now_unix_nano;
use crate::{complaint, context};

static SHOW: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
static DESCRIBE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// Emits the log records of one instrumentation scope.
#[pyclass(frozen, subclass, weakref, module = "millrace._native")]
pub(crate) struct Logger {
    pub(super) recorder: Py<LogRecorder>,
    place: Option<millrace_recorder::Scope>,
    instrumentation_scope: Py<PyAny>,
    is_enabled: AtomicBool,
}

/// What a user says about a record, argument by argument.
struct Said<'a, 'py> {
    timestamp: Option<&'a Bound<'py, PyAny>>,
    observed_timestamp: Option<&'a Bound<'py, PyAny>>,
    context: Option<&'a Bound<'py, PyAny>>,
    severity_number: Option<&'a Bound<'py, PyAny>>,
    severity_text: Option<&'a Bound<'py, PyAny>>,
    body: Option<&'a Bound<'py, PyAny>>,
    attributes: Option<&'a Bound<'py, PyAny>>,
    event_name: Option<&'a Bound<'py, PyAny>>,
    exception: Option<&'a Bound<'py, PyAny>>,
}

#[pymethods]
impl Logger {
    /// A logger for an `InstrumentationScope`.
    #[new]
    fn new(recorder: Py<LogRecorder>, scope: &Bound<'_, PyAny>) -> PyResult<Self> {
        let place = recorder.get().destination.place(scope)?;
        Ok(Self {
            recorder,
            place,
            instrumentation_scope: scope.clone().unbind(),
            is_enabled: AtomicBool::new(true),
        })
    }

    /// See `opentelemetry._logs.Logger.emit`.
    #[pyo3(signature = (record=None, *, timestamp=None, observed_timestamp=None, context=None, severity_number=None, severity_text=None, body=None, attributes=None, event_name=None, exception=None))]
    #[expect(clippy::too_many_arguments, reason = "the API's own")]
    fn emit(
        slf: &Bound<'_, Self>,
        record: Option<&Bound<'_, PyAny>>,
        timestamp: Option<&Bound<'_, PyAny>>,
        observed_timestamp: Option<&Bound<'_, PyAny>>,
        context: Option<&Bound<'_, PyAny>>,
        severity_number: Option<&Bound<'_, PyAny>>,
        severity_text: Option<&Bound<'_, PyAny>>,
        body: Option<&Bound<'_, PyAny>>,
        attributes: Option<&Bound<'_, PyAny>>,
        event_name: Option<&Bound<'_, PyAny>>,
        exception: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        if !slf.get().is_recording(slf.py()) {
            return Ok(());
        }
        let emitted = match record {
            Some(record) => emit_record(slf, record),
            None => emit_said(
                slf,
                &Said {
                    timestamp,
                    observed_timestamp,
                    context,
                    severity_number,
                    severity_text,
                    body,
                    attributes,
                    event_name,
                    exception,
                },
            ),
        };
        complaint::settle(slf.py(), emitted, || ())
    }

    /// See `opentelemetry._logs.Logger.enabled`.
    #[pyo3(signature = (*, context=None, severity_number=None, event_name=None))]
    fn enabled(
        &self,
        py: Python<'_>,
        context: Option<&Bound<'_, PyAny>>,
        severity_number: Option<&Bound<'_, PyAny>>,
        event_name: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<bool> {
        if !self.is_recording(py) {
            return Ok(false);
        }
        if self.place.is_some() {
            return Ok(true);
        }
        let asked = || {
            let Some(processor) = self.recorder.get().destination.processor(py) else {
                return Ok(false);
            };
            let question = PyDict::new(py);
            question.set_item("context", context)?;
            question.set_item("instrumentation_scope", &self.instrumentation_scope)?;
            question.set_item("severity_number", severity_number)?;
            question.set_item("event_name", event_name)?;
            let answer = processor.call_method("enabled", (), Some(&question))?;
            answer.is_truthy()
        };
        complaint::settle(py, asked(), || true)
    }

    /// Whether this logger records at all.
    fn set_enabled(&self, enabled: bool) {
        self.is_enabled.store(enabled, Ordering::Relaxed);
    }

    #[getter]
    fn is_enabled(&self) -> bool {
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

    #[getter]
    fn limits(&self, py: Python<'_>) -> Py<PyAny> {
        self.recorder.get().given_limits.clone_ref(py)
    }
}

impl Logger {
    /// Whether anybody wants its records.
    #[inline]
    pub(super) fn is_recording(&self, py: Python<'_>) -> bool {
        let destination = &self.recorder.get().destination;
        self.is_enabled.load(Ordering::Relaxed)
            && destination.is_open()
            && (self.place.is_some() || destination.has_processor(py))
    }

    /// Adds a finished record to the buffer.
    #[inline]
    pub(super) fn append(&self, py: Python<'_>, record: Record<'_>) {
        if let (Some(buffer), Some(place)) = (&self.recorder.get().destination.buffer, &self.place)
        {
            record.append(py, buffer, place);
        }
    }

    /// Adds what an exception says; attributes that the user gave under the same names stay.
    fn add_exception(&self, record: &mut Record<'_>, exception: &Bound<'_, PyAny>) -> PyResult<()> {
        if exception.is_none() {
            return Ok(());
        }
        let py = exception.py();
        let limits = &self.recorder.get().limits;
        let describe = DESCRIBE.import(py, "millrace.sdk.logs.exceptions", "emitted_exception")?;
        let given = record.attributes.to_dict(py)?;
        attributes::each_pair(&describe.call1((exception,))?, |key, value| {
            if !given.contains(key)? {
                let accepted = attributes::accept(key, value, limits)?;
                record.attributes.put(py, accepted, limits);
            }
            Ok(())
        })
    }

    /// Shows a record to the processors, in Python, and then records what they have made of it.
    ///
    /// The record is `record`, or what the keywords say.
    pub(super) fn show<'py>(
        slf: &Bound<'py, Self>,
        record: Option<&Bound<'py, PyAny>>,
        keywords: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<()> {
        let py = slf.py();
        let this = slf.get();
        let recorder = this.recorder.get();
        let show = SHOW.import(py, "millrace.sdk.logs.emission", "show")?;
        let shown = show.call((slf, recorder.destination.processor(py), record), keywords)?;
        if this.place.is_some() {
            let read = Record::of_api(&shown.getattr("log_record")?, &recorder.limits)?;
            this.append(py, read);
        }
        Ok(())
    }
}

/// Emits an API's `LogRecord`, or the `ReadWriteLogRecord` around one.
fn emit_record(logger: &Bound<'_, Logger>, record: &Bound<'_, PyAny>) -> PyResult<()> {
    let this = logger.get();
    let recorder = this.recorder.get();
    if recorder.destination.has_processor(record.py())
        || record.getattr_opt("log_record")?.is_some()
    {
        return Logger::show(logger, Some(record), None);
    }
    let mut read = Record::of_api(record, &recorder.limits)?;
    if let Some(exception) = record.getattr_opt("exception")? {
        this.add_exception(&mut read, &exception)?;
    }
    this.append(record.py(), read);
    Ok(())
}

fn emit_said<'py>(logger: &Bound<'py, Logger>, said: &Said<'_, 'py>) -> PyResult<()> {
    let py = logger.py();
    let this = logger.get();
    let recorder = this.recorder.get();
    if recorder.destination.has_processor(py) {
        return Logger::show(logger, None, Some(&said.to_keywords(py)?));
    }
    let time = |time: Option<&Bound<'_, PyAny>>| time.and_then(record::time);
    let text = |text: Option<&Bound<'py, PyAny>>| text.map_or(Ok(None), record::as_text);
    let mut read = Record {
        time: time(said.timestamp).unwrap_or(0),
        observed_time: time(said.observed_timestamp).unwrap_or_else(now_unix_nano),
        severity_number: said.severity_number.map_or(0, severity::of_object),
        severity_text: text(said.severity_text)?,
        body: said.body.map_or(Ok(None), record::body)?,
        attributes: record::attributes(py, said.attributes, &recorder.limits)?,
        dropped: 0,
        event_name: text(said.event_name)?,
        correlation: said.correlation(py),
    };
    if let Some(exception) = said.exception {
        this.add_exception(&mut read, exception)?;
    }
    this.append(py, read);
    Ok(())
}

impl<'py> Said<'_, 'py> {
    /// An empty context is no context: upstream's API has it so.
    fn correlation(&self, py: Python<'py>) -> Correlation {
        let given = |context: &&&Bound<'_, PyAny>| context.is_truthy().unwrap_or(false);
        let context = self.context.as_ref().filter(given);
        let ids = context::span_ids(py, context.copied());
        ids.unwrap_or(None).into()
    }

    fn to_keywords(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let keywords = PyDict::new(py);
        keywords.set_item("timestamp", self.timestamp)?;
        keywords.set_item("observed_timestamp", self.observed_timestamp)?;
        keywords.set_item("context", self.context)?;
        keywords.set_item("severity_number", self.severity_number)?;
        keywords.set_item("severity_text", self.severity_text)?;
        keywords.set_item("body", self.body)?;
        keywords.set_item("attributes", self.attributes)?;
        keywords.set_item("event_name", self.event_name)?;
        keywords.set_item("exception", self.exception)?;
        Ok(keywords)
    }
}
