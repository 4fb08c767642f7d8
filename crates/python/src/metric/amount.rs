//! The amount of a measurement: from a Python object to a number.
use millrace_wire::encode::Number;
use pyo3::exceptions::PyOverflowError;
use pyo3::prelude::*;
use pyo3::types::{PyFloat, PyInt};

use super::attributes::integer_of;
use super::fault::Fault;

/// The number that an object is: integers that fit into 64 bits stay integers. Other objects are asked for their index or float.
#[inline]
pub(super) fn amount(object: &Bound<'_, PyAny>) -> Result<Number, Fault> {
    if let Ok(double) = object.cast_exact::<PyFloat>() {
        return finite(double.value());
    }
    if object.is_exact_instance_of::<PyInt>()
        && let Some(integer) = integer_of(object.as_borrowed())
    {
        return Ok(Number::Int(integer));
    }
    converted(object)
}

#[cold]
fn converted(object: &Bound<'_, PyAny>) -> Result<Number, Fault> {
    match object.extract::<i64>() {
        Ok(integer) => return Ok(Number::Int(integer)),
        Err(error) if error.is_instance_of::<PyOverflowError>(object.py()) => {}
        Err(_) if object.is_instance_of::<PyInt>() => {}
        Err(_) => {
            let double = object.extract::<f64>().map_err(|_| Fault::NotANumber)?;
            return finite(double);
        }
    }
    let double = object.extract::<f64>().map_err(|_| Fault::NotFinite)?;
    finite(double)
}

fn finite(double: f64) -> Result<Number, Fault> {
    if double.is_finite() {
        Ok(Number::Double(double))
    } else {
        Err(Fault::NotFinite)
    }
}

/// Whether a number is below zero.
#[inline]
pub(super) fn is_negative(number: Number) -> bool {
    match number {
        Number::Int(value) => value < 0,
        Number::Double(value) => value < 0.0,
    }
}
