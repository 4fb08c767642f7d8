//! Reads spans, their events and links.

use super::{Attributes, view};
use crate::field::{Fields, children};

view! {
    /// One `Span`.
    SpanView {
        /// 16 bytes in a valid span.
        1 trace_id: &'a [u8],
        /// 8 bytes in a valid span.
        2 span_id: &'a [u8],
        /// The W3C trace state.
        3 trace_state: &'a str,
        /// Empty for a root span, else 8 bytes.
        4 parent_span_id: &'a [u8],
        /// What was done.
        5 name: &'a str,
        /// A number of the enum `SpanKind`.
        6 kind: i32,
        /// Nanoseconds since 1970.
        7 start_time_unix_nano: u64,
        /// Nanoseconds since 1970.
        8 end_time_unix_nano: u64,
        /// How many attributes did not fit the limits.
        10 dropped_attributes_count: u32,
        /// How many events did not fit the limits.
        12 dropped_events_count: u32,
        /// How many links did not fit the limits.
        14 dropped_links_count: u32,
        /// The W3C trace flags in the lowest 8 bits, and whether the parent is remote in the next two.
        16 flags: u32,
    }
}

impl<'a> SpanView<'a> {
    /// The attributes.
    #[must_use]
    pub const fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.bytes, 9)
    }

    /// The events, in order.
    pub fn events(&self) -> impl Iterator<Item = EventView<'a>> + use<'a> {
        children(self.bytes, 11).map(EventView::new)
    }

    /// The links, in order.
    pub fn links(&self) -> impl Iterator<Item = LinkView<'a>> + use<'a> {
        children(self.bytes, 13).map(LinkView::new)
    }

    /// The status: a number of the enum `StatusCode`, and a description that errors have.
    #[must_use]
    pub fn status(&self) -> (i32, &'a str) {
        let mut status = (0, "");
        for field in children(self.bytes, 15).flat_map(Fields::new) {
            match field.number {
                2 => status.1 = super::scalar::text(field.value.delimited()),
                3 => status.0 = field.value.bits() as i32,
                _ => {}
            }
        }
        status
    }
}

view! {
    /// One `Span.Event`.
    EventView {
        /// Nanoseconds since 1970.
        1 time_unix_nano: u64,
        /// What happened.
        2 name: &'a str,
        /// How many attributes did not fit the limits.
        4 dropped_attributes_count: u32,
    }
}

impl<'a> EventView<'a> {
    /// The attributes.
    #[must_use]
    pub const fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.bytes, 3)
    }
}

view! {
    /// One `Span.Link`.
    LinkView {
        /// The trace of the other span.
        1 trace_id: &'a [u8],
        /// The other span.
        2 span_id: &'a [u8],
        /// The W3C trace state of the other span.
        3 trace_state: &'a str,
        /// How many attributes did not fit the limits.
        5 dropped_attributes_count: u32,
        /// As in the other span.
        6 flags: u32,
    }
}

impl<'a> LinkView<'a> {
    /// The attributes.
    #[must_use]
    pub const fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.bytes, 4)
    }
}
