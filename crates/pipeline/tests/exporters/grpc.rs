//! The `otlp` exporter against real HTTP/2 servers on loopback, good and bad.
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use http::Version;
use millrace_pipeline::component::{Consumer, Outcome, Reason};
use millrace_pipeline::config::{Exporter, Sending};
use millrace_pipeline::exporters::build;
use millrace_pipeline::ledger::Ledger;
use millrace_pipeline::net::grpc::Code;
use millrace_wire::{PartialSuccess, Signal, Status, encode_response};
use std::time::Duration;

use crate::books;
use crate::endpoint::{Endpoint, Misbehaviour, closed_port, grpc, grpc_ok, http, misbehaving};
use crate::requests::{batch, span_batch, spans};
use crate::settings::{otlp_grpc, retrying, sending};

fn start(settings: &Exporter) -> (Arc<dyn Consumer>, Arc<Ledger>) {
    let ledger = Arc::default();
    (build(settings, books::context(&ledger)).unwrap(), ledger)
}

async fn send_to(endpoint: &str, sending: Sending) -> (Outcome, Arc<Ledger>) {
    let (exporter, ledger) = start(&otlp_grpc(endpoint, sending));
    (exporter.consume(span_batch(&["a"])).await, ledger)
}

fn ended(outcome: &Outcome) -> (Reason, bool) {
    let refusal = outcome.as_ref().unwrap_err();
    (refusal.reason, refusal.retryable)
}

fn framed(flag: u8, message: &[u8]) -> Vec<u8> {
    [
        &[flag],
        (message.len() as u32).to_be_bytes().as_slice(),
        message,
    ]
    .concat()
}

#[tokio::test]
async fn a_call_is_one_message_with_its_prefix_to_the_service_of_the_signal() {
    let endpoint = Endpoint::start(|_, _| grpc_ok()).await;
    let mut settings = sending();
    settings
        .headers
        .insert("X-Tenant".to_owned(), "blue".to_owned());
    let (exporter, ledger) = start(&otlp_grpc(&endpoint.url(), settings));
    for signal in Signal::ALL {
        assert!(
            exporter
                .consume(batch(signal, 1, spans(&["a"])))
                .await
                .is_ok()
        );
        assert_eq!(books::tally(&ledger, signal).delivered, 1);
    }

    for (request, signal) in endpoint.arrived().iter().zip(Signal::ALL) {
        assert_eq!(
            (request.path.as_str(), request.version),
            (signal.grpc_path(), Version::HTTP_2)
        );
        assert_eq!(request.body, framed(0, &spans(&["a"])));
        assert_eq!(request.headers["content-type"], "application/grpc");
        assert_eq!(request.headers["te"], "trailers");
        assert_eq!(request.headers["grpc-timeout"], "5000m");
        assert_eq!(request.headers["x-tenant"], "blue");
        assert!(
            request.headers["user-agent"]
                .to_str()
                .unwrap()
                .starts_with("OTel-OTLP-Exporter-millrace/")
        );
    }
}

#[tokio::test]
async fn x12_a_compressed_message_is_marked_and_names_its_coding() {
    let endpoint = Endpoint::start(|_, _| grpc_ok()).await;
    let settings = Sending {
        compression: "zstd".to_owned(),
        ..sending()
    };
    assert!(send_to(&endpoint.url(), settings).await.0.is_ok());
    let request = &endpoint.arrived()[0];
    assert_eq!(
        (request.body[0], &request.headers["grpc-encoding"]),
        (1, &"zstd".parse().unwrap())
    );
    assert_eq!(zstd::decode_all(&request.body[5..]).unwrap(), spans(&["a"]));
}

#[tokio::test]
async fn x10_calls_share_one_connection_and_run_at_once() {
    let endpoint = Endpoint::start(|_, _| grpc_ok()).await;
    let mut settings = sending();
    settings.sending_queue.num_consumers = 20;
    let (exporter, _) = start(&otlp_grpc(&endpoint.url(), settings));
    let acks: Vec<_> = (0..100)
        .map(|_| exporter.consume(batch(Signal::Profiles, 1, spans(&["a"]))))
        .collect();
    for ack in acks {
        assert!(ack.await.is_ok());
    }
    let arrived = endpoint.arrived();
    assert!(arrived.iter().all(|request| request.connection == 0));
    assert_eq!(arrived.len(), 100);
}

