//! A run of the load generator: its connections, each in a loop of waiting, sending and counting.
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use super::LoadError;
use super::grpc_sender::{GrpcChannel, GrpcSender};
use super::http_sender::HttpSender;
use super::options::{Protocol, RunOptions};
use super::plan::Plan;
use super::process;
use super::run_report::{Next, Progress, RunReport, Tally};

/// A load generator at work. Dropping it stops it.
#[derive(Debug)]
pub struct Run {
    plan: Arc<Plan>,
    thread: Option<JoinHandle<Tally>>,
    cpu_s_before: Option<f64>,
}

impl Run {
    /// Encodes the request, reaches the endpoint, and begins to send in threads of its own.
    ///
    /// # Errors
    /// [`LoadError::Options`] for an option out of its range, [`LoadError::Network`] when nobody listens.
    pub fn start(options: &RunOptions) -> Result<Self, LoadError> {
        let cpu_s_before = process::cpu_seconds();
        let plan = Arc::new(Plan::new(options)?);
        let (connections, in_flight) = (options.connections, options.in_flight);
        let shared = Arc::clone(&plan);
        let thread = match options.protocol {
            Protocol::Http => thread::spawn(move || over_http(&shared, connections * in_flight)),
            Protocol::Grpc => {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .map_err(|error| {
                        LoadError::Network(format!("no event loop for the connections: {error}"))
                    })?;
                thread::spawn(move || runtime.block_on(over_grpc(&shared, connections, in_flight)))
            }
        };
        Ok(Self {
            plan,
            thread: Some(thread),
            cpu_s_before,
        })
    }

    /// How it stands.
    #[must_use]
    pub fn progress(&self) -> Progress {
        let live = &self.plan.live;
        Progress {
            elapsed_s: self.plan.schedule.start().elapsed().as_secs_f64(),
            accepted_items: live.accepted_items.load(Ordering::Relaxed),
            accepted_requests: live.accepted_requests.load(Ordering::Relaxed),
            refused_requests: live.refused_requests.load(Ordering::Relaxed),
            failed_requests: live.failed_requests.load(Ordering::Relaxed),
        }
    }

    /// Whether every request has its answer, so that [`finish`](Self::finish) returns at once.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Lets no further request begin; those under way still get their answers.
    pub fn stop(&self) {
        self.plan.schedule.stop();
    }

    /// Waits for the last answer.
    #[must_use]
    pub fn finish(mut self) -> RunReport {
        let tally = self.thread.take().and_then(|thread| thread.join().ok());
        let cpu_s = process::cpu_seconds()
            .zip(self.cpu_s_before)
            .map(|(now, before)| now - before);
        tally.unwrap_or_default().report(&self.plan, cpu_s)
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A thread a connection: a blocking write of a whole request is the cheapest way to the kernel.
fn over_http(plan: &Arc<Plan>, connections: usize) -> Tally {
    let threads: Vec<_> = (0..connections)
        .map(|_| {
            let plan = Arc::clone(plan);
            thread::spawn(move || http_connection(&plan))
        })
        .collect();
    let mut all = Tally::default();
    for tally in threads.into_iter().filter_map(|thread| thread.join().ok()) {
        all.merge(tally);
    }
    all
}

fn http_connection(plan: &Arc<Plan>) -> Tally {
    let mut sender = HttpSender::new(Arc::clone(plan));
    let mut tally = Tally::default();
    while let Some(due) = plan.schedule.next() {
        if !plan.schedule.sleep_until(due) {
            break;
        }
        let place = plan.ranges.take();
        let time_unix_nano = plan.unix_nano_at(due);
        tally.begin(due);
        for attempt in 0.. {
            let answer = sender.send(place, time_unix_nano);
            match tally.judge(plan, answer, due, attempt) {
                Next::Accepted => break,
                Next::GiveBack(pause) => {
                    plan.ranges.give_back(place);
                    plan.schedule.sleep_until(Instant::now() + pause);
                    break;
                }
                Next::Again(pause) => {
                    plan.schedule.sleep_until(Instant::now() + pause);
                }
            }
        }
    }
    tally
}

/// A task for each request in flight. The event loop's timers are a millisecond coarse, which would drown the
/// latencies to be measured: a thread of its own keeps the schedule and gives out a permit for each send.
async fn over_grpc(plan: &Arc<Plan>, connections: usize, in_flight: usize) -> Tally {
    let permits = Arc::new(Semaphore::new(0));
    let pacer = {
        let (plan, permits) = (Arc::clone(plan), Arc::clone(&permits));
        let slots = connections * in_flight;
        thread::spawn(move || pace(&plan, &permits, slots))
    };
    let mut tasks = Vec::new();
    for _ in 0..connections {
        let channel = Arc::new(GrpcChannel::new(Arc::clone(plan)));
        for _ in 0..in_flight {
            let sender = GrpcSender::new(Arc::clone(&channel));
            tasks.push(tokio::spawn(grpc_slot(
                Arc::clone(plan),
                sender,
                Arc::clone(&permits),
            )));
        }
    }
    let mut all = Tally::default();
    for task in tasks {
        all.merge(task.await.unwrap_or_default());
    }
    let _ = pacer.join();
    all
}

/// One permit when a request is due; at the end one for each slot, which then finds that nothing is left to send.
fn pace(plan: &Plan, permits: &Semaphore, slots: usize) {
    for place in 0.. {
        let Some(due) = plan.schedule.due(place) else {
            break;
        };
        if !plan.schedule.sleep_until(due) {
            break;
        }
        permits.add_permits(1);
    }
    permits.add_permits(slots);
}

async fn grpc_slot(plan: Arc<Plan>, mut sender: GrpcSender, permits: Arc<Semaphore>) -> Tally {
    let mut tally = Tally::default();
    loop {
        if plan.schedule.is_open_loop()
            && let Ok(permit) = permits.acquire().await
        {
            permit.forget();
        }
        let Some(due) = plan.schedule.next() else {
            return tally;
        };
        let place = plan.ranges.take();
        let time_unix_nano = plan.unix_nano_at(due);
        tally.begin(due);
        for attempt in 0.. {
            let answer = sender.send(place, time_unix_nano).await;
            match tally.judge(&plan, answer, due, attempt) {
                Next::Accepted => break,
                Next::GiveBack(pause) => {
                    plan.ranges.give_back(place);
                    sleep(&plan, pause).await;
                    break;
                }
                Next::Again(pause) => sleep(&plan, pause).await,
            }
        }
    }
}

/// A pause that ends early enough when the run is stopped.
async fn sleep(plan: &Plan, pause: Duration) {
    let end = Instant::now() + pause;
    while !plan.schedule.is_stopped() {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        tokio::time::sleep(left.min(Duration::from_millis(50))).await;
    }
}
