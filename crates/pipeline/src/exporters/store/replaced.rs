//! Files that a merged one replaces: kept for a while under another name, for readers that have listed them.
//!
//! Under that name nothing counts them, and no tool that reads `*.parquet` sees their rows twice;
//! [`millrace_columns::FileReader`] knows it.
use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use millrace_columns::REPLACED;
use millrace_wire::Signal;

use super::SIGNALS;
use super::directory::Directory;

/// How long a reader may take between its listing of the store and the file.
const KEPT: Duration = Duration::from_secs(60);
/// What they take on the disk together; above that the oldest go at once.
const KEPT_BYTES_MAX: u64 = 256 << 20;

/// The files that are kept, the oldest first.
pub(super) struct Replaced {
    kept: VecDeque<Kept>,
    bytes: u64,
    bytes_max: u64,
}

struct Kept {
    path: PathBuf,
    bytes: u64,
    since: Instant,
}

impl Replaced {
    /// Begins with what an earlier process has left; keeps no more than a quarter of the store's limit.
    pub(super) fn new(directory: &Directory, limit: Option<u64>, now: Instant) -> io::Result<Self> {
        let bytes_max = limit.map_or(KEPT_BYTES_MAX, |limit| KEPT_BYTES_MAX.min(limit / 4));
        let mut replaced = Self {
            kept: VecDeque::new(),
            bytes: 0,
            bytes_max,
        };
        for signal in SIGNALS {
            for entry in fs::read_dir(directory.path().join(signal.name()))? {
                let path = entry?.path();
                if path
                    .extension()
                    .is_some_and(|extension| extension == REPLACED)
                {
                    replaced.keep(path, now);
                }
            }
        }
        Ok(replaced)
    }

    /// Takes the files of a signal that others replace out of the store.
    pub(super) fn take(
        &mut self,
        directory: &Directory,
        signal: Signal,
        now: Instant,
    ) -> io::Result<()> {
        for entry in directory.replaced(signal)? {
            let path = entry.path.with_extension(REPLACED);
            fs::rename(&entry.path, &path)?;
            self.keep(path, now);
        }
        self.remove_old(now)
    }

    fn keep(&mut self, path: PathBuf, since: Instant) {
        let bytes = fs::metadata(&path).map_or(0, |metadata| metadata.len());
        self.bytes += bytes;
        self.kept.push_back(Kept { path, bytes, since });
    }

    /// Removes what was kept long enough, and what is too much.
    pub(super) fn remove_old(&mut self, now: Instant) -> io::Result<()> {
        while let Some(oldest) = self.kept.front()
            && (self.bytes > self.bytes_max || now.duration_since(oldest.since) >= KEPT)
        {
            self.remove_oldest()?;
        }
        Ok(())
    }

    /// Removes all: a store at rest has nothing twice.
    pub(super) fn remove_all(&mut self) -> io::Result<()> {
        while !self.kept.is_empty() {
            self.remove_oldest()?;
        }
        Ok(())
    }

    fn remove_oldest(&mut self) -> io::Result<()> {
        let Some(oldest) = self.kept.pop_front() else {
            return Ok(());
        };
        self.bytes -= oldest.bytes;
        match fs::remove_file(&oldest.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaced_files_are_kept_for_a_while_and_within_a_number_of_bytes() {
        let name = format!("millrace-replaced-{}", std::process::id());
        let scratch = std::env::temp_dir().join(name);
        fs::create_dir_all(&scratch).unwrap();
        let names = ["a", "b", "c"].map(|name| scratch.join(name));
        let began = Instant::now();
        let mut replaced = Replaced {
            kept: VecDeque::new(),
            bytes: 0,
            bytes_max: 20,
        };
        for (path, second) in names.iter().zip([0, 10, 20]) {
            fs::write(path, [0; 9]).unwrap();
            replaced.keep(path.clone(), began + Duration::from_secs(second));
        }
        let left = || names.iter().map(|name| name.exists()).collect::<Vec<_>>();

        replaced
            .remove_old(began + Duration::from_secs(20))
            .unwrap();
        assert_eq!(left(), [false, true, true]); // 27 bytes are too many
        replaced
            .remove_old(began + Duration::from_secs(69))
            .unwrap();
        assert_eq!(left(), [false, true, true]);
        replaced
            .remove_old(began + Duration::from_secs(70))
            .unwrap();
        assert_eq!(left(), [false, false, true]);
        replaced.remove_all().unwrap();
        assert_eq!(left(), [false, false, false]);
        fs::remove_dir_all(scratch).unwrap();
    }
}
