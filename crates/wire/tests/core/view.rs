//! The views read what prost reads from the same bytes.

use millrace_wire::Signal;
use millrace_wire::encode::SpanEncoder;
use millrace_wire::view::{
    Attributes, BucketsView, ExemplarView, ExponentialHistogramPointView, HistogramPointView,
    KeyValueView, LogRecordView, MetricView, NumberPointView, NumberView, RequestView, SpanView,
    SummaryPointView, ValueView,
};
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList, any_value::Value,
};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets as ProstBuckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    self as metrics, Exemplar, ExponentialHistogramDataPoint, HistogramDataPoint, NumberDataPoint,
    SummaryDataPoint,
};
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use proptest::prelude::*;
use prost::Message;

use crate::accept::any_seed;
use crate::generate::request;
use crate::oracle::{Request, decode};

fn from_view(view: ValueView<'_>) -> AnyValue {
    let value = match view {
        ValueView::Empty => None,
        ValueView::String(text) => Some(Value::StringValue(text.to_owned())),
        ValueView::Bool(value) => Some(Value::BoolValue(value)),
        ValueView::Int(value) => Some(Value::IntValue(value)),
        ValueView::Double(value) => Some(Value::DoubleValue(value)),
        ValueView::Bytes(bytes) => Some(Value::BytesValue(bytes.to_vec())),
        ValueView::StringIndex(index) => Some(Value::StringValueStrindex(index)),
        ValueView::Array(array) => Some(Value::ArrayValue(ArrayValue {
            values: array.map(from_view).collect(),
        })),
        ValueView::KvList(list) => Some(Value::KvlistValue(KeyValueList {
            values: attributes(list),
        })),
    };
    AnyValue { value }
}

fn attribute(view: KeyValueView<'_>) -> KeyValue {
    KeyValue {
        key: view.key.to_owned(),
        value: Some(from_view(view.value())),
        key_strindex: view.key_strindex,
    }
}

fn attributes<'a>(views: impl Iterator<Item = KeyValueView<'a>>) -> Vec<KeyValue> {
    views.map(attribute).collect()
}

pub(crate) fn span(view: &SpanView<'_>) -> Span {
    let (code, message) = view.status();
    Span {
        trace_id: view.trace_id.to_vec(),
        span_id: view.span_id.to_vec(),
        trace_state: view.trace_state.to_owned(),
        parent_span_id: view.parent_span_id.to_vec(),
        flags: view.flags,
        name: view.name.to_owned(),
        kind: view.kind,
        start_time_unix_nano: view.start_time_unix_nano,
        end_time_unix_nano: view.end_time_unix_nano,
        attributes: attributes(view.attributes()),
        dropped_attributes_count: view.dropped_attributes_count,
        events: view
            .events()
            .map(|event| Event {
                time_unix_nano: event.time_unix_nano,
                name: event.name.to_owned(),
                attributes: attributes(event.attributes()),
                dropped_attributes_count: event.dropped_attributes_count,
            })
            .collect(),
        dropped_events_count: view.dropped_events_count,
        links: view
            .links()
            .map(|link| Link {
                trace_id: link.trace_id.to_vec(),
                span_id: link.span_id.to_vec(),
                trace_state: link.trace_state.to_owned(),
                attributes: attributes(link.attributes()),
                dropped_attributes_count: link.dropped_attributes_count,
                flags: link.flags,
            })
            .collect(),
        dropped_links_count: view.dropped_links_count,
        status: Some(Status {
            code,
            message: message.to_owned(),
        }),
    }
}

pub(crate) fn log_record(view: &LogRecordView<'_>) -> LogRecord {
    LogRecord {
        time_unix_nano: view.time_unix_nano,
        observed_time_unix_nano: view.observed_time_unix_nano,
        severity_number: view.severity_number,
        severity_text: view.severity_text.to_owned(),
        body: Some(from_view(view.body())),
        attributes: attributes(view.attributes()),
        dropped_attributes_count: view.dropped_attributes_count,
        flags: view.flags,
        trace_id: view.trace_id.to_vec(),
        span_id: view.span_id.to_vec(),
        event_name: view.event_name.to_owned(),
    }
}

