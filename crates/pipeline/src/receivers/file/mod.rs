//! The `file` receiver: requests out of files, as they grow, in the forms that the `file` exporter writes.
//!
//! Nothing is remembered between two starts: `start_at` says where files begin that are there at the start; those that
//! appear later are read from their beginning. A file is known by what it is and not by its name, so that rotation loses
//! nothing. What a destination refuses for now is offered again until it is taken; meanwhile nothing more is read.
use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use millrace_wire::Signal;
use tokio::sync::watch;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::sleep;

use super::intake::{Intake, Limits, ReadError, Verdict};
use crate::config::{FileReceiver as Settings, StartError};
use crate::log::Log;

mod form;
mod pattern;
mod tail;

use form::Form;
use pattern::Pattern;
use tail::{Found, Start, Tail, identity};

/// Files that are followed at once, as many as the Collector reads at once.
const FILES_MAX: usize = 1024;
/// Requests that wait for their destinations at once.
const IN_FLIGHT_MAX: usize = 16;
/// Waits before a request is offered again: the first, then twice as long each time.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Everything that the receiver works with.
pub(crate) struct FileReceiver {
    pub(crate) id: String,
    pub(crate) intake: Arc<Intake>,
    pub(crate) limits: Limits,
    pub(crate) log: Arc<Log>,
    pub(crate) patterns: Patterns,
}

/// Which files are read, and how.
#[derive(Clone)]
pub(crate) struct Patterns {
    include: Vec<Pattern>,
    exclude: Vec<Pattern>,
    start: Start,
    poll_interval: Duration,
}

/// The files that are followed, by what the file system knows them by.
type Tails = HashMap<(u64, u64), Tail>;

impl Patterns {
    pub(crate) fn of(id: &str, settings: &Settings) -> Result<Self, StartError> {
        let patterns = |name: &str, texts: &[String]| {
            let setting = format!("receivers.{id}.{name}");
            let patterns = texts.iter().map(|text| Pattern::parse(text));
            let patterns: Result<Vec<_>, String> = patterns.collect();
            patterns.map_err(|problem| StartError::of(&setting, problem))
        };
        Ok(Self {
            include: patterns("include", &settings.include)?,
            exclude: patterns("exclude", &settings.exclude)?,
            start: match settings.start_at.as_str() {
                "beginning" => Start::Beginning,
                _ => Start::End,
            },
            poll_interval: Duration::from_millis(settings.poll_interval_ms),
        })
    }

    /// Finds files that are not followed yet, and lets go of those that are gone; what is to be said about it.
    fn look(&self, tails: &mut Tails, is_first: bool) -> Vec<String> {
        let mut problems = Vec::new();
        let mut present = HashMap::new();
        for path in self.include.iter().flat_map(Pattern::find) {
            if self.exclude.iter().any(|pattern| pattern.matches(&path)) {
                continue;
            }
            if let Some(identity) = identity(&path) {
                present.entry(identity).or_insert(path);
            }
        }
        // A file that was put away or removed is read to its end first.
        tails.retain(|identity, tail| present.contains_key(identity) || !tail.is_read());
        for (identity, path) in present {
            if tails.contains_key(&identity) {
                continue;
            }
            if tails.len() >= FILES_MAX {
                problems.push(format!(
                    "more than {FILES_MAX} files match; some are not read until others are gone"
                ));
                break;
            }
            let start = if is_first {
                self.start
            } else {
                Start::Beginning
            };
            match open(&path, start) {
                Ok(tail) => drop(tails.insert(identity, tail)),
                Err(problem) => problems.push(problem),
            }
        }
        problems
    }
}

fn open(path: &Path, start: Start) -> Result<Tail, String> {
    let name = path.display();
    let form = Form::of(path).ok_or_else(|| {
        format!("{name} is not read: expected a name that ends in .jsonl, .json, .otlp or .otz")
    })?;
    Tail::open(path, form, start).map_err(|error| format!("{name} cannot be read: {error}"))
}

