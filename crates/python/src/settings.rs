//! Settings as plain Python objects, read without JSON text between: importing `json` costs a program 2 ms at its start.
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};
use serde_json::{Map, Value};

/// What dicts, lists, texts, numbers, booleans and `None` say; settings are nested a few deep, and end.
pub(crate) fn read(object: &Bound<'_, PyAny>) -> PyResult<Value> {
    if object.is_none() {
        return Ok(Value::Null);
    }
    if let Ok(text) = object.cast::<PyString>() {
        return Ok(Value::from(text.to_str()?));
    }
    if object.is_instance_of::<PyBool>() {
        return Ok(Value::from(object.is_truthy()?));
    }
    if object.is_instance_of::<PyInt>() {
        return Ok(Value::from(object.extract::<i64>()?));
    }
    if object.is_instance_of::<PyFloat>() {
        return Ok(Value::from(object.extract::<f64>()?));
    }
    if let Ok(dict) = object.cast::<PyDict>() {
        return read_dict(dict);
    }
    if object.is_instance_of::<PyList>() || object.is_instance_of::<PyTuple>() {
        let items = object.try_iter()?.map(|item| read(&item?));
        return items.collect::<PyResult<Vec<_>>>().map(Value::Array);
    }
    let given = object.get_type().name()?;
    Err(PyTypeError::new_err(format!(
        "expected settings of dicts, lists, texts, numbers, booleans and None, got {given}"
    )))
}

fn read_dict(dict: &Bound<'_, PyDict>) -> PyResult<Value> {
    let mut map = Map::with_capacity(dict.len());
    for (key, value) in dict.iter() {
        map.insert(key.extract()?, read(&value)?);
    }
    Ok(Value::Object(map))
}
