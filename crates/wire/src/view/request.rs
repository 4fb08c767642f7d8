//! Reads the envelopes that all signals share: request, resource, scope.

use super::view;
use super::{Attributes, DictionaryView, LogRecordView, MetricView, ProfileView, SpanView};
use crate::envelope::Envelope;
use crate::field::children;

/// An Export request of any signal.
#[derive(Clone, Copy, Debug)]
pub struct RequestView<'a> {
    bytes: &'a [u8],
}

impl<'a> RequestView<'a> {
    /// Looks at a validated request.
    #[must_use]
    pub const fn new(request: &'a [u8]) -> Self {
        Self { bytes: request }
    }

    /// The resources, with what stands under each.
    pub fn resources(&self) -> impl Iterator<Item = ResourceView<'a>> + use<'a> {
        children(self.bytes, Envelope::RESOURCES >> 3).map(ResourceView::new)
    }

    /// The dictionary that the profiles refer to.
    #[must_use]
    pub const fn dictionary(&self) -> DictionaryView<'a> {
        DictionaryView::new(self.bytes)
    }
}

view! {
    /// A resource and what stands under it: `ResourceSpans` and its like.
    ResourceView {
        /// The schema of the resource.
        3 schema_url: &'a str,
    }
}

impl<'a> ResourceView<'a> {
    /// What telemetry this is: the attributes of the `Resource`.
    pub fn attributes(&self) -> impl Iterator<Item = super::KeyValueView<'a>> + use<'a> {
        // A singular message that stands several times is one message, with the fields of all.
        children(self.bytes, Envelope::DESCRIPTION)
            .flat_map(|resource| Attributes::new(resource, 1))
    }

    /// How many attributes did not fit the limits.
    #[must_use]
    pub fn dropped_attributes_count(&self) -> u32 {
        last_varint(self.bytes, 2)
    }

    /// The scopes, with what stands under each.
    pub fn scopes(&self) -> impl Iterator<Item = ScopeView<'a>> + use<'a> {
        children(self.bytes, Envelope::SCOPES >> 3).map(ScopeView::new)
    }
}

view! {
    /// An instrumentation scope and its items: `ScopeSpans` and its like.
    ScopeView {
        /// The schema of the items.
        3 schema_url: &'a str,
    }
}

impl<'a> ScopeView<'a> {
    /// The name of the scope.
    #[must_use]
    pub fn name(&self) -> &'a str {
        self.last_text(1)
    }

    /// The version of the scope.
    #[must_use]
    pub fn version(&self) -> &'a str {
        self.last_text(2)
    }

    /// The attributes of the scope.
    pub fn attributes(&self) -> impl Iterator<Item = super::KeyValueView<'a>> + use<'a> {
        children(self.bytes, Envelope::DESCRIPTION).flat_map(|scope| Attributes::new(scope, 3))
    }

    /// How many attributes did not fit the limits.
    #[must_use]
    pub fn dropped_attributes_count(&self) -> u32 {
        last_varint(self.bytes, 4)
    }

    /// The items of a request for traces.
    pub fn spans(&self) -> impl Iterator<Item = SpanView<'a>> + use<'a> {
        self.items().map(SpanView::new)
    }

    /// The metrics of a request for metrics.
    pub fn metrics(&self) -> impl Iterator<Item = MetricView<'a>> + use<'a> {
        self.items().map(MetricView::new)
    }

    /// The items of a request for logs.
    pub fn log_records(&self) -> impl Iterator<Item = LogRecordView<'a>> + use<'a> {
        self.items().map(LogRecordView::new)
    }

    /// The items of a request for profiles.
    pub fn profiles(&self) -> impl Iterator<Item = ProfileView<'a>> + use<'a> {
        self.items().map(ProfileView::new)
    }

    fn items(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        children(self.bytes, Envelope::ITEMS >> 3)
    }

    fn last_text(&self, number: u32) -> &'a str {
        children(self.bytes, Envelope::DESCRIPTION)
            .flat_map(|scope| children(scope, number))
            .last()
            .map_or("", super::scalar::text)
    }
}

/// The number in a varint field of the description of a resource or scope.
fn last_varint(enclosing: &[u8], number: u32) -> u32 {
    children(enclosing, Envelope::DESCRIPTION)
        .flat_map(crate::field::Fields::new)
        .filter(|field| field.number == number)
        .last()
        .map_or(0, |field| field.value.bits() as u32)
}
