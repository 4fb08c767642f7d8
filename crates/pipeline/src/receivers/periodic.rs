//! The receiver of this process's own metrics: collects them at an interval, or when asked, and hands them to an exporter.
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use bytes::Bytes;
use millrace_recorder::fork::{AtFork, Shared};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::recorder::{Command, Flush, Means};
use crate::batch::{Batch, Payload};
use crate::component::Consumer;

/// What is asked for the metrics of this moment: an export request, or `None` where there is nothing to say. It may block, and
/// is told how long it has.
pub type Collect = Arc<dyn Fn(Duration) -> Option<Bytes> + Send + Sync>;

/// The place of the one collector of an engine.
#[derive(Clone)]
pub(crate) struct Collector(Shared<Slot>);

struct Slot(Option<Collect>);

impl AtFork for Slot {
    /// What the collector collects from is in the child as well.
    fn in_child(&mut self) {}
}

impl Collector {
    pub(crate) fn new() -> Self {
        Self(Shared::new(Slot(None)))
    }

    /// Puts another collector in, and returns the one before: dropping it may run anything, so nothing is locked then.
    pub(crate) fn replace(&self, collect: Option<Collect>) -> Option<Collect> {
        std::mem::replace(&mut self.0.lock().0, collect)
    }

    pub(crate) fn get(&self) -> Option<Collect> {
        self.0.lock().0.clone()
    }
}

/// Asks for metrics and exports them, one export after the other.
pub(crate) struct Periodic {
    means: Means,
    exporter: Arc<dyn Consumer>,
    collector: Collector,
    interval: Duration,
    /// The time of one collection and its export.
    patience: Duration,
    next: Instant,
    exports: JoinSet<bool>,
    /// Whom the export under way answers.
    answered_by_this: Vec<Flush>,
    /// Whom the next one answers: it must begin after the question.
    answered_by_next: Vec<Flush>,
    /// No more commands come.
    ending: bool,
}

impl Periodic {
    /// The first collection comes after one interval.
    pub(crate) fn new(
        means: Means,
        exporter: Arc<dyn Consumer>,
        collector: Collector,
        interval: Duration,
        patience: Duration,
    ) -> Self {
        let interval = interval.max(Duration::from_millis(1));
        Self {
            means,
            exporter,
            collector,
            interval,
            patience,
            next: Instant::now() + interval,
            exports: JoinSet::new(),
            answered_by_this: Vec::new(),
            answered_by_next: Vec::new(),
            ending: false,
        }
    }

    /// Works until it is told to shut down. The sender that it returns has its answer, and is dropped when all has ended.
    pub(crate) async fn run(mut self) -> Option<Sender<bool>> {
        let end = loop {
            self.advance();
            if let Some(end) = self.event().await {
                break end;
            }
        };
        self.ending = true;
        if let Some(Flush { deadline, answer }) = &end {
            self.answered_by_next.push(Flush {
                deadline: *deadline,
                answer: answer.clone(),
            });
            let flushed = async {
                self.advance();
                while !(self.answered_by_next.is_empty() && self.answered_by_this.is_empty()) {
                    self.event().await;
                    self.advance();
                }
            };
            let _ = timeout_at(*deadline, flushed).await;
        }
        self.exports.abort_all();
        let deadline = end.as_ref().map_or_else(Instant::now, |end| end.deadline);
        self.exporter.shutdown(deadline).await;
        end.map(|end| end.answer)
    }

    /// Begins what has been asked for.
    fn advance(&mut self) {
        if self.exports.is_empty() && !self.answered_by_next.is_empty() {
            self.begin();
        }
    }

    /// Waits for a reason to do something; `Some` is the end.
    async fn event(&mut self) -> Option<Option<Flush>> {
        let idle = self.exports.is_empty();
        tokio::select! {
            command = self.means.commands.recv(), if !self.ending => match command {
                Some(Command::Flush(flush)) => self.answered_by_next.push(flush),
                Some(Command::Shutdown(end)) => return Some(Some(end)),
                None => return Some(None),
            },
            Some(ended) = self.exports.join_next() => {
                let delivered = ended.unwrap_or(false);
                for flush in self.answered_by_this.drain(..) {
                    let _ = flush.answer.send(delivered);
                }
            }
            () = sleep_until(self.next), if idle && !self.ending => self.begin(),
        }
        None
    }

    fn begin(&mut self) {
        let now = Instant::now();
        self.next = now + self.interval;
        self.answered_by_this.append(&mut self.answered_by_next);
        let Some(collect) = self.collector.get() else {
            for flush in self.answered_by_this.drain(..) {
                let _ = flush.answer.send(true);
            }
            return;
        };
        // Who waits for this export may have less time than is usual.
        let asked = self.answered_by_this.iter().map(|flush| flush.deadline);
        let deadline = asked.fold(now + self.patience, Instant::min);
        self.exports.spawn(self.export(collect, deadline));
    }

    /// Collects on a thread of its own, because others export meanwhile, and whoever collects may be slow.
    fn export(
        &self,
        collect: Collect,
        deadline: Instant,
    ) -> impl Future<Output = bool> + Send + use<> {
        let (signal, exporter) = (self.means.signal, Arc::clone(&self.exporter));
        let (log, id) = (Arc::clone(&self.means.log), self.means.id.clone());
        async move {
            let patience = deadline.saturating_duration_since(Instant::now());
            let collected = spawn_blocking(move || collect(patience));
            let Ok(request) = timeout_at(deadline, collected).await else {
                log.error(&id, "the metrics were not collected in time");
                return false;
            };
            let Ok(Some(request)) = request else {
                return true;
            };
            let items = match millrace_wire::validate(signal, &request) {
                Ok(summary) => summary.items,
                Err(error) => {
                    log.error(&id, format_args!("the metrics are not a request: {error}"));
                    return false;
                }
            };
            let payload = Payload::from(request);
            let outcome = exporter
                .consume(Batch {
                    signal,
                    items,
                    payload,
                })
                .await;
            if let Err(refusal) = &outcome {
                let reason = refusal.reason.name();
                let message = format_args!(
                    "{} are dropped, {items} now: {} (said once; stats() counts on)",
                    signal.item_name(),
                    refusal.message,
                );
                log.error(&format!("{id} ({reason})"), message);
            }
            outcome.is_ok()
        }
    }
}
