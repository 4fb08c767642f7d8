//! What is accepted and what is refused: the same as by prost.

use millrace_wire::view::RequestView;
use millrace_wire::{Signal, Summary, count, validate};
use proptest::prelude::*;

use crate::generate::{request, wild_request};
use crate::oracle::{decode, items};

pub(crate) fn any_signal() -> impl Strategy<Value = Signal> {
    prop::sample::select(Signal::ALL.to_vec())
}

/// Bytes that decide over a request.
pub(crate) fn any_seed() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..3000)
}

proptest! {
    #[test]
    fn every_request_that_an_sdk_can_write_is_accepted_and_counted(signal in any_signal(), seed in any_seed()) {
        let bytes = request(signal, &seed);
        let summary = validate(signal, &bytes).expect("an SDK may write it");
        prop_assert_eq!(summary.items, items(signal, &bytes).len());
        prop_assert_eq!(summary.items, count(signal, &bytes));
    }

    #[test]
    fn c9_unknown_fields_and_f15_repeated_singular_fields_are_accepted(signal in any_signal(), seed in any_seed()) {
        let bytes = wild_request(signal, &seed);
        prop_assert!(decode(signal, &bytes).is_ok());
        prop_assert!(validate(signal, &bytes).is_ok());
    }

    #[test]
    fn h7_mutated_bytes_are_refused_exactly_when_prost_refuses_them(
        signal in any_signal(),
        seed in any_seed(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = wild_request(signal, &seed);
        prop_assume!(!bytes.is_empty());
        for (index, byte) in changes {
            let place = index.index(bytes.len());
            bytes[place] = byte;
        }
        same_verdict(signal, &bytes);
    }

    #[test]
    fn h7_random_bytes_are_refused_exactly_when_prost_refuses_them(
        signal in any_signal(),
        bytes in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        same_verdict(signal, &bytes);
    }

    #[test]
    fn h7_a_request_cut_at_any_byte_is_refused_exactly_when_prost_refuses_it(signal in any_signal(), seed in any_seed()) {
        let bytes = wild_request(signal, &seed);
        for end in 0..bytes.len() {
            same_verdict(signal, &bytes[..end]);
        }
    }
}

fn same_verdict(signal: Signal, bytes: &[u8]) {
    let ours = validate(signal, bytes);
    let theirs = decode(signal, bytes);
    assert_eq!(
        ours.is_ok(),
        theirs.is_ok(),
        "ours: {ours:?}, prost: {:?}, bytes: {bytes:02x?}",
        theirs.err()
    );
    if let Err(error) = ours {
        assert!(error.offset() <= bytes.len());
    }
}

#[test]
fn c2_an_empty_request_is_accepted_and_has_no_items() {
    for signal in Signal::ALL {
        assert_eq!(validate(signal, &[]).unwrap(), Summary::default());
        assert_eq!(RequestView::new(&[]).resources().count(), 0);
    }
}

#[test]
fn c3_empty_envelopes_are_accepted_and_hold_no_items() {
    for signal in Signal::ALL {
        let bytes = [0x0a, 0x00, 0x0a, 0x02, 0x12, 0x00];
        assert_eq!(validate(signal, &bytes).unwrap(), Summary::default());
    }
}

#[test]
fn c3_a_metric_without_points_is_accepted_and_holds_no_items() {
    let metric = [0x0a, 0x06, 0x12, 0x04, 0x12, 0x02, 0x2a, 0x00];
    assert_eq!(
        validate(Signal::Metrics, &metric).unwrap(),
        Summary::default()
    );
}
