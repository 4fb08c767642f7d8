//! TLS settings that are read from their files again while the gateway runs (`reload_interval`).
use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::config::StartError;
use crate::log::{Level, Log};

type Build<T> = dyn Fn() -> Result<T, StartError> + Send + Sync;

/// Something made of files, and made again when a connection needs it and they have changed.
///
/// A connection keeps what it began with, so nothing breaks when a certificate is rotated. Files that cannot be used,
/// such as a certificate whose new key is not there yet, are reported and looked at again after the interval; until then
/// what was made before stays in use.
pub struct Reloading<T> {
    build: Box<Build<T>>,
    files: Vec<String>,
    interval: Option<Duration>,
    state: Mutex<State<T>>,
    /// Only errors go there, and every level shows these.
    log: Log,
}

struct State<T> {
    current: T,
    content: u64,
    next: Option<Instant>,
}

impl<T: Clone> Reloading<T> {
    /// Makes it for the first time; without an interval this is the only time.
    pub fn new(
        interval: Option<Duration>,
        files: Vec<String>,
        build: impl Fn() -> Result<T, StartError> + Send + Sync + 'static,
    ) -> Result<Self, StartError> {
        let content = fingerprint(&files);
        let state = State {
            current: build()?,
            content,
            next: interval.and_then(|interval| Instant::now().checked_add(interval)),
        };
        Ok(Self {
            build: Box::new(build),
            files,
            interval,
            state: Mutex::new(state),
            log: Log::new(Level::Error),
        })
    }

    /// What the next connection uses.
    pub fn current(&self) -> T {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if state.next.is_some_and(|next| next <= now) {
            state.next = self.interval.and_then(|interval| now.checked_add(interval));
            let content = fingerprint(&self.files);
            if content != state.content {
                match (self.build)() {
                    Ok(current) => {
                        state.current = current;
                        state.content = content;
                    }
                    Err(StartError(problem)) => {
                        self.log.error(
                            "tls",
                            format_args!("the files before stay in use: {problem}"),
                        );
                    }
                }
            }
        }
        state.current.clone()
    }
}

impl<T> fmt::Debug for Reloading<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Reloading")
            .field("files", &self.files)
            .field("interval", &self.interval)
            .finish_non_exhaustive()
    }
}

/// Changes when the content of a file does, whatever its time of change says; a file that cannot be read is empty here.
fn fingerprint(files: &[String]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for file in files {
        std::fs::read(file).unwrap_or_default().hash(&mut hasher);
    }
    hasher.finish()
}
