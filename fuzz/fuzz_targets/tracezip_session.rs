//! Frames in the middle of a live session, changed by somebody who knows the format: nothing wrong comes out, nothing hangs,
//! and neither a frame nor the session takes more memory than it may.
#![no_main]

#[allow(dead_code, reason = "each target makes its own kind of request")]
#[path = "../../crates/wire/tests/core/generate.rs"]
mod generate;
mod hand;
mod memory;

use hand::Hand;
use libfuzzer_sys::fuzz_target;
use millrace_tracezip::{Compressor, Decompressor, Error, Header, Limits, Mode};
use millrace_wire::{Signal, varint};
use zstd::stream::raw::{Decoder, InBuffer, Operation, OutBuffer};

#[global_allocator]
static MEMORY: memory::Counting = memory::Counting;

/// Limits under which everything is full at once.
const TINY: Limits = Limits {
    request_bytes: 1 << 16,
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
/// What `held` of a session says on default limits, at most: what its budget in a gateway is planned with.
const HELD_MAX: usize = 16 << 20;
/// The stream of text: how a zstd frame begins that has this window (2^15) and an unknown length.
const TEXT_BEGINS: [u8; 6] = [0x28, 0xb5, 0x2f, 0xfd, 0, 0x28];
/// The largest block of it.
const BLOCK_MAX: usize = 1 << 15;
/// Text beyond twice the request that a receiver allows, and what else a frame may need beside its session.
const SPARE: usize = 1 << 20;

fuzz_target!(|input: &[u8]| {
    let mut hand = Hand(input);
    let limits = if hand.byte() & 1 == 0 { Limits::default() } else { TINY };
    let signal = [Signal::Traces, Signal::Logs, Signal::Metrics][hand.below(3)];
    let mut sender = Compressor::new(limits, 1);
    sender.use_shapes(signal, true);
    let mut receiver = Decompressor::new(limits, 1);
    let mut texts = Texts::new();
    let seed = hand.bytes(64);
    for turn in 0..=hand.byte() % 6 {
        let request = similar(signal, seed, turn);
        let frame = sender.compress(signal, &request).expect("there is memory");
        texts.follow(&frame);
        // Sometimes a session begins anew, because a plain frame was smaller.
        assert!(receiver.follow(&frame).as_ref() == Ok(&request));
    }
    // From the first change on that was taken, both sides remember something else, as a sender can have it that means harm.
    let mut is_honest = true;
    while !hand.is_empty() {
        let request = similar(signal, seed, hand.byte());
        let frame = sender.compress(signal, &request).expect("there is memory");
        let text = texts.follow(&frame);
        if !belongs(&frame, &receiver) {
            continue;
        }
        let changed = changed(&frame, text, texts.is_first, &mut hand);
        if take(&mut receiver, &changed) {
            is_honest &= changed == frame;
            continue;
        }
        let again = receiver.decompress(&frame);
        if receiver.is_broken() {
            assert!(!is_honest || again == Err(Error::Broken), "a frame that was refused for its header did harm");
            return;
        }
        assert!(!is_honest || again.as_ref() == Ok(&request), "a frame that was refused for its header did harm");
    }
});

/// Whether a frame belongs to the session that the receiver has: one that begins anew, or plain, does not.
fn belongs(frame: &[u8], receiver: &Decompressor) -> bool {
    Header::read(frame).is_ok_and(|(header, _)| header.mode != Mode::Plain && header.session == receiver.session())
}

/// Gives the receiver a frame, and tells whether it was taken.
fn take(receiver: &mut Decompressor, frame: &[u8]) -> bool {
    let length = Header::read(frame).map_or(0, |(header, _)| header.request_length);
    let held = receiver.held();
    let (outcome, most, _) = memory::measured(|| receiver.decompress(frame));
    let grown = receiver.held().saturating_sub(held);
    // The request and its text while they grow, which doubles them, and as much again for what was in the frame.
    let may = 6 * length.min(64 * frame.len() + (1 << 20)) + 2 * grown + 64 * frame.len() + SPARE;
    assert!(most <= may, "{most} bytes for a frame of {} that says {length}, {grown} remembered", frame.len());
    assert!(receiver.held() <= HELD_MAX, "{} bytes are held", receiver.held());
    if let Ok(rebuilt) = &outcome {
        assert_eq!(rebuilt.len(), length);
    }
    outcome.is_ok()
}

/// Requests of the same kind with a few bytes of difference, and with items in plenty.
fn similar(signal: Signal, seed: &[u8], turn: u8) -> Vec<u8> {
    let mut request = Vec::new();
    for copy in 0..3 + turn % 4 {
        let mut seed = seed.to_vec();
        let at = usize::from(turn.wrapping_mul(7).wrapping_add(copy));
        if let Some(last) = seed.len().checked_sub(1) {
            seed[last - at % 8.min(last + 1)] ^= turn.wrapping_add(copy);
        }
        request.extend(generate::request(signal, &seed));
    }
    request
}

/// The frame with one or a few changes: in its length, or in one of the four parts of its body.
fn changed(frame: &[u8], text: Vec<u8>, is_first: bool, hand: &mut Hand<'_>) -> Vec<u8> {
    let (header, body) = Header::read(frame).expect("it is ours");
    let (_, rest) = varint::read(&frame[1..]).expect("it is ours");
    let mut length = header.request_length as u64;
    let mut parts = match header.mode {
        Mode::Shapes => split(body, text),
        _ => vec![body.to_vec()],
    };
    for _ in 0..=hand.byte() % 4 {
        match hand.below(8) {
            7 => length = length.wrapping_add_signed(i64::from(hand.byte().cast_signed()) << (hand.byte() % 24)),
            part => {
                let part = part % parts.len();
                hand.edit(&mut parts[part]);
            }
        }
    }
    let mut out = vec![frame[0]];
    varint::push(&mut out, length);
    out.extend(&rest[..rest.len() - body.len()]);
    if let [symbols, bits, raw, text] = parts.as_slice() {
        for part in &parts {
            varint::push(&mut out, part.len() as u64);
        }
        [symbols, bits, raw].iter().for_each(|part| out.extend(part.iter()));
        out.extend(blocks(text, is_first));
    } else {
        out.extend(parts.concat());
    }
    out
}

/// The symbols, the bits, the raw bytes, and the text, which is no longer compressed.
fn split(body: &[u8], text: Vec<u8>) -> Vec<Vec<u8>> {
    let mut rest = body;
    let mut lengths = [0; 4];
    for length in &mut lengths {
        let (number, after) = varint::read(rest).expect("it is ours");
        (*length, rest) = (number as usize, after);
    }
    let mut parts = Vec::new();
    for length in &lengths[..3] {
        let (part, after) = rest.split_at(*length);
        parts.push(part.to_vec());
        rest = after;
    }
    parts.push(text);
    parts
}

/// Text as a piece of the stream, without compression.
fn blocks(text: &[u8], is_first: bool) -> Vec<u8> {
    let mut piece = Vec::new();
    if is_first && !text.is_empty() {
        piece.extend(TEXT_BEGINS);
    }
    for block in text.chunks(BLOCK_MAX) {
        piece.extend(&(block.len() as u32).wrapping_shl(3).to_le_bytes()[..3]);
        piece.extend(block);
    }
    piece
}

/// The texts of the session so far, read beside its receiver.
struct Texts {
    decoder: Decoder<'static>,
    /// Whether the text that was read last was the first of its session.
    is_first: bool,
}

impl Texts {
    fn new() -> Self {
        let decoder = Decoder::new().expect("there is memory");
        Self { decoder, is_first: false }
    }

    /// The text of the next frame.
    fn follow(&mut self, frame: &[u8]) -> Vec<u8> {
        let (header, body) = Header::read(frame).expect("it is ours");
        if header.mode != Mode::Plain && header.sequence == 0 {
            *self = Self::new();
        }
        if header.mode != Mode::Shapes {
            return Vec::new();
        }
        let mut rest = body;
        let mut lengths = [0; 4];
        for length in &mut lengths {
            let (number, after) = varint::read(rest).expect("it is ours");
            (*length, rest) = (number as usize, after);
        }
        let piece = &rest[lengths[..3].iter().sum::<usize>()..];
        self.is_first = piece.starts_with(&TEXT_BEGINS[..4]);
        let mut text = vec![0; lengths[3] + 1];
        let mut source = InBuffer::around(piece);
        let mut written = 0;
        while source.pos() < piece.len() || written < lengths[3] {
            let mut out = OutBuffer::around_pos(&mut text[..], written);
            self.decoder.run(&mut source, &mut out).expect("it is ours");
            written = out.pos();
        }
        text.truncate(written);
        text
    }
}
