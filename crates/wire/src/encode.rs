//! Appends requests, spans, metrics and log records to a buffer, already in their final bytes.
//!
//! Each encoder has a view with the same stem that reads back what it wrote.

mod attribute;
mod log;
mod metric;
mod request;
mod span;

use crate::nested::{Nested, begin, end};

pub use attribute::{
    AttributeValue, EncodeValue, EncodedAttributes, push_array, push_attribute, push_map, push_pair,
};
pub use log::LogEncoder;
pub use metric::{
    Buckets, Exemplar, ExponentialHistogramPoint, HistogramPoint, MetricEncoder, Number,
    NumberPoint, PointAttributes, PointsEncoder, SummaryPoint, Temporality,
};
pub use request::RequestEncoder;
pub use span::{EventEncoder, SpanEncoder};
