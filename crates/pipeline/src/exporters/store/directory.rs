//! The directory of a store: its format, its lock, and the names of its files.
//!
//! ```text
//! FORMAT                      "millrace store 1"
//! LOCK                        held by the one process that writes
//! traces/FIRST-LAST-ROWS-FROM-TO.parquet      logs/...  metrics/...  profiles/...
//! removed.json                what retention has removed so far
//! ```
//!
//! FIRST and LAST are the least and greatest time in a file, in nanoseconds since 1970. FROM and TO are its place in the
//! sequence of all files of its signal: a new file has one number, and a merged one the range of those it was made of. A file whose
//! range lies within that of another one is replaced by it, whether or not somebody has removed it yet. So publishing
//! a name is the only step there is, and a crash before or after it leaves a store that is whole.
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use millrace_columns::Summary;
use millrace_wire::Signal;

use super::{SIGNALS, place_of};

const FORMAT: &str = "millrace store 1\n";
const FORMAT_NAME: &str = "FORMAT";
const LOCK_NAME: &str = "LOCK";
const EXTENSION: &str = "parquet";
/// A file that is being written begins so, and nobody reads it.
const UNFINISHED: &str = ".unfinished-";
/// Telemetry is private to whoever runs the gateway.
const OWNER_ONLY: u32 = 0o600;
const DIRECTORY_OWNER_ONLY: u32 = 0o700;

/// An open store; cheap to clone.
#[derive(Clone)]
pub(super) struct Directory(Arc<Inner>);

struct Inner {
    path: PathBuf,
    fsync: bool,
    /// The next number of each signal's sequence.
    next: [AtomicU64; 4],
    /// Held as long as this lives.
    _lock: File,
}

/// What a file's name says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) path: PathBuf,
    pub(super) last: u64,
    pub(super) rows: u64,
    pub(super) from: u64,
    pub(super) to: u64,
}

impl Directory {
    /// Opens or creates a store, and keeps other writers out.
    pub(super) fn open(path: &str, fsync: bool) -> Result<Self, String> {
        let path = PathBuf::from(path);
        let unusable =
            |error: io::Error| format!("the directory {} cannot be used: {error}", path.display());
        for signal in SIGNALS {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(DIRECTORY_OWNER_ONLY)
                .create(path.join(signal.name()))
                .map_err(unusable)?;
        }
        let lock = lock(&path)?;
        check_format(&path)?;
        let next = [(); 4].map(|()| AtomicU64::new(1));
        let directory = Self(Arc::new(Inner {
            path: path.clone(),
            fsync,
            next,
            _lock: lock,
        }));
        for (signal, next) in SIGNALS.into_iter().zip(&directory.0.next) {
            directory.remove_unfinished(signal).map_err(unusable)?;
            let entries = directory.every_entry(signal).map_err(unusable)?;
            let last = entries.iter().map(|entry| entry.to).max();
            next.store(last.map_or(1, |last| last + 1), Ordering::Relaxed);
        }
        Ok(directory)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0.path
    }

    fn folder(&self, signal: Signal) -> PathBuf {
        self.0.path.join(signal.name())
    }

    fn remove_unfinished(&self, signal: Signal) -> io::Result<()> {
        for entry in fs::read_dir(self.folder(signal))? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    /// The files of a signal, in their sequence, without those that another one replaces.
    pub(super) fn entries(&self, signal: Signal) -> io::Result<Vec<Entry>> {
        Ok(unreplaced(self.every_entry(signal)?).0)
    }

    /// The files of a signal that another one replaces.
    pub(super) fn replaced(&self, signal: Signal) -> io::Result<Vec<Entry>> {
        Ok(unreplaced(self.every_entry(signal)?).1)
    }

    fn every_entry(&self, signal: Signal) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(self.folder(signal))? {
            entries.extend(Entry::of(entry?.path()));
        }
        Ok(entries)
    }

    /// Writes a new file, the next one of its signal's sequence.
    pub(super) fn publish(
        &self,
        signal: Signal,
        content: &[u8],
        summary: &Summary,
    ) -> io::Result<()> {
        let next = place_of(signal).and_then(|place| self.0.next.get(place));
        let number = next.map_or(0, |next| next.fetch_add(1, Ordering::Relaxed));
        let (mut file, unfinished) = self.create(signal, number, number)?;
        let written = file
            .write_all(content)
            .and_then(|()| self.finish(signal, &file, &unfinished, summary, (number, number)));
        if written.is_err() {
            // A full disk keeps what it has of the file; that place is needed.
            let _ = fs::remove_file(&unfinished);
        }
        written
    }

