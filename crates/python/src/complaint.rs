//! What is said when a user's program misuses the API: a line in Python's log, or an exception in strict mode.
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::exceptions::{PyException, PyTypeError};
use pyo3::prelude::*;

const LOGGER: &str = "millrace.sdk";

static STRICT: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// A complaint goes through the user's logging, which may use the API wrongly itself.
    static COMPLAINING: Cell<bool> = const { Cell::new(false) };
}

/// Has misuse raise exceptions (`true`) instead of logging it.
#[pyfunction]
pub(crate) fn set_strict(strict: bool) {
    STRICT.store(strict, Ordering::Relaxed);
}

/// Says that something was used wrongly.
#[cold]
pub(crate) fn warn(py: Python<'_>, sentence: &str) -> PyResult<()> {
    if STRICT.load(Ordering::Relaxed) {
        return Err(PyTypeError::new_err(sentence.to_owned()));
    }
    log(py, "warning", sentence);
    Ok(())
}

/// Ends an operation of the API: an error is logged and becomes `instead`, except in strict mode.
#[inline]
pub(crate) fn settle<T>(
    py: Python<'_>,
    result: PyResult<T>,
    instead: impl FnOnce() -> T,
) -> PyResult<T> {
    match result {
        Ok(value) => Ok(value),
        Err(error) => {
            report(py, error)?;
            Ok(instead())
        }
    }
}

#[cold]
fn report(py: Python<'_>, error: PyErr) -> PyResult<()> {
    // Ctrl-C and the end of the program are not about telemetry.
    if STRICT.load(Ordering::Relaxed) || !error.is_instance_of::<PyException>(py) {
        return Err(error);
    }
    let class = error.get_type(py);
    let name = class
        .name()
        .map_or_else(|_| "an error".to_owned(), |name| name.to_string());
    let text = error.value(py).str().map_or_else(
        |_| "it cannot be shown".to_owned(),
        |text| text.to_string_lossy().into_owned(),
    );
    log(
        py,
        "warning",
        &format!("this telemetry could not be recorded: {name}: {text}"),
    );
    Ok(())
}

/// An attribute value of a type that OpenTelemetry does not have.
#[cold]
pub(crate) fn value_type(value: &Bound<'_, PyAny>) -> PyResult<()> {
    let sentence = format!(
        "an attribute value is a bool, str, bytes, int, float, None, or a sequence or mapping of those, got {}; its text is recorded instead",
        type_name(value)
    );
    warn(value.py(), &sentence)
}

/// A key that is not a string, or empty.
#[cold]
pub(crate) fn key(key: &Bound<'_, PyAny>) -> PyResult<()> {
    let sentence = format!(
        "the key of an attribute is a string that is not empty, got {}",
        if key.is_instance_of::<pyo3::types::PyString>() {
            "an empty one".to_owned()
        } else {
            type_name(key)
        }
    );
    warn(key.py(), &sentence)
}

fn type_name(object: &Bound<'_, PyAny>) -> String {
    object.get_type().name().map_or_else(
        |_| "something without a name".to_owned(),
        |name| name.to_string_lossy().into_owned(),
    )
}

/// Writes to the logger of the SDK. Nothing that goes wrong there may reach the user.
pub(crate) fn log(py: Python<'_>, level: &str, sentence: &str) {
    if COMPLAINING.replace(true) {
        return;
    }
    let written = py
        .import("logging")
        .and_then(|logging| logging.call_method1("getLogger", (LOGGER,)))
        .and_then(|logger| logger.call_method1(level, (sentence,)));
    drop(written);
    COMPLAINING.set(false);
}
