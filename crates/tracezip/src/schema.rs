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
        match (self, number, wire_type) {
            (Self::TracesRequest, 1, DELIMITED) => Role::Children(Self::ResourceSpans),
            (Self::ResourceSpans, 2, DELIMITED) => Role::Children(Self::ScopeSpans),
            (Self::ScopeSpans, 2, DELIMITED) => Role::Children(Self::Span),
            (Self::Span, 11, DELIMITED) => Role::Children(Self::Event),
            (Self::Span, 13, DELIMITED) => Role::Children(Self::Link),
            (Self::LogsRequest, 1, DELIMITED) => Role::Children(Self::ResourceLogs),
            (Self::ResourceLogs, 2, DELIMITED) => Role::Children(Self::ScopeLogs),
            (Self::ScopeLogs, 2, DELIMITED) => Role::Children(Self::LogRecord),
            (Self::MetricsRequest, 1, DELIMITED) => Role::Children(Self::ResourceMetrics),
            (Self::ResourceMetrics, 2, DELIMITED) => Role::Children(Self::ScopeMetrics),
            (Self::ScopeMetrics, 2, DELIMITED) => Role::Children(Self::Metric),
            (Self::Numbers, 1, DELIMITED) => Role::Children(Self::NumberPoint),
            (Self::Metric, 5 | 7, DELIMITED) => Role::Inline(Self::Numbers),
            (Self::Span, 15, DELIMITED) => Role::Inline(Self::Status),
            (Self::Span | Self::Link, 1, DELIMITED) | (Self::LogRecord, 9, DELIMITED) => {
                Role::TraceId
            }
            (Self::Span | Self::Link, 2, DELIMITED) | (Self::LogRecord, 10, DELIMITED) => {
                Role::SpanId
            }
            (Self::Span, 4, DELIMITED) => Role::ParentId,
            (Self::Span, 9, DELIMITED)
            | (Self::Event, 3, DELIMITED)
            | (Self::Link, 4, DELIMITED)
            | (Self::LogRecord, 6, DELIMITED)
            | (Self::NumberPoint, 7, DELIMITED) => Role::Attribute,
            (Self::Span, 7 | 8, FIXED64)
            | (Self::Event, 1, FIXED64)
            | (Self::LogRecord, 1 | 11, FIXED64)
            | (Self::NumberPoint, 2 | 3, FIXED64) => Role::Time,
            (Self::Span, 5, DELIMITED)
            | (Self::Span, 6, VARINT)
            | (Self::Span, 16, FIXED32)
            | (Self::Event, 2, DELIMITED)
            | (Self::Link, 6, FIXED32)
            | (Self::Status, 3, VARINT)
            | (Self::LogRecord, 2, VARINT)
            | (Self::LogRecord, 3, DELIMITED)
            | (Self::LogRecord, 8, FIXED32)
            | (Self::Metric, 1..=3, DELIMITED)
            | (Self::Numbers, 2 | 3, VARINT)
            | (Self::NumberPoint, 8, VARINT) => Role::Constant,
            _ => Role::Value,
        }
    }

    /// Whether messages of this kind are items, whose times continue each other across messages.
    pub(crate) const fn is_item(self) -> bool {
        matches!(self, Self::Span | Self::LogRecord | Self::NumberPoint)
    }
}
