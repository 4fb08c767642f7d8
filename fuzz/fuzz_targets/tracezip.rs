//! Any bytes as a request come back; any bytes as a frame give nothing, or a request no longer than they say.
#![no_main]

use libfuzzer_sys::fuzz_target;
use millrace_tracezip::{Compressor, Decompressor, Header, Limits};
use millrace_wire::Signal;

/// Memory that a session may hold on these limits, whatever it is sent.
const HELD_MAX: usize = 16 << 20;

fuzz_target!(|input: &[u8]| {
    let [selector, bytes @ ..] = input else { return };
    let signal = Signal::ALL[usize::from(selector % 4)];
    let (first, second) = bytes.split_at(bytes.len() / 2);

    let mut sender = Compressor::new(Limits::default(), 1);
    sender.use_shapes(signal, selector & 4 != 0);
    let mut receiver = Decompressor::new(Limits::default(), 1);
    for request in [first, second, bytes] {
        let frame = sender.compress(signal, request).expect("there is memory");
        assert_eq!(receiver.follow(&frame).as_deref(), Ok(request));
    }

    let mut receiver = Decompressor::new(Limits::default(), 0);
    for frame in [bytes, first] {
        if let Ok(request) = receiver.follow(frame) {
            let (header, _) = Header::read(frame).expect("it was read");
            assert_eq!(request.len(), header.request_length);
        }
        assert!(receiver.held() < HELD_MAX);
    }
});
