//! What stands in which field of an OTLP message, as far as it matters for bytes: times, ids, attributes, items.

use millrace_wire::Signal;
use millrace_wire::field::{DELIMITED, FIXED32, FIXED64, VARINT};

/// A message that has a shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Message {
    TracesRequest,
    ResourceSpans,
    ScopeSpans,
    Span,
    Event,
    Link,
    Status,
    LogsRequest,
    ResourceLogs,
    ScopeLogs,
    LogRecord,
    MetricsRequest,
    ResourceMetrics,
    ScopeMetrics,
    Metric,
    /// A gauge or a sum: points, and what kind of sum it is.
    Numbers,
    NumberPoint,
}

/// How a field is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// In the shape: what repeats with it.
    Constant,
    /// As a value of its key.
    Value,
    /// As a time.
    Time,
    TraceId,
    SpanId,
    ParentId,
    /// Its key in the shape, its value as a value.
    Attribute,
    /// As a message with a shape of its own; consecutive ones are one place of the shape.
    Children(Message),
    /// As a message whose fields are places of this shape.
    Inline(Message),
}

impl Message {
    pub(crate) fn of_signal(signal: Signal) -> Option<Self> {
        match signal {
            Signal::Traces => Some(Self::TracesRequest),
            Signal::Logs => Some(Self::LogsRequest),
            Signal::Metrics => Some(Self::MetricsRequest),
            Signal::Profiles => None,
        }
    }

    /// How a field of this number and wire type is carried. What is not listed is a value: no field is lost.
    #[inline]
    pub(crate) fn role(self, number: u32, wire_type: u8) -> Role {
        use Message as M;
        match (self, number, wire_type) {
            (M::TracesRequest, 1, DELIMITED) => Role::Children(M::ResourceSpans),
            (M::ResourceSpans, 2, DELIMITED) => Role::Children(M::ScopeSpans),
            (M::ScopeSpans, 2, DELIMITED) => Role::Children(M::Span),
            (M::Span, 1, DELIMITED) | (M::Link, 1, DELIMITED) | (M::LogRecord, 9, DELIMITED) => {
                Role::TraceId
            }
            (M::Span | M::Link, 2, DELIMITED) | (M::LogRecord, 10, DELIMITED) => Role::SpanId,
            (M::Span, 4, DELIMITED) => Role::ParentId,
            (M::Span, 5, DELIMITED)
            | (M::Event, 2, DELIMITED)
            | (M::LogRecord, 3, DELIMITED)
            | (M::Metric, 1..=3, DELIMITED) => Role::Constant,
            (M::Span, 6, VARINT)
            | (M::Status, 3, VARINT)
            | (M::LogRecord, 2, VARINT)
            | (M::Numbers, 2 | 3, VARINT)
            | (M::NumberPoint, 8, VARINT) => Role::Constant,
            (M::Span, 16, FIXED32) | (M::Link, 6, FIXED32) | (M::LogRecord, 8, FIXED32) => {
                Role::Constant
            }
            (M::Span, 7 | 8, FIXED64)
            | (M::Event, 1, FIXED64)
            | (M::LogRecord, 1 | 11, FIXED64)
            | (M::NumberPoint, 2 | 3, FIXED64) => Role::Time,
            (M::Span, 9, DELIMITED)
            | (M::Event, 3, DELIMITED)
            | (M::Link, 4, DELIMITED)
            | (M::LogRecord, 6, DELIMITED)
            | (M::NumberPoint, 7, DELIMITED) => Role::Attribute,
            (M::Span, 11, DELIMITED) => Role::Children(M::Event),
            (M::Span, 13, DELIMITED) => Role::Children(M::Link),
            (M::Span, 15, DELIMITED) => Role::Inline(M::Status),
            (M::LogsRequest, 1, DELIMITED) => Role::Children(M::ResourceLogs),
            (M::ResourceLogs, 2, DELIMITED) => Role::Children(M::ScopeLogs),
            (M::ScopeLogs, 2, DELIMITED) => Role::Children(M::LogRecord),
            (M::MetricsRequest, 1, DELIMITED) => Role::Children(M::ResourceMetrics),
            (M::ResourceMetrics, 2, DELIMITED) => Role::Children(M::ScopeMetrics),
            (M::ScopeMetrics, 2, DELIMITED) => Role::Children(M::Metric),
            (M::Metric, 5 | 7, DELIMITED) => Role::Inline(M::Numbers),
            (M::Numbers, 1, DELIMITED) => Role::Children(M::NumberPoint),
            _ => Role::Value,
        }
    }

    /// Whether messages of this kind are items, whose times continue each other across messages.
    pub(crate) const fn is_item(self) -> bool {
        matches!(self, Self::Span | Self::LogRecord | Self::NumberPoint)
    }
}
