//! The `file` exporter: requests as JSON lines or length-delimited protobuf or tracezip, whole or not at all.
//!
//! A thread of its own converts, compresses and writes, so that a slow disk delays nobody but the clients of
//! this file. While it writes, batches wait (within the process's byte budget), and the next write takes them
//! together; a batch is acknowledged when the disk has its bytes (`fsync`, once for all that were written together)
//! or, without `fsync`, when the system has them. Nothing ever waits in this process for `flush_interval`.
//!
//! With compression, each write is one whole gzip member or zstd frame: files of such are valid at every moment, and a
//! crash cannot spoil what comes after it. With `otz1`, each request is a frame, and each file begins a session of its own.
//! With `rotation`, a write that the file has no room for begins a new one.
use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::future::Future;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use super::Context;
use super::parcel::Part;
use crate::batch::Batch;
use crate::component::{Ack, Consumer, Reason, Refusal};
use crate::config::{FileExporter as Settings, StartError};

mod encoding;
mod rotation;

use encoding::Encoding;
use rotation::Rotation;

/// Telemetry is private to whoever runs the gateway.
const OWNER_ONLY: u32 = 0o600;
/// What one write takes together; more costs memory and makes the first of them wait longer.
const TOGETHER_BYTES_MAX: usize = 1 << 20;

/// A destination that is a file.
pub(crate) struct FileExporter {
    shared: Arc<Shared>,
}

struct Shared {
    context: Context,
    state: Mutex<State>,
    /// Tells the thread that there is work, or none any more.
    work: Condvar,
    /// Told whenever the thread has written.
    written: Notify,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Part>,
    writing: bool,
    closed: bool,
}

/// The thread's side: the file and how to write to it.
struct Writer {
    context: Context,
    file: File,
    rotation: Option<Rotation>,
    encoding: Encoding,
    fsync: bool,
    /// Where the last whole write ended; `None` where the destination has no length, such as a pipe.
    length: Option<u64>,
    buffer: Vec<u8>,
}

/// Opens the file and starts its thread.
pub(crate) fn build(settings: &Settings, context: Context) -> Result<FileExporter, StartError> {
    let setting = format!("exporters.{}", context.id);
    let writer = Writer::open(&setting, settings, context.clone())?;
    let shared = Arc::new(Shared {
        context,
        state: Mutex::default(),
        work: Condvar::new(),
        written: Notify::new(),
    });
    let of_thread = Arc::clone(&shared);
    std::thread::Builder::new()
        .name("millrace-file".to_owned())
        .spawn(move || run(&of_thread, writer))
        .map_err(|error| {
            StartError::of(&setting, format_args!("its thread cannot start: {error}"))
        })?;
    Ok(FileExporter { shared })
}

impl Consumer for FileExporter {
    fn consume(&self, batch: Batch) -> Ack {
        let (part, ack) = Part::new(batch, &self.shared.context.ledger);
        let mut state = self.shared.lock();
        if state.closed {
            drop(state);
            return ack; // the part refuses itself when it is dropped here
        }
        state.waiting.push_back(part);
        self.shared.work.notify_one();
        ack
    }

    fn shutdown(&self, deadline: Instant) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            if timeout_at(deadline, self.shared.until_written())
                .await
                .is_err()
            {
                let left = self.shared.close();
                drop(left); // outside of the lock: each part answers its client
            }
        })
    }
}

