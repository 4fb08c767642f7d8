//! A histogram of durations that costs an addition per value and is right to 0.8 percent.
#![expect(
    clippy::cast_precision_loss,
    reason = "durations and counts are far below 2^52"
)]
use std::time::Duration;

use serde::Serialize;

/// Each power of two is divided into 2^7 equal buckets, so a bucket is at most 1/128 wider than its value.
const SUB_BITS: u32 = 7;
const SUB_BUCKETS: u64 = 1 << SUB_BITS;
/// Values up to 2^40 ns, 18 minutes; longer ones count as that.
const VALUE_MAX: u64 = (1 << 40) - 1;

/// Counts durations by logarithm, linear within each power of two.
#[derive(Clone, Debug, Default)]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
    sum_ns: u128,
    max_ns: u64,
}

/// What a [`Histogram`] says in a report; milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Quantiles {
    /// How many durations were counted. All else is 0 where this is 0.
    pub count: u64,
    /// Their mean.
    pub mean: f64,
    /// The median.
    pub p50: f64,
    /// 95 percent took no longer.
    pub p95: f64,
    /// 99 percent took no longer.
    pub p99: f64,
    /// 99.9 percent took no longer.
    pub p99_9: f64,
    /// The longest.
    pub max: f64,
}

impl Histogram {
    /// Counts one duration.
    pub fn record(&mut self, duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let bucket = bucket_of(nanos.min(VALUE_MAX));
        if bucket >= self.counts.len() {
            self.counts.resize(bucket + 1, 0);
        }
        if let Some(count) = self.counts.get_mut(bucket) {
            *count += 1;
        }
        self.total += 1;
        self.sum_ns += u128::from(nanos);
        self.max_ns = self.max_ns.max(nanos);
    }

    /// Adds what another histogram has counted.
    pub fn merge(&mut self, other: &Self) {
        if other.counts.len() > self.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.total += other.total;
        self.sum_ns += other.sum_ns;
        self.max_ns = self.max_ns.max(other.max_ns);
    }

    /// The duration that `share` (0 to 1) of all values do not exceed, rounded up to the end of its bucket.
    #[must_use]
    #[expect(clippy::cast_sign_loss, reason = "a share of a count is not negative")]
    pub fn quantile(&self, share: f64) -> Duration {
        let rank = ((self.total as f64 * share).ceil() as u64).clamp(1, self.total.max(1));
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return Duration::from_nanos(last_value_of(bucket).min(self.max_ns));
            }
        }
        Duration::ZERO
    }

    /// The figures of a report.
    #[must_use]
    pub fn quantiles(&self) -> Quantiles {
        let ms = |share| self.quantile(share).as_secs_f64() * 1e3;
        Quantiles {
            count: self.total,
            mean: self.sum_ns as f64 / 1e6 / self.total.max(1) as f64,
            p50: ms(0.5),
            p95: ms(0.95),
            p99: ms(0.99),
            p99_9: ms(0.999),
            max: self.max_ns as f64 / 1e6,
        }
    }
}

fn bucket_of(value: u64) -> usize {
    let shift = (u64::BITS - value.leading_zeros()).saturating_sub(SUB_BITS + 1);
    // Below 2^8 the bucket is the value; above, each further power of two begins 2^7 buckets later.
    (u64::from(shift) * SUB_BUCKETS + (value >> shift)) as usize
}

fn last_value_of(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let shift = (bucket / SUB_BUCKETS).saturating_sub(1);
    let first = (bucket - shift * SUB_BUCKETS) << shift;
    first + (1 << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bucket_ends_where_the_next_begins() {
        for bucket in 0..4000 {
            let last = last_value_of(bucket);
            assert_eq!(bucket_of(last), bucket);
            assert_eq!(bucket_of(last + 1), bucket + 1);
        }
    }

    #[test]
    fn quantiles_are_right_to_one_percent_and_never_too_small() {
        let mut histogram = Histogram::default();
        for micros in 1..=100_000 {
            histogram.record(Duration::from_micros(micros));
        }
        for (share, exact) in [(0.5, 50_000.0), (0.95, 95_000.0), (0.999, 99_900.0)] {
            let micros = histogram.quantile(share).as_secs_f64() * 1e6;
            assert!((exact..exact * 1.01).contains(&micros), "{share}: {micros}");
        }
    }

    #[test]
    fn a_merged_histogram_has_seen_what_both_have() {
        let (mut short, mut long) = (Histogram::default(), Histogram::default());
        short.record(Duration::from_millis(1));
        long.record(Duration::from_secs(5));
        short.merge(&long);
        let quantiles = short.quantiles();
        assert_eq!((quantiles.count, quantiles.max), (2, 5000.0));
        assert!(quantiles.p50 < 1.01);
    }

    #[test]
    fn an_empty_histogram_reports_zeros() {
        assert_eq!(Histogram::default().quantiles(), Quantiles::default());
    }
}
