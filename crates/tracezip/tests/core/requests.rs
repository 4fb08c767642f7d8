//! Requests of all kinds: like real ones, at the edges of the data model, and bytes that are hardly requests any more.
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use proptest::prelude::*;
use prost::Message as _;

/// A request with `spans` spans like those of a small shop; another `turn`, other ids, times and values.
pub(crate) fn shop(turn: u64, spans: usize) -> Vec<u8> {
    let mut random = turn.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    let mut parent = next();
    let mut trace = [next().to_le_bytes(), next().to_le_bytes()].concat();
    let spans = (0..spans as u64)
        .map(|index| {
            if index % 5 == 0 {
                trace = [next().to_le_bytes(), next().to_le_bytes()].concat();
                parent = next();
            }
            let start = 1_700_000_000_000_000_000
                + turn * 1_000_000_000
                + index * 100_000
                + next() % 90_000;
            let user = format!(
                "{:08x}-1234-4abc-9def-{:012x}",
                next() as u32,
                next() & 0xffff_ffff_ffff
            );
            let attributes = vec![
                text(
                    "http.request.method",
                    ["GET", "POST"][(next() % 2) as usize],
                ),
                text("url.path", &format!("/cart/{}", next() % 40)),
                text("user.id", &user),
                number(
                    "http.response.status_code",
                    [200, 200, 200, 404, 500][(next() % 5) as usize],
                ),
                number("client.port", (next() % 30_000) as i64 + 32_768),
                text("request.size", &(next() % 5000).to_string()),
            ];
            let id = next();
            let span = Span {
                trace_id: trace.clone(),
                span_id: id.to_le_bytes().to_vec(),
                parent_span_id: if index % 5 == 0 {
                    Vec::new()
                } else {
                    parent.to_le_bytes().to_vec()
                },
                name: ["GET /cart", "POST /cart", "checkout"][(next() % 3) as usize].to_owned(),
                kind: 2,
                start_time_unix_nano: start,
                end_time_unix_nano: start + next() % 5_000_000,
                attributes,
                events: (0..next() % 3)
                    .map(|event| Event {
                        time_unix_nano: start + event * 1000,
                        name: "step".to_owned(),
                        attributes: vec![number("step", event as i64)],
                        dropped_attributes_count: 0,
                    })
                    .collect(),
                status: Some(Status::default()),
                ..Span::default()
            };
            parent = id;
            span
        })
        .collect();
    request(vec![spans])
}

pub(crate) fn request(groups: Vec<Vec<Span>>) -> Vec<u8> {
    let resource_spans = groups
        .into_iter()
        .enumerate()
        .map(|(index, spans)| ResourceSpans {
            resource: Some(Resource {
                attributes: vec![
                    text("service.name", &format!("shop-{index}")),
                    text("host.name", "one"),
                ],
                ..Resource::default()
            }),
            scope_spans: vec![ScopeSpans {
                scope: Some(InstrumentationScope {
                    name: "shop".to_owned(),
                    ..InstrumentationScope::default()
                }),
                spans,
                schema_url: String::new(),
            }],
            schema_url: "https://opentelemetry.io/schemas/1.30.0".to_owned(),
        })
        .collect();
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}

pub(crate) fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Some(Some(Value::StringValue(value.to_owned()))))
}

pub(crate) fn number(key: &str, value: i64) -> KeyValue {
    attribute(key, Some(Some(Value::IntValue(value))))
}

/// An attribute whose value may be unset, and may be absent.
pub(crate) fn attribute(key: &str, value: Option<Option<Value>>) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: value.map(|value| AnyValue { value }),
        ..KeyValue::default()
    }
}

