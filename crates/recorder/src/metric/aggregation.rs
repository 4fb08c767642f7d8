//! What becomes of the measurements of a series: how they are aggregated, and the state while they are.
use std::sync::Arc;

use millrace_wire::encode::{Number, Temporality};

use super::explicit::ExplicitHistogram;
use super::exponential::ExponentialHistogram;
use super::number::{add, subtract};
use super::point::PointData;

/// How measurements are aggregated.
#[derive(Clone, Debug, PartialEq)]
pub enum Aggregation {
    /// Their sum.
    Sum {
        /// Whether it never goes down.
        is_monotonic: bool,
    },
    /// The last of them.
    LastValue,
    /// How many lie between bounds.
    ExplicitHistogram {
        /// The bounds, increasing.
        bounds: Arc<[f64]>,
    },
    /// How many lie in buckets that grow by a factor.
    ExponentialHistogram {
        /// The greatest number of buckets on each side of zero; at least two.
        size_max: usize,
        /// The scale to begin with.
        scale_max: i32,
    },
}

/// The state of one series.
#[derive(Debug)]
pub(super) enum State {
    Sum {
        value: Number,
        /// What an observable instrument said at the collection before.
        previous: Number,
    },
    LastValue(Number),
    Explicit(ExplicitHistogram),
    Exponential(Box<ExponentialHistogram>),
}

impl State {
    pub(super) fn new(aggregation: &Aggregation) -> Self {
        match aggregation {
            Aggregation::Sum { .. } => Self::Sum {
                value: Number::Int(0),
                previous: Number::Int(0),
            },
            Aggregation::LastValue => Self::LastValue(Number::Int(0)),
            Aggregation::ExplicitHistogram { bounds } => {
                Self::Explicit(ExplicitHistogram::new(bounds.len()))
            }
            Aggregation::ExponentialHistogram { scale_max, .. } => {
                Self::Exponential(Box::new(ExponentialHistogram::new(*scale_max)))
            }
        }
    }

    /// Takes a measurement in.
    #[inline]
    pub(super) fn update(&mut self, aggregation: &Aggregation, measured: Number) {
        match (self, aggregation) {
            (Self::Sum { value, .. }, _) => *value = add(*value, measured),
            (Self::LastValue(value), _) => *value = measured,
            (Self::Explicit(histogram), Aggregation::ExplicitHistogram { bounds }) => {
                histogram.update(bounds, measured);
            }
            (Self::Exponential(histogram), Aggregation::ExponentialHistogram { size_max, .. }) => {
                histogram.update(*size_max, measured);
            }
            (Self::Explicit(_) | Self::Exponential(_), _) => {
                debug_assert!(false, "a state is made for its aggregation");
            }
        }
    }

    /// Begins a cycle of callbacks: an observable sum is what they say now, not what they said before.
    pub(super) fn begin_observation(&mut self) {
        if let Self::Sum { value, .. } = self {
            *value = Number::Int(0);
        }
    }

    /// What a point says now, and the state that the next interval begins with.
    pub(super) fn collect(
        &mut self,
        aggregation: &Aggregation,
        temporality: Temporality,
        is_observable: bool,
    ) -> PointData {
        let is_delta = temporality == Temporality::Delta;
        match self {
            Self::Sum { value, previous } if is_delta && is_observable => {
                let change = subtract(*value, *previous);
                *previous = *value;
                return PointData::Number(change);
            }
            Self::Sum { value, .. } if !is_delta => return PointData::Number(*value),
            Self::LastValue(value) => return PointData::Number(*value),
            Self::Explicit(histogram) if !is_delta => {
                return PointData::Explicit(histogram.clone());
            }
            Self::Exponential(histogram) if !is_delta => {
                return PointData::Exponential(histogram.clone());
            }
            _ => {}
        }
        match std::mem::replace(self, Self::new(aggregation)) {
            Self::Sum { value, .. } | Self::LastValue(value) => PointData::Number(value),
            Self::Explicit(histogram) => PointData::Explicit(histogram),
            Self::Exponential(histogram) => PointData::Exponential(histogram),
        }
    }
}
