//! The sending machine under a paused clock, with a destination that answers as a test says.
use std::time::Duration;

use bytes::Bytes;
use millrace_pipeline::component::{Ack, Consumer, Outcome, Reason};
use millrace_pipeline::exporters::transport::Failure;
use millrace_wire::{PartialSuccess, Signal};
use tokio::time::{Instant, sleep};

use crate::books;
use crate::destination::{Destination, bad_data, exporter, takes_all, unavailable};
use crate::requests::{batch, span_batch, spans};
use crate::settings::{retrying, sending};

fn holds(body: &[u8], text: &str) -> bool {
    body.windows(text.len())
        .any(|window| window == text.as_bytes())
}

async fn all(acks: Vec<Ack>) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for ack in acks {
        outcomes.push(ack.await);
    }
    outcomes
}

fn refusal(outcome: &Outcome) -> (Reason, bool) {
    let refusal = outcome.as_ref().unwrap_err();
    (refusal.reason, refusal.retryable)
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_sent_at_once_while_a_sender_is_free() {
    let destination = Destination::new(100, takes_all());
    let (exporter, ledger) = exporter(&destination, &sending());
    let acks = vec![
        exporter.consume(span_batch(&["a"])),
        exporter.consume(span_batch(&["b"])),
    ];

    assert_eq!(books::spans(&ledger), (0, 0, 2));
    assert!(all(acks).await.iter().all(Result::is_ok));
    assert_eq!(destination.times_ms(), [0, 0]);
    assert_eq!(books::spans(&ledger), (2, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn what_arrives_while_all_senders_are_busy_travels_together() {
    let destination = Destination::new(100, takes_all());
    let (exporter, ledger) = exporter(&destination, &sending());
    let acks = ["a", "b", "c", "d", "e"].map(|name| exporter.consume(span_batch(&[name])));

    assert!(all(acks.into()).await.iter().all(Result::is_ok));
    let together = [spans(&["c"]), spans(&["d"]), spans(&["e"])].concat();
    assert_eq!(
        destination.bodies(),
        [spans(&["a"]), spans(&["b"]), Bytes::from(together)]
    );
    assert_eq!(destination.times_ms(), [0, 0, 100]);
    assert_eq!(books::spans(&ledger), (5, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn x10_throughput_follows_the_number_of_senders_and_the_round_trip() {
    let destination = Destination::new(100, takes_all());
    let mut settings = sending();
    settings.sending_queue.num_consumers = 4;
    let (exporter, ledger) = exporter(&destination, &settings);
    // Profiles are not merged, so forty batches are forty requests.
    let profile = || batch(Signal::Profiles, 1, Bytes::from_static(b"\x0a\x00"));
    let acks = (0..40).map(|_| exporter.consume(profile())).collect();

    assert!(all(acks).await.iter().all(Result::is_ok));
    assert_eq!(destination.began.elapsed().as_millis(), 40 * 100 / 4);
    assert_eq!(books::tally(&ledger, Signal::Profiles).requests, 40);
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_poisons_a_merged_request_is_refused_alone() {
    let destination = Destination::new(100, |_, body| {
        if holds(body, "poison") {
            bad_data()
        } else {
            Ok(None)
        }
    });
    let (exporter, ledger) = exporter(&destination, &sending());
    let names = ["a", "b", "c", "poison", "e"];
    let outcomes = all(names
        .map(|name| exporter.consume(span_batch(&[name])))
        .into())
    .await;

    let taken: Vec<bool> = outcomes.iter().map(Result::is_ok).collect();
    assert_eq!(taken, [true, true, true, false, true]);
    assert_eq!(refusal(&outcomes[3]), (Reason::DestinationRefused, false));
    assert_eq!(books::spans(&ledger), (4, 1, 0));
    assert_eq!(books::dropped(&ledger, Reason::DestinationRefused), 1);
}

#[tokio::test(start_paused = true)]
async fn a_merged_request_that_may_be_too_large_for_the_destination_is_parted_instead_of_repeated()
{
    let destination = Destination::new(100, |_, body| {
        let message = "OUT_OF_RANGE".to_owned();
        if body.len() > 60 {
            Err(Failure::Retryable {
                message,
                retry_after: None,
                content: true,
            })
        } else {
            Ok(None)
        }
    });
    let (exporter, ledger) = exporter(&destination, &retrying());
    let names = ["a", "b", "c", "d", "e"];
    let outcomes = all(names
        .map(|name| exporter.consume(span_batch(&[name])))
        .into())
    .await;

    assert!(outcomes.iter().all(Result::is_ok));
    assert_eq!(destination.bodies().len(), 2 + 1 + 3);
    assert_eq!(books::spans(&ledger), (5, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn x3_the_same_request_is_repeated_after_growing_waits_until_it_is_taken() {
    let destination = Destination::new(0, |number, _| {
        if number < 3 {
            unavailable(None)
        } else {
            Ok(None)
        }
    });
    let (exporter, ledger) = exporter(&destination, &retrying());

    assert!(exporter.consume(span_batch(&["a"])).await.is_ok());
    assert_eq!(destination.times_ms(), [0, 1000, 3000, 7000]);
    assert!(
        destination
            .bodies()
            .iter()
            .all(|body| *body == spans(&["a"]))
    );
    let tally = books::tally(&ledger, Signal::Traces);
    assert_eq!((tally.delivered, tally.requests, tally.retries), (1, 4, 3));
}

#[tokio::test(start_paused = true)]
async fn x6_data_is_given_up_and_counted_when_patience_ends_and_the_client_may_try_again() {
    let destination = Destination::new(0, |_, _| unavailable(None));
    let mut settings = retrying();
    settings.retry_on_failure.max_elapsed_time_ms = 10_000;
    let (exporter, ledger) = exporter(&destination, &settings);

    let outcome = exporter.consume(span_batch(&["a", "b"])).await;
    assert_eq!(refusal(&outcome), (Reason::RetriesExhausted, true));
    assert_eq!(destination.times_ms(), [0, 1000, 3000, 7000, 10_000]);
    assert_eq!(books::dropped(&ledger, Reason::RetriesExhausted), 2);
}

#[tokio::test(start_paused = true)]
async fn x6_a_permanent_refusal_is_not_repeated() {
    let destination = Destination::new(0, |_, _| bad_data());
    let (exporter, ledger) = exporter(&destination, &retrying());

    let outcome = exporter.consume(span_batch(&["a"])).await;
    assert_eq!(refusal(&outcome), (Reason::DestinationRefused, false));
    assert_eq!(destination.bodies().len(), 1);
    assert_eq!(books::spans(&ledger), (0, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn x9_a_destination_that_asks_for_a_wait_hears_from_no_sender_until_it_is_over() {
    let destination = Destination::new(10, |number, _| match number {
        0 => unavailable(Some(Duration::from_secs(5))),
        _ => Ok(None),
    });
    let mut settings = retrying();
    settings.sending_queue.num_consumers = 10;
    let (exporter, ledger) = exporter(&destination, &settings);
    let mut acks = vec![exporter.consume(span_batch(&["first"]))];
    sleep(Duration::from_millis(100)).await;
    for _ in 0..8 {
        acks.push(exporter.consume(span_batch(&["later"])));
        sleep(Duration::from_millis(500)).await;
    }

    assert!(all(acks).await.iter().all(Result::is_ok));
    let times = destination.times_ms();
    assert_eq!(times[0], 0);
    assert!(
        times[1..].iter().all(|&at| (5010..6000).contains(&at)),
        "{times:?}"
    );
    assert_eq!(books::spans(&ledger), (9, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn x5_rejected_items_are_counted_and_the_request_is_not_repeated() {
    let partial = |rejected| {
        move |_: usize, _: &[u8]| {
            Ok(Some(PartialSuccess {
                rejected,
                message: "no".to_owned(),
            }))
        }
    };
    for (rejected, books) in [
        (2, (1, 2, 0)),
        (0, (3, 0, 0)),
        (-5, (3, 0, 0)),
        (99, (0, 3, 0)),
    ] {
        let destination = Destination::new(0, partial(rejected));
        let (exporter, ledger) = exporter(&destination, &retrying());

        assert!(exporter.consume(span_batch(&["a", "b", "c"])).await.is_ok());
        assert_eq!(destination.bodies().len(), 1);
        assert_eq!(books::spans(&ledger), books, "{rejected}");
        assert_eq!(books::dropped(&ledger, Reason::PartialSuccess), books.1);
    }
}

#[tokio::test(start_paused = true)]
async fn x5_rejected_items_of_a_merged_request_are_counted_once() {
    let destination = Destination::new(100, |number, _| {
        Ok((number == 2).then(|| PartialSuccess {
            rejected: 2,
            message: String::new(),
        }))
    });
    let (exporter, ledger) = exporter(&destination, &sending());
    let outcomes = all(["a", "b", "c", "d", "e"]
        .map(|name| exporter.consume(span_batch(&[name])))
        .into())
    .await;

    assert!(outcomes.iter().all(Result::is_ok));
    assert_eq!(books::spans(&ledger), (3, 2, 0));
}

#[tokio::test(start_paused = true)]
async fn x7_a_request_above_the_limit_is_split_and_only_an_item_that_is_too_large_alone_is_dropped()
{
    let destination = Destination::new(0, takes_all());
    let mut settings = sending();
    settings.max_request_bytes = 100;
    let (exporter, ledger) = exporter(&destination, &settings);
    let long = "x".repeat(200);

    assert!(
        exporter
            .consume(span_batch(&["a", "b", &long, "d", "e"]))
            .await
            .is_ok()
    );
    let bodies = destination.bodies();
    assert!(bodies.iter().all(|body| body.len() <= 100));
    assert!(
        ["a", "b", "d", "e"]
            .iter()
            .all(|name| bodies.iter().any(|body| holds(body, name)))
    );
    assert_eq!(books::spans(&ledger), (4, 1, 0));
    assert_eq!(books::dropped(&ledger, Reason::TooLarge), 1);
}

#[tokio::test(start_paused = true)]
async fn x7_one_item_that_is_too_large_alone_is_refused_for_good() {
    let destination = Destination::new(0, takes_all());
    let mut settings = retrying();
    settings.max_request_bytes = 100;
    let (exporter, ledger) = exporter(&destination, &settings);

    let outcome = exporter
        .consume(span_batch(&["x".repeat(200).as_str()]))
        .await;
    assert_eq!(refusal(&outcome), (Reason::TooLarge, false));
    assert!(destination.bodies().is_empty());
    assert_eq!(books::dropped(&ledger, Reason::TooLarge), 1);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_the_destination_calls_too_large_is_halved_until_it_fits() {
    let destination = Destination::new(0, |_, body| {
        let too_large = Err(Failure::TooLarge {
            message: "413".to_owned(),
        });
        if body.len() > 100 {
            too_large
        } else {
            Ok(None)
        }
    });
    let (exporter, ledger) = exporter(&destination, &sending());

    assert!(exporter.consume(span_batch(&["a"; 16])).await.is_ok());
    assert_eq!(books::spans(&ledger), (16, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_destination_that_is_down_is_not_asked_for_each_further_piece() {
    let destination = Destination::new(0, |_, _| unavailable(None));
    let mut settings = sending();
    settings.max_request_bytes = 100;
    let (exporter, ledger) = exporter(&destination, &settings);

    let outcome = exporter.consume(span_batch(&["a"; 64])).await;
    assert_eq!(refusal(&outcome), (Reason::RetriesExhausted, true));
    assert_eq!(destination.bodies().len(), 1);
    assert_eq!(books::spans(&ledger), (0, 64, 0));
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_refuses_at_once_and_retryably() {
    let destination = Destination::new(1000, takes_all());
    let mut settings = sending();
    settings.sending_queue.queue_size = 3;
    let (exporter, ledger) = exporter(&destination, &settings);
    let mut acks: Vec<Ack> = (0..6)
        .map(|_| exporter.consume(span_batch(&["a"])))
        .collect();

    let outcome = acks.pop().unwrap().await;
    assert_eq!(refusal(&outcome), (Reason::QueueFull, true));
    assert_eq!(destination.began.elapsed(), Duration::ZERO);
    assert!(all(acks).await.iter().all(Result::is_ok));
    assert_eq!(books::spans(&ledger), (5, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn without_a_queue_a_batch_is_sent_at_once_or_refused() {
    let destination = Destination::new(1000, takes_all());
    let mut settings = sending();
    settings.sending_queue.enabled = false;
    let (exporter, ledger) = exporter(&destination, &settings);
    let outcomes = all((0..3)
        .map(|_| exporter.consume(span_batch(&["a"])))
        .collect())
    .await;

    assert_eq!(refusal(&outcomes[2]), (Reason::QueueFull, true));
    assert_eq!(books::spans(&ledger), (2, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn with_block_on_overflow_everything_is_taken_in_the_end() {
    let destination = Destination::new(1000, takes_all());
    let mut settings = sending();
    settings.sending_queue.queue_size = 1;
    settings.sending_queue.block_on_overflow = true;
    let (exporter, ledger) = exporter(&destination, &settings);
    let outcomes = all((0..20)
        .map(|_| exporter.consume(span_batch(&["a"])))
        .collect())
    .await;

    assert!(outcomes.iter().all(Result::is_ok));
    assert_eq!(books::spans(&ledger), (20, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn without_wait_for_result_the_answer_comes_when_the_queue_holds_the_data() {
    let destination = Destination::new(1000, |_, _| bad_data());
    let mut settings = sending();
    settings.sending_queue.wait_for_result = false;
    let (exporter, ledger) = exporter(&destination, &settings);
    let outcomes = all((0..5)
        .map(|_| exporter.consume(span_batch(&["a"])))
        .collect())
    .await;

    assert!(outcomes.iter().all(Result::is_ok));
    assert_eq!(destination.began.elapsed(), Duration::ZERO);
    exporter
        .shutdown(Instant::now() + Duration::from_secs(60))
        .await;
    assert_eq!(books::dropped(&ledger, Reason::DestinationRefused), 5);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_ack_does_not_cancel_the_batch() {
    let destination = Destination::new(1000, takes_all());
    let (exporter, ledger) = exporter(&destination, &sending());
    drop(exporter.consume(span_batch(&["a"])));
    exporter
        .shutdown(Instant::now() + Duration::from_secs(60))
        .await;
    assert_eq!(books::spans(&ledger), (1, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn x11_a_shutdown_delivers_what_waits_and_takes_what_still_comes() {
    let destination = Destination::new(1000, takes_all());
    let (exporter, ledger) = exporter(&destination, &sending());
    let mut acks: Vec<Ack> = (0..5)
        .map(|_| exporter.consume(span_batch(&["a"])))
        .collect();
    let shutdown = exporter.shutdown(Instant::now() + Duration::from_secs(60));
    let late = async {
        sleep(Duration::from_millis(500)).await;
        acks.push(exporter.consume(span_batch(&["late"])));
    };
    tokio::join!(shutdown, late);

    assert_eq!(books::spans(&ledger), (6, 0, 0));
    assert!(all(acks).await.iter().all(Result::is_ok));
}

#[tokio::test(start_paused = true)]
async fn x11_what_is_left_at_the_deadline_is_counted_and_refused_retryably() {
    let destination = Destination::new(0, |_, _| unavailable(None));
    let (exporter, ledger) = exporter(&destination, &retrying());
    let acks = (0..5)
        .map(|_| exporter.consume(span_batch(&["a", "b"])))
        .collect();
    exporter
        .shutdown(Instant::now() + Duration::from_secs(10))
        .await;

    assert_eq!(destination.began.elapsed(), Duration::from_secs(10));
    assert_eq!(books::dropped(&ledger, Reason::Shutdown), 10);
    assert_eq!(books::spans(&ledger), (0, 10, 0));
    assert!(
        all(acks)
            .await
            .iter()
            .all(|outcome| refusal(outcome) == (Reason::Shutdown, true))
    );
    let outcome = exporter.consume(span_batch(&["after"])).await;
    assert_eq!(refusal(&outcome), (Reason::Shutdown, true));
}

#[tokio::test(start_paused = true)]
async fn x14_an_empty_request_is_taken_and_not_sent() {
    let destination = Destination::new(0, takes_all());
    let (exporter, ledger) = exporter(&destination, &sending());
    assert!(
        exporter
            .consume(batch(Signal::Traces, 0, Bytes::new()))
            .await
            .is_ok()
    );
    assert!(destination.bodies().is_empty());
    assert_eq!(books::spans(&ledger), (0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn the_books_add_up_whatever_the_destination_answers() {
    for seed in 0..30 {
        let mut random = fastrand::Rng::with_seed(seed);
        let answers: Vec<u8> = (0..10_000).map(|_| random.u8(0..8)).collect();
        let destination = Destination::new(20, move |number, body| match answers[number] {
            0 => unavailable(None),
            1 => unavailable(Some(Duration::from_millis(300))),
            2 => bad_data(),
            3 => Err(Failure::TooLarge {
                message: "413".to_owned(),
            }),
            4 => Ok(Some(PartialSuccess {
                rejected: i64::try_from(number % 5).unwrap(),
                message: String::new(),
            })),
            5 if body.len() > 500 => Err(Failure::Retryable {
                message: String::new(),
                retry_after: None,
                content: true,
            }),
            _ => Ok(None),
        });
        let mut settings = retrying();
        settings.max_request_bytes = 2000;
        settings.retry_on_failure.max_elapsed_time_ms = 3000;
        settings.sending_queue.queue_size = 20;
        let (exporter, ledger) = exporter(&destination, &settings);
        let mut acks = Vec::new();
        let mut sent = 0;
        for _ in 0..200 {
            let items = random.usize(1..40);
            sent += items as u64;
            acks.push(exporter.consume(span_batch(&vec!["a"; items])));
            sleep(Duration::from_millis(random.u64(0..30))).await;
            books::tally(&ledger, Signal::Traces);
        }
        exporter
            .shutdown(Instant::now() + Duration::from_secs(random.u64(0..5)))
            .await;
        let tally = books::tally(&ledger, Signal::Traces);
        assert_eq!((tally.received, tally.held), (sent, 0));
        let refused = all(acks)
            .await
            .iter()
            .filter(|outcome| outcome.is_err())
            .count();
        assert!(refused == 0 || tally.dropped_items() > 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_sender_that_panics_refuses_its_batch_and_the_next_one_is_sent() {
    let destination = Destination::new(10, |number, _| {
        assert!(number > 0, "a defect that the test makes");
        Ok(None)
    });
    let (exporter, ledger) = exporter(&destination, &sending());
    let outcomes = all((0..4)
        .map(|_| exporter.consume(span_batch(&["a"])))
        .collect())
    .await;

    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 3);
    assert_eq!(books::spans(&ledger), (3, 1, 0));
}