    /// A file that nobody reads yet.
    pub(super) fn create(&self, signal: Signal, from: u64, to: u64) -> io::Result<(File, PathBuf)> {
        let path = self.folder(signal).join(format!("{UNFINISHED}{from}-{to}"));
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(OWNER_ONLY)
            .open(&path)?;
        Ok((file, path))
    }

    /// Gives a written file its name, under which it is read from now on.
    pub(super) fn finish(
        &self,
        signal: Signal,
        file: &File,
        unfinished: &Path,
        summary: &Summary,
        (from, to): (u64, u64),
    ) -> io::Result<()> {
        let (first, last) = summary.times.unwrap_or_default();
        let rows = summary.rows;
        let name = format!("{first:020}-{last:020}-{rows}-{from:012}-{to:012}.{EXTENSION}");
        if self.0.fsync {
            file.sync_all()?;
        }
        let folder = self.folder(signal);
        fs::rename(unfinished, folder.join(name))?;
        if self.0.fsync {
            sync_folder(&folder)?;
        }
        Ok(())
    }
}

impl Entry {
    /// What the name of a file says; `None` where it is not one of ours.
    pub(super) fn of(path: PathBuf) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        let stem = name.strip_suffix(EXTENSION)?.strip_suffix('.')?;
        let mut numbers = stem.split('-').map(str::parse::<u64>);
        let mut next = || numbers.next()?.ok();
        let (_first, last, rows, from, to) = (next()?, next()?, next()?, next()?, next()?);
        next().is_none().then_some(())?;
        Some(Self {
            path,
            last,
            rows,
            from,
            to,
        })
    }

    pub(super) fn bytes(&self) -> u64 {
        fs::metadata(&self.path).map_or(0, |metadata| metadata.len())
    }
}

/// Those that count, in their sequence, and those that another one replaces.
fn unreplaced(mut entries: Vec<Entry>) -> (Vec<Entry>, Vec<Entry>) {
    entries.sort_by(|left, right| left.from.cmp(&right.from).then(right.to.cmp(&left.to)));
    let (mut kept, mut replaced): (Vec<Entry>, Vec<Entry>) = (Vec::new(), Vec::new());
    for entry in entries {
        match kept.last() {
            Some(last) if entry.to <= last.to => replaced.push(entry),
            _ => kept.push(entry),
        }
    }
    (kept, replaced)
}

/// Makes sure that a name is found after a power failure.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder)?.sync_all() {
        // Some file systems keep names by themselves and know no fsync of folders.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
        outcome => outcome,
    }
}

fn lock(path: &Path) -> Result<File, String> {
    let name = path.join(LOCK_NAME);
    let unusable = |error: io::Error| format!("{} cannot be used: {error}", name.display());
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(OWNER_ONLY)
        .open(&name)
        .map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let holder = fs::read_to_string(&name).unwrap_or_default();
            return Err(format!(
                "another process ({}) writes to the store {}: stop it, or name another directory",
                holder.trim(),
                path.display()
            ));
        }
        Err(TryLockError::Error(error)) => return Err(unusable(error)),
    }
    file.set_len(0)
        .and_then(|()| writeln!(file, "{}", std::process::id()))
        .map_err(unusable)?;
    Ok(file)
}

fn check_format(path: &Path) -> Result<(), String> {
    let name = path.join(FORMAT_NAME);
    match fs::read_to_string(&name) {
        Ok(text) if text == FORMAT => Ok(()),
        Ok(text) => Err(format!(
            "{} says {:?}, and this version writes {:?}: use the version of millrace that wrote it, or name another directory",
            name.display(),
            text.trim(),
            FORMAT.trim()
        )),
        Err(error) if error.kind() == io::ErrorKind::NotFound => write_format(path, &name)
            .map_err(|error| format!("{} cannot be written: {error}", name.display())),
        Err(error) => Err(format!("{} cannot be read: {error}", name.display())),
    }
}

/// Whole or not at all, so that a crash at this moment leaves no store of an unknown format.
fn write_format(path: &Path, name: &Path) -> io::Result<()> {
    let unfinished = path.join(format!("{UNFINISHED}{FORMAT_NAME}"));
    let mut file = File::create(&unfinished)?;
    file.write_all(FORMAT.as_bytes())?;
    file.sync_all()?;
    fs::rename(&unfinished, name)?;
    sync_folder(path)
}
