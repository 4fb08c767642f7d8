//! Makes attribute values out of whatever users pass: bounded, immutable, and never an exception.
use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyMapping, PySequence, PyString, PyTuple,
};

use crate::complaint;

/// How deep values are kept, in protobuf messages inside each other; what lies deeper becomes the empty value. Decoders refuse
/// more than 100 in all (upb, prost, Java), of which the value of an exemplar's attribute, the deepest there is, is the ninth.
const DEPTH_MAX: usize = 88;
const MESSAGES_OF_SEQUENCE: usize = 2;
const MESSAGES_OF_MAPPING: usize = 3;
/// How many values one attribute may hold in all. It ends what refers to itself twice at every level.
const VALUES_MAX: usize = 1 << 16;

/// How large one value may be.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ValueLimits {
    /// Characters of a text, bytes of bytes.
    pub(crate) length: Option<usize>,
}

/// The value as it is kept: itself where it is immutable, else a copy. Whatever is not a value becomes its text.
#[inline]
pub(crate) fn value<'py>(
    value: &Bound<'py, PyAny>,
    limits: &ValueLimits,
) -> PyResult<Bound<'py, PyAny>> {
    let unbounded = limits.length.is_none();
    let is_kept = (unbounded && value.is_exact_instance_of::<PyString>())
        || value.is_exact_instance_of::<PyInt>()
        || value.is_exact_instance_of::<PyBool>()
        || value.is_exact_instance_of::<PyFloat>()
        || (unbounded && value.is_exact_instance_of::<PyBytes>());
    if is_kept {
        return Ok(value.clone());
    }
    copied(value, limits, DEPTH_MAX, &mut VALUES_MAX.clone())
}

#[cold]
fn copied<'py>(
    value: &Bound<'py, PyAny>,
    limits: &ValueLimits,
    depth_left: usize,
    values_left: &mut usize,
) -> PyResult<Bound<'py, PyAny>> {
    let py = value.py();
    if depth_left == 0 || *values_left == 0 {
        return Ok(py.None().into_bound(py));
    }
    *values_left -= 1;
    if value.is_none() || value.is_instance_of::<PyInt>() || value.is_instance_of::<PyFloat>() {
        return Ok(value.clone());
    }
    if let Ok(text) = value.cast::<PyString>() {
        return shortened(text, limits);
    }
    if let Ok(bytes) = value.cast::<PyBytes>() {
        let content = bytes.as_bytes();
        return Ok(
            match limits.length.and_then(|length| content.get(..length)) {
                Some(start) => PyBytes::new(py, start).into_any(),
                None => value.clone(),
            },
        );
    }
    if let Ok(mapping) = value.cast::<PyMapping>() {
        return copied_mapping(mapping, limits, depth_left, values_left);
    }
    if let Ok(values) = value.cast::<PySequence>() {
        let copies = PyList::empty(py);
        for item in values.try_iter()? {
            if *values_left == 0 {
                break;
            }
            let inside = depth_left.saturating_sub(MESSAGES_OF_SEQUENCE);
            copies.append(copied(&item?, limits, inside, values_left)?)?;
        }
        return Ok(PyTuple::new(py, copies)?.into_any());
    }
    complaint::value_type(value)?;
    match value.str() {
        Ok(text) if has_own_text(value) => shortened(&text, limits),
        _ => Ok(py.None().into_bound(py)),
    }
}

fn copied_mapping<'py>(
    mapping: &Bound<'py, PyMapping>,
    limits: &ValueLimits,
    depth_left: usize,
    values_left: &mut usize,
) -> PyResult<Bound<'py, PyAny>> {
    let copy = PyDict::new(mapping.py());
    for item in mapping.items()? {
        if *values_left == 0 {
            break;
        }
        let (key, value) = (item.get_item(0)?, item.get_item(1)?);
        let key = match key.cast::<PyString>() {
            Ok(key) if !key.is_empty()? => key.clone(),
            Err(_) if has_own_text(&key) && key.is_truthy()? => {
                complaint::key(&key)?;
                key.str()?
            }
            _ => {
                complaint::key(&key)?;
                continue;
            }
        };
        let inside = depth_left.saturating_sub(MESSAGES_OF_MAPPING);
        copy.set_item(key, copied(&value, limits, inside, values_left)?)?;
    }
    Ok(copy.into_any())
}

/// The first characters of a text, as many as are allowed.
fn shortened<'py>(
    text: &Bound<'py, PyString>,
    limits: &ValueLimits,
) -> PyResult<Bound<'py, PyAny>> {
    match limits.length {
        Some(length) if text.len()? > length => {
            Ok(text.cast::<PySequence>()?.get_slice(0, length)?.into_any())
        }
        _ => Ok(text.clone().into_any()),
    }
}

/// Whether `str` says something about the object: the text of a bare `object` is an address.
fn has_own_text(object: &Bound<'_, PyAny>) -> bool {
    let class = object.get_type();
    let plain = object.py().get_type::<PyAny>();
    ["__str__", "__repr__"]
        .iter()
        .any(|name| match (class.getattr(name), plain.getattr(name)) {
            (Ok(own), Ok(inherited)) => !own.is(&inherited),
            _ => false,
        })
}

/// The key of an attribute where it is not simply a string: the text of a subclass, else a complaint.
#[cold]
pub(crate) fn key<'py>(key: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyString>>> {
    match key.cast::<PyString>() {
        Ok(text) if !text.is_empty()? => Ok(Some(PyString::new(key.py(), &readable(text)))),
        _ => {
            complaint::key(key)?;
            Ok(None)
        }
    }
}

/// The text of a string that may hold what UTF-8 cannot: lone surrogates become question marks.
#[cold]
pub(crate) fn readable(text: &Bound<'_, PyString>) -> String {
    match text.to_str() {
        Ok(text) => text.to_owned(),
        Err(_) => text.to_string_lossy().into_owned(),
    }
}
