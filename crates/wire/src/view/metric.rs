//! Reads metrics and their data points.

use super::scalar::{Doubles, Fixed64s, Scalar, Varints};
use super::{Attributes, view};
use crate::field::{Fields, Value, children};
use crate::validate::metric::Arm;
use crate::varint::unzigzag;

view! {
    /// One `Metric`.
    MetricView {
        /// What is measured.
        1 name: &'a str,
        /// What that means.
        2 description: &'a str,
        /// In which unit, as UCUM writes it.
        3 unit: &'a str,
    }
}

impl<'a> MetricView<'a> {
    /// Attributes of the metric itself, which are not part of its identity.
    #[must_use]
    pub const fn metadata(&self) -> Attributes<'a> {
        Attributes::new(self.bytes, 12)
    }

    /// The data, of the kind that stands last on the wire.
    #[must_use]
    pub fn data(&self) -> Option<DataView<'a>> {
        let data = Fields::new(self.bytes).filter_map(|field| match field.value {
            Value::Delimited(bytes) => Some((Arm::from_number(field.number)?, bytes)),
            _ => None,
        });
        data.last().map(|(arm, bytes)| DataView::new(arm, bytes))
    }
}

/// The data of a metric: how to read its points, and what they mean.
#[derive(Clone, Copy, Debug)]
pub struct DataView<'a> {
    bytes: &'a [u8],
    arm: Arm,
    /// A number of the enum `AggregationTemporality`; 0 for gauges and summaries.
    pub aggregation_temporality: i32,
    /// Whether a sum never falls; false for the others.
    pub is_monotonic: bool,
}

impl<'a> DataView<'a> {
    fn new(arm: Arm, bytes: &'a [u8]) -> Self {
        let mut view = Self {
            bytes,
            arm,
            aggregation_temporality: 0,
            is_monotonic: false,
        };
        for field in Fields::new(bytes) {
            match field.number {
                2 => view.aggregation_temporality.read(field.value),
                3 => view.is_monotonic.read(field.value),
                _ => {}
            }
        }
        view
    }

    /// The name of the kind: `gauge`, `sum`, `histogram`, `exponential_histogram` or `summary`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self.arm {
            Arm::Gauge => "gauge",
            Arm::Sum => "sum",
            Arm::Histogram => "histogram",
            Arm::Exponential => "exponential_histogram",
            Arm::Summary => "summary",
        }
    }

    /// The points of a gauge or sum.
    pub fn number_points(&self) -> impl Iterator<Item = NumberPointView<'a>> + use<'a> {
        self.points(&[Arm::Gauge, Arm::Sum])
            .map(NumberPointView::new)
    }

    /// The points of a histogram.
    pub fn histogram_points(&self) -> impl Iterator<Item = HistogramPointView<'a>> + use<'a> {
        self.points(&[Arm::Histogram]).map(HistogramPointView::new)
    }

    /// The points of an exponential histogram.
    pub fn exponential_histogram_points(
        &self,
    ) -> impl Iterator<Item = ExponentialHistogramPointView<'a>> + use<'a> {
        self.points(&[Arm::Exponential])
            .map(ExponentialHistogramPointView::new)
    }

    /// The points of a summary.
    pub fn summary_points(&self) -> impl Iterator<Item = SummaryPointView<'a>> + use<'a> {
        self.points(&[Arm::Summary]).map(SummaryPointView::new)
    }

    /// The points, if the data are of one of these kinds; else none.
    fn points(&self, arms: &[Arm]) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let bytes = if arms.contains(&self.arm) {
            self.bytes
        } else {
            &[]
        };
        children(bytes, Arm::DATA_POINTS >> 3)
    }
}

/// The value of a number data point or of an exemplar.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum NumberView {
    /// None, because nothing was recorded.
    #[default]
    None,
    /// `as_int`
    Int(i64),
    /// `as_double`
    Double(f64),
}

impl NumberView {
    /// Reads `as_int` and `as_double`, of which the last on the wire counts.
    fn in_message(message: &[u8], as_double: u32, as_int: u32) -> Self {
        Fields::new(message).fold(Self::None, |number, field| match field.value {
            Value::Fixed64(bits) if field.number == as_double => Self::Double(f64::from_bits(bits)),
            Value::Fixed64(bits) if field.number == as_int => Self::Int(bits.cast_signed()),
            _ => number,
        })
    }
}

view! {
    /// One `NumberDataPoint`.
    NumberPointView {
        /// The start of what it counts, in nanoseconds since 1970.
        2 start_time_unix_nano: u64,
        /// When it was taken.
        3 time_unix_nano: u64,
        /// Bit 0 says that there is deliberately no value.
        8 flags: u32,
    }
}

impl<'a> NumberPointView<'a> {
    /// What was measured.
    #[must_use]
    pub fn value(&self) -> NumberView {
        NumberView::in_message(self.bytes, 4, 6)
    }

    /// What the point is about.
    #[must_use]
    pub const fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.bytes, 7)
    }

    /// Examples of what was measured.
    pub fn exemplars(&self) -> impl Iterator<Item = ExemplarView<'a>> + use<'a> {
        children(self.bytes, 5).map(ExemplarView::new)
    }
}

view! {
    /// One `HistogramDataPoint`.
    HistogramPointView {
        /// The start of what it counts, in nanoseconds since 1970.
        2 start_time_unix_nano: u64,
        /// When it was taken.
        3 time_unix_nano: u64,
        /// How many values.
        4 count: u64,
        /// Their sum, where it means something.
        5 sum: Option<f64>,
        /// Bit 0 says that there is deliberately no value.
        10 flags: u32,
        /// The least value.
        11 min: Option<f64>,
        /// The greatest value.
        12 max: Option<f64>,
    }
}

