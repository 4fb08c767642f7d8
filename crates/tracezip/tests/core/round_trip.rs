//! Every input comes back byte for byte, whatever came before it, under any limits.
use millrace_tracezip::{Compressor, Decompressor, Header, Limits, Mode};
use millrace_wire::Signal;
use proptest::prelude::*;

use crate::requests::{attribute, edges, log_edges, mangled, request, shop, shop_logs};

/// Limits under which everything is full at once.
pub(crate) const TINY: Limits = Limits {
    request_bytes: 1 << 20,
    shapes: 6,
    shape_bytes: 700,
    values_per_key: 8,
    keys: 4,
    value_bytes: 600,
    value_length: 40,
    ids: 4,
    path_values: 3,
    path_nodes: 12,
};

/// Sends requests through one session and back; both sides remember the same after each.
fn check(limits: Limits, signal: Signal, requests: &[Vec<u8>]) -> Vec<Mode> {
    let mut sender = Compressor::new(limits, 1);
    sender.use_shapes(signal, true);
    let mut receiver = Decompressor::new(limits, 1);
    let mut modes = Vec::new();
    for request in requests {
        let frame = sender.compress(signal, request).unwrap();
        let (header, _) = Header::read(&frame).unwrap();
        modes.push(header.mode);
        if header.mode != Mode::Plain && header.session != receiver.session() {
            receiver = Decompressor::new(limits, header.session);
        }
        let rebuilt = receiver.decompress(&frame);
        assert!(
            rebuilt.as_ref() == Ok(request),
            "{:?} of {header:?}",
            rebuilt.err()
        );
        if header.session == sender.session() {
            assert_eq!(sender.digest(), receiver.digest());
        }
    }
    modes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn requests_at_the_edges_come_back(requests in proptest::collection::vec(edges(), 1..8)) {
        check(Limits::default(), Signal::Traces, &requests);
    }

    #[test]
    fn requests_come_back_when_every_table_is_full(requests in proptest::collection::vec(edges(), 1..8)) {
        check(TINY, Signal::Traces, &requests);
    }

    #[test]
    fn log_records_at_the_edges_come_back(requests in proptest::collection::vec(log_edges(), 1..8)) {
        check(Limits::default(), Signal::Logs, &requests);
        check(TINY, Signal::Logs, &requests);
    }

    #[test]
    fn bytes_that_are_hardly_requests_come_back(requests in proptest::collection::vec(mangled(), 1..8)) {
        check(Limits::default(), Signal::Traces, &requests);
        check(TINY, Signal::Logs, &requests);
        check(TINY, Signal::Metrics, &requests);
    }

    #[test]
    fn any_bytes_come_back(requests in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 1..6)) {
        for signal in Signal::ALL {
            check(Limits::default(), signal, &requests);
        }
    }
}

#[test]
fn requests_of_every_size_come_back_by_shapes() {
    for spans in [1, 8, 100, 1000, 10_000] {
        let requests: Vec<Vec<u8>> = (0..4).map(|turn| shop(turn, spans)).collect();
        let modes = check(Limits::default(), Signal::Traces, &requests);
        assert_eq!(modes, [Mode::Shapes; 4], "at {spans} spans");
    }
}

/// Measured on the logs of the demo's shop: `benchmarks/tracezip_logs.py`.
#[test]
fn log_records_travel_by_shapes_because_that_takes_fewer_bytes_than_the_stream() {
    let requests: Vec<Vec<u8>> = (0..30).map(|turn| shop_logs(turn, 40)).collect();
    let length = |by_shapes: Option<bool>| {
        let mut sender = Compressor::new(Limits::default(), 1);
        if let Some(yes) = by_shapes {
            sender.use_shapes(Signal::Logs, yes);
        }
        let frames = requests
            .iter()
            .map(|request| sender.compress(Signal::Logs, request).unwrap().len());
        frames.sum::<usize>()
    };
    assert_eq!(length(None), length(Some(true)));
    assert!(length(None) * 10 < length(Some(false)) * 9);
    assert_eq!(
        check(Limits::default(), Signal::Logs, &requests),
        [Mode::Shapes; 30]
    );
}

