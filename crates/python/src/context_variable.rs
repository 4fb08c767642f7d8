//! Python's context variables: the three calls that `PyO3` has no safe name for.
#![expect(
    unsafe_code,
    reason = "the C functions are the only fast way; each is called in one place"
)]
use std::ptr;

use pyo3::exceptions::PyTypeError;
use pyo3::ffi;
use pyo3::prelude::*;

/// A `contextvars.ContextVar`.
pub(crate) struct ContextVariable(Py<PyAny>);

impl ContextVariable {
    /// A new variable without a default.
    pub(crate) fn new(py: Python<'_>, name: &str) -> PyResult<Self> {
        let class = py.import("contextvars")?.getattr("ContextVar")?;
        Self::from_object(&class.call1((name,))?)
    }

    /// An existing variable; an error for any other object, which the C functions must never see.
    pub(crate) fn from_object(object: &Bound<'_, PyAny>) -> PyResult<Self> {
        // SAFETY: `object` is a live object, and Python is attached.
        if unsafe { ffi::PyContextVar_CheckExact(object.as_ptr()) } == 0 {
            return Err(PyTypeError::new_err("expected a contextvars.ContextVar"));
        }
        Ok(Self(object.clone().unbind()))
    }

    /// The value in the current context, or the default, or nothing.
    #[inline]
    pub(crate) fn get<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        let mut value = ptr::null_mut();
        // SAFETY: `self.0` is a context variable; `value` receives a new reference or null.
        unsafe {
            if ffi::PyContextVar_Get(self.0.as_ptr(), ptr::null_mut(), &raw mut value) != 0 {
                // Only a broken default can fail; then there is no value.
                drop(PyErr::take(py));
                return None;
            }
            Bound::from_owned_ptr_or_opt(py, value)
        }
    }

    /// Sets the value in the current context; the token undoes it.
    #[inline]
    pub(crate) fn set<'py>(&self, value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        // SAFETY: `self.0` is a context variable, `value` is alive; the result is a new reference or null with an error.
        unsafe {
            let token = ffi::PyContextVar_Set(self.0.as_ptr(), value.as_ptr());
            Bound::from_owned_ptr_or_err(value.py(), token)
        }
    }

    /// Goes back to what was there before `set`; an error where the token belongs to another context or variable.
    #[inline]
    pub(crate) fn reset(&self, token: &Bound<'_, PyAny>) -> PyResult<()> {
        // SAFETY: `self.0` is a context variable, `token` is alive; its type is checked there.
        let failed = unsafe { ffi::PyContextVar_Reset(self.0.as_ptr(), token.as_ptr()) } != 0;
        if failed {
            return Err(PyErr::fetch(token.py()));
        }
        Ok(())
    }
}
