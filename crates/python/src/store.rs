//! Files of a store for Python: one trace out of many files, or all of one file, as OTLP.
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use millrace_columns as columns;
use millrace_columns::FileReader;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::door;
use crate::error::Error;
use crate::otlp::SignalName;

/// What finds the items of one trace in many files: it remembers the Bloom filters of all that it has seen.
#[pyclass(frozen, module = "millrace._native")]
pub(crate) struct TraceIndex {
    index: Mutex<columns::TraceIndex>,
}

type Found<'py> = (Option<Bound<'py, PyBytes>>, Vec<(String, String)>);

#[pymethods]
impl TraceIndex {
    #[new]
    fn new() -> Self {
        Self {
            index: Mutex::new(columns::TraceIndex::new()),
        }
    }

    /// Forgets all files but these.
    fn keep(&self, py: Python<'_>, paths: Vec<PathBuf>) -> PyResult<()> {
        door::leave(py, || {
            self.index
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .keep(&paths);
            Ok::<_, Error>(())
        })
    }

    /// Returns those of the files that may hold an item of any of these traces; one that cannot be read is among them.
    fn holding(
        &self,
        py: Python<'_>,
        signal: SignalName,
        paths: Vec<PathBuf>,
        trace_ids: Vec<String>,
    ) -> PyResult<Vec<OsString>> {
        door::leave(py, || {
            let mut index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
            let holding = index.holding(signal.0, &paths, &trace_ids);
            Ok::<_, Error>(holding.into_iter().map(PathBuf::into_os_string).collect())
        })
    }

    /// Returns the items of a trace as one request, and the files that could not be read, each with the reason.
    fn find<'py>(
        &self,
        py: Python<'py>,
        signal: SignalName,
        paths: Vec<PathBuf>,
        trace_id: &str,
    ) -> PyResult<Found<'py>> {
        let (request, skipped) = door::leave(py, || {
            let mut skipped = Vec::new();
            let request = self
                .index
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .find(signal.0, &paths, trace_id, |path, error| {
                    skipped.push((path.to_string_lossy().into_owned(), error.to_string()));
                });
            Ok::<_, Error>((request, skipped))
        })?;
        Ok((request.map(|bytes| PyBytes::new(py, &bytes)), skipped))
    }
}

/// Returns all items of a file as requests.
#[pyfunction]
pub(crate) fn read_store_file(
    py: Python<'_>,
    signal: SignalName,
    path: PathBuf,
) -> PyResult<Vec<Bound<'_, PyBytes>>> {
    let requests = door::leave(py, || {
        let mut requests = Vec::new();
        read(signal, &path, |request| requests.push(request))?;
        Ok::<_, Error>(requests)
    })?;
    Ok(requests
        .iter()
        .map(|request| PyBytes::new(py, request))
        .collect())
}

/// Reads all of a file, and returns how many items it has.
#[pyfunction]
pub(crate) fn check_store_file(
    py: Python<'_>,
    signal: SignalName,
    path: PathBuf,
) -> PyResult<usize> {
    door::leave(py, || {
        let mut items = 0;
        read(signal, &path, |request| {
            items += millrace_wire::count(signal.0, &request);
        })?;
        Ok::<_, Error>(items)
    })
}

fn read(signal: SignalName, path: &Path, take: impl FnMut(Vec<u8>)) -> Result<(), Error> {
    FileReader::open(path, signal.0)
        .and_then(|reader| reader.read_requests(take))
        .map_err(|error| Error::Store(format!("{}: {error}", path.display())))
}
