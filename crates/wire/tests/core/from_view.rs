//! Prost's structs made from views: what must equal what prost reads from the same bytes.

use millrace_wire::Signal;
use millrace_wire::view::{
    BucketsView, ExemplarView, ExponentialHistogramPointView, HistogramPointView, KeyValueView,
    LogRecordView, MetricView, NumberPointView, NumberView, RequestView, SpanView,
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
    self as metrics, Exemplar, ExponentialHistogramDataPoint, HistogramDataPoint, Metric,
    NumberDataPoint, SummaryDataPoint,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use prost::Message;

use crate::oracle::{Request, decode};

/// Every resource, scope and item of a request in order, as the views see it and prost would send it.
pub(crate) fn seen(signal: Signal, request: &[u8]) -> Vec<Vec<u8>> {
    let mut seen = Vec::new();
    for resource in RequestView::new(request).resources() {
        let description = Resource {
            attributes: attributes(resource.attributes()),
            dropped_attributes_count: resource.dropped_attributes_count(),
            entity_refs: Vec::new(),
        };
        seen.push(
            [
                description.encode_to_vec(),
                resource.schema_url.as_bytes().to_vec(),
            ]
            .concat(),
        );
        for scope in resource.scopes() {
            let description = InstrumentationScope {
                name: scope.name().to_owned(),
                version: scope.version().to_owned(),
                attributes: attributes(scope.attributes()),
                dropped_attributes_count: scope.dropped_attributes_count(),
            };
            seen.push(
                [
                    description.encode_to_vec(),
                    scope.schema_url.as_bytes().to_vec(),
                ]
                .concat(),
            );
            match signal {
                Signal::Traces => {
                    seen.extend(scope.spans().map(|view| span(&view).encode_to_vec()));
                }
                Signal::Logs => seen.extend(
                    scope
                        .log_records()
                        .map(|view| log_record(&view).encode_to_vec()),
                ),
                Signal::Metrics => scope.metrics().for_each(|view| {
                    seen.push(metric(&view).encode_to_vec());
                    seen.extend(points(&view));
                }),
                Signal::Profiles => {}
            }
        }
    }
    seen
}

/// The same as prost reads it.
pub(crate) fn expected(signal: Signal, request: &[u8]) -> Vec<Vec<u8>> {
    let mut expected = Vec::new();
    match decode(signal, request).expect("prost reads it") {
        Request::Traces(request) => {
            for resource in request.resource_spans {
                expected.push(filled_resource(resource.resource, &resource.schema_url));
                for scope in resource.scope_spans {
                    expected.push(filled_scope(scope.scope, &scope.schema_url));
                    expected.extend(scope.spans.into_iter().map(filled_span));
                }
            }
        }
        Request::Logs(request) => {
            for resource in request.resource_logs {
                expected.push(filled_resource(resource.resource, &resource.schema_url));
                for scope in resource.scope_logs {
                    expected.push(filled_scope(scope.scope, &scope.schema_url));
                    for mut record in scope.log_records {
                        fill(&mut record.attributes);
                        fill_value(record.body.get_or_insert_default());
                        expected.push(record.encode_to_vec());
                    }
                }
            }
        }
        Request::Metrics(request) => {
            for resource in request.resource_metrics {
                expected.push(filled_resource(resource.resource, &resource.schema_url));
                for scope in resource.scope_metrics {
                    expected.push(filled_scope(scope.scope, &scope.schema_url));
                    for mut metric in scope.metrics {
                        let data = metric.data.take();
                        fill(&mut metric.metadata);
                        expected.push(metric.encode_to_vec());
                        expected.extend(filled_points(data));
                    }
                }
            }
        }
        Request::Profiles(request) => {
            for resource in request.resource_profiles {
                expected.push(filled_resource(resource.resource, &resource.schema_url));
                for scope in resource.scope_profiles {
                    expected.push(filled_scope(scope.scope, &scope.schema_url));
                }
            }
        }
    }
    expected
}

fn filled_resource(resource: Option<Resource>, schema_url: &str) -> Vec<u8> {
    let mut resource = Resource {
        entity_refs: Vec::new(),
        ..resource.unwrap_or_default()
    };
    fill(&mut resource.attributes);
    [resource.encode_to_vec(), schema_url.as_bytes().to_vec()].concat()
}

fn filled_scope(scope: Option<InstrumentationScope>, schema_url: &str) -> Vec<u8> {
    let mut scope = scope.unwrap_or_default();
    fill(&mut scope.attributes);
    [scope.encode_to_vec(), schema_url.as_bytes().to_vec()].concat()
}

fn filled_span(mut span: Span) -> Vec<u8> {
    fill(&mut span.attributes);
    for event in &mut span.events {
        fill(&mut event.attributes);
    }
    for link in &mut span.links {
        fill(&mut link.attributes);
    }
    span.status.get_or_insert_default();
    span.encode_to_vec()
}

fn metric(view: &MetricView<'_>) -> Metric {
    Metric {
        name: view.name.to_owned(),
        description: view.description.to_owned(),
        unit: view.unit.to_owned(),
        metadata: attributes(view.metadata()),
        data: None,
    }
}

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
