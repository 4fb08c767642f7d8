//! Merges small files into large ones, and removes what is too old or too much, in a thread of its own.
use std::collections::HashSet;
use std::fs;
use std::io::{self, BufWriter};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use millrace_columns::{MergeError, merge_files};
use millrace_wire::Signal;

use super::directory::{Directory, Entry};
use super::{Context, SIGNALS, removed};

/// A file of so many rows is merged no more: the more rows, the smaller each, and the longer a search for one trace.
const WHOLE_ROWS: u64 = 131_072;
/// What a merged file has at most, if none of its parts has more.
const MERGED_ROWS_MAX: u64 = 262_144;
/// So many small files are merged although they do not make a whole one together: each costs a search its time.
const SMALL_FILES: usize = 16;
/// Files that are read along at once; each has a buffer.
const SOURCES_MAX: usize = 64;
/// Merged files stay: they are compressed better than fresh ones.
const MERGED_LEVEL: i32 = 6;
/// How often age is looked at where nothing comes.
const LOOK_INTERVAL: Duration = Duration::from_secs(10);

/// What a store may keep.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Older data is removed.
    pub(super) age: Option<Duration>,
    /// Over this, the oldest data is removed.
    pub(super) bytes: Option<u64>,
}

/// The thread.
pub(super) struct Upkeep {
    handle: Handle,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// Tells the thread that files have come.
#[derive(Clone)]
pub(super) struct Handle(Arc<(Mutex<Told>, Condvar)>);

#[derive(Default)]
struct Told {
    to_look: bool,
    to_end: bool,
}

impl Upkeep {
    pub(super) fn start(
        directory: Directory,
        context: Context,
        limits: Limits,
    ) -> io::Result<Self> {
        let handle = Handle(Arc::default());
        let of_thread = handle.clone();
        let keeper = Keeper {
            directory,
            context,
            limits,
            unreadable: HashSet::new(),
        };
        let thread = std::thread::Builder::new()
            .name("millrace-upkeep".to_owned())
            .spawn(move || keeper.run(&of_thread))?;
        Ok(Self {
            handle,
            thread: Mutex::new(Some(thread)),
        })
    }

    pub(super) fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Ends the thread, and waits for it; a merge that is under way is given up.
    pub(super) fn close(&self) {
        self.handle.tell(|told| told.to_end = true);
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = thread.take() {
            let _ = thread.join();
        }
    }
}

impl Handle {
    /// There may be something to do.
    pub(super) fn look(&self) {
        self.tell(|told| told.to_look = true);
    }

    fn tell(&self, change: impl FnOnce(&mut Told)) {
        change(&mut self.0.0.lock().unwrap_or_else(PoisonError::into_inner));
        self.0.1.notify_one();
    }

    fn is_to_end(&self) -> bool {
        self.0
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .to_end
    }

    /// Waits until there may be something to do; false when the thread should end.
    fn wait(&self) -> bool {
        let told = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .0
            .1
            .wait_timeout_while(told, LOOK_INTERVAL, |told| !told.to_look && !told.to_end);
        let (mut told, _) = waited.unwrap_or_else(PoisonError::into_inner);
        told.to_look = false;
        !told.to_end
    }
}

struct Keeper {
    directory: Directory,
    context: Context,
    limits: Limits,
    /// Files that a merge could not read: they stay where they are, and are tried no more.
    unreadable: HashSet<PathBuf>,
}

impl Keeper {
    fn run(mut self, handle: &Handle) {
        for signal in SIGNALS {
            let resumed = self
                .remove_replaced(signal)
                .and_then(|()| removed::resume(&self.directory, signal));
            self.warn(resumed);
        }
        loop {
            for signal in SIGNALS {
                while !handle.is_to_end() {
                    match self.merge_some(signal, handle) {
                        Ok(true) => {}
                        Ok(false) => break,
                        Err(error) => {
                            self.warn(Err(error));
                            break;
                        }
                    }
                }
            }
            let retained = self.retain();
            self.warn(retained);
            if !handle.wait() {
                return;
            }
        }
    }

    fn warn(&self, outcome: io::Result<()>) {
        if let Err(error) = outcome {
            let path = self.directory.path().display();
            let message = format!("upkeep of the store {path}: {error}");
            self.context.log.warn(&self.context.id, &message);
        }
    }

