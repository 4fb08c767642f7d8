//! Recorded traffic of the OpenTelemetry demo, byte for byte, and how many bytes it takes.
use std::io::Read as _;
use std::path::Path;

use millrace_tracezip::{Compressor, Decompressor, Header, Limits, Mode};
use millrace_wire::{Signal, count};

/// The recorded requests, or `None` where they do not lie beside the project.
fn recorded(name: &str) -> Option<Vec<Vec<u8>>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/data")
        .join(name);
    let Ok(packed) = std::fs::read(&path) else {
        eprintln!("skipped: {} is not there", path.display());
        return None;
    };
    let mut bytes = Vec::new();
    zstd::stream::read::Decoder::new(packed.as_slice())
        .unwrap()
        .read_to_end(&mut bytes)
        .unwrap();
    let mut requests = Vec::new();
    let mut rest = bytes.as_slice();
    while let Some((length, after)) = rest.split_first_chunk() {
        let (request, after) = after.split_at(u32::from_be_bytes(*length) as usize);
        requests.push(request.to_vec());
        rest = after;
    }
    Some(requests)
}

#[test]
fn recorded_traces_come_back_byte_for_byte_and_nearly_all_by_shapes() {
    let Some(requests) = recorded("otel-demo-traces.otlp.zst") else {
        return;
    };
    let mut sender = Compressor::new(Limits::default(), 7);
    let mut receiver = Decompressor::new(Limits::default(), 7);
    let (mut by_shapes, mut bytes, mut spans) = (0, 0, 0);
    for request in &requests {
        let frame = sender.compress(Signal::Traces, request).unwrap();
        if Header::read(&frame).unwrap().0.mode == Mode::Shapes {
            by_shapes += 1;
        }
        let rebuilt = receiver.decompress(&frame);
        assert!(rebuilt.as_ref() == Ok(request), "{:?}: {:?}", Header::read(&frame), rebuilt.err());
        bytes += frame.len();
        spans += count(Signal::Traces, request);
    }
    eprintln!(
        "{:.2} B/span, held {} {}",
        bytes as f64 / spans as f64,
        sender.held(),
        receiver.held()
    );
    assert_eq!(sender.digest(), receiver.digest());
    assert!(
        by_shapes * 100 >= requests.len() * 99,
        "{by_shapes} of {}",
        requests.len()
    );
}

/// The items of recorded requests, in requests of `items` each: what a gateway makes of them.
fn rebatched(requests: &[Vec<u8>], items: usize) -> Vec<Vec<u8>> {
    let parts: Vec<&[u8]> = requests.iter().map(Vec::as_slice).collect();
    let whole = millrace_wire::merge(Signal::Traces, &parts);
    millrace_wire::split_by_count(Signal::Traces, &whole, items)
}

#[test]
#[ignore]
fn sizes() {
    let Some(own) = recorded("otel-demo-traces.otlp.zst") else { return };
    for (name, requests) in [("own", own.clone()), ("1000", rebatched(&own, 1000)), ("100", rebatched(&own, 100))] {
        let mut sender = Compressor::new(Limits::default(), 7);
        let mut receiver = Decompressor::new(Limits::default(), 7);
        let (mut spans, mut bytes, mut z3, mut z9s) = (0, 0, 0, 0);
        let mut ctx = zstd::zstd_safe::CCtx::create();
        ctx.set_parameter(zstd::zstd_safe::CParameter::CompressionLevel(9)).unwrap();
        ctx.set_parameter(zstd::zstd_safe::CParameter::WindowLog(23)).unwrap();
        let mut frames = Vec::new();
        for request in &requests {
            spans += count(Signal::Traces, request);
            z3 += zstd::bulk::compress(request, 3).unwrap().len();
            let mut out = Vec::with_capacity(request.len() + 1000);
            let mut input = zstd::zstd_safe::InBuffer::around(request);
            while ctx.compress_stream2(&mut zstd::zstd_safe::OutBuffer::around_pos(&mut out, 0), &mut input, zstd::zstd_safe::zstd_sys::ZSTD_EndDirective::ZSTD_e_flush).unwrap() > 0 {}
            z9s += out.len();
        }
        let start = std::time::Instant::now();
        for request in &requests {
            let frame = sender.compress(Signal::Traces, request).unwrap();
            bytes += frame.len();
            frames.push(frame);
        }
        let enc = start.elapsed();
        let start = std::time::Instant::now();
        for (frame, request) in frames.iter().zip(&requests) {
            assert!(receiver.decompress(frame).as_ref() == Ok(request));
        }
        let dec = start.elapsed();
        let per = |n: usize| n as f64 / spans as f64;
        eprintln!("{name}: {} requests {spans} spans; zstd-3 {:.2} zstd-9s {:.2} otz {:.2} = {:.3}; encode {:.0} ns decode {:.0} ns; held {} {} shapes {}",
            requests.len(), per(z3), per(z9s), per(bytes), bytes as f64 / z3 as f64, enc.as_nanos() as f64 / spans as f64, dec.as_nanos() as f64 / spans as f64, sender.held(), receiver.held(), sender.shape_count());
    }
}