fn exemplars<'a>(views: impl Iterator<Item = ExemplarView<'a>>) -> Vec<Exemplar> {
    use metrics::exemplar::Value;
    let exemplar = |view: ExemplarView<'_>| Exemplar {
        filtered_attributes: attributes(view.filtered_attributes()),
        time_unix_nano: view.time_unix_nano,
        span_id: view.span_id.to_vec(),
        trace_id: view.trace_id.to_vec(),
        value: match view.value() {
            NumberView::None => None,
            NumberView::Int(value) => Some(Value::AsInt(value)),
            NumberView::Double(value) => Some(Value::AsDouble(value)),
        },
    };
    views.map(exemplar).collect()
}

/// The points of a metric, each as prost would send it.
pub(crate) fn points(metric: &MetricView<'_>) -> Vec<Vec<u8>> {
    let Some(data) = metric.data() else {
        return Vec::new();
    };
    let numbers = data
        .number_points()
        .map(|point| number_point(&point).encode_to_vec());
    let histograms = data
        .histogram_points()
        .map(|point| histogram_point(&point).encode_to_vec());
    let exponentials = data
        .exponential_histogram_points()
        .map(|point| exponential_point(&point).encode_to_vec());
    let summaries = data
        .summary_points()
        .map(|point| summary_point(&point).encode_to_vec());
    numbers
        .chain(histograms)
        .chain(exponentials)
        .chain(summaries)
        .collect()
}

fn number_point(point: &NumberPointView<'_>) -> NumberDataPoint {
    use metrics::number_data_point::Value;
    NumberDataPoint {
        attributes: attributes(point.attributes()),
        start_time_unix_nano: point.start_time_unix_nano,
        time_unix_nano: point.time_unix_nano,
        exemplars: exemplars(point.exemplars()),
        flags: point.flags,
        value: match point.value() {
            NumberView::None => None,
            NumberView::Int(value) => Some(Value::AsInt(value)),
            NumberView::Double(value) => Some(Value::AsDouble(value)),
        },
    }
}

fn histogram_point(point: &HistogramPointView<'_>) -> HistogramDataPoint {
    HistogramDataPoint {
        attributes: attributes(point.attributes()),
        start_time_unix_nano: point.start_time_unix_nano,
        time_unix_nano: point.time_unix_nano,
        count: point.count,
        sum: point.sum,
        bucket_counts: point.bucket_counts().collect(),
        explicit_bounds: point.explicit_bounds().collect(),
        exemplars: exemplars(point.exemplars()),
        flags: point.flags,
        min: point.min,
        max: point.max,
    }
}

fn exponential_point(point: &ExponentialHistogramPointView<'_>) -> ExponentialHistogramDataPoint {
    let side = |view: BucketsView<'_>| {
        Some(ProstBuckets {
            offset: view.offset(),
            bucket_counts: view.counts().collect(),
        })
    };
    ExponentialHistogramDataPoint {
        attributes: attributes(point.attributes()),
        start_time_unix_nano: point.start_time_unix_nano,
        time_unix_nano: point.time_unix_nano,
        count: point.count,
        sum: point.sum,
        scale: point.scale(),
        zero_count: point.zero_count,
        positive: side(point.positive()),
        negative: side(point.negative()),
        flags: point.flags,
        exemplars: exemplars(point.exemplars()),
        min: point.min,
        max: point.max,
        zero_threshold: point.zero_threshold,
    }
}

fn summary_point(point: &SummaryPointView<'_>) -> SummaryDataPoint {
    let pair = |(quantile, value)| ValueAtQuantile { quantile, value };
    SummaryDataPoint {
        attributes: attributes(point.attributes()),
        start_time_unix_nano: point.start_time_unix_nano,
        time_unix_nano: point.time_unix_nano,
        count: point.count,
        sum: point.sum,
        quantile_values: point.quantile_values().map(pair).collect(),
        flags: point.flags,
    }
}

