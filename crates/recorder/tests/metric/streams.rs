//! Streams whose attribute sets are numbers, for tests.
use std::sync::Arc;

use millrace_recorder::metric::{
    Aggregation, Point, PointData, ReservoirKind, SeriesKey, Stream, StreamOptions,
};
use millrace_wire::encode::{EncodedAttributes, Number, Temporality};

/// The attribute set `{"k": number}`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Key {
    pub(crate) number: u64,
    attributes: Arc<EncodedAttributes>,
}

impl Key {
    pub(crate) fn new(number: u64) -> Self {
        let mut attributes = EncodedAttributes::new();
        attributes.push("k", &number.cast_signed());
        Self {
            number,
            attributes: attributes.into(),
        }
    }
}

impl SeriesKey for Key {
    fn attributes(&self) -> &EncodedAttributes {
        &self.attributes
    }
}

/// The key of the overflow series.
pub(crate) const OVERFLOW: u64 = u64::MAX;

pub(crate) fn options(aggregation: Aggregation, temporality: Temporality) -> StreamOptions {
    StreamOptions {
        name: "requests".to_owned(),
        description: "How many".to_owned(),
        unit: "1".to_owned(),
        aggregation,
        temporality,
        is_observable: false,
        record_sum: true,
        record_min_max: true,
        reservoir: ReservoirKind::SimpleFixedSize(1),
        cardinality_limit: 2000,
    }
}

pub(crate) fn sum(temporality: Temporality) -> StreamOptions {
    options(Aggregation::Sum { is_monotonic: true }, temporality)
}

pub(crate) fn stream(options: StreamOptions) -> Stream<Key> {
    Stream::new(options, Key::new(OVERFLOW), 42)
}

/// Measures as the border does: find, or insert and find again. Several keys share a hash.
pub(crate) fn measure(stream: &mut Stream<Key>, number: u64, value: Number) -> usize {
    let hash = number % 7;
    let place = match stream.find(hash, |key| key.number == number) {
        Some(place) => place,
        None if !stream.has_room() => stream.overflow(1),
        None => stream.insert(hash, Key::new(number), 1),
    };
    stream.update(place, value);
    place
}

pub(crate) fn int(point: &Point<Key>) -> i64 {
    match point.data {
        PointData::Number(Number::Int(value)) => value,
        ref other => panic!("expected an integer, got {other:?}"),
    }
}
