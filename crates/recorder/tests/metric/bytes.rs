//! Points are valid bytes that say what was measured.
use millrace_recorder::metric::{Aggregation, Exemplar, encode_points};
use millrace_wire::encode::{Number, RequestEncoder, Temporality};
use millrace_wire::view::{DataView, NumberView, RequestView};
use millrace_wire::{Signal, Summary, validate};

use crate::streams::{measure, options, stream};

/// A request with what a stream collects after these measurements.
fn request(aggregation: Aggregation, temporality: Temporality, values: &[Number]) -> Vec<u8> {
    let mut stream = stream(options(aggregation, temporality));
    for value in values {
        let place = measure(&mut stream, 1, *value);
        stream.offer(place, *value, || Exemplar {
            filtered_attributes: None,
            time_unix_nano: 5,
            value: *value,
            span: None,
        });
    }
    let points = stream.collect(10);
    let mut request = RequestEncoder::new();
    request.item(|out| encode_points(stream.options(), &points, out));
    let bytes = request.finish();
    let expected = Summary {
        items: 1,
        invalid: 0,
    };
    assert_eq!(validate(Signal::Metrics, &bytes).unwrap(), expected);
    bytes
}

/// The data of the only metric.
fn data(bytes: &[u8]) -> DataView<'_> {
    RequestView::new(bytes)
        .resources()
        .flat_map(|resource| resource.scopes())
        .flat_map(|scope| scope.metrics())
        .find_map(|metric| metric.data())
        .unwrap()
}

const VALUES: [Number; 4] = [
    Number::Int(3),
    Number::Double(0.5),
    Number::Double(-7.25),
    Number::Int(0),
];

#[test]
fn every_aggregation_is_valid_in_both_temporalities() {
    for temporality in [Temporality::Delta, Temporality::Cumulative] {
        for aggregation in [
            Aggregation::Sum {
                is_monotonic: false,
            },
            Aggregation::LastValue,
            Aggregation::ExplicitHistogram {
                bounds: [0.0, 1.0].into(),
            },
            Aggregation::ExponentialHistogram {
                size_max: 160,
                scale_max: 20,
            },
        ] {
            request(aggregation, temporality, &VALUES);
        }
    }
}

#[test]
fn a_sum_says_its_total_its_start_and_its_exemplar() {
    let bytes = request(
        Aggregation::Sum { is_monotonic: true },
        Temporality::Delta,
        &[Number::Int(3), Number::Int(4)],
    );
    let data = data(&bytes);
    let point = data.number_points().next().unwrap();
    assert_eq!(point.value(), NumberView::Int(7));
    assert_eq!((point.start_time_unix_nano, point.time_unix_nano), (1, 10));
    assert_eq!(point.exemplars().count(), 1);
}

#[test]
fn a_histogram_says_how_many_values_are_at_most_each_bound() {
    let bytes = request(
        Aggregation::ExplicitHistogram {
            bounds: [0.0, 3.0].into(),
        },
        Temporality::Cumulative,
        &VALUES,
    );
    let data = data(&bytes);
    let point = data.histogram_points().next().unwrap();
    assert_eq!(point.bucket_counts().collect::<Vec<_>>(), [2, 2, 0]);
    assert_eq!(
        (point.count, point.sum, point.min, point.max),
        (4, Some(-3.75), Some(-7.25), Some(3.0))
    );
}
