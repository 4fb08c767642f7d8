//! Checks metrics: their encoding, and that each data point means something (D5 to D10).

mod exponential;
mod histogram;
mod number;
mod summary;

use super::wire::{Checked, delimited, string, tag, varint};
use super::{Broken, Summary, generic, value};
use crate::schema::{self, Message};

const NAME: u32 = 0x0a;
const DESCRIPTION: u32 = 0x12;
const UNIT: u32 = 0x1a;
const METADATA: u32 = 0x62;

const AGGREGATION_TEMPORALITY: u32 = 0x10;

/// Bit 0 of the flags of a data point: there is deliberately no value.
const NO_RECORDED_VALUE: u64 = 1;

/// The kinds of metric: the arms of its oneof `data`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arm {
    Gauge,
    Sum,
    Histogram,
    Exponential,
    Summary,
}

impl Arm {
    /// Tag of the field that holds the points, in every arm.
    pub(crate) const DATA_POINTS: u32 = 0x0a;
    /// Number of the field that holds the temporality, in every arm that has one.
    pub(crate) const TEMPORALITY: u32 = 2;

    /// The arm that a field of a `Metric` holds, by its number.
    #[inline]
    pub(crate) const fn from_number(number: u32) -> Option<Self> {
        Self::from_tag(number << 3 | 2)
    }

    /// The arm that a field of a `Metric` holds, by its tag.
    #[inline]
    const fn from_tag(tag: u32) -> Option<Self> {
        match tag {
            0x2a => Some(Self::Gauge),
            0x3a => Some(Self::Sum),
            0x4a => Some(Self::Histogram),
            0x52 => Some(Self::Exponential),
            0x5a => Some(Self::Summary),
            _ => None,
        }
    }

    const fn schema(self) -> &'static Message {
        match self {
            Self::Gauge => &schema::GAUGE,
            Self::Sum => &schema::SUM,
            Self::Histogram => &schema::HISTOGRAM,
            Self::Exponential => &schema::EXPONENTIAL_HISTOGRAM,
            Self::Summary => &schema::SUMMARY,
        }
    }

    /// Whether its points mean nothing without an aggregation temporality.
    pub(crate) const fn is_temporal(self) -> bool {
        matches!(self, Self::Sum | Self::Histogram | Self::Exponential)
    }

    /// Number of the field that holds the attributes of a point.
    pub(crate) const fn point_attributes(self) -> u32 {
        match self {
            Self::Gauge | Self::Sum | Self::Summary => 7,
            Self::Histogram => 9,
            Self::Exponential => 1,
        }
    }

    /// Checks one data point.
    #[inline]
    fn point(self, bytes: &[u8]) -> Checked<Option<Broken>> {
        match self {
            Self::Gauge | Self::Sum => number::point(bytes),
            Self::Histogram => histogram::point(bytes),
            Self::Exponential => exponential::point(bytes),
            Self::Summary => summary::point(bytes),
        }
    }

    /// The rule that a data point of a validated request breaks, its metric's temporality aside.
    pub(crate) fn broken_point(self, bytes: &[u8]) -> Option<Broken> {
        self.point(bytes).unwrap_or_default()
    }
}

/// What a metric says about the temporality of its points, and how many points it decides over.
#[derive(Default)]
struct Temporality {
    value: u32,
    points: Summary,
}

/// Checks one `Metric` and counts its points.
pub(super) fn metric(bytes: &[u8], summary: &mut Summary) -> Checked<()> {
    let mut temporality = Temporality::default();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (tag, after) = tag(rest)?;
        rest = match tag {
            NAME | DESCRIPTION | UNIT => string(after)?,
            METADATA => {
                let (attribute, rest) = delimited(after)?;
                value::attribute(attribute)?;
                rest
            }
            _ => match Arm::from_tag(tag) {
                Some(arm) => {
                    let (data, rest) = delimited(after)?;
                    let counted = if arm.is_temporal() {
                        &mut temporality.points
                    } else {
                        &mut *summary
                    };
                    let stated = points(arm, data, counted)?;
                    temporality.value = stated.unwrap_or(temporality.value);
                    rest
                }
                None => generic::field(&schema::METRIC, tag, after, rest)?,
            },
        };
    }
    let Summary { items, invalid } = temporality.points;
    summary.items += items;
    // The temporality may stand behind the points that it is about.
    summary.invalid += if temporality.value == 0 {
        items
    } else {
        invalid
    };
    Ok(())
}

/// Checks the points of one arm; the temporality, if it is stated.
fn points(arm: Arm, bytes: &[u8], summary: &mut Summary) -> Checked<Option<u32>> {
    let mut temporality = None;
    let mut rest = bytes;
    while !rest.is_empty() {
        let (tag, after) = tag(rest)?;
        rest = match tag {
            Arm::DATA_POINTS => {
                let (point, rest) = delimited(after)?;
                summary.count(arm.point(point)?);
                rest
            }
            AGGREGATION_TEMPORALITY if arm.is_temporal() => {
                let (value, rest) = varint(after)?;
                temporality = Some(value as u32);
                rest
            }
            _ => generic::field(arm.schema(), tag, after, rest)?,
        };
    }
    Ok(temporality)
}

/// The verdict over a point whose time, flags and meaning have been read.
#[inline]
fn verdict(time: u64, flags: u64, broken: impl FnOnce() -> Option<Broken>) -> Option<Broken> {
    if time == 0 {
        Some(Broken::NoTime)
    } else if flags & NO_RECORDED_VALUE != 0 {
        None
    } else {
        broken()
    }
}
