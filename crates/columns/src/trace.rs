//! Finds one trace in many files.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use millrace_wire::Signal;
use parquet::bloom_filter::Sbbf;

use crate::error::Error;
use crate::read::FileReader;
use crate::request::RequestBuilder;
use crate::tables::Tables;

/// Which row groups of which files may hold a trace: their Bloom filters, read once.
#[derive(Default)]
pub struct TraceIndex {
    files: HashMap<PathBuf, Vec<Option<Sbbf>>>,
}

impl TraceIndex {
    /// No files yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets all files but these.
    pub fn keep(&mut self, paths: &[PathBuf]) {
        let kept: std::collections::HashSet<&Path> = paths.iter().map(PathBuf::as_path).collect();
        self.files.retain(|path, _| kept.contains(path.as_path()));
    }

    /// The items of a trace (its id in lowercase hexadecimal digits) as one request, if there are any.
    ///
    /// A file that cannot be read is passed over, and told to `skipped` with the reason.
    pub fn find(
        &mut self,
        signal: Signal,
        paths: &[PathBuf],
        id: &str,
        mut skipped: impl FnMut(&Path, &Error),
    ) -> Option<Vec<u8>> {
        let mut trace = RequestBuilder::default();
        let mut tables = Tables::default();
        for path in paths {
            if let Err(error) = self.find_in(signal, path, id, &mut trace, &mut tables) {
                skipped(path, &error);
            }
        }
        (!trace.is_empty()).then(|| trace.finish(signal, &tables))
    }

    /// Those of the files that may hold an item of any of these traces; one that cannot be read is among them.
    pub fn holding(&mut self, signal: Signal, paths: &[PathBuf], ids: &[String]) -> Vec<PathBuf> {
        let mut may_hold = |path: &PathBuf| {
            let filters = self.filters(signal, path);
            filters.map_or(true, |filters| {
                filters.iter().any(|filter| {
                    let filter = filter.as_ref();
                    filter.is_none_or(|filter| ids.iter().any(|id| filter.check(&id.as_str())))
                })
            })
        };
        paths
            .iter()
            .filter(|path| may_hold(path))
            .cloned()
            .collect()
    }

    fn filters(&mut self, signal: Signal, path: &Path) -> Result<&[Option<Sbbf>], Error> {
        if !self.files.contains_key(path) {
            let filters = FileReader::open(path, signal)?.trace_filters()?;
            self.files.insert(path.to_owned(), filters);
        }
        Ok(self.files.get(path).map_or(&[], Vec::as_slice))
    }

    fn find_in(
        &mut self,
        signal: Signal,
        path: &Path,
        id: &str,
        trace: &mut RequestBuilder,
        tables: &mut Tables,
    ) -> Result<(), Error> {
        let groups: Vec<usize> = self
            .filters(signal, path)?
            .iter()
            .enumerate()
            .filter(|(_, filter)| filter.as_ref().is_none_or(|filter| filter.check(&id)))
            .map(|(group, _)| group)
            .collect();
        if groups.is_empty() {
            return Ok(());
        }
        FileReader::open(path, signal)?.read_trace(id, &groups, trace, tables)
    }
}
