//! The one door through which work leaves Python: it releases the GIL and keeps panics inside.
use std::panic::{AssertUnwindSafe, catch_unwind};

use pyo3::PyErr;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

/// Runs `work` without the GIL, so that other Python threads go on meanwhile.
///
/// Take this door for all work whose time grows with its input, and for everything that waits. `work` must not call Python.
/// A panic becomes a `RuntimeError`: `PyO3` would raise a `BaseException`, which no `except Exception` of a user catches.
pub(crate) fn leave<T, E>(py: Python<'_>, work: impl FnOnce() -> Result<T, E> + Send) -> PyResult<T>
where
    T: Send,
    E: Into<PyErr> + Send,
{
    match py.detach(|| catch_unwind(AssertUnwindSafe(work))) {
        Ok(result) => result.map_err(Into::into),
        Err(_) => Err(PyRuntimeError::new_err(
            "a fault inside millrace: please report it with the message on standard error",
        )),
    }
}
