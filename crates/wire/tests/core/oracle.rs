//! What prost says about the same bytes.

use millrace_wire::Signal;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::profiles::v1development::ExportProfilesServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use prost::{DecodeError, Message};

/// A request of any signal, decoded by prost.
#[derive(Clone, Debug)]
pub(crate) enum Request {
    Traces(ExportTraceServiceRequest),
    Metrics(ExportMetricsServiceRequest),
    Logs(ExportLogsServiceRequest),
    Profiles(ExportProfilesServiceRequest),
}

pub(crate) fn decode(signal: Signal, bytes: &[u8]) -> Result<Request, DecodeError> {
    Ok(match signal {
        Signal::Traces => Request::Traces(ExportTraceServiceRequest::decode(bytes)?),
        Signal::Metrics => Request::Metrics(ExportMetricsServiceRequest::decode(bytes)?),
        Signal::Logs => Request::Logs(ExportLogsServiceRequest::decode(bytes)?),
        Signal::Profiles => Request::Profiles(ExportProfilesServiceRequest::decode(bytes)?),
    })
}

/// What prost would send for what it has read: equal bytes are equal values, NaN included.
pub(crate) fn normal(signal: Signal, bytes: &[u8]) -> Vec<u8> {
    match decode(signal, bytes).expect("prost reads it") {
        Request::Traces(request) => request.encode_to_vec(),
        Request::Metrics(request) => request.encode_to_vec(),
        Request::Logs(request) => request.encode_to_vec(),
        Request::Profiles(request) => request.encode_to_vec(),
    }
}

/// Each item with everything it stands under, as prost would send it alone: what a split must keep, in the order it must keep.
pub(crate) fn items(signal: Signal, bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut items = Vec::new();
    match decode(signal, bytes).expect("prost reads it") {
        Request::Traces(mut request) => {
            for resource in &mut request.resource_spans {
                for mut scope in std::mem::take(&mut resource.scope_spans) {
                    let spans = encoded(&mut scope.spans);
                    items.extend(under(
                        &[&resource.encode_to_vec(), &scope.encode_to_vec()],
                        spans,
                    ));
                }
            }
        }
        Request::Logs(mut request) => {
            for resource in &mut request.resource_logs {
                for mut scope in std::mem::take(&mut resource.scope_logs) {
                    let records = encoded(&mut scope.log_records);
                    items.extend(under(
                        &[&resource.encode_to_vec(), &scope.encode_to_vec()],
                        records,
                    ));
                }
            }
        }
        Request::Profiles(mut request) => {
            let dictionary = request.dictionary.unwrap_or_default().encode_to_vec();
            for resource in &mut request.resource_profiles {
                for mut scope in std::mem::take(&mut resource.scope_profiles) {
                    let profiles = encoded(&mut scope.profiles);
                    items.extend(under(
                        &[
                            &dictionary,
                            &resource.encode_to_vec(),
                            &scope.encode_to_vec(),
                        ],
                        profiles,
                    ));
                }
            }
        }
        Request::Metrics(mut request) => {
            for resource in &mut request.resource_metrics {
                for mut scope in std::mem::take(&mut resource.scope_metrics) {
                    for mut metric in std::mem::take(&mut scope.metrics) {
                        let points = metric.data.as_mut().map(take_points).unwrap_or_default();
                        let above = [
                            resource.encode_to_vec(),
                            scope.encode_to_vec(),
                            metric.encode_to_vec(),
                        ]
                        .concat();
                        items.extend(under(&[&above], points));
                    }
                }
            }
        }
    }
    items
}

fn under(above: &[&[u8]], items: Vec<Vec<u8>>) -> impl Iterator<Item = Vec<u8>> {
    let above = above.concat();
    items
        .into_iter()
        .map(move |item| [&above[..], &item].concat())
}

fn encoded<M: Message>(items: &mut Vec<M>) -> Vec<Vec<u8>> {
    std::mem::take(items)
        .iter()
        .map(Message::encode_to_vec)
        .collect()
}

fn take_points(data: &mut Data) -> Vec<Vec<u8>> {
    match data {
        Data::Gauge(data) => encoded(&mut data.data_points),
        Data::Sum(data) => encoded(&mut data.data_points),
        Data::Histogram(data) => encoded(&mut data.data_points),
        Data::ExponentialHistogram(data) => encoded(&mut data.data_points),
        Data::Summary(data) => encoded(&mut data.data_points),
    }
}
