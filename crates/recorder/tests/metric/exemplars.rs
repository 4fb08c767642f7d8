//! Reservoirs choose as the specification says.
use millrace_recorder::metric::{Aggregation, Exemplar, ReservoirKind, Stream};
use millrace_wire::encode::{Number, Temporality};

use crate::streams::{Key, measure, options, stream, sum};

fn offer(stream: &mut Stream<Key>, place: usize, value: i64) {
    stream.offer(place, Number::Int(value), || Exemplar {
        filtered_attributes: None,
        time_unix_nano: value.unsigned_abs(),
        value: Number::Int(value),
        span: Some(([1; 16], [2; 8])),
    });
}

fn values(stream: &mut Stream<Key>) -> Vec<Number> {
    let points = stream.collect(10);
    points
        .iter()
        .flat_map(|point| point.exemplars.iter().map(|exemplar| exemplar.value))
        .collect()
}

#[test]
fn the_aligned_reservoir_keeps_the_last_measurement_of_each_bucket() {
    let bounds = [10.0, 20.0].into();
    let mut described = options(
        Aggregation::ExplicitHistogram { bounds },
        Temporality::Delta,
    );
    described.reservoir = ReservoirKind::AlignedHistogramBucket;
    let mut stream = stream(described);
    for value in [1, 25, 10, 11, 30] {
        let place = measure(&mut stream, 1, Number::Int(value));
        offer(&mut stream, place, value);
    }
    assert_eq!(
        values(&mut stream),
        [Number::Int(10), Number::Int(11), Number::Int(30)]
    );
}

#[test]
fn the_simple_reservoir_gives_each_measurement_the_same_chance() {
    let mut chosen = [0u32; 4];
    let mut stream = stream(sum(Temporality::Delta));
    for _ in 0..4000 {
        for value in 0..4 {
            let place = measure(&mut stream, 1, Number::Int(value));
            offer(&mut stream, place, value);
        }
        for value in values(&mut stream) {
            let Number::Int(value) = value else {
                panic!("expected an integer, got {value:?}")
            };
            chosen[usize::try_from(value).unwrap()] += 1;
        }
    }
    assert_eq!(chosen.iter().sum::<u32>(), 4000);
    // Five standard deviations around a quarter.
    assert!(
        chosen.iter().all(|count| (863..=1137).contains(count)),
        "{chosen:?}"
    );
}

#[test]
fn an_exemplar_is_reported_once() {
    let mut stream = stream(sum(Temporality::Cumulative));
    let place = measure(&mut stream, 1, Number::Int(3));
    offer(&mut stream, place, 3);
    assert_eq!(values(&mut stream), [Number::Int(3)]);
    assert!(values(&mut stream).is_empty());
}
