//! Recorded traffic of the OpenTelemetry demo, byte for byte, and how few bytes it takes.
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
        assert!(
            rebuilt.as_ref() == Ok(request),
            "{:?}: {:?}",
            Header::read(&frame),
            rebuilt.err()
        );
        bytes += frame.len();
        spans += count(Signal::Traces, request);
    }
    assert_eq!(sender.digest(), receiver.digest());
    assert!(bytes < 24 * spans, "{bytes} bytes for {spans} spans");
    for held in [sender.held(), receiver.held()] {
        assert!(held < 2 << 20, "{held} bytes are held");
    }
    assert!(
        by_shapes * 100 >= requests.len() * 99,
        "{by_shapes} of {}",
        requests.len()
    );
}

#[test]
fn recorded_metrics_come_back_byte_for_byte_by_shapes_and_by_the_stream() {
    let Some(requests) = recorded("host-metrics.otlp.zst") else {
        return;
    };
    for by_shapes in [false, true] {
        let mut sender = Compressor::new(Limits::default(), 7);
        sender.use_shapes(Signal::Metrics, by_shapes);
        let mut receiver = Decompressor::new(Limits::default(), 7);
        for request in &requests {
            let frame = sender.compress(Signal::Metrics, request).unwrap();
            let session = Header::read(&frame).unwrap().0.session;
            if session != 0 && session != receiver.session() {
                receiver = Decompressor::new(Limits::default(), session);
            }
            let rebuilt = receiver.decompress(&frame);
            assert!(rebuilt.as_ref() == Ok(request), "{:?}", rebuilt.err());
        }
    }
}