/// Fills in the empty submessages that a view does not tell from absent ones.
fn fill(attributes: &mut [KeyValue]) {
    for attribute in attributes {
        let value = attribute.value.get_or_insert_default();
        fill_value(value);
    }
}

fn fill_value(value: &mut AnyValue) {
    match &mut value.value {
        Some(Value::ArrayValue(array)) => array.values.iter_mut().for_each(fill_value),
        Some(Value::KvlistValue(list)) => fill(&mut list.values),
        _ => {}
    }
}

fn fill_exemplars(exemplars: &mut [Exemplar]) {
    for exemplar in exemplars {
        fill(&mut exemplar.filtered_attributes);
    }
}

pub(crate) fn filled_points(data: Option<Data>) -> Vec<Vec<u8>> {
    match data {
        None => Vec::new(),
        Some(
            Data::Gauge(metrics::Gauge { mut data_points })
            | Data::Sum(metrics::Sum {
                mut data_points, ..
            }),
        ) => {
            for point in &mut data_points {
                fill(&mut point.attributes);
                fill_exemplars(&mut point.exemplars);
            }
            data_points.iter().map(Message::encode_to_vec).collect()
        }
        Some(Data::Histogram(metrics::Histogram {
            mut data_points, ..
        })) => {
            for point in &mut data_points {
                fill(&mut point.attributes);
                fill_exemplars(&mut point.exemplars);
            }
            data_points.iter().map(Message::encode_to_vec).collect()
        }
        Some(Data::ExponentialHistogram(metrics::ExponentialHistogram {
            mut data_points, ..
        })) => {
            for point in &mut data_points {
                fill(&mut point.attributes);
                fill_exemplars(&mut point.exemplars);
                point.positive.get_or_insert_default();
                point.negative.get_or_insert_default();
            }
            data_points.iter().map(Message::encode_to_vec).collect()
        }
        Some(Data::Summary(metrics::Summary { mut data_points })) => {
            for point in &mut data_points {
                fill(&mut point.attributes);
            }
            data_points.iter().map(Message::encode_to_vec).collect()
        }
    }
}

