//! Attribute values: from Python objects to what the wire writes.
use millrace_wire::AttributeValue;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};

/// The depth that `validate` accepts: what is written here can be read everywhere.
const DEPTH_MAX: usize = 128;

/// The attribute value that a Python object stands for.
pub(crate) fn attribute_value(object: &Bound<'_, PyAny>) -> PyResult<AttributeValue> {
    value_at(object, 1)
}

fn value_at(object: &Bound<'_, PyAny>, depth: usize) -> PyResult<AttributeValue> {
    if depth > DEPTH_MAX {
        return Err(PyValueError::new_err(format!(
            "an attribute value nests at most {DEPTH_MAX} levels deep"
        )));
    }
    if object.is_none() {
        Ok(AttributeValue::Empty)
    } else if let Ok(text) = object.cast::<PyString>() {
        Ok(AttributeValue::String(text.to_str()?.to_owned()))
    } else if let Ok(truth) = object.cast::<PyBool>() {
        Ok(AttributeValue::Bool(truth.is_true()))
    } else if let Ok(integer) = object.cast::<PyInt>() {
        let integer = integer.extract().map_err(|_| {
            PyValueError::new_err(
                "an integer attribute has 64 bits: it is from -2**63 to 2**63 - 1",
            )
        })?;
        Ok(AttributeValue::Int(integer))
    } else if let Ok(double) = object.cast::<PyFloat>() {
        Ok(AttributeValue::Double(double.value()))
    } else if let Ok(bytes) = object.cast::<PyBytes>() {
        Ok(AttributeValue::Bytes(bytes.as_bytes().to_vec()))
    } else if object.is_instance_of::<PyList>() || object.is_instance_of::<PyTuple>() {
        let items = object.try_iter()?.map(|item| value_at(&item?, depth + 1));
        Ok(AttributeValue::Array(items.collect::<PyResult<_>>()?))
    } else if let Ok(map) = object.cast::<PyDict>() {
        let entries = map
            .iter()
            .map(|(key, value)| Ok((key_text(&key)?, value_at(&value, depth + 1)?)));
        Ok(AttributeValue::KvList(entries.collect::<PyResult<_>>()?))
    } else {
        Err(PyTypeError::new_err(format!(
            "an attribute value is a str, bool, int, float, bytes, list, tuple, dict or None, got {}",
            object.get_type().name()?
        )))
    }
}

fn key_text(key: &Bound<'_, PyAny>) -> PyResult<String> {
    let key = key
        .cast::<PyString>()
        .map_err(|_| PyTypeError::new_err("the keys of an attribute value are text"))?;
    Ok(key.to_str()?.to_owned())
}
