//! Any request makes the round trip, and what serde writes of it is read.

use std::fmt::Debug;

use crate::generate;
use millrace_wire::field::{DELIMITED, Fields, Value, push_delimited, push_tag};
use millrace_wire::schema::{self, Field, Kind, Message as Schema};
use millrace_wire::{Signal, json_from_request, request_from_json, validate};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::profiles::v1development::ExportProfilesServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use proptest::prelude::*;
use prost::Message;
use serde::Serialize;

/// A request without what JSON cannot say: ids of other lengths, and the payload of NaN.
fn expressible(schema: &'static Schema, bytes: &[u8], double: fn(f64) -> f64) -> Vec<u8> {
    let mut out = Vec::new();
    for raw in Fields::new(bytes) {
        match (schema.field(raw.number), raw.value) {
            (
                Some(&Field {
                    kind: Kind::Message(inner),
                    number,
                    ..
                }),
                Value::Delimited(content),
            ) => {
                push_delimited(&mut out, number, &expressible(inner, content, double));
            }
            (
                Some(&Field {
                    kind: Kind::Double,
                    number,
                    ..
                }),
                Value::Delimited(pack),
            ) => {
                push_tag(&mut out, number, DELIMITED);
                millrace_wire::varint::push(&mut out, pack.len() as u64);
                let (doubles, _) = pack.as_chunks();
                out.extend(
                    doubles
                        .iter()
                        .flat_map(|bits| double(f64::from_le_bytes(*bits)).to_le_bytes()),
                );
            }
            (
                Some(&Field {
                    kind: Kind::Double,
                    number,
                    ..
                }),
                Value::Fixed64(bits),
            ) => {
                push_tag(&mut out, number, 1);
                out.extend(double(f64::from_bits(bits)).to_le_bytes());
            }
            (Some(Field { kind: Kind::Id, .. }), Value::Delimited([_, _, _])) => {}
            _ => out.extend(raw.bytes),
        }
    }
    out
}

fn quiet(double: f64) -> f64 {
    if double.is_nan() { f64::NAN } else { double }
}

/// Serde writes all special doubles of values as `null`.
fn finite(double: f64) -> f64 {
    if double.is_finite() { double } else { 0.0 }
}

fn request(signal: Signal, seed: &[u8]) -> Vec<u8> {
    let request = generate::request(signal, seed);
    expressible(schema::request_schema(signal), &request, quiet)
}

/// A request in pieces, with unknown fields and several arms of a oneof.
fn wild_request(signal: Signal, seed: &[u8]) -> Vec<u8> {
    let request = generate::wild_request(signal, seed);
    expressible(schema::request_schema(signal), &request, quiet)
}

/// There and back, compared as prost would send it, so that NaN equals NaN.
fn assert_round_trip<T: Message + Default>(signal: Signal, request: &[u8]) {
    assert!(validate(signal, request).is_ok());

    let json = json_from_request(signal, request);
    let back = request_from_json(signal, &json).unwrap();

    let normal = |bytes: &[u8]| T::decode(bytes).unwrap().encode_to_vec();
    assert!(validate(signal, &back).is_ok());
    assert_eq!(
        normal(&back),
        normal(request),
        "{}",
        String::from_utf8_lossy(&json)
    );
}

/// We read what serde writes. (Serde does not read everything that we write: it demands fields that may be absent.)
fn assert_serde_agrees<T: Message + Default + Serialize + PartialEq + Debug>(
    signal: Signal,
    request: &[u8],
) {
    let request = expressible(schema::request_schema(signal), request, finite);
    let expected = T::decode(&*request).unwrap();

    let written = serde_json::to_vec(&expected).unwrap();
    let translated = request_from_json(signal, &written).unwrap();

    let written = String::from_utf8_lossy(&written);
    assert_eq!(T::decode(&*translated).unwrap(), expected, "{written}");
}

fn seed() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..600)
}

proptest! {
    #[test]
    fn any_traces_make_the_round_trip(seed in seed()) {
        assert_round_trip::<ExportTraceServiceRequest>(Signal::Traces, &request(Signal::Traces, &seed));
    }

    #[test]
    fn any_metrics_make_the_round_trip(seed in seed()) {
        assert_round_trip::<ExportMetricsServiceRequest>(Signal::Metrics, &request(Signal::Metrics, &seed));
    }

    #[test]
    fn any_logs_make_the_round_trip(seed in seed()) {
        assert_round_trip::<ExportLogsServiceRequest>(Signal::Logs, &request(Signal::Logs, &seed));
    }

    #[test]
    fn any_profiles_make_the_round_trip(seed in seed()) {
        assert_round_trip::<ExportProfilesServiceRequest>(Signal::Profiles, &request(Signal::Profiles, &seed));
    }

    #[test]
    fn f15_wild_traces_are_merged_as_prost_merges_them(seed in seed()) {
        assert_round_trip::<ExportTraceServiceRequest>(Signal::Traces, &wild_request(Signal::Traces, &seed));
    }

    #[test]
    fn f15_wild_metrics_are_merged_as_prost_merges_them(seed in seed()) {
        assert_round_trip::<ExportMetricsServiceRequest>(Signal::Metrics, &wild_request(Signal::Metrics, &seed));
    }

    #[test]
    fn f15_wild_profiles_are_merged_as_prost_merges_them(seed in seed()) {
        assert_round_trip::<ExportProfilesServiceRequest>(Signal::Profiles, &wild_request(Signal::Profiles, &seed));
    }

    #[test]
    fn what_serde_writes_of_any_traces_is_read(seed in seed()) {
        assert_serde_agrees::<ExportTraceServiceRequest>(Signal::Traces, &request(Signal::Traces, &seed));
    }

    #[test]
    fn what_serde_writes_of_any_logs_is_read(seed in seed()) {
        assert_serde_agrees::<ExportLogsServiceRequest>(Signal::Logs, &request(Signal::Logs, &seed));
    }

    #[test]
    fn what_serde_writes_of_any_metrics_is_read(seed in seed()) {
        assert_serde_agrees::<ExportMetricsServiceRequest>(Signal::Metrics, &request(Signal::Metrics, &seed));
    }
}

/// The code keeps what it has seen of a message in the bits of 32-bit numbers.
#[test]
fn every_message_has_at_most_31_fields_with_small_numbers() {
    fn check(message: &'static Schema, depth: usize) {
        assert!(message.fields.len() < 32, "{}", message.name);
        for field in message.fields {
            assert!(field.number < 32, "{} of {}", field.name, message.name);
            if let (Kind::Message(inner), 1..) = (field.kind, depth) {
                check(inner, depth - 1);
            }
        }
    }
    for signal in Signal::ALL {
        check(schema::request_schema(signal), 8);
        check(schema::response_schema(signal), 8);
    }
}
