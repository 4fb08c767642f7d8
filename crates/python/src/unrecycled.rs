//! The stand-in for `recycled` where the interpreter has no GIL to guard what is kept: every object has memory of its own.
use pyo3::prelude::*;
use pyo3::{PyClass, PyClassInitializer};

/// See `recycled`.
pub(crate) trait Recycled: PyClass {
    fn blocks() -> &'static Blocks;
    #[expect(dead_code, reason = "called where memory is recycled")]
    fn release(self, py: Python<'_>);
}

/// Nothing is kept.
pub(crate) struct Blocks;

impl Blocks {
    pub(crate) const fn new() -> Self {
        Self
    }
}

/// A new object.
pub(crate) fn object<T: Recycled>(py: Python<'_>, content: T) -> PyResult<Bound<'_, T>>
where
    PyClassInitializer<T>: From<T>,
{
    Bound::new(py, content)
}
