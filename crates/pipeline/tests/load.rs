//! The load generator against the counting sink: what one sends the other knows.
#![allow(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    clippy::similar_names,
    reason = "a test fails by panicking, and its sizes are small"
)]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use millrace_pipeline::load::{
    Behaviour, Compression, Hang, Protocol, Refuse, Run, RunOptions, RunReport, Shape, Sink,
    SinkOptions, SinkReport, Template,
};
use millrace_wire::{Signal, validate};

fn sink(behaviour: Behaviour) -> Sink {
    let any = || Some("127.0.0.1:0".to_owned());
    let options = SinkOptions {
        http: any(),
        grpc: any(),
        behaviour,
        ..SinkOptions::default()
    };
    Sink::start(&options).unwrap()
}

fn options(sink: &Sink, protocol: Protocol) -> RunOptions {
    let address = match protocol {
        Protocol::Http => sink.http_address(),
        Protocol::Grpc => sink.grpc_address(),
    };
    RunOptions {
        endpoint: format!("http://{}", address.unwrap()),
        protocol,
        requests: Some(20),
        connections: 2,
        in_flight: 2,
        shape: Shape {
            items: 50,
            ..Shape::default()
        },
        timeout_ms: 20_000,
        ..RunOptions::default()
    }
}

fn run(sink: &Sink, options: &RunOptions) -> (RunReport, SinkReport) {
    let sent = Run::start(options).unwrap().finish();
    (sent, sink.report())
}

/// Sends one request by hand; returns the status.
fn post(sink: &Sink, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(sink.http_address().unwrap()).unwrap();
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        request.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(request).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer)[9..12].to_owned()
}

#[test]
fn every_item_of_every_signal_arrives_once_over_both_protocols() {
    for protocol in [Protocol::Http, Protocol::Grpc] {
        for signal in Signal::ALL {
            let sink = sink(Behaviour::default());
            let mut options = options(&sink, protocol);
            options.shape.signal = signal;
            let (sent, received) = run(&sink, &options);
            assert_eq!(sent.accepted_items, 1000, "{protocol:?} {signal:?}");
            assert_eq!(received.unique_items, 1000, "{protocol:?} {signal:?}");
            assert_eq!(received.missing_items + received.duplicated_items, 0);
            assert_eq!(received.signals[signal.name()].items, 1000);
        }
    }
}

#[test]
fn compressed_requests_are_counted_like_others() {
    for protocol in [Protocol::Http, Protocol::Grpc] {
        for compression in [Compression::Gzip, Compression::Zstd] {
            let sink = sink(Behaviour::default());
            let mut options = options(&sink, protocol);
            options.compression = compression;
            options.compress_ahead = 10;
            let (sent, received) = run(&sink, &options);
            assert_eq!(received.unique_items, 1000);
            assert_eq!(received.wire_bytes, sent.sent_bytes);
            assert_eq!(received.body_bytes, sent.accepted_bytes);
            assert!(received.wire_bytes < received.body_bytes / 2);
        }
    }
}

#[test]
fn generated_requests_are_valid_otlp_of_the_size_asked_for() {
    for signal in Signal::ALL {
        for (items, bytes_per_item) in [(1000, 300), (100, 800), (7, 10_000)] {
            let shape = Shape {
                signal,
                items,
                bytes_per_item,
                services: 3,
                events: 1,
                ..Shape::default()
            };
            let request = Template::new(&shape, 7)
                .unwrap()
                .request(1, 1_700_000_000_000_000_000);
            let summary = validate(signal, &request).unwrap();
            assert_eq!((summary.items, summary.invalid), (items, 0), "{signal:?}");
            let share = request.len() as f64 / (items * bytes_per_item) as f64;
            assert!(
                (0.98..1.5).contains(&share),
                "{signal:?} {items} x {bytes_per_item}: {share}"
            );
        }
    }
}

#[test]
fn equal_shapes_give_equal_requests_and_other_seeds_others() {
    let request = |seed| {
        let shape = Shape {
            seed,
            ..Shape::default()
        };
        Template::new(&shape, 7).unwrap().request(1, 0)
    };
    assert_eq!(request(1), request(1));
    assert_ne!(request(1), request(2));
}

#[test]
fn an_item_that_never_came_is_missing_and_one_that_came_twice_is_doubled() {
    let sink = sink(Behaviour::default());
    let shape = Shape {
        items: 10,
        ..Shape::default()
    };
    let template = Template::new(&shape, 7).unwrap();
    for first in [1, 21, 21] {
        assert_eq!(post(&sink, &template.request(first, 0)), "200");
    }
    let report = sink.report();
    assert_eq!((report.missing_items, report.duplicated_items), (10, 10));
    assert_eq!(report.generators[0].missing_ranges, [(11, 20)]);
}

