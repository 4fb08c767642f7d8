//! Nothing grows beyond what the limits allow, and no frame is much larger than zstd would make it.
use millrace_tracezip::{Compressor, Decompressor, Error, Header, Limits, Mode, decompress_plain};
use millrace_wire::{Signal, varint};

use crate::requests::{request, shop, text};
use crate::round_trip::TINY;

#[test]
fn names_that_are_all_different_do_not_fill_the_memory() {
    let mut sender = Compressor::new(Limits::default(), 1);
    let mut receiver = Decompressor::new(Limits::default(), 1);
    let mut number = 0;
    for _ in 0..40 {
        let spans = (0..1000)
            .map(|_| {
                number += 1;
                opentelemetry_proto::tonic::trace::v1::Span {
                    name: format!("GET /order/{number}"),
                    attributes: vec![text(&format!("key-{number}"), &"x".repeat(number % 100))],
                    ..Default::default()
                }
            })
            .collect();
        let request = request(vec![spans]);
        let frame = sender.compress(Signal::Traces, &request).unwrap();
        let session = Header::read(&frame).unwrap().0.session;
        if session != 0 && session != receiver.session() {
            receiver = Decompressor::new(Limits::default(), session);
        }
        assert!(receiver.decompress(&frame) == Ok(request));
    }
    assert!(sender.shape_count() <= Limits::default().shapes + 32);
    assert!(
        sender.held() < 16 << 20,
        "the sender holds {} bytes",
        sender.held()
    );
    assert!(
        receiver.held() < 16 << 20,
        "the receiver holds {} bytes",
        receiver.held()
    );
}

#[test]
fn a_request_above_the_limit_travels_plain_and_a_frame_above_it_is_refused_before_it_is_read() {
    let request = shop(1, 4000);
    assert!(request.len() > TINY.request_bytes);
    let frame = Compressor::new(TINY, 1)
        .compress(Signal::Traces, &request)
        .unwrap();
    assert_eq!(Header::read(&frame).unwrap().0.mode, Mode::Plain);
    assert_eq!(decompress_plain(&frame, TINY), Err(Error::TooLong));
    assert_eq!(decompress_plain(&frame, Limits::default()), Ok(request));

    let mut bomb = vec![0x83];
    varint::push(&mut bomb, 1 << 40);
    bomb.extend([0; 40]);
    assert_eq!(
        Decompressor::new(Limits::default(), 0).decompress(&bomb),
        Err(Error::TooLong)
    );
}

#[test]
fn no_frame_is_more_than_64_bytes_larger_than_zstd_alone() {
    for spans in [0, 1, 2, 3, 5, 8, 20, 100] {
        let mut sender = Compressor::new(Limits::default(), 1);
        for turn in 0..100 {
            let request = shop(turn, spans);
            let frame = sender.compress(Signal::Traces, &request).unwrap();
            let plain = zstd::bulk::compress(&request, 3).unwrap();
            let (is, may) = (frame.len(), plain.len() + 64);
            assert!(is <= may, "{is} bytes for {spans} spans, more than {may}");
        }
    }
}

/// A session expects of a request what the ones before were like; these are nothing like them.
#[test]
fn no_frame_is_more_than_64_bytes_larger_than_zstd_alone_after_requests_of_another_kind() {
    let span = |number: u64| opentelemetry_proto::tonic::trace::v1::Span {
        trace_id: number.to_le_bytes().repeat(2),
        span_id: number.to_le_bytes().to_vec(),
        name: "again and again".to_owned(),
        attributes: vec![text("key", "a text that is no news after the first time")],
        ..Default::default()
    };
    let same = request(vec![vec![span(1); 3000]]);
    let in_order = request(vec![(0..3000).map(span).collect()]);
    let nothing = [0x0a, 0].repeat(2000);
    let again = shop(1, 50);
    let [four, ten] = [4, 10].map(|times| again.repeat(times));
    for other in [same, in_order, nothing, four, ten] {
        let mut sender = Compressor::new(Limits::default(), 1);
        for turn in 0..12 {
            let request = if turn % 4 == 3 {
                other.clone()
            } else {
                shop(turn, 50)
            };
            let frame = sender.compress(Signal::Traces, &request).unwrap();
            let plain = zstd::bulk::compress(&request, 3).unwrap();
            let (is, may) = (frame.len(), plain.len() + 64);
            assert!(
                is <= may,
                "{is} bytes of {} in turn {turn}, more than {may}",
                request.len()
            );
        }
    }
}

#[test]
fn noise_travels_at_no_more_than_64_bytes_above_zstd_alone() {
    let mut sender = Compressor::new(Limits::default(), 1);
    let mut random = 1u64;
    for _ in 0..50 {
        let noise: Vec<u8> = (0..5000)
            .map(|_| {
                random = random
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(99);
                (random >> 56) as u8
            })
            .collect();
        for signal in Signal::ALL {
            let frame = sender.compress(signal, &noise).unwrap();
            assert!(frame.len() <= zstd::bulk::compress(&noise, 3).unwrap().len() + 64);
        }
    }
}

#[test]
fn small_batches_take_less_than_two_thirds_of_zstd_once_the_session_knows_them() {
    let mut sender = Compressor::new(Limits::default(), 1);
    let (mut ours, mut theirs) = (0, 0);
    for turn in 0..60 {
        let request = shop(turn, 100);
        let frame = sender.compress(Signal::Traces, &request).unwrap();
        if turn >= 20 {
            ours += frame.len();
            theirs += zstd::bulk::compress(&request, 3).unwrap().len();
        }
    }
    assert!(ours * 3 < theirs * 2, "{ours} bytes, zstd {theirs}");
}