fn value() -> impl Strategy<Value = Option<Option<Value>>> {
    let leaf = prop_oneof![
        Just(None),
        Just(Some(None)),
        ".{0,12}".prop_map(|text| Some(Some(Value::StringValue(text)))),
        "[0-9]{1,21}".prop_map(|text| Some(Some(Value::StringValue(text)))),
        "[0-9a-f]{16}|[0-9a-f]{32}|[0-9A-F]{16}"
            .prop_map(|text| Some(Some(Value::StringValue(text)))),
        "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
            .prop_map(|text| Some(Some(Value::StringValue(text)))),
        prop_oneof![any::<i64>(), Just(i64::MIN), Just(i64::MAX), -3..3i64]
            .prop_map(|number| Some(Some(Value::IntValue(number)))),
        any::<bool>().prop_map(|yes| Some(Some(Value::BoolValue(yes)))),
        any::<u64>().prop_map(|bits| Some(Some(Value::DoubleValue(f64::from_bits(bits))))),
        Just(Some(Some(Value::DoubleValue(-0.0)))),
        proptest::collection::vec(any::<u8>(), 0..20)
            .prop_map(|bytes| Some(Some(Value::BytesValue(bytes)))),
        Just(Some(Some(Value::StringValue("x".repeat(5000))))),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(|values| {
                let values = values
                    .into_iter()
                    .flatten()
                    .map(|value| AnyValue { value })
                    .collect();
                Some(Some(Value::ArrayValue(ArrayValue { values })))
            }),
            proptest::collection::vec(inner, 0..3).prop_map(|values| {
                let values = values
                    .into_iter()
                    .map(|value| attribute("", value))
                    .collect();
                Some(Some(Value::KvlistValue(KeyValueList { values })))
            }),
        ]
    })
}

fn attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    let key = prop_oneof![
        Just(String::new()),
        Just("a".to_owned()),
        Just("b\0".to_owned()),
        "[a-c]{1,2}"
    ];
    proptest::collection::vec(
        (key, value()).prop_map(|(key, value)| attribute(&key, value)),
        0..5,
    )
}

fn id(length: usize) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => proptest::collection::vec(0..3u8, length),
        2 => proptest::collection::vec(any::<u8>(), length),
        1 => Just(Vec::new()),
        1 => proptest::collection::vec(any::<u8>(), 0..20),
    ]
}

fn time() -> impl Strategy<Value = u64> {
    prop_oneof![
        Just(0),
        Just(u64::MAX),
        any::<u64>(),
        (0..2000u64).prop_map(|millis| 1_700_000_000_000_000_000 + millis * 1_000_000),
        (0..2_000_000u64).prop_map(|nanos| 1_700_000_000_000_000_000 + nanos),
    ]
}

fn span() -> impl Strategy<Value = Span> {
    let ids = (
        id(16),
        id(8),
        id(8),
        prop_oneof![Just(String::new()), "k=v|.{0,5}"],
    );
    let event = (time(), "[ab]{0,2}", attributes(), 0..3u32).prop_map(
        |(time, name, attributes, dropped)| Event {
            time_unix_nano: time,
            name,
            attributes,
            dropped_attributes_count: dropped,
        },
    );
    let link = (id(16), id(8), attributes(), any::<u32>()).prop_map(
        |(trace_id, span_id, attributes, flags)| Link {
            trace_id,
            span_id,
            attributes,
            flags,
            ..Link::default()
        },
    );
    let status = proptest::option::of(
        (".{0,3}", 0..4i32).prop_map(|(message, code)| Status { message, code }),
    );
    let rest = (
        proptest::collection::vec(event, 0..3),
        proptest::collection::vec(link, 0..3),
        status,
        prop_oneof![Just(0), Just(257), any::<u32>()],
        0..4u32,
    );
    (
        ids,
        "[ab]{0,3}",
        0..7i32,
        time(),
        time(),
        attributes(),
        rest,
    )
        .prop_map(
            |(
                (trace_id, span_id, parent_span_id, trace_state),
                name,
                kind,
                start,
                end,
                attributes,
                rest,
            )| {
                let (events, links, status, flags, dropped) = rest;
                Span {
                    trace_id,
                    span_id,
                    trace_state,
                    parent_span_id,
                    flags,
                    name,
                    kind,
                    start_time_unix_nano: start,
                    end_time_unix_nano: end,
                    attributes,
                    dropped_attributes_count: dropped,
                    events,
                    dropped_events_count: dropped / 2,
                    links,
                    dropped_links_count: u32::MAX * (dropped / 3),
                    status,
                }
            },
        )
}

