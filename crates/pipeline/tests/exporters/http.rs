//! The `otlphttp` exporter against real servers on loopback, good and bad.
use std::io::{Read as _, Write as _};
use std::sync::Arc;
use std::time::Duration;

use http::Version;
use millrace_pipeline::batch::{Batch, Payload};
use millrace_pipeline::component::{Consumer, Outcome, Reason};
use millrace_pipeline::config::{Exporter, Sending};
use millrace_pipeline::exporters::build;
use millrace_pipeline::ledger::Ledger;
use millrace_wire::{PartialSuccess, Signal, Status, encode_response};
use tokio::time::Instant;

use crate::books;
use crate::endpoint::{Endpoint, Misbehaviour, closed_port, http, http_ok, misbehaving};
use crate::requests::{batch, logs, span_batch, spans};
use crate::settings::{otlp_http, retrying, sending};

const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");

fn start(settings: &Exporter) -> (Arc<dyn Consumer>, Arc<Ledger>) {
    let ledger = Arc::default();
    (build(settings, books::context(&ledger)).unwrap(), ledger)
}

/// Sends one span to `base` and tells how it ended.
async fn send_to(base: &str, sending: Sending) -> (Outcome, Arc<Ledger>) {
    let (exporter, ledger) = start(&otlp_http(base, "proto", sending));
    (exporter.consume(span_batch(&["a"])).await, ledger)
}

fn impatient() -> Sending {
    Sending {
        timeout_ms: 300,
        ..sending()
    }
}

fn ended(outcome: &Outcome) -> (Reason, bool) {
    let refusal = outcome.as_ref().unwrap_err();
    (refusal.reason, refusal.retryable)
}

fn gunzip(packed: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(packed)
        .read_to_end(&mut plain)
        .unwrap();
    plain
}

#[tokio::test]
async fn x12_a_request_is_a_post_of_the_same_bytes_with_type_length_and_name() {
    let endpoint = Endpoint::start(|_, _| http_ok()).await;
    let mut settings = sending();
    settings
        .headers
        .insert("X-Tenant".to_owned(), "blue".to_owned());
    let (exporter, ledger) = start(&otlp_http(&endpoint.url(), "proto", settings));
    let mut payload = Payload::from(spans(&["a"]));
    payload.append(Payload::from(spans(&["b"])));
    let merged = payload.to_contiguous();
    assert!(
        exporter
            .consume(Batch {
                signal: Signal::Traces,
                items: 2,
                payload
            })
            .await
            .is_ok()
    );

    let request = &endpoint.arrived()[0];
    assert_eq!(
        (request.path.as_str(), request.version),
        ("/v1/traces", Version::HTTP_11)
    );
    assert_eq!(request.body, merged);
    assert_eq!(request.headers["content-type"], "application/x-protobuf");
    assert_eq!(request.headers["content-length"], merged.len().to_string());
    assert_eq!(request.headers["host"], endpoint.address.to_string());
    assert_eq!(request.headers["x-tenant"], "blue");
    assert!(request.headers.get("content-encoding").is_none());
    let agent = format!("OTel-OTLP-Exporter-millrace/{}", env!("CARGO_PKG_VERSION"));
    assert_eq!(request.headers["user-agent"], agent);
    assert_eq!(books::spans(&ledger), (2, 0, 0));
}

#[tokio::test]
async fn each_signal_goes_to_its_own_path_on_one_kept_connection() {
    let endpoint = Endpoint::start(|_, _| http_ok()).await;
    let (exporter, ledger) = start(&otlp_http(&endpoint.url(), "proto", sending()));
    for signal in Signal::ALL {
        assert!(
            exporter
                .consume(batch(signal, 1, spans(&["a"])))
                .await
                .is_ok()
        );
        assert_eq!(books::tally(&ledger, signal).delivered, 1);
    }
    let arrived = endpoint.arrived();
    let paths: Vec<_> = arrived
        .iter()
        .map(|request| request.path.as_str())
        .collect();
    assert_eq!(
        paths,
        [
            "/v1/traces",
            "/v1/metrics",
            "/v1/logs",
            "/v1development/profiles"
        ]
    );
    assert!(arrived.iter().all(|request| request.connection == 0));
}

