//! What services did, for Python: counted in files of spans, put together, and told as rows.
use std::path::{Path, PathBuf};

use millrace_columns as columns;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use crate::door;
use crate::error::Error;

/// What services did in all spans of some files.
#[pyclass(frozen, module = "millrace._native")]
pub(crate) struct Activity {
    activity: columns::Activity,
}

/// Service, or caller; operation, or who is called; kind, spans, errors, first and last start, three quantiles, operations.
type Row = (
    String,
    Option<String>,
    i32,
    u64,
    u64,
    u64,
    u64,
    [f64; 3],
    usize,
);

#[pymethods]
impl Activity {
    /// Puts together what was counted in several files.
    #[new]
    fn new(py: Python<'_>, parts: Vec<PyBackedBytes>) -> PyResult<Self> {
        door::leave(py, || {
            let mut activity = columns::Activity::new();
            for part in &parts {
                activity.add(part).ok_or_else(|| {
                    Error::Store("this is not what was counted in a file".to_owned())
                })?;
            }
            Ok::<_, Error>(Self { activity })
        })
    }

    /// Returns a row for each service.
    fn services(&self, py: Python<'_>) -> PyResult<Vec<Row>> {
        rows(py, || self.activity.services())
    }

    /// Returns a row for each operation of a service, or of all.
    #[pyo3(signature = (service=None))]
    fn operations(&self, py: Python<'_>, service: Option<&str>) -> PyResult<Vec<Row>> {
        rows(py, || self.activity.operations(service))
    }

    /// Returns a row for each pair of a caller and whom it calls.
    fn calls(&self, py: Python<'_>) -> PyResult<Vec<Row>> {
        rows(py, || self.activity.calls())
    }

    /// Returns how many spans are of operations that are not told apart, and how many have a parent that was not found.
    fn left_out(&self) -> (u64, u64) {
        self.activity.left_out()
    }
}

fn rows(
    py: Python<'_>,
    work: impl FnOnce() -> Vec<columns::ActivityRow> + Send,
) -> PyResult<Vec<Row>> {
    door::leave(py, || {
        let rows = work().into_iter().map(|row| {
            (
                row.names.0.to_string(),
                row.names.1.map(|name| name.to_string()),
                row.kind,
                row.count,
                row.errors,
                row.times.0,
                row.times.1,
                row.quantiles,
                row.operations,
            )
        });
        Ok::<_, Error>(rows.collect())
    })
}

/// Counts what services did in the spans of a file that begin from `first` to `last`; callers are looked for in the files
/// around it, too.
///
/// Returns what `Activity` takes, and whether the files around it could matter.
#[pyfunction]
pub(crate) fn count_activity(
    py: Python<'_>,
    path: PathBuf,
    first: u64,
    last: u64,
    around: Vec<PathBuf>,
) -> PyResult<(Bound<'_, PyBytes>, bool)> {
    let (bytes, is_open) = door::leave(py, || {
        let mut activity = columns::Activity::new();
        let is_open = activity
            .count(&path, &(first..=last), around.iter().map(Path::new))
            .map_err(|error| Error::Store(format!("{}: {error}", path.display())))?;
        Ok::<_, Error>((activity.to_bytes(), is_open))
    })?;
    Ok((PyBytes::new(py, &bytes), is_open))
}
