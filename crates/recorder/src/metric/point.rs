//! The points that a collection takes out of a stream, and their bytes.
use millrace_wire::encode::{
    self, Buckets, ExponentialHistogramPoint, HistogramPoint, MetricEncoder, Number, NumberPoint,
    PointAttributes, PointsEncoder,
};

use super::aggregation::Aggregation;
use super::exemplar::Exemplar;
use super::explicit::ExplicitHistogram;
use super::exponential::{ExponentialHistogram, Side};
use super::series::{SeriesKey, StreamOptions};
use super::summary::Summary;

/// What a point says.
#[derive(Clone, Debug, PartialEq)]
pub enum PointData {
    /// A sum or a last value.
    Number(Number),
    /// A histogram with explicit bounds.
    Explicit(ExplicitHistogram),
    /// An exponential histogram.
    Exponential(Box<ExponentialHistogram>),
}

/// One series at one collection.
#[derive(Clone, Debug)]
pub struct Point<K> {
    /// Its attributes.
    pub key: K,
    /// The start of what it counts, in nanoseconds since 1970; zero for a last value.
    pub start_time_unix_nano: u64,
    /// When it was collected.
    pub time_unix_nano: u64,
    /// What it says.
    pub data: PointData,
    /// Measurements that stand for those it is made of.
    pub exemplars: Vec<Exemplar<K>>,
}

/// Appends the content of a `Metric` with these points.
pub fn encode_points<K: SeriesKey>(
    options: &StreamOptions,
    points: &[Point<K>],
    out: &mut Vec<u8>,
) {
    let metric = MetricEncoder::new(out, &options.name, &options.description, &options.unit);
    let encode = |encoder: &mut PointsEncoder<'_>| {
        for point in points {
            encode_point(options, point, encoder);
        }
    };
    match options.aggregation {
        Aggregation::Sum { is_monotonic } => metric.sum(options.temporality, is_monotonic, encode),
        Aggregation::LastValue => metric.gauge(encode),
        Aggregation::ExplicitHistogram { .. } => metric.histogram(options.temporality, encode),
        Aggregation::ExponentialHistogram { .. } => {
            metric.exponential_histogram(options.temporality, encode);
        }
    }
}

fn encode_point<K: SeriesKey>(
    options: &StreamOptions,
    point: &Point<K>,
    encoder: &mut PointsEncoder<'_>,
) {
    let exemplars: Vec<encode::Exemplar<'_>> =
        point.exemplars.iter().map(Exemplar::encoded).collect();
    let attributes = PointAttributes::Encoded(point.key.attributes());
    let (start_time_unix_nano, time_unix_nano) = (point.start_time_unix_nano, point.time_unix_nano);
    match &point.data {
        PointData::Number(value) => encoder.number(&NumberPoint {
            attributes,
            start_time_unix_nano,
            time_unix_nano,
            value: *value,
            exemplars: &exemplars,
        }),
        PointData::Explicit(histogram) => {
            let (sum, min, max) = told(options, &histogram.summary);
            let Aggregation::ExplicitHistogram { bounds } = &options.aggregation else {
                return;
            };
            encoder.histogram(&HistogramPoint {
                attributes,
                start_time_unix_nano,
                time_unix_nano,
                count: histogram.summary.count,
                sum,
                bucket_counts: &histogram.counts,
                explicit_bounds: bounds,
                min,
                max,
                exemplars: &exemplars,
            });
        }
        PointData::Exponential(histogram) => {
            let (sum, min, max) = told(options, &histogram.summary);
            encoder.exponential_histogram(&ExponentialHistogramPoint {
                attributes,
                start_time_unix_nano,
                time_unix_nano,
                count: histogram.summary.count,
                sum,
                scale: histogram.scale(),
                zero_count: histogram.zero_count,
                positive: buckets(&histogram.positive),
                negative: buckets(&histogram.negative),
                min,
                max,
                zero_threshold: 0.0,
                exemplars: &exemplars,
            });
        }
    }
}

/// Sum, least and greatest value, as far as the stream tells them.
fn told(options: &StreamOptions, summary: &Summary) -> (Option<f64>, Option<f64>, Option<f64>) {
    let sum = super::number::to_double(summary.sum);
    let shown = options.record_min_max && summary.count > 0;
    (
        options.record_sum.then_some(sum),
        shown.then_some(summary.min),
        shown.then_some(summary.max),
    )
}

fn buckets(side: &Side) -> Buckets<'_> {
    Buckets {
        offset: side.offset,
        counts: &side.counts,
    }
}