/// Requests with everything that the data model allows and much that it does not.
pub(crate) fn edges() -> impl Strategy<Value = Vec<u8>> {
    let group = proptest::collection::vec(span(), 0..5);
    proptest::collection::vec(group, 0..3).prop_map(request)
}

fn record() -> impl Strategy<Value = LogRecord> {
    let ids = (id(16), id(8), any::<u32>(), "[ab]{0,2}");
    let text = ("[A-Z]{0,4}", -1..30i32, 0..3u32);
    (time(), time(), value(), attributes(), ids, text).prop_map(
        |(time, observed, body, attributes, ids, (severity_text, severity_number, dropped))| {
            let (trace_id, span_id, flags, event_name) = ids;
            LogRecord {
                time_unix_nano: time,
                observed_time_unix_nano: observed,
                severity_number,
                severity_text,
                body: body.map(|value| AnyValue { value }),
                attributes,
                dropped_attributes_count: dropped,
                flags,
                trace_id,
                span_id,
                event_name,
            }
        },
    )
}

fn logs(scopes: Vec<Vec<LogRecord>>) -> Vec<u8> {
    let scope_logs = scopes.into_iter().map(|log_records| ScopeLogs {
        scope: None,
        log_records,
        schema_url: String::new(),
    });
    let resource_logs = vec![ResourceLogs {
        resource: Some(Resource {
            attributes: vec![text("service.name", "shop")],
            ..Resource::default()
        }),
        scope_logs: scope_logs.collect(),
        schema_url: String::new(),
    }];
    ExportLogsServiceRequest { resource_logs }.encode_to_vec()
}

/// Requests of log records at the edges of the data model.
pub(crate) fn log_edges() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(proptest::collection::vec(record(), 0..5), 0..3).prop_map(logs)
}

/// A request of log records like those of a small shop.
pub(crate) fn shop_logs(turn: u64, records: u64) -> Vec<u8> {
    let record = |index: u64| {
        let dice = (turn * 1000 + index).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let body = [
            format!("took order {} of customer {:08x}", index * 7, dice as u32),
            "the payment was declined".to_owned(),
            format!("GET /products answered 200 in {} ms", dice % 400),
        ];
        let body = body.into_iter().nth((dice >> 32) as usize % 3);
        let time =
            1_700_000_000_000_000_000 + turn * 1_000_000_000 + index * 3_000_000 + dice % 1_000_000;
        LogRecord {
            time_unix_nano: time,
            observed_time_unix_nano: time + 40_000 + dice % 9000,
            severity_number: 9,
            severity_text: "INFO".to_owned(),
            body: body.map(|text| AnyValue {
                value: Some(Value::StringValue(text)),
            }),
            attributes: vec![
                text("code.file.path", "/srv/shop/orders.py"),
                number("code.line.dice", (dice % 50) as i64),
            ],
            trace_id: [dice.to_le_bytes(), dice.rotate_left(31).to_le_bytes()].concat(),
            span_id: dice.rotate_left(17).to_le_bytes().to_vec(),
            ..LogRecord::default()
        }
    };
    logs(vec![(0..records).map(record).collect()])
}

/// The same, with bytes changed, removed and put in.
pub(crate) fn mangled() -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<proptest::sample::Index>(), any::<u8>(), 0..3u8);
    (edges(), proptest::collection::vec(change, 1..4)).prop_map(|(mut bytes, changes)| {
        for (at, byte, kind) in changes {
            if bytes.is_empty() {
                bytes.push(byte);
            }
            let at = at.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => drop(bytes.remove(at)),
            }
        }
        bytes
    })
}
