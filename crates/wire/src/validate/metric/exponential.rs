//! Checks the points of exponential histograms (D6, D9).

use super::super::wire::{Checked, delimited, fixed64, tag, varint};
use super::super::{Broken, generic, value};
use super::verdict;
use crate::schema;
use crate::varint::unzigzag;

const ATTRIBUTES: u32 = 0x0a;
const TIME: u32 = 0x19;
const COUNT: u32 = 0x21;
const SUM: u32 = 0x29;
const SCALE: u32 = 0x30;
const ZERO_COUNT: u32 = 0x39;
const POSITIVE: u32 = 0x42;
const NEGATIVE: u32 = 0x4a;
const FLAGS: u32 = 0x50;

const OFFSET: u32 = 0x08;
const BUCKET_COUNT: u32 = 0x10;
const BUCKET_COUNTS: u32 = 0x12;

/// What the rules need to know of a point.
#[derive(Default)]
struct Exponential {
    count: u64,
    sum: f64,
    scale: i32,
    zero_count: u64,
    positive: Buckets,
    negative: Buckets,
}

/// One side of the buckets.
#[derive(Default)]
struct Buckets {
    offset: i32,
    length: u64,
    /// Wide enough for any number of counts that fits in memory.
    total: u128,
}

/// Checks one `ExponentialHistogramDataPoint`.
pub(super) fn point(bytes: &[u8]) -> Checked<Option<Broken>> {
    let mut histogram = Exponential::default();
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
            TIME | COUNT | SUM | ZERO_COUNT => {
                let (bits, rest) = fixed64(after)?;
                match tag {
                    TIME => time = bits,
                    COUNT => histogram.count = bits,
                    SUM => histogram.sum = f64::from_bits(bits),
                    _ => histogram.zero_count = bits,
                }
                rest
            }
            SCALE => {
                let (scale, rest) = varint(after)?;
                histogram.scale = sint32(scale);
                rest
            }
            FLAGS => {
                let rest;
                (flags, rest) = varint(after)?;
                rest
            }
            POSITIVE => {
                let (buckets, rest) = delimited(after)?;
                histogram.positive.read(buckets)?;
                rest
            }
            NEGATIVE => {
                let (buckets, rest) = delimited(after)?;
                histogram.negative.read(buckets)?;
                rest
            }
            _ => generic::field(&schema::EXPONENTIAL_HISTOGRAM_DATA_POINT, tag, after, rest)?,
        };
    }
    Ok(verdict(time, flags, || histogram.broken()))
}

/// A `sint32`; like every reader of protobuf, by the low 32 bits of what is there.
const fn sint32(number: u64) -> i32 {
    unzigzag(number & 0xffff_ffff) as i32
}

impl Exponential {
    fn broken(&self) -> Option<Broken> {
        let total = self.positive.total + self.negative.total + u128::from(self.zero_count);
        if total != u128::from(self.count) {
            Some(Broken::ExponentialTotal)
        } else if self.count == 0 && self.sum != 0.0 {
            Some(Broken::SumOfNothing)
        } else if self.positive.is_out_of_range(self.scale)
            || self.negative.is_out_of_range(self.scale)
        {
            Some(Broken::ExponentialRange)
        } else {
            None
        }
    }
}

impl Buckets {
    fn read(&mut self, bytes: &[u8]) -> Checked<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let (tag, after) = tag(rest)?;
            rest = match tag {
                OFFSET => {
                    let (offset, rest) = varint(after)?;
                    self.offset = sint32(offset);
                    rest
                }
                BUCKET_COUNTS => {
                    let (mut counts, rest) = delimited(after)?;
                    while !counts.is_empty() {
                        counts = self.bucket(counts)?;
                    }
                    rest
                }
                BUCKET_COUNT => self.bucket(after)?,
                _ => generic::field(
                    &schema::EXPONENTIAL_HISTOGRAM_DATA_POINT_BUCKETS,
                    tag,
                    after,
                    rest,
                )?,
            };
        }
        Ok(())
    }

    fn bucket<'a>(&mut self, bytes: &'a [u8]) -> Checked<&'a [u8]> {
        let (count, rest) = varint(bytes)?;
        self.length += 1;
        self.total += u128::from(count);
        Ok(rest)
    }

    /// Whether a bucket lies where no double does. Bucket i reaches from 2^(i / 2^scale) to 2^((i + 1) / 2^scale).
    fn is_out_of_range(&self, scale: i32) -> bool {
        if self.length == 0 {
            return false;
        }
        let first = i64::from(self.offset);
        let last = first.saturating_add_unsigned(self.length - 1);
        let width = f64::from(-scale.clamp(-1100, 1100)).exp2();
        #[expect(
            clippy::cast_precision_loss,
            reason = "an index past 2^53 is out of range whatever its last bits are"
        )]
        let (end_of_first, start_of_last) = ((first + 1) as f64 * width, last as f64 * width);
        last > i64::from(i32::MAX) || end_of_first < -1074.0 || start_of_last >= 1024.0
    }
}
