//! Writes a whole request: resources, the scopes under them, the items under those.

use super::attribute::push_attributes;
use super::{AttributeValue, Nested, begin, end};
use crate::envelope::Envelope;
use crate::field::push_delimited;

const RESOURCE_ATTRIBUTES: u32 = 1;
const SCOPE_NAME: u32 = 1;
const SCOPE_VERSION: u32 = 2;
const SCOPE_ATTRIBUTES: u32 = 3;
const SCHEMA_URL: u32 = 3;

/// About how long the envelopes are: their lengths take three bytes up to 2 MiB.
const EXPECTED_ENVELOPE: usize = 1 << 16;
/// About how long an item is: its length takes two bytes up to 16 KiB.
const EXPECTED_ITEM: usize = 1 << 10;

/// An Export request that grows. All four signals have the same envelopes.
#[derive(Debug, Default)]
pub struct RequestEncoder {
    out: Vec<u8>,
    resource: Option<Nested>,
    scope: Option<Nested>,
}

impl RequestEncoder {
    /// An empty request.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins a resource; what follows stands under it.
    pub fn resource(&mut self, attributes: &[(&str, AttributeValue)], schema_url: &str) {
        self.end_resource();
        self.resource = Some(begin(
            &mut self.out,
            Envelope::RESOURCES >> 3,
            EXPECTED_ENVELOPE,
        ));
        let description = begin(&mut self.out, Envelope::DESCRIPTION, EXPECTED_ITEM);
        push_attributes(&mut self.out, RESOURCE_ATTRIBUTES, attributes);
        end(&mut self.out, description);
        push_text(&mut self.out, SCHEMA_URL, schema_url);
    }

    /// Begins an instrumentation scope; what follows stands under it. Without a resource it stands under an empty one.
    pub fn scope(
        &mut self,
        name: &str,
        version: &str,
        attributes: &[(&str, AttributeValue)],
        schema_url: &str,
    ) {
        self.end_scope();
        if self.resource.is_none() {
            self.resource(&[], "");
        }
        self.scope = Some(begin(
            &mut self.out,
            Envelope::SCOPES >> 3,
            EXPECTED_ENVELOPE,
        ));
        let description = begin(&mut self.out, Envelope::DESCRIPTION, 0);
        push_text(&mut self.out, SCOPE_NAME, name);
        push_text(&mut self.out, SCOPE_VERSION, version);
        push_attributes(&mut self.out, SCOPE_ATTRIBUTES, attributes);
        end(&mut self.out, description);
        push_text(&mut self.out, SCHEMA_URL, schema_url);
    }

    /// Adds a span, metric, log record or profile: what `encode` appends. Without a scope it stands under an empty one.
    pub fn item(&mut self, encode: impl FnOnce(&mut Vec<u8>)) {
        if self.scope.is_none() {
            self.scope("", "", &[], "");
        }
        let item = begin(&mut self.out, Envelope::ITEMS >> 3, EXPECTED_ITEM);
        encode(&mut self.out);
        end(&mut self.out, item);
    }

    /// The bytes of the request.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.end_resource();
        self.out
    }

    fn end_scope(&mut self) {
        if let Some(scope) = self.scope.take() {
            end(&mut self.out, scope);
        }
    }

    fn end_resource(&mut self) {
        self.end_scope();
        if let Some(resource) = self.resource.take() {
            end(&mut self.out, resource);
        }
    }
}

/// Appends a string, which protobuf leaves out where it is empty.
#[inline]
pub(super) fn push_text(out: &mut Vec<u8>, number: u32, text: &str) {
    if !text.is_empty() {
        push_delimited(out, number, text.as_bytes());
    }
}
