//! Splitting: nothing is lost, nothing changes place, no part is too large, and no part is empty.

use millrace_wire::field::{Fields, push_delimited};
use millrace_wire::{Signal, count, split_by_bytes, split_by_count, validate};
use proptest::prelude::*;

use crate::accept::{any_seed, any_signal};
use crate::generate::request;
use crate::oracle::items;

proptest! {
    #[test]
    fn parts_by_count_hold_all_items_in_order_under_what_they_stood_under(
        signal in any_signal(),
        seed in any_seed(),
        max in 1usize..6,
    ) {
        let bytes = request(signal, &seed);
        let parts = split_by_count(signal, &bytes, max);
        let in_parts: Vec<_> = parts.iter().flat_map(|part| items(signal, part)).collect();
        prop_assert_eq!(in_parts, items(signal, &bytes));
        for (index, part) in parts.iter().enumerate() {
            let summary = validate(signal, part).expect("a part is a request");
            prop_assert!(summary.items == max || index == parts.len() - 1 && summary.items > 0);
        }
    }

    #[test]
    fn x7_parts_by_bytes_hold_all_items_that_fit_and_none_is_too_large(
        signal in any_signal(),
        seed in any_seed(),
        max in 1usize..400,
    ) {
        let bytes = request(signal, &seed);
        let (parts, left_out) = match split_by_bytes(signal, &bytes, max) {
            Ok(parts) => (parts, 0),
            Err(error) => {
                prop_assert!(error.size > max && error.limit == max && error.items > 0);
                (error.parts, error.items)
            }
        };
        let mut kept = 0;
        let mut wanted = items(signal, &bytes).into_iter();
        for part in &parts {
            prop_assert!(part.len() <= max);
            validate(signal, part).expect("a part is a request");
            prop_assert!(count(signal, part) > 0);
            for item in items(signal, part) {
                kept += 1;
                prop_assert!(wanted.any(|other| other == item), "in order");
            }
        }
        prop_assert_eq!(kept + left_out, count(signal, &bytes));
    }

    #[test]
    fn an_item_that_fits_a_request_alone_is_never_left_out(signal in any_signal(), seed in any_seed()) {
        let bytes = request(signal, &seed);
        let alone = split_by_count(signal, &bytes, 1);
        let largest = alone.iter().map(Vec::len).max().unwrap_or_default();
        prop_assert!(split_by_bytes(signal, &bytes, largest).is_ok());
        if largest > 0 {
            let error = split_by_bytes(signal, &bytes, largest - 1).unwrap_err();
            prop_assert_eq!(error.size, largest);
            prop_assert_eq!(error.items, alone.iter().filter(|part| part.len() == largest).count());
        }
    }
}

#[test]
fn x14_a_request_without_items_has_no_parts() {
    for signal in Signal::ALL {
        for empty in [&[][..], &[0x0a, 0x00], &[0x0a, 0x02, 0x12, 0x00]] {
            assert_eq!(split_by_count(signal, empty, 10), Vec::<Vec<u8>>::new());
            assert_eq!(
                split_by_bytes(signal, empty, 10).unwrap(),
                Vec::<Vec<u8>>::new()
            );
        }
    }
}

#[test]
fn x14_envelopes_without_items_are_in_no_part() {
    let (mut scope, mut resource, mut request) = (Vec::new(), Vec::new(), Vec::new());
    push_delimited(&mut scope, 2, &[]);
    push_delimited(&mut resource, 2, &[]);
    push_delimited(&mut resource, 2, &scope);
    push_delimited(&mut resource, 2, &[]);
    push_delimited(&mut request, 1, &[]);
    push_delimited(&mut request, 1, &resource);
    assert_eq!(
        split_by_count(Signal::Traces, &request, 10),
        [vec![0x0a, 0x04, 0x12, 0x02, 0x12, 0x00]]
    );
}

#[test]
fn a_maximum_of_zero_items_means_one() {
    let request = [0x0a, 0x06, 0x12, 0x04, 0x12, 0x00, 0x12, 0x00];
    assert_eq!(split_by_count(Signal::Traces, &request, 0).len(), 2);
}

#[test]
fn c9_every_part_keeps_the_unknown_fields_of_its_envelopes() {
    let (mut scope, mut resource, mut request) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..3 {
        push_delimited(&mut scope, 2, &[]);
    }
    push_delimited(&mut scope, 103, b"in the scope");
    push_delimited(&mut resource, 2, &scope);
    push_delimited(&mut resource, 102, b"in the resource");
    push_delimited(&mut request, 1, &resource);
    push_delimited(&mut request, 101, b"in the request");
    let parts = split_by_count(Signal::Traces, &request, 1);
    assert_eq!(parts.len(), 3);
    for part in parts {
        let mut level = &part[..];
        for number in [101, 102, 103] {
            assert!(
                Fields::new(level).any(|field| field.number == number),
                "field {number}"
            );
            level = Fields::new(level)
                .find(|field| field.number < 3)
                .unwrap()
                .value
                .delimited();
        }
    }
}
