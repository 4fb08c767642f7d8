//! The encoders write what prost and the views read.

use millrace_wire::encode::{
    Buckets, EncodedAttributes, Exemplar, ExponentialHistogramPoint, HistogramPoint, LogEncoder,
    MetricEncoder, Number, NumberPoint, PointAttributes, RequestEncoder, SpanEncoder, SummaryPoint,
    Temporality,
};
use millrace_wire::view::{RequestView, ValueView};
use millrace_wire::{AttributeValue, Signal, Summary, validate};
use opentelemetry_proto::tonic::common::v1::{AnyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;

use crate::from_view;
use crate::oracle::{Request, decode};

/// A value of every form, with lists and maps in each other.
fn every_form() -> AttributeValue {
    let leaves = vec![
        AttributeValue::Empty,
        AttributeValue::from("text"),
        AttributeValue::from("x".repeat(300).as_str()),
        AttributeValue::from(true),
        AttributeValue::from(i64::MIN),
        AttributeValue::from(f64::NEG_INFINITY),
        AttributeValue::Bytes(vec![0, 255]),
    ];
    let pairs = leaves
        .iter()
        .cloned()
        .map(|leaf| ("key".to_owned(), leaf))
        .collect();
    let mut outer = leaves;
    outer.push(AttributeValue::KvList(pairs));
    outer.push(AttributeValue::Array(Vec::new()));
    AttributeValue::Array(outer)
}

fn back(view: ValueView<'_>) -> AttributeValue {
    match view {
        ValueView::Empty | ValueView::StringIndex(_) => AttributeValue::Empty,
        ValueView::String(text) => AttributeValue::from(text),
        ValueView::Bool(value) => AttributeValue::Bool(value),
        ValueView::Int(value) => AttributeValue::Int(value),
        ValueView::Double(value) => AttributeValue::Double(value),
        ValueView::Bytes(bytes) => AttributeValue::Bytes(bytes.to_vec()),
        ValueView::Array(array) => AttributeValue::Array(array.map(back).collect()),
        ValueView::KvList(list) => AttributeValue::KvList(
            list.map(|pair| (pair.key.to_owned(), back(pair.value())))
                .collect(),
        ),
    }
}

/// A request with one span that has something in every field.
fn full_span() -> Vec<u8> {
    let mut request = RequestEncoder::new();
    request.resource(
        &[("service.name", AttributeValue::from("shop"))],
        "https://schema",
    );
    request.scope("library", "1.2", &[("scope", every_form())], "");
    request.item(|out| {
        SpanEncoder::new(out)
            .ids(&[1; 16], &[2; 8], Some(&[3; 8]))
            .trace_state("a=b")
            .name("GET /", 2)
            .times(10, 20)
            .attribute("every", &every_form())
            .attribute("status", &200i64)
            .attribute("route", "/")
            .attribute("ratio", &0.5)
            .attribute("ok", &true)
            .dropped(1, 0, 3)
            .event(15, "exception", |event| {
                event
                    .attribute("message", &*"m".repeat(200))
                    .dropped_attributes(1);
            })
            .link(&[4; 16], &[5; 8], "c=d", 1, |link| {
                link.attribute("k", "v").dropped_attributes(2);
            })
            .status(2, "failed")
            .flags(0x101);
    });
    request.finish()
}

#[test]
fn a_span_that_was_encoded_is_what_the_view_and_prost_read() {
    let bytes = full_span();
    assert_eq!(
        validate(Signal::Traces, &bytes).unwrap(),
        Summary {
            items: 1,
            invalid: 0
        }
    );
    let Request::Traces(decoded) = decode(Signal::Traces, &bytes).unwrap() else {
        unreachable!()
    };
    let expected = &decoded.resource_spans[0].scope_spans[0].spans[0];
    let scope = RequestView::new(&bytes)
        .resources()
        .next()
        .unwrap()
        .scopes()
        .next()
        .unwrap();
    let seen = scope.spans().next().unwrap();
    assert_eq!(&from_view::span(&seen), expected);
    assert_eq!(expected.name, "GET /");
    assert_eq!(expected.kind, 2);
    assert_eq!(expected.parent_span_id, [3; 8]);
    assert_eq!(
        (
            expected.dropped_attributes_count,
            expected.dropped_events_count,
            expected.dropped_links_count
        ),
        (1, 0, 3)
    );
    assert_eq!(expected.flags, 0x101);
    assert_eq!(expected.events[0].dropped_attributes_count, 1);
    assert_eq!(expected.links[0].dropped_attributes_count, 2);
    assert_eq!(back(seen.attributes().get("every").unwrap()), every_form());
    assert_eq!(
        back(scope.attributes().next().unwrap().value()),
        every_form()
    );
    assert_eq!((scope.name(), scope.version()), ("library", "1.2"));
    assert_eq!(decoded.resource_spans[0].schema_url, "https://schema");
}

#[test]
fn a_log_record_that_was_encoded_is_what_the_view_and_prost_read() {
    let mut request = RequestEncoder::new();
    request.item(|out| {
        LogEncoder::new(out)
            .times(1, 2)
            .severity(9, "INFO")
            .body(&every_form())
            .attribute("k", "v")
            .dropped_attributes(4)
            .context(&[1; 16], &[2; 8], 1)
            .event_name("click");
    });
    let bytes = request.finish();
    let Request::Logs(decoded) = decode(Signal::Logs, &bytes).unwrap() else {
        unreachable!()
    };
    let expected = &decoded.resource_logs[0].scope_logs[0].log_records[0];
    let records = RequestView::new(&bytes)
        .resources()
        .flat_map(|resource| resource.scopes())
        .flat_map(|scope| scope.log_records());
    let seen = records.last().unwrap();
    assert_eq!(&from_view::log_record(&seen), expected);
    assert_eq!(
        (
            expected.severity_number,
            &*expected.severity_text,
            &*expected.event_name
        ),
        (9, "INFO", "click")
    );
    assert_eq!(back(seen.body()), every_form());
}

const ATTRIBUTES: &[(&str, AttributeValue)] = &[("k", AttributeValue::Int(1))];

/// A request with one metric, which is valid, has this many points, and is read by the views as by prost.
#[track_caller]
fn written(points: usize, encode: impl FnOnce(MetricEncoder<'_>)) -> Data {
    let mut request = RequestEncoder::new();
    request.scope("scope", "", &[], "");
    request.item(|out| encode(MetricEncoder::new(out, "name", "what", "1")));
    let bytes = request.finish();
    assert_eq!(
        validate(Signal::Metrics, &bytes).unwrap(),
        Summary {
            items: points,
            invalid: 0
        }
    );
    let Request::Metrics(mut decoded) = decode(Signal::Metrics, &bytes).unwrap() else {
        unreachable!()
    };
    let expected = decoded
        .resource_metrics
        .remove(0)
        .scope_metrics
        .remove(0)
        .metrics
        .remove(0);
    let view = RequestView::new(&bytes);
    let metric = view
        .resources()
        .flat_map(|resource| resource.scopes())
        .flat_map(|scope| scope.metrics())
        .last()
        .unwrap();
    assert_eq!(
        (metric.name, metric.description, metric.unit),
        ("name", "what", "1")
    );
    assert_eq!(
        from_view::points(&metric),
        from_view::filled_points(expected.data.clone())
    );
    expected.data.unwrap()
}

#[test]
fn a_gauge_that_was_encoded_is_what_prost_reads() {
    let point = NumberPoint {
        attributes: PointAttributes::Listed(ATTRIBUTES),
        start_time_unix_nano: 1,
        time_unix_nano: 2,
        value: Number::Int(-3),
        exemplars: &[],
    };
    let data = written(2, |metric| {
        metric.gauge(|points| {
            points.number(&point);
            points.number(&NumberPoint {
                value: Number::Double(0.5),
                ..point
            });
        });
    });
    let Data::Gauge(gauge) = data else {
        panic!("expected a gauge, got {data:?}")
    };
    assert_eq!(gauge.data_points[0].value, Some(Value::AsInt(-3)));
    assert_eq!(gauge.data_points[1].value, Some(Value::AsDouble(0.5)));
}

#[test]
fn a_sum_that_was_encoded_is_what_prost_reads() {
    let point = NumberPoint {
        attributes: PointAttributes::Listed(ATTRIBUTES),
        start_time_unix_nano: 1,
        time_unix_nano: 2,
        value: Number::Int(3),
        exemplars: &[],
    };
    let data = written(1, |metric| {
        metric.sum(Temporality::Delta, true, |points| points.number(&point));
    });
    let Data::Sum(sum) = data else {
        panic!("expected a sum, got {data:?}")
    };
    assert!(sum.is_monotonic && sum.aggregation_temporality == 1);
}

#[test]
fn a_histogram_that_was_encoded_is_what_prost_reads() {
    let point = HistogramPoint {
        attributes: PointAttributes::Listed(ATTRIBUTES),
        start_time_unix_nano: 1,
        time_unix_nano: 2,
        count: 3,
        sum: Some(4.5),
        bucket_counts: &[1, 2],
        explicit_bounds: &[1.5],
        min: Some(0.5),
        max: None,
        exemplars: &[],
    };
    let data = written(1, |metric| {
        metric.histogram(Temporality::Cumulative, |points| points.histogram(&point));
    });
    let Data::Histogram(histogram) = data else {
        panic!("expected a histogram, got {data:?}")
    };
    let point = &histogram.data_points[0];
    assert_eq!(
        (&point.bucket_counts[..], &point.explicit_bounds[..]),
        (&[1, 2][..], &[1.5][..])
    );
    assert_eq!(
        (point.count, point.sum, point.min, point.max),
        (3, Some(4.5), Some(0.5), None)
    );
}

#[test]
fn an_exponential_histogram_that_was_encoded_is_what_prost_reads() {
    let point = ExponentialHistogramPoint {
        attributes: PointAttributes::Listed(ATTRIBUTES),
        start_time_unix_nano: 1,
        time_unix_nano: 2,
        count: 604,
        sum: None,
        scale: -2,
        zero_count: 1,
        positive: Buckets {
            offset: -3,
            counts: &[1, 2, 600],
        },
        negative: Buckets::default(),
        min: None,
        max: Some(9.0),
        zero_threshold: 0.25,
        exemplars: &[],
    };
    let data = written(1, |metric| {
        metric.exponential_histogram(Temporality::Cumulative, |points| {
            points.exponential_histogram(&point);
        });
    });
    let Data::ExponentialHistogram(histogram) = data else {
        panic!("expected an exponential histogram, got {data:?}")
    };
    let point = &histogram.data_points[0];
    assert_eq!(
        (point.scale, point.positive.as_ref().unwrap().offset),
        (-2, -3)
    );
    assert_eq!(point.positive.as_ref().unwrap().bucket_counts, [1, 2, 600]);
    assert!((point.zero_threshold - 0.25).abs() < f64::EPSILON);
}

#[test]
fn an_exemplar_that_was_encoded_is_what_prost_reads() {
    let mut filtered = EncodedAttributes::new();
    filtered.push("user", "u-1");
    filtered.push("tries", &2i64);
    let mut attributes = EncodedAttributes::new();
    attributes.push("k", &1i64);
    let exemplars = [
        Exemplar {
            filtered_attributes: PointAttributes::Encoded(&filtered),
            time_unix_nano: 7,
            value: Number::Double(0.25),
            span: Some((&[3; 16], &[4; 8])),
        },
        Exemplar {
            filtered_attributes: PointAttributes::Listed(&[]),
            time_unix_nano: 8,
            value: Number::Int(-1),
            span: None,
        },
    ];
    let data = written(1, |metric| {
        metric.sum(Temporality::Cumulative, true, |points| {
            points.number(&NumberPoint {
                attributes: PointAttributes::Encoded(&attributes),
                start_time_unix_nano: 1,
                time_unix_nano: 2,
                value: Number::Int(3),
                exemplars: &exemplars,
            });
        });
    });
    let Data::Sum(sum) = data else {
        panic!("expected a sum, got {data:?}")
    };
    let point = &sum.data_points[0];
    assert_eq!(point.attributes.len(), 1);
    let [first, second] = &point.exemplars[..] else {
        panic!("expected two exemplars, got {:?}", point.exemplars)
    };
    assert_eq!(
        (
            &first.trace_id[..],
            &first.span_id[..],
            first.time_unix_nano
        ),
        (&[3u8; 16][..], &[4u8; 8][..], 7)
    );
    assert_eq!(first.filtered_attributes.len(), 2);
    assert_eq!(first.filtered_attributes[1].key, "tries");
    assert!(second.trace_id.is_empty() && second.filtered_attributes.is_empty());
}

#[test]
fn a_summary_that_was_encoded_is_what_prost_reads() {
    let point = SummaryPoint {
        attributes: PointAttributes::Listed(ATTRIBUTES),
        start_time_unix_nano: 1,
        time_unix_nano: 2,
        count: 3,
        sum: 4.0,
        quantile_values: &[(0.5, 1.0), (0.99, 2.0)],
    };
    let data = written(1, |metric| metric.summary(|points| points.summary(&point)));
    let Data::Summary(summary) = data else {
        panic!("expected a summary, got {data:?}")
    };
    assert_eq!(summary.data_points[0].quantile_values.len(), 2);
}

#[test]
fn submessages_of_any_length_get_their_length_right() {
    // Across the ends of lengths of one, two, three and four bytes.
    for length in [
        0, 1, 120, 126, 127, 128, 129, 16_383, 16_384, 2_097_151, 2_097_152,
    ] {
        let mut request = RequestEncoder::new();
        request.item(|out| {
            LogEncoder::new(out)
                .body(&*"b".repeat(length))
                .event_name("end");
        });
        let bytes = request.finish();
        assert_eq!(validate(Signal::Logs, &bytes).unwrap().items, 1, "{length}");
        let Request::Logs(decoded) = decode(Signal::Logs, &bytes).unwrap() else {
            unreachable!()
        };
        let record = &decoded.resource_logs[0].scope_logs[0].log_records[0];
        assert_eq!(record.event_name, "end");
        assert_eq!(
            record.body,
            Some(AnyValue {
                value: Some(any_value::Value::StringValue("b".repeat(length)))
            })
        );
    }
}

#[test]
fn a_value_deeper_than_64_levels_is_written_without_what_lies_deeper() {
    let mut value = AttributeValue::from("deep");
    for _ in 0..200 {
        value = AttributeValue::Array(vec![value]);
    }
    let mut request = RequestEncoder::new();
    request.item(|out| {
        LogEncoder::new(out).body(&value);
    });
    assert!(validate(Signal::Logs, &request.finish()).is_ok());
}
