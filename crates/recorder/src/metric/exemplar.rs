//! Exemplars and the reservoirs that choose them.
use millrace_wire::encode::{self, Number, PointAttributes};

use super::series::SeriesKey;

/// A measurement that stands for many.
#[derive(Clone, Debug, PartialEq)]
pub struct Exemplar<K> {
    /// The attributes of the measurement that its series does not have.
    pub filtered_attributes: Option<K>,
    /// When it was measured.
    pub time_unix_nano: u64,
    /// What was measured.
    pub value: Number,
    /// The trace and the span that were current.
    pub span: Option<([u8; 16], [u8; 8])>,
}

impl<K: SeriesKey> Exemplar<K> {
    /// The exemplar as the encoder takes it.
    #[must_use]
    pub fn encoded(&self) -> encode::Exemplar<'_> {
        encode::Exemplar {
            filtered_attributes: self
                .filtered_attributes
                .as_ref()
                .map_or(PointAttributes::Listed(&[]), |key| {
                    PointAttributes::Encoded(key.attributes())
                }),
            time_unix_nano: self.time_unix_nano,
            value: self.value,
            span: self.span.as_ref().map(|(trace, span)| (trace, span)),
        }
    }
}

/// How a stream chooses its exemplars.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReservoirKind {
    /// `SimpleFixedSizeExemplarReservoir`: so many, each measurement with the same chance.
    SimpleFixedSize(usize),
    /// `AlignedHistogramBucketExemplarReservoir`: the last measurement of each bucket.
    AlignedHistogramBucket,
    /// Somebody else chooses.
    Elsewhere,
}

/// The exemplars of one series since the last collection.
#[derive(Debug)]
pub(super) struct Reservoir<K> {
    places: Vec<Option<Exemplar<K>>>,
    seen: u64,
}

impl<K> Reservoir<K> {
    pub(super) const fn new() -> Self {
        Self {
            places: Vec::new(),
            seen: 0,
        }
    }

    /// The place for the next measurement among `size`, or none; all measurements have the same chance to stay.
    pub(super) fn place(&mut self, size: usize, random: &mut Random) -> Option<usize> {
        let seen = self.seen;
        self.seen += 1;
        let place = if seen < size as u64 {
            seen
        } else {
            random.below(seen + 1)
        };
        usize::try_from(place).ok().filter(|place| *place < size)
    }

    pub(super) fn set(&mut self, place: usize, exemplar: Exemplar<K>) {
        if self.places.len() <= place {
            self.places.resize_with(place + 1, || None);
        }
        if let Some(slot) = self.places.get_mut(place) {
            *slot = Some(exemplar);
        }
    }

    /// Takes the exemplars out; the next interval begins without any.
    pub(super) fn collect(&mut self) -> Vec<Exemplar<K>> {
        self.seen = 0;
        self.places.drain(..).flatten().collect()
    }
}

/// A small generator of random numbers (xorshift64*), good enough to choose samples with.
#[derive(Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// A number below `bound`.
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let bits = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d);
        ((u128::from(bits) * u128::from(bound)) >> 64) as u64
    }
}
