//! Writes metrics with their data points.

use super::attribute::push_attributes;
use super::request::push_text;
use super::{AttributeValue, EncodedAttributes, begin, end};
use crate::field::{DELIMITED, push_delimited, push_fixed64, push_tag, push_varint};
use crate::varint;

/// About how long the points of one metric are together.
const EXPECTED_POINTS: usize = 1 << 10;

/// Whether points count since the start or since the point before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Temporality {
    /// Since the point before.
    Delta = 1,
    /// Since the start.
    Cumulative = 2,
}

/// The value of a number data point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// `as_int`
    Int(i64),
    /// `as_double`
    Double(f64),
}

/// What a point or an exemplar is about.
#[derive(Clone, Copy, Debug)]
pub enum PointAttributes<'a> {
    /// Attributes as they are.
    Listed(&'a [(&'a str, AttributeValue)]),
    /// Attributes that were encoded before.
    Encoded(&'a EncodedAttributes),
}

impl PointAttributes<'_> {
    fn append(self, out: &mut Vec<u8>, number: u32) {
        match self {
            Self::Listed(attributes) => push_attributes(out, number, attributes),
            Self::Encoded(attributes) => attributes.append(out, number),
        }
    }
}

/// A measurement that stands for many.
#[derive(Clone, Copy, Debug)]
pub struct Exemplar<'a> {
    /// The attributes of the measurement that its point does not have.
    pub filtered_attributes: PointAttributes<'a>,
    /// When it was measured.
    pub time_unix_nano: u64,
    /// What was measured.
    pub value: Number,
    /// The trace and the span that were current, if one was.
    pub span: Option<(&'a [u8; 16], &'a [u8; 8])>,
}

/// A point of a gauge or sum.
#[derive(Clone, Copy, Debug)]
pub struct NumberPoint<'a> {
    /// What the point is about.
    pub attributes: PointAttributes<'a>,
    /// The start of what it counts, in nanoseconds since 1970.
    pub start_time_unix_nano: u64,
    /// When it was taken.
    pub time_unix_nano: u64,
    /// What was measured.
    pub value: Number,
    /// Measurements that stand for those the point is made of.
    pub exemplars: &'a [Exemplar<'a>],
}

/// A point of a histogram with explicit bounds.
#[derive(Clone, Copy, Debug)]
pub struct HistogramPoint<'a> {
    /// What the point is about.
    pub attributes: PointAttributes<'a>,
    /// The start of what it counts, in nanoseconds since 1970.
    pub start_time_unix_nano: u64,
    /// When it was taken.
    pub time_unix_nano: u64,
    /// How many values, which `bucket_counts` must add up to.
    pub count: u64,
    /// Their sum, where it means something.
    pub sum: Option<f64>,
    /// How many values lie in each bucket: one bucket more than bounds, or none.
    pub bucket_counts: &'a [u64],
    /// The upper bounds of all buckets but the last, increasing.
    pub explicit_bounds: &'a [f64],
    /// The least value.
    pub min: Option<f64>,
    /// The greatest value.
    pub max: Option<f64>,
    /// Measurements that stand for those the point is made of.
    pub exemplars: &'a [Exemplar<'a>],
}

/// One side of an exponential histogram.
#[derive(Clone, Copy, Debug, Default)]
pub struct Buckets<'a> {
    /// The index of the first bucket.
    pub offset: i32,
    /// How many values lie in each bucket from there.
    pub counts: &'a [u64],
}

/// A point of an exponential histogram.
#[derive(Clone, Copy, Debug)]
pub struct ExponentialHistogramPoint<'a> {
    /// What the point is about.
    pub attributes: PointAttributes<'a>,
    /// The start of what it counts, in nanoseconds since 1970.
    pub start_time_unix_nano: u64,
    /// When it was taken.
    pub time_unix_nano: u64,
    /// How many values, which `zero_count` and the buckets must add up to.
    pub count: u64,
    /// Their sum, where it means something.
    pub sum: Option<f64>,
    /// The resolution: bucket i ends at 2^((i + 1) / 2^scale).
    pub scale: i32,
    /// How many values are zero, or nearer to it than `zero_threshold`.
    pub zero_count: u64,
    /// The values above zero.
    pub positive: Buckets<'a>,
    /// The values below zero, by their magnitude.
    pub negative: Buckets<'a>,
    /// The least value.
    pub min: Option<f64>,
    /// The greatest value.
    pub max: Option<f64>,
    /// The width of the zero bucket.
    pub zero_threshold: f64,
    /// Measurements that stand for those the point is made of.
    pub exemplars: &'a [Exemplar<'a>],
}

