//! The bridge from Python's `logging`: makes log records of its records.
#![expect(
    unsafe_code,
    reason = "the interpreter's calling convention has no safe interface"
)]
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use pyo3::exceptions::PyTypeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{
    PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyMapping, PySequence, PyString, PyTuple,
};

use super::logger::Logger;
use super::logging_record::{Field, LoggingRecord};
use super::record::{self, Record};
use super::severity;
use crate::attributes::{self, AttributeLimits, Attributes};
use crate::clock::now_unix_nano;
use crate::direct::{Answer, Call, direct_method};
use crate::{complaint, context, text};

static FOREIGN: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
static ONCE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
static DESCRIBE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

const FILTERS: &str = "filters";
const FORMATTER: &str = "formatter";

thread_local! {
    /// Making a log record runs code of the program and of the SDK, which may log.
    static EMITTING: Cell<bool> = const { Cell::new(false) };
}

/// The native half of a `LoggingHandler`.
#[pyclass(frozen, module = "millrace._native")]
pub(crate) struct LoggingBridge {
    handler: Py<PyAny>,
    /// The attributes of the handler, where its class has none of those that are read.
    fields: Option<Py<PyDict>>,
    provider: Py<PyAny>,
    /// Our loggers by name. `logging` keeps each name as long.
    loggers: Py<PyDict>,
    has_code_attributes: AtomicBool,
    dropped: AtomicU64,
}

/// A record for a logger that has processors, or is not ours.
struct Rest<'py> {
    logger: Bound<'py, PyAny>,
    keywords: Bound<'py, PyDict>,
}

/// Lets one record at a time through, per thread.
struct Emitting;

impl Emitting {
    #[inline]
    fn begin() -> Option<Self> {
        (!EMITTING.replace(true)).then_some(Self)
    }
}

impl Drop for Emitting {
    #[inline]
    fn drop(&mut self) {
        EMITTING.set(false);
    }
}

direct_method!(HANDLE, LoggingBridge, "handle", handle);

/// Has `logging` call the bridge as the interpreter does it.
pub(crate) fn install_direct_method(py: Python<'_>) -> PyResult<()> {
    HANDLE.install(&py.get_type::<LoggingBridge>())
}

#[inline]
fn handle<'py>(call: &Call<'py>, bridge: &Bound<'py, LoggingBridge>) -> Answer<'py> {
    let Some([record]) = call.positional() else {
        return Ok(None);
    };
    let handled = bridge.get().handle(&record)?;
    Ok(Some(PyBool::new(call.py(), handled).to_owned().into_any()))
}

#[pymethods]
impl LoggingBridge {
    #[new]
    fn new(
        handler: &Bound<'_, PyAny>,
        provider: Py<PyAny>,
        code_attributes: bool,
    ) -> PyResult<Self> {
        let py = handler.py();
        let class = handler.get_type();
        let fields =
            if class.hasattr(intern!(py, FILTERS))? || class.hasattr(intern!(py, FORMATTER))? {
                None
            } else {
                Some(
                    handler
                        .getattr(intern!(py, "__dict__"))?
                        .cast_into()?
                        .unbind(),
                )
            };
        Ok(Self {
            handler: handler.clone().unbind(),
            fields,
            provider,
            loggers: PyDict::new(py).unbind(),
            has_code_attributes: AtomicBool::new(code_attributes),
            dropped: AtomicU64::new(0),
        })
    }

    /// What `logging.Handler.handle` does, without its lock: the buffer has its own.
    fn handle(&self, record: &Bound<'_, PyAny>) -> PyResult<bool> {
        let py = record.py();
        let filters = self.of_handler(intern!(py, FILTERS))?;
        if filters
            .cast_exact::<PyList>()
            .is_ok_and(PyListMethods::is_empty)
        {
            self.emit(record)?;
            return Ok(true);
        }
        let filtered = self.handler.bind(py).call_method1("filter", (record,))?;
        if !filtered.is_truthy()? {
            return Ok(false);
        }
        // From Python 3.12 a filter may return another record.
        let is_same = filtered.is_instance_of::<PyBool>();
        self.emit(if is_same { record } else { &filtered })?;
        Ok(true)
    }

    /// Makes a log record of a record of `logging`. One that is logged meanwhile, in the same thread or context, is dropped.
    fn emit(&self, record: &Bound<'_, PyAny>) -> PyResult<()> {
        let Some(emitting) = Emitting::begin() else {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        };
        let rest = match self.translate(record) {
            Ok(None) => return Ok(()),
            Ok(Some(rest)) => {
                // What is left runs Python for as long as it likes, and may switch to another greenlet of this thread.
                drop(emitting);
                self.show(rest)
            }
            Err(error) => Err(error),
        };
        if rest.is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        complaint::settle(record.py(), rest, || ())
    }