#[tokio::test]
async fn s17_what_authenticates_in_the_url_of_one_signal_reaches_no_other_backend() {
    let (traces, logs) = (
        Endpoint::start(|_, _| http_ok()).await,
        Endpoint::start(|_, _| http_ok()).await,
    );
    let mut settings = otlp_http(&traces.url(), "proto", sending());
    let Exporter::OtlpHttp(http) = &mut settings else {
        panic!("an otlphttp exporter")
    };
    http.urls.traces = format!("{}/t?key=of-traces", traces.url());
    http.urls.logs = format!("{}/l?key=of-logs", logs.url());
    let (exporter, _) = start(&settings);
    for (signal, request) in [
        (Signal::Traces, spans(&["a"])),
        (Signal::Logs, self::logs(&["b"])),
        (Signal::Traces, spans(&["c"])),
    ] {
        assert!(exporter.consume(batch(signal, 1, request)).await.is_ok());
    }

    for (endpoint, own, other, count) in
        [(&traces, "traces", "logs", 2), (&logs, "logs", "traces", 1)]
    {
        let arrived = endpoint.arrived();
        assert_eq!(arrived.len(), count);
        for request in arrived {
            assert_eq!(request.query.as_deref(), Some(&*format!("key=of-{own}")));
            assert!(!format!("{request:?}").contains(&format!("of-{other}")));
            assert!(request.headers.get("authorization").is_none());
        }
    }
}

#[tokio::test]
async fn x12_compressed_bodies_name_their_coding() {
    let endpoint = Endpoint::start(|_, _| http_ok()).await;
    for (name, unpack) in [
        ("gzip", gunzip as fn(&[u8]) -> Vec<u8>),
        ("zstd", |packed| zstd::decode_all(packed).unwrap()),
    ] {
        let settings = Sending {
            compression: name.to_owned(),
            ..sending()
        };
        assert!(send_to(&endpoint.url(), settings).await.0.is_ok());
        let request = endpoint.arrived().pop().unwrap();
        assert_eq!(request.headers["content-encoding"], name);
        assert_eq!(unpack(&request.body), spans(&["a"]));
    }
}

#[tokio::test]
async fn json_requests_say_so_and_json_answers_are_read() {
    let endpoint = Endpoint::start(|number, _| {
        let body = [
            "{}",
            r#"{"partialSuccess":{"rejectedLogRecords":"1","errorMessage":"no"}}"#,
        ][number];
        http(
            200,
            &[("content-type", "application/json; charset=utf-8")],
            body,
        )
    })
    .await;
    let (exporter, ledger) = start(&otlp_http(&endpoint.url(), "json", sending()));
    for _ in 0..2 {
        assert!(
            exporter
                .consume(batch(Signal::Logs, 2, logs(&["a", "b"])))
                .await
                .is_ok()
        );
    }
    let request = &endpoint.arrived()[0];
    assert_eq!(request.headers["content-type"], "application/json");
    let json: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(
        json.pointer("/resourceLogs/0/scopeLogs/0/logRecords/1/body/stringValue")
            .unwrap(),
        "b"
    );
    let tally = books::tally(&ledger, Signal::Logs);
    assert_eq!(
        (tally.delivered, tally.dropped[&Reason::PartialSuccess]),
        (3, 1)
    );
}

#[tokio::test]
async fn x5_a_partial_success_is_counted_and_not_repeated() {
    let partial = PartialSuccess {
        rejected: 1,
        message: "no name".to_owned(),
    };
    let endpoint = Endpoint::start(move |_, _| {
        http(
            200,
            &[PROTOBUF],
            encode_response(Signal::Traces, Some(&partial)),
        )
    })
    .await;
    let (exporter, ledger) = start(&otlp_http(&endpoint.url(), "proto", retrying()));
    assert!(exporter.consume(span_batch(&["a", "b"])).await.is_ok());
    assert_eq!(endpoint.arrived().len(), 1);
    assert_eq!(books::spans(&ledger), (1, 1, 0));
}

#[tokio::test]
async fn x2_every_code_from_300_to_599_ends_as_the_table_says() {
    let endpoint =
        Endpoint::start(|number, _| http(300 + number as u16, &[("location", "/elsewhere")], ""))
            .await;
    let (exporter, ledger) = start(&otlp_http(&endpoint.url(), "proto", sending()));
    for status in 300..600 {
        let outcome = exporter.consume(span_batch(&["a"])).await;
        let expected = match status {
            429 | 502 | 503 | 504 => (Reason::RetriesExhausted, true),
            413 => (Reason::TooLarge, false),
            _ => (Reason::DestinationRefused, false),
        };
        assert_eq!(ended(&outcome), expected, "{status}");
    }
    assert_eq!(endpoint.arrived().len(), 300);
    assert!(
        endpoint
            .arrived()
            .iter()
            .all(|request| request.path == "/v1/traces")
    );
    assert_eq!(books::spans(&ledger), (0, 300, 0));
}

