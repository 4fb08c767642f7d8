//! Attribute values in their final bytes, read off Python objects that `clean` has accepted.
use millrace_wire::encode::{EncodeValue, push_array, push_map, push_pair};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};

use crate::{clean, text};

/// A Python object that is written as the content of an `AnyValue`; what it cannot be is written as the empty value.
pub(crate) struct EncodedObject<'a, 'py>(pub(crate) &'a Bound<'py, PyAny>);

impl EncodeValue for EncodedObject<'_, '_> {
    #[inline]
    fn encode_value(&self, out: &mut Vec<u8>) {
        let object = self.0;
        if let Ok(text) = object.cast_exact::<PyString>() {
            encode_text(text, out);
        } else if let Ok(truth) = object.cast_exact::<PyBool>() {
            truth.is_true().encode_value(out);
        } else if let Ok(integer) = object.cast_exact::<PyInt>() {
            encode_integer(integer, out);
        } else if let Ok(double) = object.cast_exact::<PyFloat>() {
            double.value().encode_value(out);
        } else {
            encode_other(object, out);
        }
    }

    #[inline]
    fn encode_pair(&self, out: &mut Vec<u8>, number: u32, key: &str) {
        let object = self.0;
        if let Ok(text) = object.cast_exact::<PyString>()
            && let Some(text) = text::utf8(text)
        {
            text.encode_pair(out, number, key);
        } else if let Ok(truth) = object.cast_exact::<PyBool>() {
            truth.is_true().encode_pair(out, number, key);
        } else if let Ok(integer) = object.cast_exact::<PyInt>()
            && let Ok(integer) = integer.extract::<i64>()
        {
            integer.encode_pair(out, number, key);
        } else if let Ok(double) = object.cast_exact::<PyFloat>() {
            double.value().encode_pair(out, number, key);
        } else {
            push_pair(out, number, key, |out| self.encode_value(out));
        }
    }
}

#[inline]
fn encode_text(text: &Bound<'_, PyString>, out: &mut Vec<u8>) {
    match text::utf8(text) {
        Some(text) => text.encode_value(out),
        None => clean::readable(text).as_str().encode_value(out),
    }
}

/// An integer of 64 bits, else its decimal digits as text, as the specification has it (attribute-type-mapping.md).
#[inline]
fn encode_integer(integer: &Bound<'_, PyInt>, out: &mut Vec<u8>) {
    match integer.extract::<i64>() {
        Ok(integer) => integer.encode_value(out),
        Err(_) => {
            if let Ok(text) = integer.str() {
                encode_text(&text, out);
            }
        }
    }
}

fn encode_other(object: &Bound<'_, PyAny>, out: &mut Vec<u8>) {
    if let Ok(bytes) = object.cast::<PyBytes>() {
        bytes.as_bytes().encode_value(out);
    } else if let Ok(values) = object.cast::<PyTuple>() {
        push_array(out, values.iter(), |value, out| {
            EncodedObject(&value).encode_value(out);
        });
    } else if let Ok(values) = object.cast::<PyList>() {
        push_array(out, values.iter(), |value, out| {
            EncodedObject(&value).encode_value(out);
        });
    } else if let Ok(map) = object.cast::<PyDict>() {
        let pairs = map.iter().filter_map(|(key, value)| {
            let key = key.cast_into::<PyString>().ok()?;
            Some((clean::readable(&key), value))
        });
        push_map(out, pairs, |value, out| {
            EncodedObject(&value).encode_value(out);
        });
    } else if let Ok(text) = object.cast::<PyString>() {
        encode_text(text, out);
    } else if let Ok(integer) = object.cast::<PyInt>() {
        encode_integer(integer, out);
    } else if let Ok(double) = object.cast::<PyFloat>() {
        double.value().encode_value(out);
    }
}
