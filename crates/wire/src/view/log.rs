//! Reads log records.

use super::{Attributes, ValueView, view};

view! {
    /// One `LogRecord`.
    LogRecordView {
        /// When it happened, in nanoseconds since 1970; 0 if that is not known.
        1 time_unix_nano: u64,
        /// A number of the enum `SeverityNumber`; 0 if it has none.
        2 severity_number: i32,
        /// The severity in the words of its source.
        3 severity_text: &'a str,
        /// How many attributes did not fit the limits.
        7 dropped_attributes_count: u32,
        /// The W3C trace flags, in the lowest 8 bits.
        8 flags: u32,
        /// The trace that it belongs to, if it has 16 bytes.
        9 trace_id: &'a [u8],
        /// The span that it belongs to, if it has 8 bytes.
        10 span_id: &'a [u8],
        /// When it was seen, in nanoseconds since 1970.
        11 observed_time_unix_nano: u64,
        /// The name that makes it an event.
        12 event_name: &'a str,
    }
}

impl<'a> LogRecordView<'a> {
    /// What it says.
    #[must_use]
    pub fn body(&self) -> ValueView<'a> {
        ValueView::in_field(self.bytes, 5)
    }

    /// The attributes.
    #[must_use]
    pub const fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.bytes, 6)
    }
}
