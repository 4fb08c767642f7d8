//! The `store` exporter: telemetry as Parquet files in a directory, published whole, at most a second after it came.
//!
//! A thread of its own makes files of what waits. What comes to an idle exporter is written at once; under load the next
//! file begins `flush_interval` after the one before it, and takes everything that came meanwhile, so that a busy store
//! does not drown in small files. A batch is acknowledged when its file stands under its name (and, with `fsync`, is on
//! the disk), or, without `wait_for_result`, when it waits here. `upkeep` merges small files and removes old ones.
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant as Clock};

use bytes::Bytes;
use millrace_columns::{Error, Rows, Summary, write_profiles, write_rows};
use millrace_wire::Signal;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use super::Context;
use super::parcel::Part;
use crate::batch::Batch;
use crate::component::{Ack, Consumer, Reason, Refusal};
use crate::config::{StartError, StoreExporter as Settings};

mod choice;
mod directory;
mod removed;
mod replaced;
mod upkeep;

use directory::Directory;

/// What one file takes together; more would cost memory and make the first of them wait longer.
const TOGETHER_BYTES_MAX: usize = 64 << 20;
/// Without `wait_for_result`, what may wait acknowledged; what comes above that is answered when its file is there.
const EARLY_BYTES_MAX: usize = 64 << 20;
/// Fresh files live for minutes until they are merged, or are whole at once: they are compressed for speed.
const FRESH_LEVEL: i32 = 1;
/// Merged files stay: they are compressed better.
const MERGED_LEVEL: i32 = 6;
/// The signals, in the order of their places.
const SIGNALS: [Signal; 4] = [
    Signal::Traces,
    Signal::Logs,
    Signal::Metrics,
    Signal::Profiles,
];

/// A destination that is a directory of Parquet files.
pub(crate) struct StoreExporter {
    shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<()>>>,
    upkeep: upkeep::Upkeep,
}

struct Shared {
    context: Context,
    directory: Directory,
    interval: Duration,
    answer_early: bool,
    state: Mutex<State>,
    /// Tells the thread that there is work, or none any more.
    work: Condvar,
    /// Told whenever the thread has written.
    written: Notify,
}

#[derive(Default)]
struct State {
    waiting: [VecDeque<Part>; 4],
    waiting_bytes: usize,
    writing: bool,
    /// Nothing is gained by waiting any more.
    hurried: bool,
    closed: bool,
}

/// Opens the store, alone, and starts its threads.
pub(crate) fn build(settings: &Settings, context: Context) -> Result<StoreExporter, StartError> {
    let setting = format!("exporters.{}", context.id);
    let directory = Directory::open(&settings.path, settings.fsync)
        .map_err(|problem| StartError::of(&format!("{setting}.path"), problem))?;
    let shared = Arc::new(Shared {
        directory,
        interval: Duration::from_millis(settings.flush_interval_ms),
        answer_early: !settings.wait_for_result,
        state: Mutex::default(),
        work: Condvar::new(),
        written: Notify::new(),
        context,
    });
    let problem =
        |error| StartError::of(&setting, format_args!("its thread cannot start: {error}"));
    let upkeep = upkeep::Upkeep::start(
        shared.directory.clone(),
        shared.context.clone(),
        upkeep::Limits {
            age: settings.max_age_ms.map(Duration::from_millis),
            bytes: settings.max_size_bytes,
        },
    )
    .map_err(problem)?;
    let of_thread = Arc::clone(&shared);
    let told = upkeep.handle();
    let writer = std::thread::Builder::new()
        .name("millrace-store".to_owned())
        .spawn(move || run(&of_thread, &told))
        .map_err(problem)?;
    Ok(StoreExporter {
        shared,
        writer: Mutex::new(Some(writer)),
        upkeep,
    })
}

impl Consumer for StoreExporter {
    fn consume(&self, batch: Batch) -> Ack {
        let place = place_of(batch.signal);
        let (mut part, ack) = Part::new(batch, &self.shared.context.ledger);
        let mut state = self.shared.lock();
        if state.closed {
            drop(state);
            return ack; // the part refuses itself when it is dropped here
        }
        if self.shared.answer_early && state.waiting_bytes < EARLY_BYTES_MAX {
            part.answer_early();
        }
        state.waiting_bytes += part.payload.len();
        if let Some(waiting) = place.and_then(|place| state.waiting.get_mut(place)) {
            waiting.push_back(part);
        }
        self.shared.work.notify_one();
        ack
    }

