//! Puts items read from files together to requests again.

use std::collections::BTreeMap;

use millrace_wire::Signal;
use millrace_wire::field::{Fields, push_delimited};

use crate::tables::Tables;

/// Collects items under what they stand under, whatever order they come in.
#[derive(Debug, Default)]
pub(crate) struct RequestBuilder {
    /// Items as fields of their scope, or points as fields of their metric's data: by resource, scope and metric.
    items: BTreeMap<(u32, u32, u32), Vec<u8>>,
    bytes: usize,
}

const SCOPES: u32 = 2;
const ITEMS: u32 = 2;
const POINTS: u32 = 1;

impl RequestBuilder {
    pub(crate) fn add(&mut self, signal: Signal, place: (u32, u32, u32), item: &[u8]) {
        let number = if signal == Signal::Metrics {
            POINTS
        } else {
            ITEMS
        };
        self.bytes += item.len();
        push_delimited(self.items.entry(place).or_default(), number, item);
    }

    /// Whether no item was added.
    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// About how long the request will be.
    pub(crate) const fn len(&self) -> usize {
        self.bytes
    }

    /// The request; what follows goes into another one.
    pub(crate) fn finish(&mut self, signal: Signal, tables: &Tables) -> Vec<u8> {
        self.bytes = 0;
        let mut request = Vec::new();
        let mut resources: BTreeMap<u32, BTreeMap<u32, Vec<u8>>> = BTreeMap::new();
        for ((resource, scope, metric), items) in std::mem::take(&mut self.items) {
            let scope = resources
                .entry(resource)
                .or_default()
                .entry(scope)
                .or_default();
            if signal == Signal::Metrics {
                let metric = tables.metrics.get(metric).map_or(&[][..], |it| &it.bytes);
                push_delimited(scope, ITEMS, &with_points(metric, &items));
            } else {
                scope.extend_from_slice(&items);
            }
        }
        for (resource, scopes) in resources {
            let shared = tables.resources.get(resource);
            let mut content = shared.map(|it| it.bytes.clone()).unwrap_or_default();
            for (scope, items) in scopes {
                let shared = tables.scopes.get(scope);
                let mut inner = shared.map(|it| it.bytes.clone()).unwrap_or_default();
                inner.extend_from_slice(&items);
                push_delimited(&mut content, SCOPES, &inner);
            }
            push_delimited(&mut request, 1, &content);
        }
        request
    }
}

/// The metric with points in its data, which is its last field.
fn with_points(metric: &[u8], points: &[u8]) -> Vec<u8> {
    let Some(data) = Fields::new(metric).last() else {
        return Vec::new();
    };
    let kept = metric.len() - data.bytes.len();
    let mut out = metric.get(..kept).unwrap_or_default().to_vec();
    let mut content = data.value.delimited().to_vec();
    content.extend_from_slice(points);
    push_delimited(&mut out, data.number, &content);
    out
}
