//! The entries of a dictionary, read where they lie.
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// Goes through a dictionary that stays as it is meanwhile: whoever iterates lets no Python code run.
pub(crate) struct Entries<'a, 'py> {
    dict: &'a Bound<'py, PyDict>,
    position: ffi::Py_ssize_t,
}

impl<'a, 'py> Entries<'a, 'py> {
    pub(crate) const fn new(dict: &'a Bound<'py, PyDict>) -> Self {
        Self { dict, position: 0 }
    }
}

impl<'a, 'py> Iterator for Entries<'a, 'py> {
    type Item = (Borrowed<'a, 'py, PyAny>, Borrowed<'a, 'py, PyAny>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let (mut key, mut value) = (std::ptr::null_mut(), std::ptr::null_mut());
        let py = self.dict.py();
        #[expect(
            unsafe_code,
            reason = "the safe iterator counts references up and down"
        )]
        // SAFETY: the caller lets no Python code run, so the dict stays as it is, and keeps what it refers to alive. Where
        // several threads run Python at once, the dict is a copy that only this thread knows.
        unsafe {
            (ffi::PyDict_Next(
                self.dict.as_ptr(),
                &raw mut self.position,
                &raw mut key,
                &raw mut value,
            ) != 0)
                .then(|| (Borrowed::from_ptr(py, key), Borrowed::from_ptr(py, value)))
        }
    }
}
