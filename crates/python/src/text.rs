//! Text of Python strings, read where it lies: most of it is ASCII, which the interpreter keeps as UTF-8 would.
#![expect(
    unsafe_code,
    reason = "the safe calls ask the interpreter for fields of the string"
)]
use std::borrow::Cow;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyString;

/// The text; `None` where UTF-8 cannot hold it.
#[inline]
pub(crate) fn utf8<'a>(string: &'a Bound<'_, PyString>) -> Option<&'a str> {
    #[cfg(not(any(Py_GIL_DISABLED, Py_3_14)))]
    // SAFETY: every string begins with this structure; behind that of a compact one in ASCII are as many bytes as it is long,
    // which never change, and are UTF-8.
    unsafe {
        let object = string.as_ptr();
        if ffi::PyUnicode_IS_COMPACT_ASCII(object) != 0 {
            let text = object.cast::<ffi::PyASCIIObject>().add(1).cast::<u8>();
            let length = ffi::PyUnicode_GET_LENGTH(object).unsigned_abs();
            return Some(std::str::from_utf8_unchecked(std::slice::from_raw_parts(
                text, length,
            )));
        }
    }
    string.to_str().ok()
}

/// The text; what UTF-8 cannot hold becomes a question mark.
#[inline]
pub(crate) fn lossy<'a>(string: &'a Bound<'_, PyString>) -> Cow<'a, str> {
    match utf8(string) {
        Some(text) => Cow::Borrowed(text),
        None => string.to_string_lossy(),
    }
}

/// The number of characters.
#[inline]
pub(crate) fn length(string: &Bound<'_, PyString>) -> usize {
    // SAFETY: every string begins with this structure, whose length does not change.
    unsafe { (*string.as_ptr().cast::<ffi::PyASCIIObject>()).length }.unsigned_abs()
}

/// The hash, which the string keeps. It must be exactly a `str`.
#[inline]
pub(crate) fn hash(string: &Bound<'_, PyString>) -> isize {
    // SAFETY: every string begins with this structure, and its hash, once there, does not change; asking for it cannot fail.
    unsafe {
        #[cfg(not(Py_GIL_DISABLED))]
        {
            let kept = (*string.as_ptr().cast::<ffi::PyASCIIObject>()).hash;
            if kept != -1 {
                return kept;
            }
        }
        ffi::PyObject_Hash(string.as_ptr())
    }
}

/// Whether two strings are the same text. Runs no code.
#[inline]
pub(crate) fn equals(left: &Bound<'_, PyString>, right: &Bound<'_, PyString>) -> bool {
    // SAFETY: both are strings, and alive.
    left.is(right)
        || (length(left) == length(right)
            && unsafe { ffi::PyUnicode_Compare(left.as_ptr(), right.as_ptr()) } == 0)
}
