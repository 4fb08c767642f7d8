//! The base-2 exponential histogram: buckets as fine as a fixed number of them allows.
//!
//! Bucket `i` holds the values above `2^(i / 2^scale)` up to and with `2^((i + 1) / 2^scale)`. A value outside of the buckets
//! that are there makes the scale smaller until all fit: two buckets become one with each step.
use std::f64::consts::LOG2_E;

use millrace_wire::encode::Number;

use super::number::to_double;
use super::summary::Summary;

/// The scale at which two buckets hold every normal double: no histogram needs a smaller one.
pub const SCALE_MIN: i32 = -10;
/// The greatest scale; finer buckets than these cannot be told apart by a logarithm of doubles.
pub const SCALE_MAX: i32 = 20;

const MANTISSA_BITS: u32 = 52;
const MANTISSA: u64 = (1 << MANTISSA_BITS) - 1;
const EXPONENT_BIAS: i32 = 1023;

/// One side of the histogram: the values above zero, or the magnitudes of those below.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Side {
    /// The index of the first bucket.
    pub offset: i32,
    /// How many values lie in each bucket from there; the first and the last are not empty.
    pub counts: Vec<u64>,
}

impl Side {
    fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// The indices of the first and the last bucket, if the bucket `index` were there too.
    fn range_with(&self, index: i32) -> (i32, i32) {
        if self.is_empty() {
            return (index, index);
        }
        let last = self
            .offset
            .saturating_add_unsigned(self.counts.len() as u32 - 1);
        (self.offset.min(index), last.max(index))
    }

    fn increment(&mut self, index: i32) {
        let (first, last) = self.range_with(index);
        if self.is_empty() {
            self.offset = index;
        }
        let before = distance(first, self.offset);
        if before > 0 {
            self.counts.splice(0..0, std::iter::repeat_n(0, before));
            self.offset = first;
        }
        let length = distance(first, last) + 1;
        if length > self.counts.len() {
            self.counts.resize(length, 0);
        }
        if let Some(count) = self.counts.get_mut(distance(first, index)) {
            *count += 1;
        }
    }

    /// Joins buckets: 2^steps become one.
    fn downscale(&mut self, steps: u32) {
        if self.is_empty() {
            return;
        }
        let first = self.offset >> steps;
        let mut merged: Vec<u64> = Vec::with_capacity((self.counts.len() >> steps) + 2);
        for (index, count) in (self.offset..).zip(&self.counts) {
            let place = distance(first, index >> steps);
            match merged.get_mut(place) {
                Some(sum) => *sum += count,
                None => merged.push(*count),
            }
        }
        self.offset = first;
        self.counts = merged;
    }
}

/// How many buckets after `first` the bucket `index` is.
fn distance(first: i32, index: i32) -> usize {
    index.abs_diff(first) as usize
}

/// Values in buckets whose width follows from what was recorded.
#[derive(Clone, Debug, PartialEq)]
pub struct ExponentialHistogram {
    /// Count, sum, least and greatest value.
    pub summary: Summary,
    /// The resolution.
    scale: i32,
    /// How many values are zero.
    pub zero_count: u64,
    /// The values above zero.
    pub positive: Side,
    /// The values below zero, by magnitude.
    pub negative: Side,
}

impl ExponentialHistogram {
    /// An empty histogram.
    #[must_use]
    pub const fn new(scale_max: i32) -> Self {
        Self {
            summary: Summary::new(),
            scale: scale_max,
            zero_count: 0,
            positive: Side {
                offset: 0,
                counts: Vec::new(),
            },
            negative: Side {
                offset: 0,
                counts: Vec::new(),
            },
        }
    }

    /// The resolution; zero while there is no value other than zero.
    #[must_use]
    pub fn scale(&self) -> i32 {
        if self.positive.is_empty() && self.negative.is_empty() {
            0
        } else {
            self.scale
        }
    }

    /// Takes one more finite value in; each side keeps at most `size_max` buckets.
    pub fn update(&mut self, size_max: usize, value: Number) {
        self.summary.update(value);
        let value = to_double(value);
        if value == 0.0 {
            self.zero_count += 1;
            return;
        }
        let magnitude = value.abs();
        let mut index = bucket(self.scale, magnitude);
        let side = if value > 0.0 {
            &self.positive
        } else {
            &self.negative
        };
        let steps = steps_to_fit(side.range_with(index), size_max);
        if steps > 0 {
            self.positive.downscale(steps);
            self.negative.downscale(steps);
            self.scale -= steps.cast_signed();
            index = bucket(self.scale, magnitude);
        }
        let side = if value > 0.0 {
            &mut self.positive
        } else {
            &mut self.negative
        };
        side.increment(index);
    }
}

/// How often two buckets must become one, until the range has at most so many.
fn steps_to_fit((mut first, mut last): (i32, i32), size_max: usize) -> u32 {
    let mut steps = 0;
    while distance(first, last) >= size_max {
        first >>= 1;
        last >>= 1;
        steps += 1;
    }
    steps
}

/// The index of the bucket of a positive value. Values too small to be normal count as the smallest that is.
#[must_use]
pub fn bucket(scale: i32, value: f64) -> i32 {
    let value = value.max(f64::MIN_POSITIVE);
    let bits = value.to_bits();
    let exponent = ((bits >> MANTISSA_BITS) & 0x7ff) as i32 - EXPONENT_BIAS;
    let power_of_two = bits & MANTISSA == 0;
    if scale <= 0 {
        // An exact power of two is the upper bound of the bucket below.
        return (exponent - i32::from(power_of_two)) >> -scale;
    }
    if power_of_two {
        return (exponent << scale) - 1;
    }
    // The logarithm may round across the next power of two, where the bucket is known to end.
    let index = (value.ln() * LOG2_E * f64::from(1 << scale)).floor() as i32;
    index.clamp(exponent << scale, ((exponent + 1) << scale) - 1)
}