    /// Records that were dropped: logged while another one was emitted, or not readable.
    #[getter]
    fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.handler)?;
        visit.call(&self.fields)?;
        visit.call(&self.provider)?;
        visit.call(&self.loggers)
    }
}

impl LoggingBridge {
    /// An attribute of the handler.
    #[inline]
    fn of_handler<'py>(&self, name: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyAny>> {
        if let Some(fields) = &self.fields
            && let Some(value) = fields.bind(name.py()).get_item(name)?
        {
            return Ok(value);
        }
        self.handler.bind(name.py()).getattr(name)
    }

    /// Writes a record; where others than the buffer want it, returns what they need.
    #[inline]
    fn translate<'py>(&self, record: &Bound<'py, PyAny>) -> PyResult<Option<Rest<'py>>> {
        let py = record.py();
        let read = LoggingRecord::read(record)?;
        let logger = self.logger(py, read.field(Field::Name))?;
        if let Ok(native) = logger.cast::<Logger>() {
            let this = native.get();
            if !this.is_recording(py) {
                return Ok(None);
            }
            let recorder = this.recorder.get();
            if !recorder.destination.has_processor(py) {
                this.append(py, self.log_record(record, read, Some(&recorder.limits))?);
                return Ok(None);
            }
        }
        let made = self.log_record(record, read, None)?;
        let keywords = keywords(py, &made);
        made.release(py);
        Ok(Some(Rest {
            logger,
            keywords: keywords?,
        }))
    }

    /// Shows a record to processors, or hands it to a logger that is not ours.
    fn show(&self, rest: Rest<'_>) -> PyResult<()> {
        let py = rest.logger.py();
        let once = ONCE.import(py, "millrace.sdk.logs.emission", "once")?;
        let Some(entered) = once.call0()?.extract::<Option<Bound<'_, PyAny>>>()? else {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        };
        let shown = match rest.logger.cast::<Logger>() {
            Ok(native) => Logger::show(native, None, Some(&rest.keywords)),
            Err(_) => FOREIGN
                .import(py, "millrace.sdk.logs.emission", "emit_foreign")?
                .call((&rest.logger,), Some(&rest.keywords))
                .map(drop),
        };
        entered.call0()?;
        shown
    }

    /// The logger of the instrumentation scope of this name.
    #[inline]
    fn logger<'py>(
        &self,
        py: Python<'py>,
        name: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let name = name.ok_or_else(|| PyTypeError::new_err("a record of logging has a name"))?;
        let loggers = self.loggers.bind(py);
        if let Some(known) = loggers.get_item(name)? {
            return Ok(known);
        }
        let logger = self.provider.bind(py).call_method1("get_logger", (name,))?;
        // Other loggers may be proxies, which are replaced by ours later.
        if logger.is_instance_of::<Logger>() {
            loggers.set_item(name, &logger)?;
        }
        Ok(logger)
    }

    /// What is written of a record; without limits, what is shown to Python: the logged object stays what it is.
    #[inline]
    fn log_record<'py>(
        &self,
        record: &Bound<'py, PyAny>,
        mut read: LoggingRecord<'py>,
        limits: Option<&AttributeLimits>,
    ) -> PyResult<Record<'py>> {
        let py = record.py();
        let event_name = take_event_name(&mut read)?;
        let level = read
            .field(Field::Level)
            .and_then(|level| level.extract().ok());
        let created = read.field(Field::Created);
        let created: Option<f64> = created.and_then(|created| created.extract().ok());
        Ok(Record {
            time: created.map_or(0, unix_nano),
            observed_time: now_unix_nano(),
            severity_number: severity::of_level(level.unwrap_or(0)),
            severity_text: read
                .field(Field::LevelName)
                .map_or(Ok(None), severity_text)?,
            body: self.body(record, &read, limits.is_none())?,
            attributes: self.attributes(py, &read, limits.unwrap_or(&AttributeLimits::NONE))?,
            dropped: 0,
            event_name,
            correlation: context::span_ids(py, None).unwrap_or(None).into(),
        })
    }

    fn attributes(
        &self,
        py: Python<'_>,
        read: &LoggingRecord<'_>,
        limits: &AttributeLimits,
    ) -> PyResult<Attributes> {
        let mut attributes = Attributes::default();
        let mut put = |key: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>| {
            drop(attributes.put(py, attributes::accept(key, value, limits)?, limits));
            Ok::<_, PyErr>(())
        };
        for (key, value) in &read.extra {
            put(key, value)?;
        }
        if self.has_code_attributes.load(Ordering::Relaxed) {
            let none = py.None().into_bound(py);
            let code = |field| read.field(field).unwrap_or(&none);
            put(intern!(py, "code.file.path"), code(Field::Path))?;
            put(intern!(py, "code.function.name"), code(Field::Function))?;
            put(intern!(py, "code.line.number"), code(Field::Line))?;
        }
        if let Some(info) = read.field(Field::ExceptionInfo)
            && info.is_truthy()?
        {
            let describe =
                DESCRIBE.import(py, "millrace.sdk.logs.exceptions", "logged_exception")?;
            attributes::each_pair(&describe.call1((info,))?, put)?;
        }
        Ok(attributes)
    }

    /// What a record says: the formatted message; where there is nothing to format, the object that was logged.
    fn body<'py>(
        &self,
        record: &Bound<'py, PyAny>,
        read: &LoggingRecord<'py>,
        as_it_is: bool,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = record.py();
        let formatter = self.of_handler(intern!(py, FORMATTER))?;
        if !formatter.is_none() {
            let text = self.handler.bind(py).call_method1("format", (record,));
            return or_template(py, text, read);
        }
        let Some(message) = read.field(Field::Message) else {
            return Ok(None);
        };
        let arguments = match read.field(Field::Arguments) {
            Some(arguments) if arguments.is_truthy()? => Some(arguments),
            _ => None,
        };
        if arguments.is_none() && !message.is_instance_of::<PyString>() {
            return if is_value(message) && as_it_is {
                Ok(Some(message.clone()))
            } else if is_value(message) {
                record::body(message)
            } else {
                or_template(py, message.str().map(Bound::into_any), read)
            };
        }
        if !read.is_plain {
            return or_template(py, record.call_method0("getMessage"), read);
        }
        match (message.cast_exact::<PyString>(), arguments) {
            (Ok(_), None) => Ok(Some(message.clone())),
            (Ok(_), Some(arguments)) => or_template(py, message.rem(arguments), read),
            (Err(_), _) => or_template(py, record.call_method0("getMessage"), read),
        }
    }
}