#[tokio::test]
async fn s16_a_redirect_to_another_host_gets_neither_request_nor_headers() {
    let elsewhere = Endpoint::start(|_, _| http_ok()).await;
    let location = format!("{}/v1/traces", elsewhere.url());
    let endpoint = Endpoint::start(move |number, _| {
        http(
            [301, 302, 303, 307, 308][number],
            &[("location", &location)],
            "",
        )
    })
    .await;
    for _ in 0..5 {
        let mut settings = retrying();
        settings
            .headers
            .insert("authorization".to_owned(), "Bearer secret".to_owned());
        assert_eq!(
            ended(&send_to(&endpoint.url(), settings).await.0),
            (Reason::DestinationRefused, false)
        );
    }
    assert!(elsewhere.arrived().is_empty());
}

#[tokio::test]
async fn x3_retry_after_is_waited_for() {
    let endpoint = Endpoint::start(|number, _| {
        if number == 0 {
            http(429, &[("retry-after", "1")], "")
        } else {
            http_ok()
        }
    })
    .await;
    let mut settings = retrying();
    settings.retry_on_failure.initial_interval_ms = 1;
    let began = Instant::now();
    let (outcome, ledger) = send_to(&endpoint.url(), settings).await;
    assert!(outcome.is_ok());
    assert!(began.elapsed() >= Duration::from_secs(1));
    assert_eq!(books::tally(&ledger, Signal::Traces).retries, 1);
}

#[tokio::test]
async fn the_words_of_the_destination_reach_the_client() {
    let status = Status {
        message: "span 3 has no name".to_owned(),
        ..Status::default()
    };
    let endpoint = Endpoint::start(move |_, _| http(400, &[PROTOBUF], status.encode())).await;
    let refusal = send_to(&endpoint.url(), sending()).await.0.unwrap_err();
    assert_eq!(
        refusal.message,
        "the destination answered 400 Bad Request: span 3 has no name"
    );
}

#[tokio::test]
async fn x4_nobody_listening_is_repeated_until_somebody_does() {
    let address = closed_port().await;
    let mut settings = retrying();
    settings.retry_on_failure.initial_interval_ms = 10;
    let (exporter, ledger) = start(&otlp_http(&format!("http://{address}"), "proto", settings));
    let ack = exporter.consume(span_batch(&["a"]));
    while books::tally(&ledger, Signal::Traces).retries < 2 {
        tokio::task::yield_now().await;
    }
    let listener = std::net::TcpListener::bind(address).unwrap();
    let answer = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut buffer = [0; 4096];
        let read = stream.read(&mut buffer).unwrap();
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            .unwrap();
        read
    });
    assert!(ack.await.is_ok());
    assert!(answer.join().unwrap() > 0);
    assert_eq!(books::spans(&ledger), (1, 0, 0));
}

#[tokio::test]
async fn x4_a_destination_that_vanishes_is_a_failure_worth_repeating() {
    let half = b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-le";
    for how in [
        Misbehaviour::Hangs,
        Misbehaviour::Resets,
        Misbehaviour::Says(b""),
        Misbehaviour::Says(half),
    ] {
        let address = misbehaving(how).await;
        let (outcome, ledger) = send_to(&format!("http://{address}"), impatient()).await;
        assert_eq!(ended(&outcome), (Reason::RetriesExhausted, true), "{how:?}");
        assert_eq!(books::spans(&ledger), (0, 1, 0));
    }
    let unknown = send_to("http://no-such-host.invalid:4318", sending())
        .await
        .0;
    assert_eq!(ended(&unknown), (Reason::RetriesExhausted, true));
}

