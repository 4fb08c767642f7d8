//! Functions over the bytes of OTLP requests. Each validates what it is given: these bytes come from anywhere.
use millrace_wire as wire;
use millrace_wire::{Action, Level, Signal};
use pyo3::Borrowed;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use crate::attribute::attribute_value;
use crate::door;
use crate::error::Error;

/// A signal by its name.
#[derive(Clone, Copy)]
pub(crate) struct SignalName(pub(crate) Signal);

impl FromPyObject<'_, '_> for SignalName {
    type Error = PyErr;

    fn extract(name: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        let name: String = name.extract()?;
        Signal::from_name(&name).map(Self).ok_or_else(|| {
            PyValueError::new_err(format!(
                "expected \"traces\", \"metrics\", \"logs\" or \"profiles\" as the signal, got {name:?}"
            ))
        })
    }
}

/// Checks a request; returns how many items it has, and how many of them break the data model.
#[pyfunction]
pub(crate) fn validate(
    py: Python<'_>,
    signal: SignalName,
    request: PyBackedBytes,
) -> PyResult<(usize, usize)> {
    let summary = door::leave(py, || {
        wire::validate(signal.0, &request).map_err(Error::from)
    })?;
    Ok((summary.items, summary.invalid))
}

/// Returns how many items a request has.
#[pyfunction]
pub(crate) fn count(py: Python<'_>, signal: SignalName, request: PyBackedBytes) -> PyResult<usize> {
    validate(py, signal, request).map(|(items, _)| items)
}

/// Returns the name of the signal whose request these bytes are, if that can be told.
#[pyfunction]
pub(crate) fn detect(py: Python<'_>, request: PyBackedBytes) -> PyResult<Option<&'static str>> {
    door::leave(py, || {
        Ok::<_, Error>(wire::detect(&request).map(Signal::name))
    })
}

/// Joins requests to one.
#[pyfunction]
pub(crate) fn merge(
    py: Python<'_>,
    signal: SignalName,
    requests: Vec<PyBackedBytes>,
) -> PyResult<Bound<'_, PyBytes>> {
    let merged = door::leave(py, || {
        for request in &requests {
            wire::validate(signal.0, request)?;
        }
        let requests: Vec<&[u8]> = requests.iter().map(AsRef::as_ref).collect();
        Ok::<_, Error>(wire::merge(signal.0, &requests))
    })?;
    Ok(PyBytes::new(py, &merged))
}

/// Splits a request into requests of at most `max_items` items.
#[pyfunction]
pub(crate) fn split_by_count(
    py: Python<'_>,
    signal: SignalName,
    request: PyBackedBytes,
    max_items: usize,
) -> PyResult<Vec<Bound<'_, PyBytes>>> {
    if max_items == 0 {
        return Err(PyValueError::new_err("max_items must be at least 1, got 0"));
    }
    let parts = door::leave(py, || {
        wire::validate(signal.0, &request)?;
        Ok::<_, Error>(wire::split_by_count(signal.0, &request, max_items))
    })?;
    Ok(parts.iter().map(|part| PyBytes::new(py, part)).collect())
}

/// Splits a request into requests of at most `max_bytes` bytes.
#[pyfunction]
pub(crate) fn split_by_bytes(
    py: Python<'_>,
    signal: SignalName,
    request: PyBackedBytes,
    max_bytes: usize,
) -> PyResult<Vec<Bound<'_, PyBytes>>> {
    let parts = door::leave(py, || {
        wire::validate(signal.0, &request)?;
        wire::split_by_bytes(signal.0, &request, max_bytes).map_err(Error::TooLarge)
    })?;
    Ok(parts.iter().map(|part| PyBytes::new(py, part)).collect())
}

/// Returns a request without the items that break the data model, how many those were, and the first reasons.
#[pyfunction]
pub(crate) fn reject_invalid(
    py: Python<'_>,
    signal: SignalName,
    request: PyBackedBytes,
) -> PyResult<(Bound<'_, PyBytes>, usize, String)> {
    let rejected = door::leave(py, || {
        wire::validate(signal.0, &request)?;
        Ok::<_, Error>(wire::reject_invalid(signal.0, &request))
    })?;
    Ok((
        PyBytes::new(py, &rejected.request),
        rejected.rejected,
        rejected.message,
    ))
}

/// Translates a request to OTLP/JSON.
#[pyfunction]
pub(crate) fn to_json(
    py: Python<'_>,
    signal: SignalName,
    request: PyBackedBytes,
) -> PyResult<Bound<'_, PyBytes>> {
    let text = door::leave(py, || {
        wire::validate(signal.0, &request)?;
        Ok::<_, Error>(wire::json_from_request(signal.0, &request))
    })?;
    Ok(PyBytes::new(py, &text))
}

/// Translates OTLP/JSON to a request.
#[pyfunction]
pub(crate) fn from_json(
    py: Python<'_>,
    signal: SignalName,
    text: PyBackedBytes,
) -> PyResult<Bound<'_, PyBytes>> {
    let request = door::leave(py, || {
        wire::request_from_json(signal.0, &text).map_err(Error::from)
    })?;
    Ok(PyBytes::new(py, &request))
}

/// Edits one attribute wherever it occurs on a level.
#[pyfunction]
pub(crate) fn edit_attribute<'py>(
    py: Python<'py>,
    signal: SignalName,
    request: PyBackedBytes,
    level: &str,
    action: &str,
    key: &str,
    value: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyBytes>> {
    let level = match level {
        "resource" => Level::Resource,
        "scope" => Level::Scope,
        "item" => Level::Item,
        "span_event" => Level::SpanEvent,
        other => {
            let expected = "\"resource\", \"scope\", \"item\" or \"span_event\"";
            return Err(PyValueError::new_err(format!(
                "expected {expected} as the level, got {other:?}"
            )));
        }
    };
    let action = match action {
        "insert" => Action::Insert,
        "update" => Action::Update,
        "upsert" => Action::Upsert,
        "delete" => Action::Delete,
        other => {
            let expected = "\"insert\", \"update\", \"upsert\" or \"delete\"";
            return Err(PyValueError::new_err(format!(
                "expected {expected} as the action, got {other:?}"
            )));
        }
    };
    let value = attribute_value(value)?;
    let edited = door::leave(py, || {
        wire::validate(signal.0, &request)?;
        Ok::<_, Error>(wire::edit_attribute(
            signal.0,
            &request,
            level,
            action,
            key,
            Some(&value),
        ))
    })?;
    Ok(PyBytes::new(py, &edited))
}
