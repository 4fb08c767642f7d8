//! D5 to D10: which data points mean nothing.

use millrace_wire::field::{push_delimited, push_fixed64, push_varint};
use millrace_wire::{Signal, Summary, validate};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint,
    Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary as SummaryData,
    SummaryDataPoint,
};
use prost::Message;

use crate::data_model::{enclosed, verdict};

fn metrics(data: Vec<Data>) -> Vec<u8> {
    let metrics = data
        .into_iter()
        .map(|data| Metric {
            data: Some(data),
            ..Metric::default()
        })
        .collect();
    let scope = ScopeMetrics {
        metrics,
        ..ScopeMetrics::default()
    };
    let resource = ResourceMetrics {
        scope_metrics: vec![scope],
        ..ResourceMetrics::default()
    };
    ExportMetricsServiceRequest {
        resource_metrics: vec![resource],
    }
    .encode_to_vec()
}

fn number() -> NumberDataPoint {
    NumberDataPoint {
        time_unix_nano: 1,
        value: Some(Value::AsInt(0)),
        ..NumberDataPoint::default()
    }
}

#[track_caller]
fn data_is(data: Data, expected: Option<&str>) {
    let (invalid, message) = verdict(Signal::Metrics, &metrics(vec![data]));
    match expected {
        None => assert_eq!((invalid, message.as_str()), (0, "")),
        Some(reason) => assert!(
            invalid > 0 && message.contains(reason),
            "{invalid} invalid: {message}"
        ),
    }
}

#[test]
fn d5_a_number_point_without_a_value_is_invalid_unless_its_flag_says_so() {
    let gauge = |point| {
        Data::Gauge(Gauge {
            data_points: vec![point],
        })
    };
    data_is(gauge(number()), None);
    data_is(
        gauge(NumberDataPoint {
            value: Some(Value::AsDouble(0.0)),
            ..number()
        }),
        None,
    );
    data_is(
        gauge(NumberDataPoint {
            value: None,
            ..number()
        }),
        Some("must have as_int or as_double"),
    );
    data_is(
        gauge(NumberDataPoint {
            value: None,
            flags: 1,
            ..number()
        }),
        None,
    );
    data_is(
        gauge(NumberDataPoint {
            value: None,
            flags: 2,
            ..number()
        }),
        Some("must have as_int or as_double"),
    );
}

#[test]
fn d6_a_data_point_at_time_0_is_invalid_in_every_kind_of_metric() {
    let reason = Some("time_unix_nano of a data point must not be 0");
    data_is(
        Data::Gauge(Gauge {
            data_points: vec![NumberDataPoint {
                time_unix_nano: 0,
                ..number()
            }],
        }),
        reason,
    );
    data_is(
        histogram(HistogramDataPoint {
            time_unix_nano: 0,
            ..buckets()
        }),
        reason,
    );
    data_is(
        exponential(ExponentialHistogramDataPoint {
            time_unix_nano: 0,
            ..exponential_buckets()
        }),
        reason,
    );
    data_is(summary(vec![], 0), reason);
}

#[test]
fn d7_without_a_temporality_all_points_of_a_sum_or_histogram_are_invalid() {
    let reason = Some("aggregation_temporality");
    let points = vec![number(), number()];
    let sum = |aggregation_temporality| {
        Data::Sum(Sum {
            data_points: points.clone(),
            aggregation_temporality,
            is_monotonic: true,
        })
    };
    data_is(sum(0), reason);
    data_is(sum(1), None);
    data_is(sum(2), None);
    data_is(
        Data::Histogram(Histogram {
            data_points: vec![buckets()],
            aggregation_temporality: 0,
        }),
        reason,
    );
    let data_points = vec![exponential_buckets()];
    data_is(
        Data::ExponentialHistogram(ExponentialHistogram {
            data_points,
            aggregation_temporality: 0,
        }),
        reason,
    );
    assert_eq!(
        verdict(Signal::Metrics, &metrics(vec![sum(0), sum(2)])).0,
        2
    );
}

#[test]
fn c9_a_temporality_of_a_newer_protocol_is_kept() {
    let sum = Sum {
        data_points: vec![number()],
        aggregation_temporality: 9999,
        is_monotonic: false,
    };
    data_is(Data::Sum(sum), None);
}

