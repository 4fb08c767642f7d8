//! The `debug` exporter: what passes, on standard error, for a person who sets a pipeline up.
use std::fmt::Write as _;
use std::io::Write as _;

use millrace_wire::Signal;
use serde_json::{Map, Value};

use super::Context;
use crate::batch::Batch;
use crate::component::{Ack, Consumer};
use crate::config::{DebugExporter as Settings, StartError};
use crate::log::push_printable;

/// How much is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Verbosity {
    /// One line a batch.
    Basic,
    /// One line an item.
    Normal,
    /// All attributes too.
    Detailed,
}

/// A destination that is the terminal.
pub(crate) struct DebugExporter {
    context: Context,
    verbosity: Verbosity,
}

/// Builds the exporter.
pub(crate) fn build(settings: &Settings, context: Context) -> Result<DebugExporter, StartError> {
    let verbosity = match settings.verbosity.as_str() {
        "basic" => Verbosity::Basic,
        "normal" => Verbosity::Normal,
        "detailed" => Verbosity::Detailed,
        other => {
            let setting = format!("exporters.{}.verbosity", context.id);
            let problem = format!("expected \"basic\", \"normal\" or \"detailed\", got {other:?}");
            return Err(StartError::of(&setting, problem));
        }
    };
    Ok(DebugExporter { context, verbosity })
}

impl Consumer for DebugExporter {
    fn consume(&self, batch: Batch) -> Ack {
        self.context.ledger.receive(batch.signal, batch.items);
        let text = describe(&batch, self.verbosity);
        // A closed standard error must not stop the gateway, and there is nobody to tell.
        let _ = std::io::stderr().write_all(text.as_bytes());
        self.context.ledger.deliver(batch.signal, batch.items);
        Ack::ready(Ok(()))
    }
}

/// The lines about one batch; every text of a stranger is escaped (S14).
fn describe(batch: &Batch, verbosity: Verbosity) -> String {
    let mut page = Page {
        text: String::new(),
        verbosity,
    };
    let (signal, items, bytes) = (batch.signal, batch.items, batch.payload.len());
    page.line(
        0,
        &format!(
            "{}: {items} {}, {bytes} bytes",
            signal.name(),
            signal.item_name()
        ),
    );
    if verbosity == Verbosity::Basic {
        return page.text;
    }
    // Nobody reads at the speed of the hot path: the JSON form says everything, for all signals alike.
    let json = millrace_wire::json_from_request(signal, &batch.payload.to_contiguous());
    match serde_json::from_slice(&json) {
        Ok(request) => page.request(signal, &request),
        Err(_) => page.line(1, "values that are nested too deeply to be shown"),
    }
    page.text
}

struct Page {
    text: String,
    verbosity: Verbosity,
}

impl Page {
    fn line(&mut self, depth: usize, line: &str) {
        self.text.extend(std::iter::repeat_n("  ", depth));
        push_printable(&mut self.text, line);
        self.text.push('\n');
    }

    fn detail(&mut self, depth: usize, line: &str) {
        if self.verbosity == Verbosity::Detailed {
            self.line(depth, line);
        }
    }

    fn attributes(&mut self, depth: usize, holder: &Value) {
        for attribute in list(holder, "attributes") {
            let value = attribute.get("value").map(any_value).unwrap_or_default();
            self.detail(depth, &format!("{} = {value}", text(attribute, "key")));
        }
    }

    fn request(&mut self, signal: Signal, request: &Value) {
        let (resources, scopes, items) = match signal {
            Signal::Traces => ("resourceSpans", "scopeSpans", "spans"),
            Signal::Metrics => ("resourceMetrics", "scopeMetrics", "metrics"),
            Signal::Logs => ("resourceLogs", "scopeLogs", "logRecords"),
            Signal::Profiles => ("resourceProfiles", "scopeProfiles", "profiles"),
        };
        for resource in list(request, resources) {
            self.detail(1, "resource");
            self.attributes(2, resource.get("resource").unwrap_or(&Value::Null));
            for scope in list(resource, scopes) {
                let about = scope.get("scope").unwrap_or(&Value::Null);
                self.detail(
                    1,
                    &format!("scope {} {}", text(about, "name"), text(about, "version")),
                );
                self.attributes(2, about);
                for item in list(scope, items) {
                    self.item(signal, item);
                }
            }
        }
    }