impl Drop for FileExporter {
    fn drop(&mut self) {
        drop(self.shared.close());
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the thread end and returns what was not written.
    fn close(&self) -> VecDeque<Part> {
        let mut state = self.lock();
        state.closed = true;
        self.work.notify_one();
        std::mem::take(&mut state.waiting)
    }

    async fn until_written(&self) {
        loop {
            let mut told = std::pin::pin!(self.written.notified());
            told.as_mut().enable();
            {
                let state = self.lock();
                if state.waiting.is_empty() && !state.writing {
                    return;
                }
            }
            told.await;
        }
    }

    /// Waits for the next batches to write together; `None` when there will be none.
    fn next(&self) -> Option<Vec<Part>> {
        let mut state = self.lock();
        state.writing = false;
        self.written.notify_waiters();
        while state.waiting.is_empty() {
            if state.closed {
                return None;
            }
            state = self
                .work
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        let mut together = Vec::new();
        let mut bytes = 0;
        while let Some(part) = state.waiting.front()
            && (together.is_empty() || bytes + part.payload.len() <= TOGETHER_BYTES_MAX)
        {
            bytes += part.payload.len();
            together.extend(state.waiting.pop_front());
        }
        state.writing = true;
        Some(together)
    }
}

fn run(shared: &Shared, mut writer: Writer) {
    while let Some(parts) = shared.next() {
        match writer.write(&parts) {
            Ok(()) => parts
                .into_iter()
                .for_each(|mut part| part.delivered(part.items)),
            Err(error) => {
                let message = format!("the file cannot be written: {error}");
                shared.context.log.error(&shared.context.id, &message);
                let refusal = Refusal::retryable(Reason::WriteFailed, message);
                for part in parts {
                    part.refuse(&refusal);
                }
            }
        }
    }
}

impl Writer {
    fn open(setting: &str, settings: &Settings, context: Context) -> Result<Self, StartError> {
        let encoding = Encoding::of(setting, settings)?;
        let unusable = |error: io::Error| {
            let problem = format!(
                "the file {:?} cannot be opened for writing: {error}",
                settings.path
            );
            StartError::of(&format!("{setting}.path"), problem)
        };
        // As in the Collector, a file that is rotated is always continued.
        let append = settings.append || settings.rotation.is_some();
        let file = open(Path::new(&settings.path), append).map_err(unusable)?;
        let metadata = file.metadata().map_err(unusable)?;
        let length = metadata.is_file().then_some(metadata.len());
        if settings.fsync && length.is_some() {
            keep_name(Path::new(&settings.path)).map_err(unusable)?;
        }
        let rotation = settings.rotation.as_ref().filter(|_| length.is_some());
        let rotation = rotation.map(|rotation| Rotation::of(&settings.path, rotation));
        Ok(Self {
            context,
            file,
            rotation: rotation.transpose().map_err(unusable)?,
            encoding,
            fsync: settings.fsync,
            length,
            buffer: Vec::new(),
        })
    }

    /// Writes all of the parts, or takes back what was written of them.
    fn write(&mut self, parts: &[Part]) -> io::Result<()> {
        self.buffer.clear();
        self.buffer.shrink_to(4 * TOGETHER_BYTES_MAX);
        self.encoding.append(parts, &mut self.buffer)?;
        let room = self.make_room();
        // What a frame refers to stands in the same file, or nowhere if this one is not written.
        let is_to_begin_anew = !matches!(room, Ok(false)) && self.encoding.begin_anew();
        room.map_err(|error| explained("it cannot be rotated", &error))?;
        if is_to_begin_anew {
            self.buffer.clear();
            self.encoding.append(parts, &mut self.buffer)?;
        }
        let mut outcome = self.file.write_all(&self.buffer);
        if self.fsync && self.length.is_some() {
            let sync = || self.file.sync_data();
            outcome =
                outcome.and_then(|()| sync().map_err(|error| explained("fsync failed", &error)));
        }
        if let Some(length) = &mut self.length {
            if outcome.is_ok() {
                *length += self.buffer.len() as u64;
            } else {
                // A disk that is full takes a part of a write: half a line would spoil the next one.
                self.encoding.begin_anew();
                self.file.set_len(*length)?;
            }
        }
        outcome
    }

    /// Begins a new file when the rest of this one is too short for the buffer, and tells whether it did.
    fn make_room(&mut self) -> io::Result<bool> {
        let (Some(rotation), Some(length)) = (&self.rotation, self.length) else {
            return Ok(false);
        };
        if !rotation.is_full(length, self.buffer.len()) {
            return Ok(false);
        }
        let now = SystemTime::now();
        rotation.put_away(now)?;
        self.file = open(rotation.path(), true)?;
        self.length = Some(self.file.metadata()?.len());
        if self.fsync {
            keep_name(rotation.path())?;
        }
        if let Err(error) = rotation.remove_old(now) {
            let message = format!("old files of the rotation cannot be removed: {error}");
            self.context.log.error(&self.context.id, &message);
        }
        Ok(true)
    }
}

fn explained(what: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{what}: {error}"))
}

fn open(path: &Path, append: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).mode(OWNER_ONLY);
    if append {
        options.append(true);
    } else {
        options.write(true).truncate(true);
    }
    options.open(path)
}

/// A file that was made just now is found after a power failure only when its folder is on the disk, too.
fn keep_name(path: &Path) -> io::Result<()> {
    let folder = std::fs::canonicalize(path)?;
    let Some(folder) = folder.parent() else {
        return Ok(());
    };
    match File::open(folder)?.sync_all() {
        // Some file systems keep names by themselves and know no fsync of folders.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
        outcome => outcome,
    }
}