fn buckets() -> HistogramDataPoint {
    HistogramDataPoint {
        time_unix_nano: 1,
        count: 6,
        sum: Some(12.5),
        bucket_counts: vec![1, 2, 3],
        explicit_bounds: vec![1.0, 2.0],
        ..HistogramDataPoint::default()
    }
}

fn histogram(point: HistogramDataPoint) -> Data {
    Data::Histogram(Histogram {
        data_points: vec![point],
        aggregation_temporality: 2,
    })
}

#[test]
fn d8_a_histogram_has_one_bucket_more_than_bounds_or_neither() {
    data_is(histogram(buckets()), None);
    data_is(
        histogram(HistogramDataPoint {
            bucket_counts: vec![],
            explicit_bounds: vec![],
            ..buckets()
        }),
        None,
    );
    data_is(
        histogram(HistogramDataPoint {
            bucket_counts: vec![6],
            explicit_bounds: vec![],
            ..buckets()
        }),
        None,
    );
    for (bucket_counts, explicit_bounds) in [
        (vec![3, 3], vec![1.0, 2.0]),
        (vec![], vec![1.0]),
        (vec![1, 2, 3], vec![]),
    ] {
        data_is(
            histogram(HistogramDataPoint {
                bucket_counts,
                explicit_bounds,
                ..buckets()
            }),
            Some("one bucket more"),
        );
    }
}

#[test]
fn d8_the_buckets_of_a_histogram_add_up_to_its_count() {
    data_is(
        histogram(HistogramDataPoint {
            count: 7,
            ..buckets()
        }),
        Some("add up to the count"),
    );
    let bucket_counts = vec![u64::MAX, 1, 6];
    data_is(
        histogram(HistogramDataPoint {
            bucket_counts,
            ..buckets()
        }),
        Some("add up to the count"),
    );
}

#[test]
fn d8_the_bounds_of_a_histogram_are_strictly_increasing() {
    for explicit_bounds in [
        vec![2.0, 1.0],
        vec![1.0, 1.0],
        vec![1.0, f64::NAN],
        vec![f64::NAN, 1.0],
    ] {
        data_is(
            histogram(HistogramDataPoint {
                explicit_bounds,
                ..buckets()
            }),
            Some("strictly increasing"),
        );
    }
    let explicit_bounds = vec![f64::NEG_INFINITY, f64::INFINITY];
    data_is(
        histogram(HistogramDataPoint {
            explicit_bounds,
            ..buckets()
        }),
        None,
    );
}

#[test]
fn d8_a_histogram_of_nothing_has_no_sum() {
    let nothing = HistogramDataPoint {
        count: 0,
        bucket_counts: vec![0, 0, 0],
        ..buckets()
    };
    data_is(histogram(nothing.clone()), Some("whose count is 0"));
    data_is(
        histogram(HistogramDataPoint {
            sum: Some(0.0),
            ..nothing.clone()
        }),
        None,
    );
    data_is(
        histogram(HistogramDataPoint {
            sum: None,
            ..nothing
        }),
        None,
    );
}

#[test]
fn d5_a_histogram_that_says_no_value_was_recorded_is_valid_whatever_it_holds() {
    data_is(
        histogram(HistogramDataPoint {
            flags: 1,
            count: 99,
            ..buckets()
        }),
        None,
    );
}

#[test]
fn f15_a_histogram_written_unpacked_means_the_same() {
    for (second, invalid) in [(2u64, 0), (3, 1)] {
        let mut point = Vec::new();
        push_fixed64(&mut point, 3, 1);
        push_fixed64(&mut point, 4, 3);
        push_fixed64(&mut point, 6, 1);
        push_fixed64(&mut point, 7, 5f64.to_bits());
        push_delimited(&mut point, 6, &second.to_le_bytes());
        let mut request = Vec::new();
        push_delimited(&mut request, 1, &point);
        push_varint(&mut request, 2, 2);
        for number in [9, 2, 2, 1] {
            request = enclosed(number, &request);
        }
        assert_eq!(
            validate(Signal::Metrics, &request).unwrap(),
            Summary { items: 1, invalid }
        );
    }
}