#[tokio::test]
async fn x8_the_time_limit_holds_for_the_whole_answer() {
    let head =
        b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 1000\r\n\r\n";
    let address = misbehaving(Misbehaviour::Drips(head)).await;
    let began = Instant::now();
    let (outcome, _) = send_to(&format!("http://{address}"), impatient()).await;
    assert_eq!(ended(&outcome), (Reason::RetriesExhausted, true));
    assert!(began.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn x8_an_answer_above_the_limit_is_given_up_unread() {
    let huge = b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 10737418240\r\n\r\n";
    let endless = b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\n\r\n";
    for how in [
        Misbehaviour::Says(huge),
        Misbehaviour::Repeats(huge, &[7; 4096]),
        Misbehaviour::Repeats(endless, &[7; 4096]),
    ] {
        let address = misbehaving(how).await;
        let (outcome, ledger) = send_to(&format!("http://{address}"), retrying()).await;
        assert_eq!(ended(&outcome), (Reason::BadResponse, false));
        assert_eq!(books::tally(&ledger, Signal::Traces).requests, 1);
    }
}

#[tokio::test]
async fn s2_an_answer_that_unpacks_to_1_gib_is_given_up_at_the_limit() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
    let zeros = vec![0; 1 << 20];
    for _ in 0..1024 {
        encoder.write_all(&zeros).unwrap();
    }
    let bomb = encoder.finish().unwrap();
    assert!(bomb.len() < 2 << 20);
    let endpoint = Endpoint::start(move |_, _| {
        http(200, &[PROTOBUF, ("content-encoding", "gzip")], bomb.clone())
    })
    .await;
    let settings = Sending {
        max_response_bytes: 4 << 20,
        ..retrying()
    };
    assert_eq!(
        ended(&send_to(&endpoint.url(), settings).await.0),
        (Reason::BadResponse, false)
    );
}

#[tokio::test]
async fn x16_a_success_that_is_not_an_otlp_answer_is_a_failure() {
    let cases: [(&[(&str, &str)], &str); 6] = [
        (
            &[("content-type", "text/html; charset=utf-8")],
            "<html>Please log in</html>",
        ),
        (&[], "ok"),
        (&[PROTOBUF], "\u{f}not protobuf"),
        (&[("content-type", "application/json")], "<html>"),
        (&[PROTOBUF, ("content-encoding", "br")], "x"),
        (&[PROTOBUF, ("content-encoding", "gzip")], "x"),
    ];
    for (headers, body) in cases {
        let endpoint = Endpoint::start(move |_, _| http(200, headers, body)).await;
        let (outcome, ledger) = send_to(&endpoint.url(), retrying()).await;
        assert_eq!(ended(&outcome), (Reason::BadResponse, false), "{headers:?}");
        assert_eq!(
            (endpoint.arrived().len(), books::spans(&ledger)),
            (1, (0, 1, 0))
        );
    }
}

#[tokio::test]
async fn an_empty_success_needs_no_content_type() {
    for status in [200, 202, 204] {
        let endpoint = Endpoint::start(move |_, _| http(status, &[], "")).await;
        assert!(send_to(&endpoint.url(), sending()).await.0.is_ok());
    }
}

#[tokio::test]
async fn many_requests_use_no_more_connections_than_senders() {
    let endpoint = Endpoint::start(|_, _| http_ok()).await;
    let (exporter, ledger) = start(&otlp_http(&endpoint.url(), "proto", sending()));
    // Profiles are not merged: each batch is a request.
    let acks: Vec<_> = (0..50)
        .map(|_| exporter.consume(batch(Signal::Profiles, 1, spans(&["a"]))))
        .collect();
    for ack in acks {
        assert!(ack.await.is_ok());
    }
    assert_eq!(books::tally(&ledger, Signal::Profiles).delivered, 50);
    assert!(
        endpoint
            .arrived()
            .iter()
            .all(|request| request.connection < 2)
    );
}

#[tokio::test]
async fn s17_settings_that_cannot_work_are_named_without_their_secrets() {
    let problem = |exporter: &Exporter| {
        build(exporter, books::context(&Arc::default()))
            .err()
            .unwrap()
            .to_string()
    };
    for (url, expected) in [
        ("file:///etc/passwd", "the scheme \"file\""),
        ("ftp://u:secret@host", "the scheme \"ftp\""),
        ("localhost:4318", "a URL without a scheme"),
        ("http://", "a text that is not a URL"),
        ("http://u:secret@ho st", "a text that is not a URL"),
        (
            "http://u:secret@host:4318",
            "a URL with credentials, which belong into headers",
        ),
    ] {
        let text = problem(&otlp_http(url, "proto", sending()));
        assert!(
            text.starts_with("exporters.out.traces_endpoint: expected http://host:port"),
            "{text}"
        );
        assert!(
            text.ends_with(expected) && !text.contains("secret"),
            "{text}"
        );
    }
    let with_header = |name: &str, value: &str| {
        let mut settings = sending();
        settings.headers.insert(name.to_owned(), value.to_owned());
        problem(&otlp_http("http://localhost:1", "proto", settings))
    };
    assert_eq!(
        with_header("a b", "secret"),
        "exporters.out.headers: \"a b\" is not the name of an HTTP header"
    );
    let text = with_header("authorization", "se\r\ncret");
    assert_eq!(
        text,
        "exporters.out.headers: the value of authorization holds characters that HTTP forbids"
    );
    assert!(with_header("Content-Length", "1").contains("belongs to the framing"));
    let packed = Sending {
        compression: "brotli".to_owned(),
        ..sending()
    };
    assert!(
        problem(&otlp_http("http://localhost:1", "proto", packed))
            .starts_with("exporters.out.compression: expected")
    );
    assert!(
        problem(&otlp_http("http://localhost:1", "xml", sending()))
            .starts_with("exporters.out.encoding: expected")
    );
}