    fn item(&mut self, signal: Signal, item: &Value) {
        match signal {
            Signal::Traces => self.span(item),
            Signal::Metrics => self.metric(item),
            Signal::Logs => self.log_record(item),
            Signal::Profiles => {
                let (id, samples) = (text(item, "profileId"), list(item, "samples").len());
                self.line(1, &format!("profile {id}, {samples} samples"));
            }
        }
    }

    fn span(&mut self, span: &Value) {
        let nanoseconds =
            number(span, "endTimeUnixNano").saturating_sub(number(span, "startTimeUnixNano"));
        let mut line = format!(
            "span {:?} trace={} id={}",
            text(span, "name"),
            text(span, "traceId"),
            text(span, "spanId")
        );
        let _ = write!(
            line,
            " {}.{:03} ms",
            nanoseconds / 1_000_000,
            nanoseconds / 1000 % 1000
        );
        if span.pointer("/status/code").and_then(Value::as_i64) == Some(2) {
            let _ = write!(
                line,
                " error {:?}",
                span.pointer("/status/message")
                    .and_then(Value::as_str)
                    .unwrap_or_default()
            );
        }
        self.line(1, &line);
        self.attributes(2, span);
        for event in list(span, "events") {
            self.detail(2, &format!("event {:?}", text(event, "name")));
            self.attributes(3, event);
        }
    }

    fn metric(&mut self, metric: &Value) {
        const KINDS: [&str; 5] = [
            "gauge",
            "sum",
            "histogram",
            "exponentialHistogram",
            "summary",
        ];
        let name = format!("{} {:?}", text(metric, "name"), text(metric, "unit"));
        for (kind, data) in KINDS
            .iter()
            .filter_map(|kind| Some((kind, metric.get(kind)?)))
        {
            for point in list(data, "dataPoints") {
                let value = point.get("asDouble").or_else(|| point.get("asInt"));
                let shown = match value {
                    Some(value) => plain(value),
                    None => format!(
                        "count={} sum={}",
                        number(point, "count"),
                        point.get("sum").map(plain).unwrap_or_default()
                    ),
                };
                self.line(1, &format!("{kind} {name} {shown}"));
                self.attributes(2, point);
            }
        }
    }

    fn log_record(&mut self, record: &Value) {
        let body = record.get("body").map(any_value).unwrap_or_default();
        self.line(1, &format!("log {} {body}", text(record, "severityText")));
        self.attributes(2, record);
    }
}

fn list<'a>(holder: &'a Value, key: &str) -> &'a [Value] {
    holder
        .get(key)
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default()
}

fn text<'a>(holder: &'a Value, key: &str) -> &'a str {
    holder.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// A 64-bit number, which JSON carries as a string.
fn number(holder: &Value, key: &str) -> u64 {
    let value = holder.get(key);
    value
        .and_then(Value::as_u64)
        .or_else(|| value?.as_str()?.parse().ok())
        .unwrap_or_default()
}

fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// An attribute's value without the envelope that names its type.
fn any_value(value: &Value) -> String {
    let Some((kind, inner)) = value
        .as_object()
        .and_then(|fields: &Map<_, _>| fields.iter().next())
    else {
        return String::new();
    };
    match kind.as_str() {
        "stringValue" => format!("{:?}", inner.as_str().unwrap_or_default()),
        "arrayValue" => {
            let values: Vec<_> = list(inner, "values").iter().map(any_value).collect();
            format!("[{}]", values.join(", "))
        }
        "kvlistValue" => {
            let pairs = list(inner, "values").iter();
            let pairs: Vec<_> = pairs
                .map(|pair| {
                    format!(
                        "{}: {}",
                        text(pair, "key"),
                        pair.get("value").map(any_value).unwrap_or_default()
                    )
                })
                .collect();
            format!("{{{}}}", pairs.join(", "))
        }
        _ => plain(inner),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::batch::Payload;

    fn describe_json(signal: Signal, json: &str, verbosity: Verbosity) -> String {
        let request = millrace_wire::request_from_json(signal, json.as_bytes()).unwrap();
        let items = millrace_wire::count(signal, &request);
        let payload = Payload::from(Bytes::from(request));
        let batch = Batch {
            signal,
            items,
            payload,
        };
        describe(&batch, verbosity)
    }

    const SPAN: &str = r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},
        "scopeSpans":[{"scope":{"name":"lib","version":"1"},"spans":[{"traceId":"0102030405060708090a0b0c0d0e0f10",
        "spanId":"0102030405060708","name":"GET /","startTimeUnixNano":"1000000000","endTimeUnixNano":"1012345678",
        "attributes":[{"key":"ok","value":{"boolValue":true}},{"key":"sizes","value":{"arrayValue":{"values":[{"intValue":"1"},{"doubleValue":2.5}]}}}],
        "events":[{"name":"retry"}],"status":{"code":2,"message":"late"}}]}]}]}"#;

    #[test]
    fn basic_is_one_line_a_batch() {
        let text = describe_json(Signal::Traces, SPAN, Verbosity::Basic);
        assert!(text.starts_with("traces: 1 spans, "), "{text}");
        assert_eq!(text.lines().count(), 1);
    }

    #[test]
    fn normal_is_one_line_more_for_each_item() {
        let text = describe_json(Signal::Traces, SPAN, Verbosity::Normal);
        let expected = "  span \"GET /\" trace=0102030405060708090a0b0c0d0e0f10 id=0102030405060708 12.345 ms error \"late\"";
        assert_eq!(text.lines().skip(1).collect::<Vec<_>>(), [expected]);
    }

    #[test]
    fn detailed_shows_every_attribute() {
        let text = describe_json(Signal::Traces, SPAN, Verbosity::Detailed);
        for line in [
            "  resource",
            "    service.name = \"shop\"",
            "  scope lib 1",
            "    ok = true",
            "    sizes = [1, 2.5]",
            "    event \"retry\"",
        ] {
            assert!(
                text.lines().any(|shown| shown == line),
                "{line:?} in {text}"
            );
        }
    }

    #[test]
    fn every_data_point_and_log_record_has_its_line() {
        let metrics = r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"cpu","unit":"1","gauge":{"dataPoints":[{"asDouble":0.5},{"asInt":"7"}]}},
            {"name":"size","histogram":{"dataPoints":[{"count":"3","sum":6}]}}]}]}]}"#;
        let text = describe_json(Signal::Metrics, metrics, Verbosity::Normal);
        let lines: Vec<_> = text.lines().skip(1).collect();
        assert_eq!(
            lines,
            [
                "  gauge cpu \"1\" 0.5",
                "  gauge cpu \"1\" 7",
                "  histogram size \"\" count=3 sum=6.0"
            ]
        );

        let logs = r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"severityText":"WARN","body":{"kvlistValue":{"values":[{"key":"a","value":{"stringValue":"b"}}]}}}]}]}]}"#;
        let text = describe_json(Signal::Logs, logs, Verbosity::Normal);
        assert_eq!(text.lines().nth(1), Some("  log WARN {a: \"b\"}"));
    }

    #[test]
    fn s14_what_strangers_wrote_cannot_steer_the_terminal() {
        let hostile = SPAN
            .replace("GET /", "\\u001b[31m\\r\\nfake")
            .replace("service.name", "a\\nb");
        let text = describe_json(Signal::Traces, &hostile, Verbosity::Detailed);
        assert!(
            !text
                .chars()
                .any(|character| character.is_control() && character != '\n'),
            "{text:?}"
        );
        assert!(text.contains("a\\nb = \"shop\""), "{text}");
    }
}
