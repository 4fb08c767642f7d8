//! Part 1.9 and S3: values nest 128 levels deep and not one more, and no nesting exhausts the stack.

use millrace_wire::field::{push_delimited, push_tag};
use millrace_wire::view::{RequestView, ValueView};
use millrace_wire::{Signal, validate};

const ARRAY: u32 = 5;
const KVLIST: u32 = 6;

/// A log record whose body is this many values, one inside the other. Built outside in, in linear time.
fn nested(levels: usize, arm: u32) -> Vec<u8> {
    // The lengths of all levels, innermost first.
    let mut lengths = vec![0];
    for _ in 1..levels {
        let mut length: usize = lengths[lengths.len() - 1];
        for _ in 0..if arm == KVLIST { 3 } else { 2 } {
            length += 1 + millrace_wire::varint::length(length as u64);
        }
        lengths.push(length);
    }
    let mut bytes = Vec::new();
    let mut open = |number: u32, length: usize| {
        push_tag(&mut bytes, number, 2);
        millrace_wire::varint::push(&mut bytes, length as u64);
    };
    let header = |length: usize| 1 + millrace_wire::varint::length(length as u64);
    let outermost = lengths[levels - 1];
    let record = outermost + header(outermost);
    let scope = record + header(record);
    let resource = scope + header(scope);
    open(1, resource);
    open(2, scope);
    open(2, record);
    open(5, outermost);
    for inner in lengths.iter().rev().skip(1) {
        if arm == KVLIST {
            let pair = inner + header(*inner);
            open(arm, pair + header(pair));
            open(1, pair);
            open(2, *inner);
        } else {
            open(arm, inner + header(*inner));
            open(1, *inner);
        }
    }
    bytes
}

#[test]
fn values_nest_128_levels_deep() {
    for arm in [ARRAY, KVLIST] {
        for levels in [1, 47, 64, 100, 128] {
            validate(Signal::Logs, &nested(levels, arm))
                .unwrap_or_else(|error| panic!("{levels} levels: {error}"));
        }
    }
}

#[test]
fn a_value_on_level_129_is_refused_where_it_begins() {
    for arm in [ARRAY, KVLIST] {
        let bytes = nested(129, arm);
        let error = validate(Signal::Logs, &bytes).unwrap_err();
        assert_eq!(
            error.offset(),
            bytes.len(),
            "the innermost value is empty and stands at the end"
        );
        assert!(error.to_string().contains("128 levels"), "{error}");
    }
}

#[test]
fn s3_f13_millions_of_levels_are_refused_without_exhausting_the_stack() {
    for arm in [ARRAY, KVLIST] {
        for levels in [100_000, 1_000_000, 2_000_000] {
            assert!(validate(Signal::Logs, &nested(levels, arm)).is_err());
        }
    }
}

#[test]
fn a_view_reads_all_128_levels() {
    let bytes = nested(128, ARRAY);
    let record = RequestView::new(&bytes)
        .resources()
        .flat_map(|resource| resource.scopes())
        .flat_map(|scope| scope.log_records());
    let mut value = record.last().unwrap().body();
    for _ in 1..128 {
        let ValueView::Array(mut array) = value else {
            panic!("expected an array, got {value:?}")
        };
        value = array.next().unwrap();
    }
    assert!(matches!(value, ValueView::Empty));
}

#[test]
fn s3_unknown_groups_nest_100_levels_deep_and_not_more() {
    let groups = |levels: usize| {
        let mut bytes = Vec::new();
        (0..levels).for_each(|_| push_tag(&mut bytes, 99, 3));
        (0..levels).for_each(|_| push_tag(&mut bytes, 99, 4));
        bytes
    };
    validate(Signal::Traces, &groups(100)).unwrap();
    assert!(validate(Signal::Traces, &groups(102)).is_err());
    assert!(validate(Signal::Traces, &groups(2_000_000)).is_err());
}

#[test]
fn s3_a_view_of_deep_groups_does_not_exhaust_the_stack_even_unvalidated() {
    let mut bytes = Vec::new();
    (0..2_000_000).for_each(|_| push_tag(&mut bytes, 99, 3));
    assert_eq!(RequestView::new(&bytes).resources().count(), 0);
    (0..2_000_000).for_each(|_| push_tag(&mut bytes, 99, 4));
    push_delimited(&mut bytes, 1, &[]);
    assert_eq!(RequestView::new(&bytes).resources().count(), 1);
}
