//! Files of a store for Python: one trace out of many files, or all of one file, as OTLP.
use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use millrace_columns as columns;
use millrace_columns::{FileReader, MergeError};
use millrace_wire::Signal;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::door;
use crate::error::Error;
use crate::otlp::SignalName;

/// Of zstd, as for files that are merged.
const LEVEL: i32 = 6;

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

/// Returns all items of a file, or of one of its row groups, as requests.
#[pyfunction]
#[pyo3(signature = (signal, path, group=None))]
pub(crate) fn read_store_file(
    py: Python<'_>,
    signal: SignalName,
    path: PathBuf,
    group: Option<usize>,
) -> PyResult<Vec<Bound<'_, PyBytes>>> {
    let requests = door::leave(py, || {
        let mut requests = Vec::new();
        let take = |request| requests.push(request);
        match group {
            Some(group) => opened(signal, &path, |file| file.read_group(group, take))?,
            None => opened(signal, &path, |file| file.read_requests(take))?,
        }
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
        opened(signal, &path, |file| {
            file.read_requests(|request| items += millrace_wire::count(signal.0, &request))
        })?;
        Ok::<_, Error>(items)
    })
}

/// Returns the signal of a file that a store has written, and how many row groups it has.
#[pyfunction]
pub(crate) fn describe_store_file(
    py: Python<'_>,
    path: PathBuf,
) -> PyResult<(Option<&'static str>, usize)> {
    door::leave(py, || {
        opened(SignalName(Signal::Traces), &path, |file| {
            Ok((
                file.signal_by_columns().map(Signal::name),
                file.row_groups(),
            ))
        })
    })
}

/// Writes the items of several files to another one, one file after the other; returns how many there are.
#[pyfunction]
pub(crate) fn concatenate_store_files(
    py: Python<'_>,
    signal: SignalName,
    paths: Vec<PathBuf>,
    out: PathBuf,
) -> PyResult<usize> {
    door::leave(py, || {
        let file = File::create(&out)
            .map_err(|error| Error::Store(format!("{}: {error}", out.display())))?;
        let written = columns::concatenate_files(signal.0, &paths, file, LEVEL);
        let (file, rows) = written.map_err(|error| match error {
            MergeError::Input(path, error) => of_file(&path, &error),
            MergeError::Output(error) => of_file(&out, &error),
            MergeError::Stopped => Error::Store("it was ended".to_owned()),
        })?;
        file.sync_all()
            .map_err(|error| Error::Store(format!("{}: {error}", out.display())))?;
        Ok::<_, Error>(rows)
    })
}

fn opened<T>(
    signal: SignalName,
    path: &Path,
    work: impl FnOnce(&FileReader) -> Result<T, columns::Error>,
) -> Result<T, Error> {
    FileReader::open(path, signal.0)
        .and_then(|file| work(&file))
        .map_err(|error| of_file(path, &error))
}

fn of_file(path: &Path, error: &columns::Error) -> Error {
    Error::Store(format!("{}: {error}", path.display()))
}