#[tokio::test]
async fn x1_every_code_with_and_without_retry_info_ends_as_the_table_says() {
    let details = |seconds| {
        let status = Status {
            retry_delay: Some(Duration::from_secs(seconds)),
            ..Status::default()
        };
        STANDARD_NO_PAD.encode(status.encode())
    };
    for code in Code::ALL.into_iter().filter(|&code| code != Code::Ok) {
        for details in [None, Some(details(0)), Some(details(2))] {
            let retried = match code {
                Code::ResourceExhausted => details.is_some(),
                Code::Cancelled
                | Code::DeadlineExceeded
                | Code::Aborted
                | Code::OutOfRange
                | Code::Unavailable
                | Code::DataLoss => true,
                _ => false,
            };
            let endpoint = Endpoint::start(move |_, _| {
                let number = (code as i32).to_string();
                let mut trailers = vec![
                    ("grpc-status", number.as_str()),
                    ("grpc-message", "50%25 done"),
                ];
                trailers.extend(
                    details
                        .as_deref()
                        .map(|details| ("grpc-status-details-bin", details)),
                );
                grpc(&[], &trailers)
            })
            .await;
            let (outcome, ledger) = send_to(&endpoint.url(), sending()).await;
            let expected = if retried {
                (Reason::RetriesExhausted, true)
            } else {
                (Reason::DestinationRefused, false)
            };
            assert_eq!(ended(&outcome), expected, "{}", code.name());
            assert_eq!(
                outcome.unwrap_err().message,
                format!("the destination answered {}: 50% done", code.name())
            );
            assert_eq!(books::spans(&ledger), (0, 1, 0));
        }
    }
}

#[tokio::test]
async fn x3_retry_info_is_waited_for() {
    let status = Status {
        retry_delay: Some(Duration::from_millis(700)),
        ..Status::default()
    };
    let details = STANDARD_NO_PAD.encode(status.encode());
    let endpoint = Endpoint::start(move |number, _| match number {
        0 => grpc(
            &[],
            &[("grpc-status", "14"), ("grpc-status-details-bin", &details)],
        ),
        _ => grpc_ok(),
    })
    .await;
    let mut settings = retrying();
    settings.retry_on_failure.initial_interval_ms = 1;
    let began = std::time::Instant::now();
    assert!(send_to(&endpoint.url(), settings).await.0.is_ok());
    assert!(began.elapsed() >= Duration::from_millis(700));
}

#[tokio::test]
async fn x5_a_partial_success_is_counted_and_not_repeated() {
    let partial = PartialSuccess {
        rejected: 1,
        message: "no name".to_owned(),
    };
    let message = framed(0, &encode_response(Signal::Traces, Some(&partial)));
    let endpoint = Endpoint::start(move |_, _| grpc(&message, &[("grpc-status", "0")])).await;
    let (exporter, ledger) = start(&otlp_grpc(&endpoint.url(), retrying()));
    assert!(exporter.consume(span_batch(&["a", "b"])).await.is_ok());
    assert_eq!(
        (endpoint.arrived().len(), books::spans(&ledger)),
        (1, (1, 1, 0))
    );
}

#[tokio::test]
async fn the_status_of_a_call_without_message_stands_in_the_headers() {
    let headers = [
        ("content-type", "application/grpc"),
        ("grpc-status", "3"),
        ("grpc-message", "bad"),
    ];
    let endpoint = Endpoint::start(move |_, _| http(200, &headers, "")).await;
    let refusal = send_to(&endpoint.url(), sending()).await.0.unwrap_err();
    assert_eq!(
        refusal.message,
        "the destination answered INVALID_ARGUMENT: bad"
    );
}

