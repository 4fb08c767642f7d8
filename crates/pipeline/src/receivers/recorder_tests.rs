//! Tests of the receiver of recorded telemetry, with a clock that stands still until everybody waits.
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};

use millrace_recorder::{Limits, Scope};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::{JoinHandle, yield_now};
use tokio::time::sleep;

use super::*;
use crate::component::{Ack, Consumer, Promise, Refusal};
use crate::receivers::destinations::Destination;

const DELAY: Duration = Duration::from_secs(5);
const MINUTE: Duration = Duration::from_secs(60);

/// An exporter that answers when the test does.
#[derive(Default)]
struct Scripted {
    ledger: Arc<Ledger>,
    requests: Mutex<Vec<(usize, Option<Promise>)>>,
}

impl Consumer for Scripted {
    fn consume(&self, batch: Batch) -> Ack {
        let (promise, ack) = Ack::pair();
        self.ledger.receive(batch.signal, batch.items);
        let mut requests = self.requests.lock().unwrap();
        requests.push((batch.items, Some(promise)));
        ack
    }
}

impl Scripted {
    /// Items of each request so far.
    fn sizes(&self) -> Vec<usize> {
        let requests = self.requests.lock().unwrap();
        requests.iter().map(|(items, _)| *items).collect()
    }

    fn answer(&self, index: usize, good: bool) {
        let (items, promise) = {
            let request = &mut self.requests.lock().unwrap()[index];
            (request.0, request.1.take().unwrap())
        };
        if good {
            self.ledger.deliver(Signal::Traces, items);
            promise.answer(Ok(()));
        } else {
            Ledger::drop(
                &self.ledger,
                Signal::Traces,
                items,
                Reason::RetriesExhausted,
            );
            promise.answer(Err(Refusal::permanent(Reason::RetriesExhausted, "no")));
        }
    }
}

struct Stage {
    exporter: Arc<Scripted>,
    buffer: Arc<Buffer>,
    scope: Scope,
    commands: UnboundedSender<Command>,
    receiver: JoinHandle<Option<Sender<bool>>>,
}

impl Stage {
    fn new(limits: Limits, in_flight_max: usize) -> Self {
        let exporter = Arc::new(Scripted::default());
        let buffer = Arc::new(Buffer::new(limits));
        let bell = Arc::new(Notify::new());
        let ringing = Arc::clone(&bell);
        buffer.wake_with(move || ringing.notify_one());
        let (commands, door) = unbounded_channel();
        let means = Means {
            signal: Signal::Traces,
            ledger: Arc::clone(&exporter.ledger),
            log: Arc::new(Log::new(crate::log::Level::Error)),
            id: "test".to_owned(),
            commands: door,
        };
        let consumer = Arc::clone(&exporter) as Arc<dyn Consumer>;
        let destination = Destination::new(consumer, "test".to_owned(), in_flight_max);
        let destinations = Destinations::new(vec![destination], usize::MAX);
        let receiver = Recorder::new(means, destinations, Arc::clone(&buffer), bell, DELAY);
        Self {
            scope: buffer.scope(&[], ""),
            exporter,
            buffer,
            commands,
            receiver: tokio::spawn(receiver.run()),
        }
    }

    fn record(&self, items: usize) {
        for _ in 0..items {
            assert!(self.buffer.append(&self.scope, b"item"));
        }
    }

    fn flush(&self) -> Receiver<bool> {
        let (answer, answers) = channel();
        let deadline = Instant::now() + MINUTE;
        self.commands
            .send(Command::Flush(Flush { deadline, answer }))
            .unwrap();
        answers
    }

    /// Until nobody has anything to do at this moment.
    async fn settled(&self) {
        for _ in 0..20 {
            yield_now().await;
        }
    }
}

fn batches_of(items: usize) -> Limits {
    Limits {
        request_items: Some(items),
        wake_items: items,
        ..Limits::default()
    }
}

#[tokio::test(start_paused = true)]
async fn an_item_leaves_when_the_delay_has_passed_and_not_before() {
    let stage = Stage::new(Limits::default(), 1);
    stage.record(1);
    sleep(DELAY.mul_f64(0.99)).await;
    stage.record(1);
    assert!(stage.exporter.sizes().is_empty());
    sleep(DELAY.mul_f64(0.02)).await;
    assert_eq!(stage.exporter.sizes(), [2]);
}

