//! The one map from errors to exceptions. The exceptions themselves are documented in `millrace/errors.py`.
use millrace_pipeline::config::StartError;
use millrace_pipeline::load::LoadError;
use millrace_wire::ItemTooLarge;
use pyo3::PyErr;
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;

/// Whatever can go wrong on the Rust side of a call.
pub(crate) enum Error {
    /// Bytes that are not what they should be.
    Decode(millrace_wire::Error),
    /// Items that cannot be split further.
    TooLarge(ItemTooLarge),
    /// A gateway that could not start.
    Start(StartError),
    /// A gateway used in the wrong state.
    State(&'static str),
    /// An argument out of its range.
    Argument(String),
    /// A load generator or sink that could not start.
    Load(LoadError),
    /// An event loop that could not be made.
    Runtime(std::io::Error),
    /// A frame that cannot be rebuilt.
    Frame(millrace_tracezip::Error),
    /// Compressed data that is damaged.
    Codec(std::io::Error),
    /// A file of a store that cannot be read.
    Store(String),
}

impl From<millrace_wire::Error> for Error {
    fn from(error: millrace_wire::Error) -> Self {
        Self::Decode(error)
    }
}

impl From<Error> for PyErr {
    fn from(error: Error) -> Self {
        Python::attach(|py| match error {
            Error::Decode(error) => raised(
                py,
                &DECODE_ERROR,
                "DecodeError",
                (error.to_string(), error.offset()),
            ),
            Error::TooLarge(error) => {
                let arguments = (error.to_string(), error.size, error.limit);
                raised(py, &ITEM_TOO_LARGE_ERROR, "ItemTooLargeError", arguments)
            }
            Error::Start(error) => raised(py, &GATEWAY_ERROR, "GatewayError", (error.to_string(),)),
            Error::State(sentence) => raised(py, &GATEWAY_ERROR, "GatewayError", (sentence,)),
            Error::Load(LoadError::Network(sentence)) => {
                raised(py, &UNREACHABLE_ERROR, "UnreachableError", (sentence,))
            }
            Error::Runtime(error) => PyOSError::new_err(error.to_string()),
            Error::Argument(sentence) | Error::Load(LoadError::Options(sentence)) => {
                PyValueError::new_err(sentence)
            }
            Error::Store(sentence) => raised(py, &STORE_ERROR, "StoreError", (sentence,)),
            Error::Frame(error) => raised(py, &DECODE_ERROR, "DecodeError", (error.to_string(),)),
            Error::Codec(error) => raised(
                py,
                &DECODE_ERROR,
                "DecodeError",
                (format!("the zstd data is damaged: {error}"),),
            ),
        })
    }
}

static DECODE_ERROR: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static ITEM_TOO_LARGE_ERROR: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static UNREACHABLE_ERROR: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static STORE_ERROR: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static GATEWAY_ERROR: PyOnceLock<Py<PyType>> = PyOnceLock::new();

/// An exception of `millrace.errors`; if that module cannot be imported, the reason why.
fn raised<A>(
    py: Python<'_>,
    class: &'static PyOnceLock<Py<PyType>>,
    name: &str,
    arguments: A,
) -> PyErr
where
    A: pyo3::PyErrArguments + Send + Sync + 'static,
{
    match class.import(py, "millrace.errors", name) {
        Ok(class) => PyErr::from_type(class.clone(), arguments),
        Err(error) => error,
    }
}