/// A point of a summary.
#[derive(Clone, Copy, Debug)]
pub struct SummaryPoint<'a> {
    /// What the point is about.
    pub attributes: PointAttributes<'a>,
    /// The start of what it counts, in nanoseconds since 1970.
    pub start_time_unix_nano: u64,
    /// When it was taken.
    pub time_unix_nano: u64,
    /// How many values.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
    /// Quantiles, increasing, with the values there.
    pub quantile_values: &'a [(f64, f64)],
}

/// Appends the content of one `Metric`: names first, then the data, of one kind.
#[derive(Debug)]
pub struct MetricEncoder<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> MetricEncoder<'a> {
    /// Appends to `out`, which [`RequestEncoder::item`](super::RequestEncoder::item) hands out.
    #[must_use]
    pub fn new(out: &'a mut Vec<u8>, name: &str, description: &str, unit: &str) -> Self {
        push_text(out, 1, name);
        push_text(out, 2, description);
        push_text(out, 3, unit);
        Self { out }
    }

    /// The data are a gauge; `encode` adds number points.
    pub fn gauge(self, encode: impl FnOnce(&mut PointsEncoder<'_>)) {
        self.data(5, None, encode);
    }

    /// The data are a sum; `encode` adds number points.
    pub fn sum(
        self,
        temporality: Temporality,
        is_monotonic: bool,
        encode: impl FnOnce(&mut PointsEncoder<'_>),
    ) {
        self.data(7, Some(temporality), |points| {
            push_varint(points.out, 3, u64::from(is_monotonic));
            encode(points);
        });
    }

    /// The data are a histogram; `encode` adds histogram points.
    pub fn histogram(self, temporality: Temporality, encode: impl FnOnce(&mut PointsEncoder<'_>)) {
        self.data(9, Some(temporality), encode);
    }

    /// The data are an exponential histogram; `encode` adds its points.
    pub fn exponential_histogram(
        self,
        temporality: Temporality,
        encode: impl FnOnce(&mut PointsEncoder<'_>),
    ) {
        self.data(10, Some(temporality), encode);
    }

    /// The data are a summary; `encode` adds summary points.
    pub fn summary(self, encode: impl FnOnce(&mut PointsEncoder<'_>)) {
        self.data(11, None, encode);
    }

    fn data(
        self,
        number: u32,
        temporality: Option<Temporality>,
        encode: impl FnOnce(&mut PointsEncoder<'_>),
    ) {
        let data = begin(self.out, number, EXPECTED_POINTS);
        if let Some(temporality) = temporality {
            push_varint(self.out, 2, temporality as u64);
        }
        encode(&mut PointsEncoder { out: self.out });
        end(self.out, data);
    }
}

/// Appends data points, of the kind that the metric is of.
#[derive(Debug)]
pub struct PointsEncoder<'a> {
    out: &'a mut Vec<u8>,
}

impl PointsEncoder<'_> {
    /// Adds a point to a gauge or sum.
    pub fn number(&mut self, point: &NumberPoint<'_>) {
        let out = &mut *self.out;
        let nested = begin(out, 1, 0);
        point.attributes.append(out, 7);
        push_times(out, point.start_time_unix_nano, point.time_unix_nano);
        push_number(out, (4, 6), point.value);
        push_exemplars(out, 5, point.exemplars);
        end(out, nested);
    }

    /// Adds a point to a histogram.
    pub fn histogram(&mut self, point: &HistogramPoint<'_>) {
        let out = &mut *self.out;
        let nested = begin(out, 1, EXPECTED_POINTS);
        point.attributes.append(out, 9);
        push_times(out, point.start_time_unix_nano, point.time_unix_nano);
        push_fixed64(out, 4, point.count);
        push_doubles(out, &[(5, point.sum), (11, point.min), (12, point.max)]);
        push_packed(out, 6, point.bucket_counts.iter().copied());
        push_packed(
            out,
            7,
            point.explicit_bounds.iter().map(|bound| bound.to_bits()),
        );
        push_exemplars(out, 8, point.exemplars);
        end(out, nested);
    }

    /// Adds a point to an exponential histogram.
    pub fn exponential_histogram(&mut self, point: &ExponentialHistogramPoint<'_>) {
        let out = &mut *self.out;
        let nested = begin(out, 1, EXPECTED_POINTS);
        point.attributes.append(out, 1);
        push_times(out, point.start_time_unix_nano, point.time_unix_nano);
        push_fixed64(out, 4, point.count);
        push_varint(out, 6, zigzag32(point.scale));
        push_fixed64(out, 7, point.zero_count);
        push_buckets(out, 8, point.positive);
        push_buckets(out, 9, point.negative);
        push_doubles(
            out,
            &[
                (5, point.sum),
                (12, point.min),
                (13, point.max),
                (14, Some(point.zero_threshold)),
            ],
        );
        push_exemplars(out, 11, point.exemplars);
        end(out, nested);
    }

    /// Adds a point to a summary.
    pub fn summary(&mut self, point: &SummaryPoint<'_>) {
        let out = &mut *self.out;
        let nested = begin(out, 1, EXPECTED_POINTS);
        point.attributes.append(out, 7);
        push_times(out, point.start_time_unix_nano, point.time_unix_nano);
        push_fixed64(out, 4, point.count);
        push_fixed64(out, 5, point.sum.to_bits());
        for (quantile, value) in point.quantile_values {
            let pair = begin(out, 6, 0);
            push_fixed64(out, 1, quantile.to_bits());
            push_fixed64(out, 2, value.to_bits());
            end(out, pair);
        }
        end(out, nested);
    }
}

/// All points keep their times in the same fields.
fn push_times(out: &mut Vec<u8>, start_time_unix_nano: u64, time_unix_nano: u64) {
    push_fixed64(out, 2, start_time_unix_nano);
    push_fixed64(out, 3, time_unix_nano);
}

/// Appends a number to the one of two fields, for doubles and for integers, that it belongs to.
fn push_number(out: &mut Vec<u8>, (as_double, as_int): (u32, u32), value: Number) {
    match value {
        Number::Double(value) => push_fixed64(out, as_double, value.to_bits()),
        Number::Int(value) => push_fixed64(out, as_int, value.cast_unsigned()),
    }
}

fn push_exemplars(out: &mut Vec<u8>, number: u32, exemplars: &[Exemplar<'_>]) {
    for exemplar in exemplars {
        let nested = begin(out, number, 0);
        exemplar.filtered_attributes.append(out, 7);
        push_fixed64(out, 2, exemplar.time_unix_nano);
        push_number(out, (3, 6), exemplar.value);
        if let Some((trace_id, span_id)) = exemplar.span {
            push_delimited(out, 4, span_id);
            push_delimited(out, 5, trace_id);
        }
        end(out, nested);
    }
}

fn push_doubles(out: &mut Vec<u8>, fields: &[(u32, Option<f64>)]) {
    for (number, value) in fields {
        if let Some(value) = value {
            push_fixed64(out, *number, value.to_bits());
        }
    }
}

fn push_packed(out: &mut Vec<u8>, number: u32, values: impl ExactSizeIterator<Item = u64>) {
    if values.len() > 0 {
        push_tag(out, number, DELIMITED);
        varint::push(out, values.len() as u64 * 8);
        values.for_each(|value| out.extend_from_slice(&value.to_le_bytes()));
    }
}

fn push_buckets(out: &mut Vec<u8>, number: u32, buckets: Buckets<'_>) {
    let nested = begin(out, number, 0);
    push_varint(out, 1, zigzag32(buckets.offset));
    let counts = begin(out, 2, 0);
    for count in buckets.counts {
        varint::push(out, *count);
    }
    end(out, counts);
    end(out, nested);
}

fn zigzag32(value: i32) -> u64 {
    varint::zigzag(i64::from(value))
}