impl FileReceiver {
    /// Reads until `stopping` turns true.
    pub(crate) async fn serve(self, mut stopping: watch::Receiver<bool>) -> io::Result<()> {
        let mut offers = JoinSet::new();
        let mut tails = Tails::new();
        let mut is_first = true;
        while !*stopping.borrow() {
            let patterns = self.patterns.clone();
            let (back, problems) = away(move || {
                let problems = patterns.look(&mut tails, is_first);
                (tails, problems)
            })
            .await?;
            tails = back;
            is_first = false;
            self.warn(problems);
            let mut is_idle = true;
            for (identity, mut tail) in std::mem::take(&mut tails) {
                let (back, found, has_moved) = away(move || {
                    let before = tail.offset();
                    let found = tail.read();
                    let has_moved = tail.offset() != before;
                    (tail, found, has_moved)
                })
                .await?;
                tails.insert(identity, back);
                is_idle &= !has_moved;
                self.hand_on(found, &mut offers, &mut stopping).await;
            }
            if is_idle {
                tokio::select! {
                    () = sleep(self.patterns.poll_interval) => {}
                    _ = stopping.wait_for(|stop| *stop) => {}
                }
            }
        }
        while offers.join_next().await.is_some() {}
        Ok(())
    }

    /// Offers what was found to the pipelines, as much at once as may be.
    async fn hand_on(
        &self,
        found: Vec<Found>,
        offers: &mut JoinSet<()>,
        stopping: &mut watch::Receiver<bool>,
    ) {
        for each in found {
            match each {
                Found::Request(signal, request) => {
                    while offers.len() >= IN_FLIGHT_MAX {
                        tokio::select! {
                            _ = offers.join_next() => {}
                            _ = stopping.wait_for(|stop| *stop) => return,
                        }
                    }
                    offers.spawn(self.offer(signal, request, stopping.clone()));
                }
                Found::Damage(signal, problem) => {
                    if let Some(signal) = signal {
                        self.intake.visit(signal).is_malformed();
                    }
                    self.warn(vec![problem]);
                }
            }
        }
    }

    fn warn(&self, problems: Vec<String>) {
        for problem in problems {
            self.log.warn(&self.id, problem);
        }
    }

    /// Hands a request to its pipeline until it is taken or refused for good.
    fn offer(
        &self,
        signal: Signal,
        request: Vec<u8>,
        stopping: watch::Receiver<bool>,
    ) -> impl Future<Output = ()> + Send + 'static {
        let offer = Offer {
            intake: Arc::clone(&self.intake),
            limits: self.limits.clone(),
            signal,
            stopping,
        };
        let (log, id) = (Arc::clone(&self.log), self.id.clone());
        async move {
            if let Err(problem) = offer.make(request).await {
                log.warn(&id, format!("a request is passed over: {problem}"));
            }
        }
    }
}

/// Work that waits for a disk.
async fn away<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    spawn_blocking(work).await.map_err(io::Error::other)
}

/// A request on its way to its pipeline.
struct Offer {
    intake: Arc<Intake>,
    limits: Limits,
    signal: Signal,
    stopping: watch::Receiver<bool>,
}

impl Offer {
    async fn make(mut self, request: Vec<u8>) -> Result<(), String> {
        let (intake, signal) = (Arc::clone(&self.intake), self.signal);
        let Some(consumer) = intake.route(signal) else {
            intake.visit(signal).has_no_pipeline();
            return Err(format!(
                "no pipeline of this gateway takes {}",
                signal.name()
            ));
        };
        let Some(held) = self.admitted(request).await? else {
            return Ok(());
        };
        let mut wait = FIRST_WAIT;
        loop {
            let visit = intake.visit(signal);
            let refusal = match intake.take(visit, held.clone(), consumer, None).await {
                Verdict::Accepted | Verdict::Partial(_) => return Ok(()),
                Verdict::Malformed(problem) => return Err(problem),
                Verdict::Refused(refusal) => refusal,
            };
            if !refusal.retryable {
                return Err(refusal.message);
            }
            tokio::select! {
                () = sleep(refusal.retry_after.unwrap_or(wait)) => {}
                _ = self.stopping.wait_for(|stop| *stop) => return Ok(()),
            }
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    /// Waits for memory as long as it takes; nothing where the gateway stops first.
    async fn admitted(&self, request: Vec<u8>) -> Result<Option<Bytes>, String> {
        let budget = &self.intake.budget;
        if request.len() > budget.limit() {
            let too_large = Err(ReadError::TooLarge(budget.limit()));
            let _: Result<(), _> = self.intake.visit(self.signal).note(too_large);
            return Err(format!(
                "{} bytes are more than the whole budget",
                request.len()
            ));
        }
        loop {
            match budget
                .reserve(request.len(), self.limits.admission.max(FIRST_WAIT))
                .await
            {
                Ok(reservation) => return Ok(Some(reservation.hold(request))),
                Err(_) if *self.stopping.borrow() => return Ok(None),
                Err(_) => {}
            }
        }
    }
}