fn exponential_buckets() -> ExponentialHistogramDataPoint {
    ExponentialHistogramDataPoint {
        time_unix_nano: 1,
        count: 10,
        sum: Some(3.0),
        scale: 2,
        zero_count: 1,
        positive: Some(Buckets {
            offset: -3,
            bucket_counts: vec![1, 2, 3],
        }),
        negative: Some(Buckets {
            offset: 4,
            bucket_counts: vec![3],
        }),
        ..ExponentialHistogramDataPoint::default()
    }
}

fn exponential(point: ExponentialHistogramDataPoint) -> Data {
    Data::ExponentialHistogram(ExponentialHistogram {
        data_points: vec![point],
        aggregation_temporality: 1,
    })
}

#[test]
fn d9_the_buckets_of_an_exponential_histogram_add_up_to_its_count() {
    data_is(exponential(exponential_buckets()), None);
    let reason = Some("add up to the count of their exponential histogram");
    data_is(
        exponential(ExponentialHistogramDataPoint {
            count: 9,
            ..exponential_buckets()
        }),
        reason,
    );
    data_is(
        exponential(ExponentialHistogramDataPoint {
            zero_count: 0,
            ..exponential_buckets()
        }),
        reason,
    );
}

#[test]
fn d9_a_scale_and_offset_beyond_what_a_double_holds_are_invalid() {
    let point = |scale, offset| {
        exponential(ExponentialHistogramDataPoint {
            count: 2,
            scale,
            zero_count: 0,
            positive: Some(Buckets {
                offset,
                bucket_counts: vec![1, 1],
            }),
            negative: None,
            ..exponential_buckets()
        })
    };
    for (scale, offset) in [
        (0, -1074),
        (0, 1022),
        (20, i32::MAX / 4),
        (-10, -1),
        (-11, -1),
        (11, 0),
    ] {
        data_is(point(scale, offset), None);
    }
    for (scale, offset) in [
        (0, i32::MAX),
        (0, i32::MIN),
        (0, 1024),
        (0, 5000),
        (0, -5000),
        (-10, 2),
        (20, i32::MAX),
        (i32::MIN, 1),
        (i32::MIN, i32::MAX),
    ] {
        data_is(
            point(scale, offset),
            Some("bucket boundaries that a double can hold"),
        );
    }
}

fn summary(quantiles: Vec<(f64, f64)>, time_unix_nano: u64) -> Data {
    let quantile_values = quantiles
        .into_iter()
        .map(|(quantile, value)| ValueAtQuantile { quantile, value })
        .collect();
    let point = SummaryDataPoint {
        time_unix_nano,
        quantile_values,
        ..SummaryDataPoint::default()
    };
    Data::Summary(SummaryData {
        data_points: vec![point],
    })
}

#[test]
fn d10_the_quantiles_of_a_summary_increase_between_0_and_1() {
    data_is(summary(vec![(0.0, 1.0), (0.5, 2.0), (1.0, 9.0)], 1), None);
    for quantiles in [
        vec![(0.5, 1.0), (0.4, 1.0)],
        vec![(0.5, 1.0), (0.5, 1.0)],
        vec![(1.1, 1.0)],
        vec![(-0.1, 1.0)],
        vec![(f64::NAN, 1.0)],
    ] {
        data_is(summary(quantiles, 1), Some("quantiles of a summary"));
    }
}

#[test]
fn d10_the_values_of_a_summary_are_not_negative_but_may_be_nan() {
    data_is(summary(vec![(0.5, -1.0)], 1), Some("must not be negative"));
    data_is(summary(vec![(0.5, f64::NAN)], 1), None);
}

#[test]
fn c7_the_message_stays_short_however_many_reasons_there_are() {
    let mut data: Vec<Data> = vec![
        histogram(HistogramDataPoint {
            count: 1,
            ..buckets()
        });
        1000
    ];
    data.push(summary(vec![(0.5, -1.0)], 1));
    data.push(summary(vec![(2.0, 1.0)], 1));
    data.push(Data::Gauge(Gauge {
        data_points: vec![NumberDataPoint {
            value: None,
            ..number()
        }],
    }));
    data.push(Data::Sum(Sum {
        data_points: vec![number()],
        ..Sum::default()
    }));
    let (invalid, message) = verdict(Signal::Metrics, &metrics(data));
    assert_eq!(invalid, 1004);
    assert!(
        message.len() < 500 && message.ends_with("and 2 more reasons"),
        "{message}"
    );
}
