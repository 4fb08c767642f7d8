//! The rules of the data model that an item can break, and how to say so to its sender.

/// Why nobody downstream could use an item, although its encoding is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Broken {
    TraceId,
    SpanId,
    ParentSpanId,
    NoValue,
    NoTime,
    NoTemporality,
    Buckets,
    Bounds,
    BucketTotal,
    SumOfNothing,
    ExponentialTotal,
    ExponentialRange,
    Quantiles,
    NegativeQuantileValue,
    ProfileId,
    OriginalPayload,
    Sample,
    Index,
    Dictionary,
}

impl Broken {
    /// A clause that completes "rejected because ...". It names fields, never what they hold.
    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Self::TraceId => "trace_id must be 16 bytes and not all zero",
            Self::SpanId => "span_id must be 8 bytes and not all zero",
            Self::ParentSpanId => "parent_span_id must be empty or 8 bytes",
            Self::NoValue => {
                "a number data point must have as_int or as_double, or the flag NO_RECORDED_VALUE"
            }
            Self::NoTime => "time_unix_nano of a data point must not be 0",
            Self::NoTemporality => {
                "aggregation_temporality of a sum or histogram must be delta or cumulative"
            }
            Self::Buckets => {
                "a histogram must have one bucket more than it has explicit_bounds, or neither"
            }
            Self::Bounds => "explicit_bounds must be strictly increasing",
            Self::BucketTotal => "bucket_counts must add up to the count of their histogram",
            Self::SumOfNothing => "the sum of a histogram whose count is 0 must be 0",
            Self::ExponentialTotal => {
                "zero_count and the buckets must add up to the count of their exponential histogram"
            }
            Self::ExponentialRange => {
                "scale and offset of an exponential histogram must give bucket boundaries that a double can hold"
            }
            Self::Quantiles => {
                "quantiles of a summary must lie between 0 and 1 and be strictly increasing"
            }
            Self::NegativeQuantileValue => {
                "values at the quantiles of a summary must not be negative"
            }
            Self::ProfileId => "profile_id must be empty, or 16 bytes and not all zero",
            Self::OriginalPayload => {
                "original_payload and original_payload_format must both be set or neither"
            }
            Self::Sample => {
                "a sample must have values or timestamps_unix_nano, and as many of each if it has both"
            }
            Self::Index => {
                "an index of the profile points past the end of its table in the dictionary"
            }
            Self::Dictionary => {
                "the dictionary must start each table with a zero value, name each function and point past no table's end"
            }
        }
    }
}
