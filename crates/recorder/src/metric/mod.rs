//! Metrics: measurements to aggregated points, exactly counted, bounded in number.
//!
//! # Layout
//! A `Stream` (`series`) is what one view makes of one instrument for one reader: a table from attribute sets to series. A series
//! keeps the state of its `aggregation`, of which `explicit` and `exponential` are the histograms, and its `exemplar`s. Collecting
//! takes `point`s out, which encode themselves.
//!
//! Callers own the identity of attribute sets: they hash, they compare, and the key of a series is of their type. So a lookup
//! touches the caller's objects as they are, and nothing is converted but what a new series needs.
mod aggregation;
mod exemplar;
mod explicit;
pub mod exponential;
pub mod number;
mod point;
mod series;
mod summary;

pub use aggregation::Aggregation;
pub use exemplar::{Exemplar, ReservoirKind};
pub use explicit::{DEFAULT_BOUNDS, ExplicitHistogram, bucket};
pub use exponential::{ExponentialHistogram, Side};
pub use point::{Point, PointData, encode_points};
pub use series::{CARDINALITY_LIMIT, SeriesKey, Stream, StreamOptions};
pub use summary::Summary;