    fn shutdown(&self, deadline: Instant) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            self.shared.lock().hurried = true;
            self.shared.work.notify_one();
            let written = self.shared.until_written();
            if timeout_at(deadline, written).await.is_err() {
                let left = self.shared.close();
                drop(left); // outside of the lock: each part answers its client
            }
        })
    }
}

impl Drop for StoreExporter {
    fn drop(&mut self) {
        drop(self.shared.close());
        // Both threads hold the lock of the store: whoever starts next must find it free.
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(writer) = writer.take() {
            let _ = writer.join();
        }
        self.upkeep.close();
    }
}

fn place_of(signal: Signal) -> Option<usize> {
    SIGNALS.iter().position(|known| *known == signal)
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the thread end and returns what was not written.
    fn close(&self) -> [VecDeque<Part>; 4] {
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
                if state.waiting.iter().all(VecDeque::is_empty) && !state.writing {
                    return;
                }
            }
            told.await;
        }
    }

    /// Waits for the next batches of each signal to write together; `None` when there will be none.
    fn next(&self, last: Option<Clock>) -> Option<[Vec<Part>; 4]> {
        let mut state = self.lock();
        state.writing = false;
        self.written.notify_waiters();
        loop {
            let is_empty = state.waiting.iter().all(VecDeque::is_empty);
            if is_empty && state.closed {
                return None;
            }
            let due = last.map_or(Duration::ZERO, |last| {
                self.interval.saturating_sub(last.elapsed())
            });
            let is_due = due.is_zero() || state.hurried || state.closed;
            if !is_empty && (is_due || state.waiting_bytes >= TOGETHER_BYTES_MAX) {
                break;
            }
            state = if is_empty {
                self.work
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner)
            } else {
                let waited = self.work.wait_timeout(state, due);
                waited.unwrap_or_else(PoisonError::into_inner).0
            };
        }
        let taken = state.waiting.each_mut().map(take_together);
        let bytes = taken.iter().flatten().map(|part| part.payload.len());
        state.waiting_bytes = state.waiting_bytes.saturating_sub(bytes.sum());
        state.writing = true;
        Some(taken)
    }
}

fn take_together(waiting: &mut VecDeque<Part>) -> Vec<Part> {
    let mut together = Vec::new();
    let mut bytes = 0;
    while let Some(part) = waiting.front()
        && (together.is_empty() || bytes + part.payload.len() <= TOGETHER_BYTES_MAX)
    {
        bytes += part.payload.len();
        together.extend(waiting.pop_front());
    }
    together
}

fn run(shared: &Shared, upkeep: &upkeep::Handle) {
    let mut last = None;
    while let Some(taken) = shared.next(last) {
        last = Some(Clock::now());
        for (signal, parts) in SIGNALS.into_iter().zip(taken) {
            if !parts.is_empty() {
                write(shared, signal, parts);
            }
        }
        upkeep.look();
    }
}

/// What a file of these parts has in it.
fn content(signal: Signal, parts: &[Part]) -> Result<(Vec<u8>, Summary), Error> {
    if signal == Signal::Profiles {
        let whole = |part: &Part| match part.payload.chunks() {
            [one] => one.clone(),
            pieces => pieces.concat().into(),
        };
        let requests: Vec<Bytes> = parts.iter().map(whole).collect();
        return write_profiles(&requests, FRESH_LEVEL);
    }
    let mut rows = Rows::new(signal);
    for part in parts {
        part.payload
            .chunks()
            .iter()
            .for_each(|chunk| rows.push(chunk));
    }
    if rows.is_empty() {
        return Ok((Vec::new(), Summary::default()));
    }
    write_rows(&mut rows, FRESH_LEVEL)
}

/// Publishes parts as one file and answers them.
fn write(shared: &Shared, signal: Signal, parts: Vec<Part>) {
    let published = content(signal, &parts)
        .map_err(|error| std::io::Error::other(error.to_string()))
        .and_then(|(file, summary)| match summary.rows {
            0 => Ok(()), // metrics without points, for example
            _ => shared.directory.publish(signal, &file, &summary),
        });
    match published {
        Ok(()) => parts
            .into_iter()
            .for_each(|mut part| part.delivered(part.items)),
        Err(error) => {
            let message = format!(
                "the store {} cannot take data: {error}",
                shared.directory.path().display()
            );
            shared.context.log.error(&shared.context.id, &message);
            let refusal = Refusal::retryable(Reason::WriteFailed, message);
            for part in parts {
                part.refuse(&refusal);
            }
        }
    }
}