impl<'a> HistogramPointView<'a> {
    /// How many values lie in each bucket.
    #[must_use]
    pub const fn bucket_counts(&self) -> Fixed64s<'a> {
        Fixed64s::new(self.bytes, 6)
    }

    /// The upper bounds, inclusive, of all buckets but the last.
    #[must_use]
    pub const fn explicit_bounds(&self) -> Doubles<'a> {
        Doubles::new(self.bytes, 7)
    }

    /// What the point is about.
    #[must_use]
    pub const fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.bytes, 9)
    }

    /// Examples of what was measured.
    pub fn exemplars(&self) -> impl Iterator<Item = ExemplarView<'a>> + use<'a> {
        children(self.bytes, 8).map(ExemplarView::new)
    }
}

view! {
    /// One `ExponentialHistogramDataPoint`.
    ExponentialHistogramPointView {
        /// The start of what it counts, in nanoseconds since 1970.
        2 start_time_unix_nano: u64,
        /// When it was taken.
        3 time_unix_nano: u64,
        /// How many values.
        4 count: u64,
        /// Their sum, where it means something.
        5 sum: Option<f64>,
        /// How many values are zero, or nearer to it than `zero_threshold`.
        7 zero_count: u64,
        /// Bit 0 says that there is deliberately no value.
        10 flags: u32,
        /// The least value.
        12 min: Option<f64>,
        /// The greatest value.
        13 max: Option<f64>,
        /// The width of the zero bucket.
        14 zero_threshold: f64,
    }
}

impl<'a> ExponentialHistogramPointView<'a> {
    /// The resolution: bucket i reaches from 2^(i / 2^scale), exclusive, to 2^((i + 1) / 2^scale), inclusive.
    #[must_use]
    pub fn scale(&self) -> i32 {
        last_sint32(self.bytes, 6)
    }

    /// The buckets of the values above zero.
    #[must_use]
    pub fn positive(&self) -> BucketsView<'a> {
        BucketsView::in_field(self.bytes, 8)
    }

    /// The buckets of the values below zero, by their magnitude.
    #[must_use]
    pub fn negative(&self) -> BucketsView<'a> {
        BucketsView::in_field(self.bytes, 9)
    }

    /// What the point is about.
    #[must_use]
    pub const fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.bytes, 1)
    }

    /// Examples of what was measured.
    pub fn exemplars(&self) -> impl Iterator<Item = ExemplarView<'a>> + use<'a> {
        children(self.bytes, 11).map(ExemplarView::new)
    }
}

/// One side of the buckets of an exponential histogram.
#[derive(Clone, Copy, Debug)]
pub struct BucketsView<'a> {
    bytes: &'a [u8],
}

impl<'a> BucketsView<'a> {
    fn in_field(point: &'a [u8], number: u32) -> Self {
        Self {
            bytes: children(point, number).last().unwrap_or_default(),
        }
    }

    /// The index of the first bucket.
    #[must_use]
    pub fn offset(&self) -> i32 {
        last_sint32(self.bytes, 1)
    }

    /// How many values lie in each bucket from there.
    #[must_use]
    pub const fn counts(&self) -> Varints<'a> {
        Varints::new(self.bytes, 2)
    }
}

fn last_sint32(message: &[u8], number: u32) -> i32 {
    let last = Fields::new(message)
        .filter(|field| field.number == number)
        .last();
    last.map_or(0, |field| unzigzag(field.value.bits() & 0xffff_ffff) as i32)
}

view! {
    /// One `SummaryDataPoint`.
    SummaryPointView {
        /// The start of what it counts, in nanoseconds since 1970.
        2 start_time_unix_nano: u64,
        /// When it was taken.
        3 time_unix_nano: u64,
        /// How many values.
        4 count: u64,
        /// Their sum.
        5 sum: f64,
        /// Bit 0 says that there is deliberately no value.
        8 flags: u32,
    }
}

impl<'a> SummaryPointView<'a> {
    /// The quantiles, between 0 and 1, with the value at each.
    pub fn quantile_values(&self) -> impl Iterator<Item = (f64, f64)> + use<'a> {
        children(self.bytes, 6).map(|pair| {
            let mut values = (0.0, 0.0);
            for field in Fields::new(pair) {
                match field.number {
                    1 => values.0.read(field.value),
                    2 => values.1.read(field.value),
                    _ => {}
                }
            }
            values
        })
    }

    /// What the point is about.
    #[must_use]
    pub const fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.bytes, 7)
    }
}

view! {
    /// One `Exemplar`: a single measurement, with the span in which it was made.
    ExemplarView {
        /// When it was made, in nanoseconds since 1970.
        2 time_unix_nano: u64,
        /// The span, if it has 8 bytes.
        4 span_id: &'a [u8],
        /// The trace, if it has 16 bytes.
        5 trace_id: &'a [u8],
    }
}

impl<'a> ExemplarView<'a> {
    /// What was measured.
    #[must_use]
    pub fn value(&self) -> NumberView {
        NumberView::in_message(self.bytes, 3, 6)
    }

    /// The attributes of the measurement that its point does not have.
    #[must_use]
    pub const fn filtered_attributes(&self) -> Attributes<'a> {
        Attributes::new(self.bytes, 7)
    }
}