#[test]
fn requests_come_back_without_paths_and_with_very_many() {
    for path_values in [0, 1, 1000] {
        let limits = Limits {
            path_values,
            ..Limits::default()
        };
        let requests: Vec<Vec<u8>> = (0..6).map(|turn| shop(turn, 300)).collect();
        check(limits, Signal::Traces, &requests);
    }
}

#[test]
fn texts_that_differ_in_a_few_words_come_back() {
    let texts = |turn: usize| {
        let spans = (0..40).map(|index: usize| {
            let number = turn * 31 + index * index;
            let query = match index % 5 {
                0 => format!("SELECT a FROM b{} WHERE c = {number}", number % 7),
                1 => format!("{number} SELECT a {}\0b", index % 3),
                2 => format!(
                    "cart-{}/{number:08x}/{:016x}/é{index}",
                    turn % 2,
                    number * 7919
                ),
                3 => format!("0{number} 00000000000000000000{number}. {}", u64::MAX),
                _ => "a1 b2 c3 d4 e5 f6 g7 h8 i9 ".repeat(index % 4),
            };
            opentelemetry_proto::tonic::trace::v1::Span {
                attributes: vec![crate::requests::text("text", &query)],
                ..Default::default()
            }
        });
        request(vec![spans.collect()])
    };
    let requests: Vec<Vec<u8>> = (0..8).map(texts).collect();
    check(TINY, Signal::Traces, &requests);
    check(Limits::default(), Signal::Traces, &requests);
}

#[test]
fn an_unset_value_and_an_absent_one_stay_what_they_are() {
    let span = |value| opentelemetry_proto::tonic::trace::v1::Span {
        attributes: vec![attribute("a", value)],
        ..Default::default()
    };
    let unset = request(vec![vec![span(Some(None)); 20]]);
    let absent = request(vec![vec![span(None); 20]]);
    assert_ne!(unset, absent);
    let modes = check(Limits::default(), Signal::Traces, &[unset, absent]);
    assert_eq!(modes, [Mode::Shapes; 2]);
}

/// What a Go program writes and a C++ program does not: an empty parent, an empty status; and fields out of order.
#[test]
fn a_span_is_rebuilt_as_its_writer_wrote_it() {
    let writers: [&[u8]; 5] = [
        &[0x22, 0, 0x2a, 1, b'n', 0x30, 2, 0x7a, 0],
        &[0x2a, 1, b'n', 0x30, 2],
        &[0x30, 2, 0x2a, 1, b'n', 0x7a, 2, 0x18, 1],
        &[0x2a, 1, b'n', 0x1a, 0, 0x50, 0, 0x85, 1, 0, 1, 0, 0],
        &[
            0x2a, 1, b'n', 0xba, 0x06, 3, b'n', b'e', b'w', 0xc5, 0x0c, 1, 2, 3, 4,
        ],
    ];
    let requests: Vec<Vec<u8>> = writers
        .iter()
        .map(|writer| {
            let mut spans = Vec::new();
            for index in 0..60u64 {
                let id = |salt: u64| {
                    (index + salt)
                        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
                        .to_le_bytes()
                };
                let ids = [&[0x0a, 16][..], &id(100), &id(200), &[0x12, 8], &id(300)].concat();
                spans.extend([0x12, (ids.len() + writer.len()) as u8]);
                spans.extend([ids.as_slice(), writer].concat());
            }
            let mut scope = vec![0x12];
            millrace_wire::varint::push(&mut scope, spans.len() as u64);
            let scope = [scope, spans].concat();
            let mut request = vec![0x0a];
            millrace_wire::varint::push(&mut request, scope.len() as u64);
            [request, scope].concat()
        })
        .collect();
    assert_eq!(
        check(Limits::default(), Signal::Traces, &requests),
        [Mode::Shapes; 5]
    );
}

#[test]
fn lengths_in_more_bytes_than_they_need_come_back() {
    let mut long = shop(1, 20);
    // The first length, of two or three bytes, with one more that says nothing.
    let end = 1 + long[1..].iter().position(|byte| byte & 0x80 == 0).unwrap();
    long[end] |= 0x80;
    long.insert(end + 1, 0);
    assert_eq!(
        check(Limits::default(), Signal::Traces, &[long]),
        [Mode::Stream]
    );
}
