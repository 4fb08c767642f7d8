//! zstd for files: step by step, so that neither a large file nor a decompression bomb is ever in memory at once.
use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;
use zstd::stream::raw::{DParameter, Decoder, Encoder, InBuffer, Operation, OutBuffer};

use crate::door;
use crate::error::Error;

/// The largest window a frame may demand, as a power of two: 128 MiB, what `zstd` itself allows by default.
const WINDOW_LOG_MAX: u32 = 27;
/// How much a compressor writes at a time.
const OUTPUT_BYTES: usize = 1 << 17;

/// Decompresses frames, one after the other.
#[pyclass(frozen, module = "millrace._native")]
pub(crate) struct ZstdDecompressor(Mutex<Decompressing>);

struct Decompressing {
    decoder: Decoder<'static>,
    between_frames: bool,
}

#[pymethods]
impl ZstdDecompressor {
    #[new]
    fn new() -> PyResult<Self> {
        let mut decoder = Decoder::new().map_err(Error::Codec)?;
        decoder
            .set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX))
            .map_err(Error::Codec)?;
        Ok(Self(Mutex::new(Decompressing {
            decoder,
            between_frames: true,
        })))
    }

    /// Returns at most `max_length` bytes, and how many bytes of `data` they took.
    fn decompress<'py>(
        &self,
        py: Python<'py>,
        data: PyBackedBytes,
        max_length: usize,
    ) -> PyResult<(Bound<'py, PyBytes>, usize)> {
        let (output, taken) = door::leave(py, || {
            let mut state = lock(&self.0);
            let mut output = vec![0; max_length];
            let mut input = InBuffer::around(&data);
            let mut space = OutBuffer::around(output.as_mut_slice());
            while input.pos() < data.len() && space.pos() < max_length {
                let remaining = state
                    .decoder
                    .run(&mut input, &mut space)
                    .map_err(Error::Codec)?;
                state.between_frames = remaining == 0;
                if state.between_frames {
                    state.decoder.reinit().map_err(Error::Codec)?;
                }
            }
            // What the decoder still holds comes out without new input.
            if input.pos() == data.len() && space.pos() < max_length && !state.between_frames {
                let remaining = state
                    .decoder
                    .run(&mut input, &mut space)
                    .map_err(Error::Codec)?;
                state.between_frames = remaining == 0;
            }
            let (taken, written) = (input.pos(), space.pos());
            output.truncate(written);
            Ok::<_, Error>((output, taken))
        })?;
        Ok((PyBytes::new(py, &output), taken))
    }

    /// Whether the data so far ends where a frame ends.
    #[getter]
    fn between_frames(&self) -> bool {
        lock(&self.0).between_frames
    }
}

/// Compresses to one frame.
#[pyclass(frozen, module = "millrace._native")]
pub(crate) struct ZstdCompressor(Mutex<Encoder<'static>>);

#[pymethods]
impl ZstdCompressor {
    #[new]
    #[pyo3(signature = (level=3))]
    fn new(level: i32) -> PyResult<Self> {
        Ok(Self(Mutex::new(Encoder::new(level).map_err(Error::Codec)?)))
    }

    /// Returns what `data` adds to the frame, as far as it is known yet.
    fn compress<'py>(&self, py: Python<'py>, data: PyBackedBytes) -> PyResult<Bound<'py, PyBytes>> {
        let output = door::leave(py, || {
            let mut encoder = lock(&self.0);
            let mut input = InBuffer::around(&data);
            let mut output = Vec::new();
            while input.pos() < data.len() {
                append(&mut output, |space| encoder.run(&mut input, space))?;
            }
            Ok::<_, Error>(output)
        })?;
        Ok(PyBytes::new(py, &output))
    }

    /// Returns the end of the frame.
    fn finish<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let output = door::leave(py, || {
            let mut encoder = lock(&self.0);
            let mut output = Vec::new();
            while append(&mut output, |space| encoder.finish(space, true))? > 0 {}
            Ok::<_, Error>(output)
        })?;
        Ok(PyBytes::new(py, &output))
    }
}

/// Runs one step that writes, and appends what it wrote.
fn append(
    output: &mut Vec<u8>,
    step: impl FnOnce(&mut OutBuffer<'_, [u8]>) -> std::io::Result<usize>,
) -> Result<usize, Error> {
    let mut space = vec![0; OUTPUT_BYTES];
    let mut written = OutBuffer::around(space.as_mut_slice());
    let remaining = step(&mut written).map_err(Error::Codec)?;
    output.extend_from_slice(written.as_slice());
    Ok(remaining)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
