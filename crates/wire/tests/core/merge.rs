//! Joining: the items of all requests, in order, and nothing else.

use millrace_wire::{Signal, merge, split_by_count, validate};
use proptest::prelude::*;

use crate::accept::{any_seed, any_signal};
use crate::generate::{request, wild_request};
use crate::oracle::items;

proptest! {
    #[test]
    fn joined_requests_hold_the_items_of_both_in_order(
        signal in any_signal(),
        first in any_seed(),
        second in any_seed(),
    ) {
        prop_assume!(signal != Signal::Profiles);
        let (first, second) = (request(signal, &first), request(signal, &second));
        let joined = merge(signal, &[&first, &second]);
        let both = [items(signal, &first), items(signal, &second)].concat();
        prop_assert_eq!(items(signal, &joined), both);
        prop_assert_eq!(joined.len(), first.len() + second.len());
    }

    #[test]
    fn joining_the_parts_of_a_split_request_restores_its_items(
        signal in any_signal(),
        seed in any_seed(),
        max in 1usize..6,
    ) {
        let bytes = request(signal, &seed);
        let parts = split_by_count(signal, &bytes, max);
        let joined = merge(signal, &parts.iter().map(Vec::as_slice).collect::<Vec<_>>());
        prop_assert_eq!(items(signal, &joined), items(signal, &bytes));
    }

    #[test]
    fn joined_requests_are_accepted_and_counted(signal in any_signal(), first in any_seed(), second in any_seed()) {
        let (first, second) = (wild_request(signal, &first), wild_request(signal, &second));
        let items = validate(signal, &first).unwrap().items + validate(signal, &second).unwrap().items;
        let joined = merge(signal, &[&first, &second]);
        prop_assert_eq!(validate(signal, &joined).expect("accepted").items, items);
    }
}

#[test]
fn joining_nothing_gives_the_empty_request() {
    for signal in Signal::ALL {
        assert!(merge(signal, &[]).is_empty());
    }
}