#[tokio::test]
async fn what_a_proxy_answers_without_grpc_is_mapped_by_the_specification() {
    for (status, expected) in [
        (401, (Reason::DestinationRefused, false)),
        (404, (Reason::DestinationRefused, false)),
        (429, (Reason::RetriesExhausted, true)),
        (502, (Reason::RetriesExhausted, true)),
        (503, (Reason::RetriesExhausted, true)),
        (500, (Reason::DestinationRefused, false)),
    ] {
        let endpoint = Endpoint::start(move |_, _| http(status, &[], "<html>")).await;
        assert_eq!(
            ended(&send_to(&endpoint.url(), sending()).await.0),
            expected,
            "{status}"
        );
    }
}

#[tokio::test]
async fn x16_an_ok_without_a_readable_message_is_a_failure() {
    let ok = [("grpc-status", "0")];
    for message in [
        &b""[..],
        &[0, 0, 0],
        &[0, 0, 0, 0, 9, 1],
        &[7, 0, 0, 0, 0],
        &[1, 0, 0, 0, 0],
        &[0, 0, 0, 0, 1, 0xff],
    ] {
        let endpoint = Endpoint::start(move |_, _| grpc(message, &ok)).await;
        let (outcome, ledger) = send_to(&endpoint.url(), retrying()).await;
        assert_eq!(ended(&outcome), (Reason::BadResponse, false), "{message:?}");
        assert_eq!(
            (endpoint.arrived().len(), books::spans(&ledger)),
            (1, (0, 1, 0))
        );
    }
    let page = Endpoint::start(|_, _| http(200, &[("content-type", "text/html")], "<html>")).await;
    assert_eq!(
        ended(&send_to(&page.url(), retrying()).await.0),
        (Reason::BadResponse, false)
    );
}

#[tokio::test]
async fn x8_an_answer_above_the_limit_is_given_up() {
    let message = framed(0, &vec![7; 5 << 20]);
    let endpoint = Endpoint::start(move |_, _| grpc(&message, &[("grpc-status", "0")])).await;
    assert_eq!(
        ended(&send_to(&endpoint.url(), retrying()).await.0),
        (Reason::BadResponse, false)
    );
}

#[tokio::test]
async fn x4_a_destination_that_vanishes_is_a_failure_worth_repeating() {
    let http1 = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
    for how in [
        Misbehaviour::Hangs,
        Misbehaviour::Resets,
        Misbehaviour::Says(b""),
        Misbehaviour::Says(http1),
    ] {
        let address = misbehaving(how).await;
        let settings = Sending {
            timeout_ms: 300,
            ..sending()
        };
        let (outcome, ledger) = send_to(&format!("http://{address}"), settings).await;
        assert_eq!(ended(&outcome), (Reason::RetriesExhausted, true), "{how:?}");
        assert_eq!(books::spans(&ledger), (0, 1, 0));
    }
    let refused = send_to(&format!("http://{}", closed_port().await), sending())
        .await
        .0;
    assert_eq!(ended(&refused), (Reason::RetriesExhausted, true));
}

#[tokio::test]
async fn after_a_time_out_the_next_call_uses_a_new_connection() {
    // The first answer is withheld by a stream that never ends; the connection itself stays open.
    let endpoint = Endpoint::start(|number, _| match number {
        0 => endless(),
        _ => grpc_ok(),
    })
    .await;
    let settings = Sending {
        timeout_ms: 300,
        ..sending()
    };
    let (exporter, _) = start(&otlp_grpc(&endpoint.url(), settings));
    assert_eq!(
        ended(&exporter.consume(span_batch(&["a"])).await),
        (Reason::RetriesExhausted, true)
    );
    assert!(exporter.consume(span_batch(&["b"])).await.is_ok());
    let connections: Vec<_> = endpoint
        .arrived()
        .iter()
        .map(|request| request.connection)
        .collect();
    assert_eq!(connections, [0, 1]);
}

/// An answer whose body never comes to its end.
fn endless() -> crate::endpoint::Reply {
    use http_body_util::BodyExt as _;
    let trailers = std::future::pending();
    http::Response::new(
        http_body_util::Full::new(bytes::Bytes::new())
            .with_trailers(trailers)
            .boxed_unsync(),
    )
}
