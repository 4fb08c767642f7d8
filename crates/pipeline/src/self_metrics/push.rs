//! The gateway's own metrics as OTLP, pushed at an interval through an ordinary exporter.
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use millrace_wire::Signal;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::{Metric, Observed, Point};
use crate::batch::{Batch, Payload};
use crate::config::{PushReader, StartError, Telemetry};
use crate::exporters::{self, Context};

/// Cumulative, as Prometheus and the Collector count.
const CUMULATIVE: u8 = 2;

/// Starts one task for each configured reader; their books are their own, since what a gateway says
/// about itself is not what it was given to move.
pub(crate) fn start(
    telemetry: &Telemetry,
    observed: &Arc<Observed>,
    tasks: &mut JoinSet<io::Result<()>>,
) -> Result<(), StartError> {
    if telemetry.metrics_level == "none" {
        return Ok(());
    }
    for (index, reader) in telemetry.metrics_push.iter().enumerate() {
        let PushReader {
            interval_ms,
            exporter,
        } = reader;
        let context = Context {
            id: format!("service.telemetry.metrics.readers[{index}]"),
            ledger: Arc::default(),
            log: Arc::clone(&observed.shared.log),
        };
        let exporter = exporters::build(exporter, context)?;
        let every = Duration::from_millis((*interval_ms).max(1));
        let resource = attributes(telemetry.resource.iter());
        let observed = Arc::clone(observed);
        tasks.spawn(async move {
            let begun = unix_nanos();
            let mut ticks = interval(every);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks.tick().await;
            loop {
                ticks.tick().await;
                let metrics = observed.measure();
                let items = metrics.iter().map(|metric| metric.points.len()).sum();
                if let Some(payload) = request(&metrics, &resource, &begun) {
                    // A failure is in the exporter's own warning; the next push carries the same totals.
                    let _ = exporter
                        .consume(Batch {
                            signal: Signal::Metrics,
                            items,
                            payload,
                        })
                        .await;
                }
            }
        });
    }
    Ok(())
}

fn request(metrics: &[Metric], resource: &Value, begun: &str) -> Option<Payload> {
    let now = unix_nanos();
    let metrics: Vec<Value> = metrics
        .iter()
        .map(|metric| metric_json(metric, begun, &now))
        .collect();
    let scope = json!({"name": "millrace", "version": env!("CARGO_PKG_VERSION")});
    let request = json!({"resourceMetrics": [{
        "resource": {"attributes": resource},
        "scopeMetrics": [{"scope": scope, "metrics": metrics}],
    }]});
    // Not hot: one translation a minute needs no encoder of its own.
    let bytes =
        millrace_wire::request_from_json(Signal::Metrics, request.to_string().as_bytes()).ok()?;
    Some(Payload::from(Bytes::from(bytes)))
}

fn metric_json(metric: &Metric, begun: &str, now: &str) -> Value {
    let points: Vec<Value> = metric
        .points
        .iter()
        .map(|point| point_json(point, begun, now))
        .collect();
    let mut out =
        json!({"name": metric.name, "description": metric.description, "unit": metric.unit});
    let (kind, data) = if metric.monotonic {
        (
            "sum",
            json!({"aggregationTemporality": CUMULATIVE, "isMonotonic": true, "dataPoints": points}),
        )
    } else {
        ("gauge", json!({"dataPoints": points}))
    };
    if let Some(fields) = out.as_object_mut() {
        fields.insert(kind.into(), data);
    }
    out
}

fn point_json(point: &Point, begun: &str, now: &str) -> Value {
    json!({
        "startTimeUnixNano": begun,
        "timeUnixNano": now,
        "asDouble": point.value,
        "attributes": attributes(point.labels.iter().map(|(label, value)| (label, value))),
    })
}

fn attributes<K: AsRef<str>>(pairs: impl Iterator<Item = (K, impl AsRef<str>)>) -> Value {
    pairs
        .map(|(key, value)| json!({"key": key.as_ref(), "value": {"stringValue": value.as_ref()}}))
        .collect()
}

fn unix_nanos() -> String {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos())
        .to_string()
}