    fn remove_replaced(&self, signal: Signal) -> io::Result<()> {
        let replaced = self.directory.replaced(signal)?;
        replaced
            .iter()
            .try_for_each(|entry| fs::remove_file(&entry.path))
    }

    /// Merges one run of files, if there is one that should be.
    fn merge_some(&mut self, signal: Signal, handle: &Handle) -> io::Result<bool> {
        let entries = self.directory.entries(signal)?;
        let Some(run) = choose(&entries, &self.unreadable) else {
            return Ok(false);
        };
        let (Some(first), Some(last)) = (run.first(), run.last()) else {
            return Ok(false);
        };
        let range = (first.from, last.to);
        let paths: Vec<PathBuf> = run.iter().map(|entry| entry.path.clone()).collect();
        let (file, unfinished) = self.directory.create(signal, range.0, range.1)?;
        let merged = merge_files(signal, &paths, BufWriter::new(file), MERGED_LEVEL, || {
            handle.is_to_end()
        });
        let published = match merged {
            Ok((out, summary)) => out
                .into_inner()
                .map_err(io::IntoInnerError::into_error)
                .and_then(|file| {
                    self.directory
                        .finish(signal, &file, &unfinished, &summary, range)
                }),
            Err(MergeError::Input(path, error)) => {
                let message = format!(
                    "{} cannot be read and is left as it is: {error}",
                    path.display()
                );
                self.context.log.warn(&self.context.id, &message);
                self.unreadable.insert(path);
                fs::remove_file(&unfinished)?;
                return Ok(true);
            }
            Err(MergeError::Output(error)) => Err(io::Error::other(error.to_string())),
            Err(MergeError::Stopped) => {
                fs::remove_file(&unfinished)?;
                return Ok(false);
            }
        };
        if let Err(error) = published {
            let _ = fs::remove_file(&unfinished);
            return Err(error);
        }
        self.remove_replaced(signal)?;
        Ok(true)
    }

    /// Removes what is too old, then the oldest as long as there is too much.
    fn retain(&self) -> io::Result<()> {
        let mut all = Vec::new();
        for signal in SIGNALS {
            let entries = self.directory.entries(signal)?;
            all.extend(entries.into_iter().map(|entry| (signal, entry)));
        }
        let mut doomed = Vec::new();
        if let Some(age) = self.limits.age {
            let now = SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default();
            let limit = now.saturating_sub(age).as_nanos();
            let (old, young) = all
                .into_iter()
                .partition(|(_, entry)| u128::from(entry.last) < limit);
            (doomed, all) = (old, young);
        }
        if let Some(limit) = self.limits.bytes {
            all.sort_by_key(|(_, entry)| entry.last);
            let sizes: Vec<u64> = all.iter().map(|(_, entry)| entry.bytes()).collect();
            let mut total: u64 = sizes.iter().sum();
            for (entry, size) in all.into_iter().zip(sizes) {
                if total <= limit {
                    break;
                }
                total -= size;
                doomed.push(entry);
            }
        }
        for signal in SIGNALS {
            let of_signal: Vec<Entry> = doomed
                .iter()
                .filter(|(of, _)| *of == signal)
                .map(|(_, entry)| entry.clone())
                .collect();
            removed::remove(&self.directory, signal, &of_signal)?;
        }
        Ok(())
    }
}

/// The next files to merge: neighbours in the sequence that make a whole file, or many small ones.
fn choose<'a>(entries: &'a [Entry], unreadable: &HashSet<PathBuf>) -> Option<&'a [Entry]> {
    let is_small = |entry: &Entry| entry.rows < WHOLE_ROWS && !unreadable.contains(&entry.path);
    for run in entries.split(|entry| !is_small(entry)) {
        let mut rows = 0;
        for (count, entry) in run.iter().enumerate() {
            let is_full = rows + entry.rows > MERGED_ROWS_MAX || count == SOURCES_MAX;
            if is_full && count > 1 {
                return run.get(..count);
            }
            rows += entry.rows;
        }
        // The least files of the run, from the end: those before them have been merged already.
        let tail = run
            .iter()
            .rev()
            .take_while(|entry| entry.rows * (SMALL_FILES as u64) < MERGED_ROWS_MAX)
            .count();
        if tail >= SMALL_FILES {
            return run.get(run.len() - tail..);
        }
    }
    None
}