proptest! {
    #[test]
    fn views_read_every_span_as_prost_does(seed in any_seed()) {
        let bytes = request(Signal::Traces, &seed);
        let Request::Traces(decoded) = decode(Signal::Traces, &bytes).unwrap() else { unreachable!() };
        let view = RequestView::new(&bytes);
        let seen: Vec<_> = view.resources().flat_map(|resource| resource.scopes()).flat_map(|scope| scope.spans()).collect();
        let spans = decoded.resource_spans.into_iter().flat_map(|resource| resource.scope_spans).flat_map(|scope| scope.spans);
        let mut count = 0;
        for (mut expected, seen) in spans.zip(&seen) {
            fill(&mut expected.attributes);
            expected.events.iter_mut().for_each(|event| fill(&mut event.attributes));
            expected.links.iter_mut().for_each(|link| fill(&mut link.attributes));
            expected.status.get_or_insert_default();
            prop_assert_eq!(span(seen).encode_to_vec(), expected.encode_to_vec());
            count += 1;
        }
        prop_assert_eq!(count, seen.len());
    }

    #[test]
    fn views_read_every_log_record_as_prost_does(seed in any_seed()) {
        let bytes = request(Signal::Logs, &seed);
        let Request::Logs(decoded) = decode(Signal::Logs, &bytes).unwrap() else { unreachable!() };
        let view = RequestView::new(&bytes);
        let seen: Vec<_> = view.resources().flat_map(|resource| resource.scopes()).flat_map(|scope| scope.log_records()).collect();
        let records = decoded.resource_logs.into_iter().flat_map(|resource| resource.scope_logs).flat_map(|scope| scope.log_records);
        let mut count = 0;
        for (mut expected, seen) in records.zip(&seen) {
            fill(&mut expected.attributes);
            fill_value(expected.body.get_or_insert_default());
            prop_assert_eq!(log_record(seen).encode_to_vec(), expected.encode_to_vec());
            count += 1;
        }
        prop_assert_eq!(count, seen.len());
    }

    #[test]
    fn views_read_every_data_point_as_prost_does(seed in any_seed()) {
        let bytes = request(Signal::Metrics, &seed);
        let Request::Metrics(decoded) = decode(Signal::Metrics, &bytes).unwrap() else { unreachable!() };
        let view = RequestView::new(&bytes);
        let seen: Vec<_> = view.resources().flat_map(|resource| resource.scopes()).flat_map(|scope| scope.metrics()).collect();
        let all = decoded.resource_metrics.into_iter().flat_map(|resource| resource.scope_metrics).flat_map(|scope| scope.metrics);
        let mut count = 0;
        for (expected, seen) in all.zip(&seen) {
            prop_assert_eq!((seen.name, seen.description, seen.unit), (&*expected.name, &*expected.description, &*expected.unit));
            let mut metadata = expected.metadata.clone();
            fill(&mut metadata);
            let seen_metadata: Vec<_> = attributes(seen.metadata()).iter().map(Message::encode_to_vec).collect();
            prop_assert_eq!(seen_metadata, metadata.iter().map(Message::encode_to_vec).collect::<Vec<_>>());
            prop_assert_eq!(points(seen), filled_points(expected.data));
            count += 1;
        }
        prop_assert_eq!(count, seen.len());
    }

    #[test]
    fn views_read_every_resource_and_scope_as_prost_does(seed in any_seed()) {
        let bytes = request(Signal::Logs, &seed);
        let Request::Logs(decoded) = decode(Signal::Logs, &bytes).unwrap() else { unreachable!() };
        let view = RequestView::new(&bytes);
        prop_assert_eq!(view.resources().count(), decoded.resource_logs.len());
        for (seen, expected) in view.resources().zip(decoded.resource_logs) {
            prop_assert_eq!(seen.schema_url, expected.schema_url);
            let mut resource = expected.resource.unwrap_or_default();
            fill(&mut resource.attributes);
            prop_assert_eq!(seen.dropped_attributes_count(), resource.dropped_attributes_count);
            let encoded = |attributes: &[KeyValue]| attributes.iter().map(Message::encode_to_vec).collect::<Vec<_>>();
            prop_assert_eq!(encoded(&attributes(seen.attributes())), encoded(&resource.attributes));
            for (seen, expected) in seen.scopes().zip(expected.scope_logs) {
                prop_assert_eq!(seen.schema_url, expected.schema_url);
                let mut scope = expected.scope.unwrap_or_default();
                fill(&mut scope.attributes);
                let seen = InstrumentationScope {
                    name: seen.name().to_owned(),
                    version: seen.version().to_owned(),
                    attributes: attributes(seen.attributes()),
                    dropped_attributes_count: seen.dropped_attributes_count(),
                };
                prop_assert_eq!(seen.encode_to_vec(), scope.encode_to_vec());
            }
        }
    }
}

#[test]
fn d4_of_a_key_that_stands_twice_the_last_value_is_read() {
    let mut out = Vec::new();
    SpanEncoder::new(&mut out)
        .attribute("k", &1i64)
        .attribute("other", &3i64)
        .attribute("k", &2i64);
    let attributes: Attributes<'_> = SpanView::new(&out).attributes();
    assert!(matches!(
        attributes.clone().get("k"),
        Some(ValueView::Int(2))
    ));
    assert!(attributes.get("absent").is_none());
}

#[test]
fn f15_a_resource_that_stands_twice_has_the_attributes_of_both() {
    let bytes = [
        0x0a, 0x12, 0x0a, 0x07, 0x0a, 0x05, 0x0a, 0x01, b'a', 0x12, 0x00, 0x0a, 0x07, 0x0a, 0x05,
        0x0a, 0x01, b'b', 0x12, 0x00,
    ];
    let resource = RequestView::new(&bytes[..]).resources().next();
    assert_eq!(bytes.len(), 20);
    let keys: Vec<_> = resource
        .unwrap()
        .attributes()
        .map(|attribute| attribute.key)
        .collect();
    assert_eq!(keys, ["a", "b"]);
}
