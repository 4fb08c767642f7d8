//! What generated telemetry looks like: the knobs of the load generator.
use millrace_wire::Signal;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::LoadError;

/// The most items of one request: the offsets of all that is rewritten for each send must fit 32 bits.
const ITEMS_MAX: usize = 1_000_000;
const BYTES_PER_ITEM_MAX: usize = 1 << 20;

/// The form of one request. Two equal shapes give the same bytes, but for ids and times.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Shape {
    /// What kind of telemetry: `traces`, `metrics`, `logs` or `profiles`.
    #[serde(serialize_with = "write_signal", deserialize_with = "read_signal")]
    pub signal: Signal,
    /// Spans, data points, log records or profiles in each request.
    pub items: usize,
    /// Bytes that one encoded item takes, its tag and length not counted. An item that needs more takes more.
    pub bytes_per_item: usize,
    /// Attributes of each item, beside the one that fills it up to its size.
    pub attributes: usize,
    /// Events of each span.
    pub events: usize,
    /// Resources in each request, each a service of its own; the items are dealt out in equal blocks.
    pub services: usize,
    /// Spans of each trace: a root and its children.
    pub spans_per_trace: usize,
    /// Data points of each metric.
    pub points_per_metric: usize,
    /// What the values are drawn from.
    pub seed: u64,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            signal: Signal::Traces,
            items: 1000,
            bytes_per_item: 300,
            attributes: 5,
            events: 0,
            services: 1,
            spans_per_trace: 4,
            points_per_metric: 10,
            seed: 1,
        }
    }
}

impl Shape {
    /// Says which knob is out of its range.
    pub(super) fn check(&self) -> Result<(), LoadError> {
        let ranges = [
            ("items", self.items, 1, ITEMS_MAX),
            ("bytes_per_item", self.bytes_per_item, 0, BYTES_PER_ITEM_MAX),
            ("attributes", self.attributes, 0, 1000),
            ("events", self.events, 0, 1000),
            ("services", self.services, 1, self.items.max(1)),
            ("spans_per_trace", self.spans_per_trace, 1, ITEMS_MAX),
            ("points_per_metric", self.points_per_metric, 1, ITEMS_MAX),
        ];
        for (knob, value, min, max) in ranges {
            if !(min..=max).contains(&value) {
                let sentence = format!("expected `{knob}` from {min} to {max}, got {value}");
                return Err(LoadError::Options(sentence));
            }
        }
        if self.items.saturating_mul(self.bytes_per_item) > 1 << 30 {
            let sentence = format!(
                "expected requests of at most 1 GiB, got {} items of {} bytes; lower `items` or `bytes_per_item`",
                self.items, self.bytes_per_item
            );
            return Err(LoadError::Options(sentence));
        }
        Ok(())
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde calls"
)]
fn write_signal<S: Serializer>(signal: &Signal, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(signal.name())
}

fn read_signal<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Signal, D::Error> {
    let name = String::deserialize(deserializer)?;
    Signal::from_name(&name).ok_or_else(|| {
        let names = Signal::ALL.map(Signal::name).join(", ");
        serde::de::Error::custom(format!("expected a signal ({names}), got `{name}`"))
    })
}
