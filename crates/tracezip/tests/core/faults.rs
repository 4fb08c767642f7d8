//! Whatever happens to frames on their way, nothing wrong is delivered.
use millrace_tracezip::{Compressor, Decompressor, Error, Header, Limits, Mode};
use millrace_wire::Signal;

use crate::requests::shop;

fn session() -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let requests: Vec<Vec<u8>> = (0..12).map(|turn| shop(turn, 20)).collect();
    let mut sender = Compressor::new(Limits::default(), 5);
    let frames = requests
        .iter()
        .map(|request| sender.compress(Signal::Traces, request).unwrap())
        .collect();
    (requests, frames)
}

fn receiver_after(frames: &[Vec<u8>]) -> Decompressor {
    let mut receiver = Decompressor::new(Limits::default(), 5);
    for frame in frames {
        receiver.decompress(frame).unwrap();
    }
    receiver
}

#[test]
fn a_frame_that_is_lost_is_noticed_at_the_next() {
    let (_, frames) = session();
    for lost in 0..frames.len() - 1 {
        let mut receiver = receiver_after(&frames[..lost]);
        assert_eq!(
            receiver.decompress(&frames[lost + 1]),
            Err(Error::OutOfOrder)
        );
    }
}

#[test]
fn a_frame_that_comes_twice_is_noticed_and_harms_nothing() {
    let (requests, frames) = session();
    for twice in 0..frames.len() - 1 {
        let mut receiver = receiver_after(&frames[..=twice]);
        assert_eq!(receiver.decompress(&frames[twice]), Err(Error::OutOfOrder));
        assert!(receiver.decompress(&frames[twice + 1]).as_ref() == Ok(&requests[twice + 1]));
    }
}

#[test]
fn frames_that_change_places_are_noticed() {
    let (requests, frames) = session();
    for first in 0..frames.len() - 1 {
        let mut receiver = receiver_after(&frames[..first]);
        assert_eq!(
            receiver.decompress(&frames[first + 1]),
            Err(Error::OutOfOrder)
        );
        assert!(receiver.decompress(&frames[first]).as_ref() == Ok(&requests[first]));
    }
}

/// A short session with frames of every mode: by shapes, in the stream, and plain.
fn session_of_every_mode() -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let mut sender = Compressor::new(Limits::default(), 5);
    let requests = [
        (Signal::Traces, shop(1, 4)),
        (Signal::Metrics, shop(2, 1)),
        (Signal::Traces, shop(3, 3)),
        (Signal::Metrics, shop(4, 2)),
        (Signal::Traces, shop(5, 2)),
    ];
    let frames = requests
        .iter()
        .map(|(signal, request)| sender.compress(*signal, request).unwrap())
        .chain([plain(&requests[0].1)])
        .collect();
    let requests = requests.into_iter().map(|(_, request)| request);
    let first = requests.clone().next();
    (requests.chain(first).collect(), frames)
}

fn plain(request: &[u8]) -> Vec<u8> {
    let small = Limits {
        request_bytes: 1,
        ..Limits::default()
    };
    Compressor::new(small, 1)
        .compress(Signal::Traces, request)
        .unwrap()
}

#[test]
fn every_mode_is_among_the_frames_that_are_damaged_below() {
    let (_, frames) = session_of_every_mode();
    let modes: Vec<Mode> = frames
        .iter()
        .map(|frame| Header::read(frame).unwrap().0.mode)
        .collect();
    let (shapes, stream) = (Mode::Shapes, Mode::Stream);
    assert_eq!(modes, [shapes, stream, shapes, stream, shapes, Mode::Plain]);
}

#[test]
fn every_frame_that_is_cut_off_anywhere_gives_nothing() {
    let (_, frames) = session_of_every_mode();
    for (index, frame) in frames.iter().enumerate() {
        for length in 0..frame.len() {
            let mut receiver = receiver_after(&frames[..index]);
            assert!(
                receiver.decompress(&frame[..length]).is_err(),
                "{length} of {} bytes of frame {index}",
                frame.len()
            );
        }
    }
}

/// A few bits say nothing (how large a window zstd may use), so that a frame may still give what was sent.
#[test]
fn every_frame_with_any_bit_turned_gives_nothing_wrong_and_breaks_the_session_or_changes_nothing() {
    let (requests, frames) = session_of_every_mode();
    for index in 0..frames.len() {
        for bit in 0..frames[index].len() * 8 {
            let mut receiver = receiver_after(&frames[..index]);
            let mut frame = frames[index].clone();
            frame[bit / 8] ^= 1 << (bit % 8);
            match receiver.decompress(&frame) {
                Ok(request) => assert!(request == requests[index], "bit {bit} of frame {index}"),
                Err(_) if receiver.is_broken() => {
                    let next = &frames[(index + 1).min(4)];
                    assert_eq!(
                        receiver.decompress(&frames[index.min(4)]),
                        Err(Error::Broken)
                    );
                    assert_eq!(receiver.decompress(next), Err(Error::Broken));
                }
                Err(_) => {
                    assert!(receiver.decompress(&frames[index]).as_ref() == Ok(&requests[index]));
                }
            }
        }
    }
}

#[test]
fn a_frame_of_another_session_of_the_same_data_is_refused() {
    let (requests, frames) = session();
    let mut other = Compressor::new(Limits::default(), 6);
    let mut receiver = receiver_after(&frames[..1]);
    other.compress(Signal::Traces, &requests[0]).unwrap();
    let frame = other.compress(Signal::Traces, &requests[1]).unwrap();
    assert_eq!(receiver.decompress(&frame), Err(Error::OtherSession));
}

#[test]
fn after_a_reset_a_new_receiver_rebuilds_all_that_follows() {
    let (requests, _) = session();
    let mut sender = Compressor::new(Limits::default(), 5);
    for (turn, request) in requests.iter().enumerate() {
        if turn % 3 == 0 {
            sender.reset(turn as u64);
        }
        let frame = sender.compress(Signal::Traces, request).unwrap();
        if turn % 3 == 0 {
            let mut receiver = Decompressor::new(Limits::default(), turn as u64);
            assert!(receiver.decompress(&frame).as_ref() == Ok(request));
        }
    }
}
