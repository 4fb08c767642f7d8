//! A value that changes while Python is attached, and only then: without a lock where the interpreter has one.
//!
//! Taking and releasing a lock costs as much as everything else that setting an attribute does. With a GIL there is nothing to
//! guard against but oneself, so a flag is enough. Nothing that might run Python happens while a value is held: a second
//! `hold` meanwhile would panic, where a lock would wait for ever.
#[cfg(not(Py_GIL_DISABLED))]
use std::cell::{RefCell, RefMut};
#[cfg(Py_GIL_DISABLED)]
use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::Python;

#[cfg(not(Py_GIL_DISABLED))]
pub(crate) type Guard<'a, T> = RefMut<'a, T>;
#[cfg(Py_GIL_DISABLED)]
pub(crate) type Guard<'a, T> = MutexGuard<'a, T>;

/// A value of a Python object.
#[derive(Debug, Default)]
pub(crate) struct Held<T> {
    #[cfg(not(Py_GIL_DISABLED))]
    value: RefCell<T>,
    #[cfg(Py_GIL_DISABLED)]
    value: Mutex<T>,
}

#[cfg(not(Py_GIL_DISABLED))]
#[expect(
    unsafe_code,
    reason = "the GIL is a lock that the type system knows nothing of"
)]
// SAFETY: the value is reached only by `hold`, whose guard lives no longer than the proof that this thread has the GIL. Should
// the GIL pass to another thread while a guard lives, that thread finds the flag set, and gets nothing.
unsafe impl<T: Send> Sync for Held<T> {}

impl<T> Held<T> {
    #[expect(
        clippy::inline_always,
        reason = "a call would move the value once more"
    )]
    #[inline(always)]
    pub(crate) const fn new(value: T) -> Self {
        Self {
            #[cfg(not(Py_GIL_DISABLED))]
            value: RefCell::new(value),
            #[cfg(Py_GIL_DISABLED)]
            value: Mutex::new(value),
        }
    }

    /// The value, until the guard goes. Nothing that might run Python may happen meanwhile.
    #[inline]
    pub(crate) fn hold<'a>(&'a self, _py: Python<'a>) -> Guard<'a, T> {
        #[cfg(not(Py_GIL_DISABLED))]
        return self.value.borrow_mut();
        #[cfg(Py_GIL_DISABLED)]
        return self.value.lock().unwrap_or_else(PoisonError::into_inner);
    }

    /// Puts another value in the place of this one, which is returned.
    #[inline]
    pub(crate) fn replace(&self, py: Python<'_>, value: T) -> T {
        std::mem::replace(&mut *self.hold(py), value)
    }

    /// The value, of an object that nobody else has.
    #[inline]
    pub(crate) fn get_mut(&mut self) -> &mut T {
        #[cfg(not(Py_GIL_DISABLED))]
        return self.value.get_mut();
        #[cfg(Py_GIL_DISABLED)]
        return self.value.get_mut().unwrap_or_else(PoisonError::into_inner);
    }
}
