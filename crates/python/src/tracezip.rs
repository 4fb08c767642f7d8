//! Tracezip sessions for files, benchmarks and tests: requests to frames and back.
use std::sync::{Mutex, MutexGuard, PoisonError};

use millrace_tracezip::{Compressor, Decompressor, Limits};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use crate::door;
use crate::error::Error;
use crate::otlp::SignalName;

/// The sending end of a session.
#[pyclass(frozen, module = "millrace._native")]
pub(crate) struct TracezipCompressor(Mutex<Compressor>);

#[pymethods]
impl TracezipCompressor {
    #[new]
    #[pyo3(signature = (session, path_values=None))]
    fn new(session: u64, path_values: Option<usize>) -> Self {
        let mut limits = Limits::default();
        limits.path_values = path_values.unwrap_or(limits.path_values);
        Self(Mutex::new(Compressor::new(limits, session)))
    }

    /// Returns the frame of a request.
    fn compress<'py>(
        &self,
        py: Python<'py>,
        signal: SignalName,
        request: PyBackedBytes,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let frame = door::leave(py, || {
            lock(&self.0)
                .compress(signal.0, &request)
                .ok_or_else(|| Error::Codec(std::io::ErrorKind::OutOfMemory.into()))
        })?;
        Ok(PyBytes::new(py, &frame))
    }

    /// Whether requests of a signal are taken apart by shapes.
    fn use_shapes(&self, signal: SignalName, yes: bool) {
        lock(&self.0).use_shapes(signal.0, yes);
    }

    /// Bytes that the session holds.
    #[getter]
    fn held(&self) -> usize {
        lock(&self.0).held()
    }

    /// Shapes that the session knows.
    #[getter]
    fn shapes(&self) -> usize {
        lock(&self.0).shape_count()
    }
}

/// The receiving end of one session after the other, as the frames of a file tell them.
#[pyclass(frozen, module = "millrace._native")]
pub(crate) struct TracezipDecompressor(Mutex<Decompressor>);

#[pymethods]
impl TracezipDecompressor {
    #[new]
    #[pyo3(signature = (path_values=None))]
    fn new(path_values: Option<usize>) -> Self {
        let mut limits = Limits::default();
        limits.path_values = path_values.unwrap_or(limits.path_values);
        Self(Mutex::new(Decompressor::new(limits, 0)))
    }

    /// Returns the request of a frame.
    fn decompress<'py>(
        &self,
        py: Python<'py>,
        frame: PyBackedBytes,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let request = door::leave(py, || lock(&self.0).follow(&frame).map_err(Error::Frame))?;
        Ok(PyBytes::new(py, &request))
    }

    /// Bytes that the session holds.
    #[getter]
    fn held(&self) -> usize {
        lock(&self.0).held()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
