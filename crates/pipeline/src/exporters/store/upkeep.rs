//! Merges small files into large ones, and removes what is too old or too much, in a thread of its own.
use std::collections::HashSet;
use std::fs;
use std::io::{self, BufWriter};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use millrace_columns::{MergeError, merge_files};
use millrace_wire::Signal;

use super::choice::choose;
use super::directory::{Directory, Entry};
use super::replaced::Replaced;
use super::{Context, MERGED_LEVEL, SIGNALS, removed};

/// After so long without new files, small ones are merged as well.
const QUIET: Duration = Duration::from_secs(5);
/// A file of profiles counts as if it had a row for so many bytes of it: about as many as one of spans has.
const BYTES_OF_A_ROW: u64 = 256;
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
    /// When files have come last.
    came: Option<Instant>,
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
        let replaced = Replaced::new(&directory, limits.bytes, Instant::now())?;
        let keeper = Keeper {
            directory,
            context,
            limits,
            unreadable: HashSet::new(),
            replaced,
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
        let now = Instant::now();
        self.tell(|told| (told.to_look, told.came) = (true, Some(now)));
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

    /// Waits until there may be something to do, at most so long; false when the thread should end.
    fn wait(&self, at_most: Duration) -> bool {
        let told = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .0
            .1
            .wait_timeout_while(told, at_most, |told| !told.to_look && !told.to_end);
        let (mut told, _) = waited.unwrap_or_else(PoisonError::into_inner);
        told.to_look = false;
        !told.to_end
    }

    /// When files have come last, if any have.
    fn came(&self) -> Option<Instant> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).came
    }
}

/// How long it is quiet already, and how long it is until it is quiet enough.
fn quiet(came: Instant, now: Instant) -> (bool, Duration) {
    let left = QUIET.saturating_sub(now.saturating_duration_since(came));
    (left.is_zero(), left)
}

/// Rows of profiles are whole requests: how large a file is does not follow from how many there are, but from its bytes.
fn weigh(entry: &mut Entry) {
    entry.rows = entry.bytes() / BYTES_OF_A_ROW;
}

struct Keeper {
    directory: Directory,
    context: Context,
    limits: Limits,
    /// Files that a merge could not read: they stay where they are, and are tried no more.
    unreadable: HashSet<PathBuf>,
    replaced: Replaced,
}

impl Keeper {
    fn run(mut self, handle: &Handle) {
        let began = Instant::now();
        for signal in SIGNALS {
            let resumed = self
                .replaced
                .take(&self.directory, signal, began)
                .and_then(|()| removed::resume(&self.directory, signal));
            self.warn(resumed);
        }
        loop {
            let now = Instant::now();
            let (is_quiet, left) = quiet(handle.came().unwrap_or(began), now);
            self.look(handle, is_quiet, now);
            let at_most = if is_quiet {
                LOOK_INTERVAL
            } else {
                left.min(LOOK_INTERVAL)
            };
            if !handle.wait(at_most) {
                let removed = self.replaced.remove_all();
                return self.warn(removed);
            }
        }
    }

    /// Does all that there is to do.
    fn look(&mut self, handle: &Handle, is_quiet: bool, now: Instant) {
        for signal in SIGNALS {
            while !handle.is_to_end() {
                match self.merge_some(signal, handle, is_quiet) {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(error) => {
                        self.warn(Err(error));
                        break;
                    }
                }
            }
        }
        let removed = self.retain().and_then(|()| self.replaced.remove_old(now));
        self.warn(removed);
    }

    fn warn(&self, outcome: io::Result<()>) {
        if let Err(error) = outcome {
            let path = self.directory.path().display();
            let message = format!("upkeep of the store {path}: {error}");
            self.context.log.warn(&self.context.id, &message);
        }
    }

    /// Merges one run of files, if there is one that should be.
    fn merge_some(&mut self, signal: Signal, handle: &Handle, is_quiet: bool) -> io::Result<bool> {
        let mut entries = self.directory.entries(signal)?;
        if signal == Signal::Profiles {
            entries.iter_mut().for_each(weigh);
        }
        let Some(run) = choose(&entries, &self.unreadable, is_quiet) else {
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
        self.replaced
            .take(&self.directory, signal, Instant::now())?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_quiet_when_nothing_has_come_for_a_while_and_the_wait_ends_then() {
        let came = Instant::now();
        let second = Duration::from_secs(1);
        assert_eq!(
            quiet(came, came + second),
            (false, QUIET.saturating_sub(second))
        );
        assert_eq!(quiet(came, came + QUIET), (true, Duration::ZERO));
        assert_eq!(quiet(came + second, came), (false, QUIET));
    }
}
