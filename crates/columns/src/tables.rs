//! What rows share: each resource, scope and metric once.

use std::collections::HashMap;
use std::hash::Hasher as _;

use millrace_wire::field::{Fields, children};
use millrace_wire::view::{MetricView, ResourceView, ScopeView, ValueView};
use twox_hash::XxHash64;

use crate::hex;
use crate::json_text;

/// What several rows stand under, by its exact bytes.
#[derive(Debug)]
pub(crate) struct Shared {
    /// The fields of `ResourceSpans` without its scopes, or of `ScopeSpans` without its items, or of `Metric` without points.
    pub(crate) bytes: Vec<u8>,
    /// A stable number of these bytes.
    pub(crate) hash: u64,
    /// The number as text.
    pub(crate) id: String,
    /// `service.name` of a resource, or the name of a scope.
    pub(crate) name: String,
    /// The version of a scope.
    pub(crate) version: String,
}

/// Equal bytes are kept once and known by their index.
#[derive(Debug, Default)]
pub(crate) struct Table {
    by_hash: HashMap<u64, u32>,
    entries: Vec<Shared>,
}

impl Table {
    /// The index of these bytes; `describe` says a name and a version of new ones.
    pub(crate) fn intern(
        &mut self,
        bytes: &[u8],
        describe: impl FnOnce(&[u8]) -> (String, String),
    ) -> u32 {
        let mut hash = hash(bytes);
        // Rows find what they stand under by its hash, so no two may share one.
        while let Some(index) = self.by_hash.get(&hash) {
            if self.get(*index).is_some_and(|known| known.bytes == bytes) {
                return *index;
            }
            hash = hash.wrapping_add(1);
        }
        let index = self.entries.len() as u32;
        let (name, version) = describe(bytes);
        self.entries.push(Shared {
            bytes: bytes.to_vec(),
            hash,
            id: hex::of_number(hash),
            name,
            version,
        });
        self.by_hash.insert(hash, index);
        index
    }

    pub(crate) fn get(&self, index: u32) -> Option<&Shared> {
        self.entries.get(index as usize)
    }

    pub(crate) fn entries(&self) -> &[Shared] {
        &self.entries
    }
}

/// All that rows share.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    pub(crate) resources: Table,
    pub(crate) scopes: Table,
    pub(crate) metrics: Table,
}

/// A number that stays the same on every machine.
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = XxHash64::with_seed(0);
    hasher.write(bytes);
    hasher.finish()
}

/// The name of the service that a resource is.
pub(crate) fn describe_resource(bytes: &[u8]) -> (String, String) {
    let service = ResourceView::new(bytes)
        .attributes()
        .filter(|pair| pair.key == "service.name")
        .last();
    let mut name = String::new();
    if let Some(pair) = service
        && !matches!(pair.value(), ValueView::Empty)
    {
        json_text::push_text(&mut name, &pair.value());
    }
    (name, String::new())
}

/// The name and version of a scope.
pub(crate) fn describe_scope(bytes: &[u8]) -> (String, String) {
    let view = ScopeView::new(bytes);
    (view.name().to_owned(), view.version().to_owned())
}

/// The name of a metric.
pub(crate) fn describe_metric(bytes: &[u8]) -> (String, String) {
    (MetricView::new(bytes).name.to_owned(), String::new())
}

/// The attributes of the description inside of the fields of a `ResourceSpans`.
pub(crate) fn resource_pairs(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    children(bytes, 1).flat_map(|resource| children(resource, 1))
}

/// Copies the fields of a message but those with a number.
pub(crate) fn without(message: &[u8], number: u32, out: &mut Vec<u8>) {
    for field in Fields::new(message) {
        if field.number != number {
            out.extend_from_slice(field.bytes);
        }
    }
}
