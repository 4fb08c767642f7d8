//! Every measurement is counted once, whatever is collected in between and however many attribute sets there are.
use std::collections::BTreeMap;

use millrace_recorder::metric::Aggregation;
use millrace_wire::encode::{Number, Temporality};
use proptest::prelude::*;

use crate::streams::{OVERFLOW, int, measure, options, stream, sum};

/// Measurements by attribute set, with collections in between.
fn rounds() -> impl Strategy<Value = Vec<Vec<(u64, i64)>>> {
    prop::collection::vec(prop::collection::vec((0u64..40, 0i64..1000), 0..60), 1..6)
}

proptest! {
    #[test]
    fn deltas_add_up_to_everything_that_was_measured(rounds in rounds(), limit in 1usize..50) {
        let mut limited = sum(Temporality::Delta);
        limited.cardinality_limit = limit;
        let mut stream = stream(limited);
        let (mut measured, mut collected) = (0, 0);
        for (round, measurements) in rounds.iter().enumerate() {
            for (key, value) in measurements {
                measure(&mut stream, *key, Number::Int(*value));
                measured += value;
            }
            let points = stream.collect(round as u64 + 10);
            prop_assert!(points.len() <= limit + 1);
            collected += points.iter().map(int).sum::<i64>();
            prop_assert_eq!(collected, measured);
        }
    }

    #[test]
    fn a_cumulative_series_is_the_total_of_its_attribute_set(rounds in rounds()) {
        let mut stream = stream(sum(Temporality::Cumulative));
        let mut totals: BTreeMap<u64, i64> = BTreeMap::new();
        for (round, measurements) in rounds.iter().enumerate() {
            for (key, value) in measurements {
                measure(&mut stream, *key, Number::Int(*value));
                *totals.entry(*key).or_default() += value;
            }
            let points = stream.collect(round as u64 + 10);
            let seen: BTreeMap<u64, i64> = points.iter().map(|point| (point.key.number, int(point))).collect();
            prop_assert_eq!(&seen, &totals);
            prop_assert!(points.iter().all(|point| point.start_time_unix_nano == 1));
        }
    }

    #[test]
    fn a_cumulative_stream_keeps_what_came_before_its_limit_and_counts_the_rest_together(rounds in rounds(), limit in 1usize..20) {
        let mut limited = sum(Temporality::Cumulative);
        limited.cardinality_limit = limit;
        let mut stream = stream(limited);
        let mut totals: Vec<(u64, i64)> = Vec::new();
        let mut beyond = 0;
        for (key, value) in rounds.iter().flatten() {
            measure(&mut stream, *key, Number::Int(*value));
            let has_room = totals.len() < limit;
            match totals.iter_mut().find(|(known, _)| known == key) {
                Some((_, total)) => *total += value,
                None if has_room => totals.push((*key, *value)),
                None => beyond += value,
            }
        }
        let points = stream.collect(10);
        let (overflow, others): (Vec<_>, Vec<_>) = points.iter().partition(|point| point.key.number == OVERFLOW);
        let seen: Vec<(u64, i64)> = others.iter().map(|point| (point.key.number, int(point))).collect();
        prop_assert_eq!(seen, totals);
        prop_assert_eq!(overflow.iter().map(|point| int(point)).sum::<i64>(), beyond);
    }

    #[test]
    fn observed_totals_are_reported_as_the_changes_between_them(totals in prop::collection::vec(0i64..1000, 1..20)) {
        let mut observable = sum(Temporality::Delta);
        observable.is_observable = true;
        let mut stream = stream(observable);
        let mut reported = 0;
        for (round, total) in totals.iter().enumerate() {
            // Two observations of one attribute set in one callback are two parts of one total.
            measure(&mut stream, 1, Number::Int(total / 2));
            measure(&mut stream, 1, Number::Int(total - total / 2));
            let points = stream.collect(round as u64 + 10);
            reported += int(&points[0]);
            prop_assert_eq!(reported, *total);
        }
    }
}

#[test]
fn an_attribute_set_that_is_not_observed_any_more_is_not_reported() {
    let mut observable = sum(Temporality::Cumulative);
    observable.is_observable = true;
    let mut stream = stream(observable);
    measure(&mut stream, 1, Number::Int(5));
    measure(&mut stream, 2, Number::Int(6));
    assert_eq!(stream.collect(10).len(), 2);
    measure(&mut stream, 2, Number::Int(7));
    let points = stream.collect(20);
    assert_eq!(points.iter().map(int).collect::<Vec<_>>(), [7]);
}

#[test]
fn a_delta_stream_forgets_attribute_sets_that_were_idle_to_make_room_for_new_ones() {
    let mut limited = sum(Temporality::Delta);
    limited.cardinality_limit = 2;
    let mut stream = stream(limited);
    for round in 0..5u64 {
        measure(&mut stream, round * 2, Number::Int(1));
        measure(&mut stream, round * 2 + 1, Number::Int(1));
        let points = stream.collect(round + 10);
        assert!(points.iter().all(|point| point.key.number != OVERFLOW));
        assert_eq!(points.len(), 2);
    }
}

#[test]
fn a_sum_that_leaves_64_bits_goes_on_as_a_double() {
    let mut stream = stream(sum(Temporality::Cumulative));
    measure(&mut stream, 1, Number::Int(i64::MAX));
    measure(&mut stream, 1, Number::Int(i64::MAX));
    let points = stream.collect(10);
    let millrace_recorder::metric::PointData::Number(Number::Double(total)) = points[0].data else {
        panic!("expected a double, got {:?}", points[0].data)
    };
    assert!((total - 2.0f64.powi(64)).abs() < 1.0);
}

#[test]
fn a_forked_child_reports_nothing_of_its_parent_but_last_values() {
    let mut counted = stream(sum(Temporality::Cumulative));
    let mut said = stream(options(Aggregation::LastValue, Temporality::Cumulative));
    measure(&mut counted, 1, Number::Int(5));
    measure(&mut said, 1, Number::Int(5));
    counted.begin_in_child();
    said.begin_in_child();
    assert!(counted.collect(10).is_empty());
    assert_eq!(said.collect(10).len(), 1);
    measure(&mut counted, 1, Number::Int(3));
    assert_eq!(int(&counted.collect(20)[0]), 3);
}
