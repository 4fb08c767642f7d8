//! What both kinds of histograms keep beside their buckets: count, sum, least and greatest value.
use millrace_wire::encode::Number;

use super::number::{add, to_double};

/// Count, sum, least and greatest of the values so far.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// How many values.
    pub count: u64,
    /// Their sum: an integer while all values were integers.
    pub sum: Number,
    /// The least value; infinite without values.
    pub min: f64,
    /// The greatest value; infinite without values.
    pub max: f64,
}

impl Summary {
    /// Of no value.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            count: 0,
            sum: Number::Int(0),
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
        }
    }

    /// Takes one more value in.
    #[inline]
    pub fn update(&mut self, value: Number) {
        let double = to_double(value);
        self.count += 1;
        self.sum = add(self.sum, value);
        self.min = self.min.min(double);
        self.max = self.max.max(double);
    }
}

impl Default for Summary {
    fn default() -> Self {
        Self::new()
    }
}
