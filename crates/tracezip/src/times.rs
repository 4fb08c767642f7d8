//! Times, as differences: from the message before, or from another time of the same message, in the unit they are kept in.

use crate::coder::Code;
use crate::model::Model;

/// Nanoseconds of the units that clocks and languages keep time in, the coarsest first.
const UNITS: [u64; 3] = [1_000_000, 1000, 1];
/// Unit and direction, or that the time is zero.
const WAY_BITS: u32 = 3;
const ZERO: u16 = 6;

/// Models of one time of a shape.
#[derive(Debug, Default)]
pub(crate) struct TimeModels {
    way: Model,
    distance: [Model; 3],
}

impl TimeModels {
    pub(crate) fn held(&self) -> usize {
        let [a, b, c] = &self.distance;
        [&self.way, a, b, c].into_iter().map(Model::held).sum()
    }

    /// Codes a time by its distance from one that both sides know.
    #[inline]
    pub(crate) fn code<C: Code>(&mut self, coder: &mut C, time: u64, known: u64) -> u64 {
        let mut way = 0;
        let mut distance = 0;
        if C::SENDS {
            (way, distance) = way_and_distance(time, known);
        }
        way = self.way.code_of(coder, way, WAY_BITS);
        if way >= ZERO {
            return 0;
        }
        let index = usize::from(way / 2);
        let (Some(unit), Some(model)) = (UNITS.get(index), self.distance.get_mut(index)) else {
            return 0;
        };
        distance = model.code_number(coder, distance);
        let base = known / unit;
        let count = if way % 2 == 0 {
            base.wrapping_add(distance)
        } else {
            base.wrapping_sub(distance)
        };
        count.wrapping_mul(*unit)
    }
}

#[inline]
fn way_and_distance(time: u64, known: u64) -> (u16, u64) {
    if time == 0 {
        return (ZERO, 0);
    }
    let index = match (time.is_multiple_of(1_000_000), time.is_multiple_of(1000)) {
        (true, _) => 0,
        (false, true) => 1,
        (false, false) => 2,
    };
    let unit = UNITS.get(usize::from(index)).copied().unwrap_or(1);
    let (count, base) = (time / unit, known / unit);
    if count >= base {
        (2 * index, count - base)
    } else {
        (2 * index + 1, base - count)
    }
}