#[test]
fn a_request_that_is_not_otlp_is_refused_and_counted_as_malformed() {
    let sink = sink(Behaviour::default());
    assert_eq!(post(&sink, b"\x0a\x7fcut off"), "400");
    assert_eq!(sink.report().malformed_requests, 1);
}

#[test]
fn what_a_sink_refuses_is_not_counted_as_lost() {
    for protocol in [Protocol::Http, Protocol::Grpc] {
        let refuse = Refuse {
            requests: Some(5),
            ..Refuse::default()
        };
        let sink = sink(Behaviour {
            refuse: Some(refuse),
            ..Behaviour::default()
        });
        let (sent, received) = run(&sink, &options(&sink, protocol));
        assert_eq!(sent.refused_requests.values().sum::<u64>(), 5);
        assert_eq!((sent.accepted_requests, received.unique_items), (15, 750));
        assert_eq!(sent.highest_sequence - sent.unsent_items, 750);
    }
}

#[test]
fn with_retry_every_request_is_taken_in_the_end() {
    for (protocol, code) in [
        (Protocol::Http, "429"),
        (Protocol::Grpc, "RESOURCE_EXHAUSTED"),
    ] {
        let refuse = Refuse {
            status: 429,
            requests: Some(3),
            retry_after_s: None,
        };
        let sink = sink(Behaviour {
            refuse: Some(refuse),
            ..Behaviour::default()
        });
        let mut options = options(&sink, protocol);
        options.retry = true;
        let (sent, received) = run(&sink, &options);
        assert_eq!(sent.refused_requests[code], 3);
        assert_eq!((sent.accepted_requests, sent.resent_requests), (20, 3));
        assert_eq!(
            (received.unique_items, received.duplicated_items),
            (1000, 0)
        );
    }
}

#[test]
fn at_a_fixed_rate_latency_counts_from_when_a_request_was_due() {
    for protocol in [Protocol::Http, Protocol::Grpc] {
        let sink = sink(Behaviour {
            delay_ms: 30,
            ..Behaviour::default()
        });
        let mut options = options(&sink, protocol);
        options.items_per_second = Some(50.0 * 1000.0); // a request each millisecond, each answered after 30
        options.requests = Some(10);
        (options.connections, options.in_flight) = (1, 1);
        let (sent, _) = run(&sink, &options);
        // The last was due after 9 ms and had to wait for nine others.
        assert!(sent.latency_ms.max > 290.0, "{:?}", sent.latency_ms);
        assert!(sent.lag_ms.max > 250.0, "{:?}", sent.lag_ms);
    }
}

#[test]
fn a_server_that_hangs_costs_each_request_its_timeout() {
    for hang in [Hang::BeforeReading, Hang::AfterReading] {
        let sink = sink(Behaviour {
            hang: Some(hang),
            ..Behaviour::default()
        });
        let mut options = options(&sink, Protocol::Http);
        (options.requests, options.timeout_ms) = (Some(2), 50);
        let (sent, received) = run(&sink, &options);
        assert_eq!(sent.failed_requests["timeout"], 2);
        assert_eq!(
            (received.items, sent.unsent_items),
            (0, sent.highest_sequence)
        );
    }
}

#[test]
fn a_slow_sink_answers_at_its_rate() {
    let sink = sink(Behaviour {
        items_per_second: Some(5000.0),
        ..Behaviour::default()
    });
    let (sent, _) = run(&sink, &options(&sink, Protocol::Grpc));
    assert!(sent.elapsed_s > 0.19, "1000 items in {} s", sent.elapsed_s);
}

#[test]
fn a_stopped_run_ends_with_a_report_of_what_it_sent() {
    let sink = sink(Behaviour::default());
    let mut options = options(&sink, Protocol::Http);
    options.requests = None;
    let run = Run::start(&options).unwrap();
    assert!(sink.wait_for_items(500, Duration::from_secs(20)));
    run.stop();
    let sent = run.finish();
    assert_eq!(sent.accepted_items, sink.report().unique_items);
}

#[test]
fn options_that_cannot_be_meant_are_refused_with_a_sentence() {
    let sink = sink(Behaviour::default());
    let mut wrong = options(&sink, Protocol::Http);
    wrong.shape.items = 0;
    let error = Run::start(&wrong).unwrap_err().to_string();
    assert_eq!(error, "expected `items` from 1 to 1000000, got 0");
    wrong = options(&sink, Protocol::Http);
    wrong.items_per_second = Some(0.0);
    assert!(
        Run::start(&wrong)
            .unwrap_err()
            .to_string()
            .contains("`items_per_second`")
    );
}

#[test]
fn an_endpoint_where_nobody_listens_is_named() {
    let gone = sink(Behaviour::default());
    let options = options(&gone, Protocol::Http);
    drop(gone);
    let error = Run::start(&options).unwrap_err().to_string();
    assert!(error.contains("no connection to 127.0.0.1:"), "{error}");
}