#[tokio::test(start_paused = true)]
async fn a_full_batch_leaves_at_once_and_the_rest_waits_for_the_delay() {
    let stage = Stage::new(batches_of(10), 4);
    stage.record(10);
    stage.settled().await;
    assert_eq!(stage.exporter.sizes(), [10]);
    stage.record(3);
    sleep(DELAY / 2).await;
    assert_eq!(stage.exporter.sizes(), [10]);
    sleep(DELAY).await;
    assert_eq!(stage.exporter.sizes(), [10, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_busy_process_gets_its_batches_at_a_pace_so_that_they_grow() {
    let stage = Stage::new(Limits::default(), 4);
    for _ in 0..10 {
        stage.record(600);
        stage.settled().await;
    }
    assert_eq!(stage.exporter.sizes(), [600]);
    sleep(2 * PACE).await;
    assert_eq!(stage.exporter.sizes(), [600, 5400]);
}

#[tokio::test(start_paused = true)]
async fn x10_no_more_requests_are_under_way_than_allowed_and_the_next_one_follows_an_answer() {
    let stage = Stage::new(batches_of(10), 2);
    stage.record(50);
    sleep(MINUTE).await;
    assert_eq!(stage.exporter.sizes(), [10, 10]);
    stage.exporter.answer(1, true);
    sleep(Duration::from_millis(1)).await;
    assert_eq!(stage.exporter.sizes(), [10, 10, 10]);
}

#[tokio::test(start_paused = true)]
async fn a_flush_waits_for_what_is_under_way_and_not_for_what_comes_later() {
    let stage = Stage::new(batches_of(10), 4);
    stage.record(10);
    stage.settled().await;
    stage.record(3);
    let answers = stage.flush();
    stage.settled().await;
    assert_eq!(stage.exporter.sizes(), [10, 3]);
    stage.record(10);
    stage.settled().await;
    stage.exporter.answer(1, true);
    stage.settled().await;
    assert!(
        answers.try_recv().is_err(),
        "the first request is under way"
    );
    stage.exporter.answer(0, true);
    stage.settled().await;
    assert_eq!(answers.try_recv(), Ok(true));
}

#[tokio::test(start_paused = true)]
async fn a_loss_makes_one_flush_false_also_when_it_came_before_the_flush() {
    let stage = Stage::new(batches_of(1), 4);
    stage.record(1);
    stage.settled().await;
    stage.exporter.answer(0, false);
    for good in [false, true] {
        let answers = stage.flush();
        stage.settled().await;
        assert_eq!(answers.try_recv(), Ok(good));
    }
}

#[tokio::test(start_paused = true)]
async fn a_flush_is_false_after_the_buffer_was_full() {
    let stage = Stage::new(
        Limits {
            items: Some(1),
            ..batches_of(1)
        },
        1,
    );
    stage.record(1);
    assert!(!stage.buffer.append(&stage.scope, b"item"));
    let answers = stage.flush();
    stage.settled().await;
    stage.exporter.answer(0, true);
    stage.settled().await;
    assert_eq!(answers.try_recv(), Ok(false));
}

#[tokio::test(start_paused = true)]
async fn a_flush_whose_deadline_passes_is_not_answered_and_costs_nothing_later() {
    let stage = Stage::new(batches_of(1), 1);
    stage.record(1);
    let answers = stage.flush();
    sleep(2 * MINUTE).await;
    assert_eq!(
        answers.try_recv(),
        Err(std::sync::mpsc::TryRecvError::Disconnected)
    );
    stage.exporter.answer(0, true);
    let answers = stage.flush();
    stage.settled().await;
    assert_eq!(answers.try_recv(), Ok(true));
}

#[tokio::test(start_paused = true)]
async fn x6_a_shutdown_delivers_until_its_deadline_and_books_the_rest_as_dropped() {
    let stage = Stage::new(batches_of(1), 1);
    stage.record(3);
    let (answer, answers) = channel();
    let deadline = Instant::now() + MINUTE;
    stage
        .commands
        .send(Command::Shutdown(Flush { deadline, answer }))
        .unwrap();
    stage.settled().await;
    stage.exporter.answer(0, true);
    sleep(MINUTE).await;
    assert_eq!(stage.exporter.sizes(), [1, 1]);
    // A real exporter gives up what is under way when it is shut down.
    stage.exporter.answer(1, false);
    drop(stage.receiver.await.unwrap());

    assert!(answers.try_recv().is_err(), "not everything was delivered");
    let (_, tally) = &stage.exporter.ledger.snapshot()[0];
    assert_eq!((tally.delivered, tally.held), (1, 0));
    assert_eq!(tally.dropped.get(&Reason::Shutdown), Some(&1));
}
