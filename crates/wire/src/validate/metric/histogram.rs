//! Checks the points of histograms with explicit bounds (D6, D8).

use super::super::wire::{Checked, delimited, fixed64, fixed64s, tag, varint};
use super::super::{Broken, generic, value};
use super::verdict;
use crate::schema;

const TIME: u32 = 0x19;
const COUNT: u32 = 0x21;
const SUM: u32 = 0x29;
const BUCKET_COUNT: u32 = 0x31;
const BUCKET_COUNTS: u32 = 0x32;
const EXPLICIT_BOUND: u32 = 0x39;
const EXPLICIT_BOUNDS: u32 = 0x3a;
const ATTRIBUTES: u32 = 0x4a;
const FLAGS: u32 = 0x50;

/// What the rules need to know of a point.
#[derive(Default)]
struct Histogram {
    count: u64,
    sum: f64,
    buckets: usize,
    bounds: usize,
    in_buckets: u64,
    overflowed: bool,
    last_bound: Option<f64>,
    disordered: bool,
}

/// Checks one `HistogramDataPoint`.
pub(super) fn point(bytes: &[u8]) -> Checked<Option<Broken>> {
    let mut histogram = Histogram::default();
    let (mut time, mut flags) = (0, 0);
    let mut rest = bytes;
    while !rest.is_empty() {
        let (tag, after) = tag(rest)?;
        rest = match tag {
            ATTRIBUTES => {
                let (attribute, rest) = delimited(after)?;
                value::attribute(attribute)?;
                rest
            }
            BUCKET_COUNTS => {
                let (counts, rest) = fixed64s(after)?;
                for count in counts {
                    histogram.bucket(u64::from_le_bytes(*count));
                }
                rest
            }
            EXPLICIT_BOUNDS => {
                let (bounds, rest) = fixed64s(after)?;
                for bound in bounds {
                    histogram.bound(f64::from_le_bytes(*bound));
                }
                rest
            }
            TIME | COUNT | SUM | BUCKET_COUNT | EXPLICIT_BOUND => {
                let (bits, rest) = fixed64(after)?;
                match tag {
                    TIME => time = bits,
                    COUNT => histogram.count = bits,
                    SUM => histogram.sum = f64::from_bits(bits),
                    BUCKET_COUNT => histogram.bucket(bits),
                    _ => histogram.bound(f64::from_bits(bits)),
                }
                rest
            }
            FLAGS => {
                let rest;
                (flags, rest) = varint(after)?;
                rest
            }
            _ => generic::field(&schema::HISTOGRAM_DATA_POINT, tag, after, rest)?,
        };
    }
    Ok(verdict(time, flags, || histogram.broken()))
}

impl Histogram {
    fn bucket(&mut self, count: u64) {
        self.buckets += 1;
        let (total, overflowed) = self.in_buckets.overflowing_add(count);
        self.in_buckets = total;
        self.overflowed |= overflowed;
    }

    fn bound(&mut self, bound: f64) {
        self.bounds += 1;
        let increases = self.last_bound.is_none_or(|last| last < bound);
        self.disordered |= !increases || bound.is_nan();
        self.last_bound = Some(bound);
    }

    fn broken(&self) -> Option<Broken> {
        let without_buckets = self.buckets == 0 && self.bounds == 0;
        if !without_buckets && self.buckets != self.bounds + 1 {
            Some(Broken::Buckets)
        } else if self.disordered {
            Some(Broken::Bounds)
        } else if !without_buckets && (self.overflowed || self.in_buckets != self.count) {
            Some(Broken::BucketTotal)
        } else if self.count == 0 && self.sum != 0.0 {
            Some(Broken::SumOfNothing)
        } else {
            None
        }
    }
}
