//! The histogram with explicit bounds.
use millrace_wire::encode::Number;

use super::number::to_double;
use super::summary::Summary;

/// The bounds that the specification gives to a histogram without any.
pub const DEFAULT_BOUNDS: [f64; 15] = [
    0.0, 5.0, 10.0, 25.0, 50.0, 75.0, 100.0, 250.0, 500.0, 750.0, 1000.0, 2500.0, 5000.0, 7500.0,
    10_000.0,
];

/// How many values lie in each bucket.
#[derive(Clone, Debug, PartialEq)]
pub struct ExplicitHistogram {
    /// Count, sum, least and greatest value.
    pub summary: Summary,
    /// One count more than there are bounds.
    pub counts: Box<[u64]>,
}

impl ExplicitHistogram {
    /// An empty histogram for so many bounds.
    #[must_use]
    pub fn new(bounds: usize) -> Self {
        Self {
            summary: Summary::new(),
            counts: vec![0; bounds + 1].into(),
        }
    }

    /// Takes one more value in.
    #[inline]
    pub fn update(&mut self, bounds: &[f64], value: Number) {
        if let Some(count) = self.counts.get_mut(bucket(bounds, value)) {
            *count += 1;
            self.summary.update(value);
        }
    }
}

/// The bucket of a value; its upper bound belongs to it.
#[must_use]
#[inline]
pub fn bucket(bounds: &[f64], value: Number) -> usize {
    let value = to_double(value);
    bounds.partition_point(|bound| *bound < value)
}