/// The arguments of the API's `emit` that say the same.
fn keywords<'py>(py: Python<'py>, record: &Record<'py>) -> PyResult<Bound<'py, PyDict>> {
    let keywords = PyDict::new(py);
    keywords.set_item("timestamp", record.time)?;
    keywords.set_item("observed_timestamp", record.observed_time)?;
    keywords.set_item("severity_number", record.severity_number)?;
    keywords.set_item("severity_text", &record.severity_text)?;
    keywords.set_item("body", &record.body)?;
    keywords.set_item("attributes", record.attributes.to_dict(py)?)?;
    keywords.set_item("event_name", &record.event_name)?;
    Ok(keywords)
}

/// Takes the name that makes a record an event out of what the program has added (semantic conventions: `otel.event.name`).
fn take_event_name<'py>(read: &mut LoggingRecord<'py>) -> PyResult<Option<Bound<'py, PyString>>> {
    let mut found = None;
    if read.extra.is_empty() {
        return Ok(found);
    }
    for name in ["event.name", "otel.event.name"] {
        let position = read.extra.iter().position(|(key, value)| {
            let key = key.cast::<PyString>();
            key.is_ok_and(|key| key == name) && value.is_instance_of::<PyString>()
        });
        if let Some(position) = position {
            found = Some(read.extra.remove(position).1.cast_into::<PyString>()?);
        }
    }
    Ok(found)
}

/// What the specification calls a level that Python has another word for.
#[inline]
fn severity_text<'py>(level_name: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyString>>> {
    let py = level_name.py();
    let known = |text: Bound<'py, PyString>| match text::utf8(&text) {
        Some("WARNING") => intern!(py, "WARN").clone(),
        Some("CRITICAL") => intern!(py, "FATAL").clone(),
        _ => text,
    };
    Ok(record::as_text(level_name)?.map(known))
}

/// A message that was formatted; where that has failed, what was to be formatted, so that the record is not lost.
fn or_template<'py>(
    py: Python<'py>,
    formatted: PyResult<Bound<'py, PyAny>>,
    read: &LoggingRecord<'py>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    match complaint::settle(py, formatted.map(Some), || None)? {
        Some(text) => record::as_text(&text).map(|text| text.map(Bound::into_any)),
        None => match read.field(Field::Message) {
            Some(message) => Ok(message.str().ok().map(Bound::into_any)),
            None => Ok(None),
        },
    }
}

/// Seconds since 1970 in nanoseconds, as upstream computes them.
#[inline]
#[expect(
    clippy::cast_sign_loss,
    reason = "a time before 1970 cannot be written: it becomes 0, which is none"
)]
fn unix_nano(seconds: f64) -> u64 {
    (seconds * 1e9) as u64
}

/// Whether an object is a value by itself.
fn is_value(object: &Bound<'_, PyAny>) -> bool {
    object.is_instance_of::<PyInt>()
        || object.is_instance_of::<PyFloat>()
        || object.is_instance_of::<PyBytes>()
        || object.is_instance_of::<PyTuple>()
        || object.cast::<PySequence>().is_ok()
        || object.cast::<PyMapping>().is_ok()
}
