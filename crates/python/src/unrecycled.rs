//! The stand-in for `recycled` where the interpreter has no GIL to guard what is kept: every object has memory of its own.
#![expect(
    unsafe_code,
    reason = "the same interface, which is unsafe where memory is recycled"
)]
use pyo3::prelude::*;
use pyo3::{PyClass, PyClassInitializer};

/// See `recycled`.
pub(crate) trait Recycled: PyClass {
    fn blocks() -> &'static Blocks;
    #[expect(dead_code, reason = "called where memory is recycled")]
    unsafe fn release(&mut self, py: Python<'_>);
}

/// Nothing is kept.
pub(crate) struct Blocks;

impl Blocks {
    pub(crate) const fn new() -> Self {
        Self
    }
}

/// Lets go of what a field refers to.
///
/// # Safety
///
/// Nobody uses or drops the field afterwards.
pub(crate) unsafe fn let_go<T>(py: Python<'_>, field: &Py<T>) {
    // SAFETY: it is moved out of a place that nobody looks at any more.
    unsafe { std::ptr::from_ref(field).read() }.drop_ref(py);
}

/// A new object.
pub(crate) fn object<T: Recycled>(
    py: Python<'_>,
    content: impl FnOnce() -> T,
) -> PyResult<Bound<'_, T>>
where
    PyClassInitializer<T>: From<T>,
{
    Bound::new(py, content())
}
