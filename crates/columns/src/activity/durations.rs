//! How many durations lie between which bounds: what quantiles are read off, however many files are put together.

use millrace_wire::varint;

/// Buckets of each power of two. A quantile is answered with the middle of its bucket, which is at most 1/32 away from
/// every value in it.
const IN_AN_OCTAVE: u32 = 16;
const BITS: u32 = IN_AN_OCTAVE.ilog2();
/// Up to this value each number is a bucket of its own.
const EXACT_MAX: u64 = 2 * IN_AN_OCTAVE as u64;
/// More buckets than that no duration of 64 bits can need.
const BUCKETS_MAX: usize = ((64 - BITS + 1) * IN_AN_OCTAVE) as usize;

/// Counts of durations by buckets whose width is 1/16 of their beginning at most.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Durations {
    /// The bucket of the first count.
    first: usize,
    counts: Vec<u64>,
}

impl Durations {
    pub(super) fn add(&mut self, duration: u64) {
        self.add_to(bucket(duration), 1);
    }

    fn add_to(&mut self, bucket: usize, count: u64) {
        if self.counts.is_empty() {
            self.first = bucket;
        } else if bucket < self.first {
            let missing = self.first - bucket;
            self.counts.splice(0..0, std::iter::repeat_n(0, missing));
            self.first = bucket;
        }
        let at = bucket - self.first;
        if at >= self.counts.len() {
            self.counts.resize(at + 1, 0);
        }
        if let Some(known) = self.counts.get_mut(at) {
            *known = known.saturating_add(count);
        }
    }

    /// The duration that this share of all is not above, or that which is nearest; 0 of none.
    pub(super) fn quantile(&self, share: f64) -> f64 {
        let all: u64 = self.counts.iter().sum();
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_sign_loss,
            reason = "a place among fewer than 2^52 spans"
        )]
        let wanted = ((all as f64) * share).ceil().max(1.0) as u64;
        let mut below = 0;
        for (at, count) in self.counts.iter().enumerate() {
            below += count;
            if below >= wanted {
                return middle(self.first + at);
            }
        }
        0.0
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let used = self.counts.iter().filter(|count| **count > 0).count();
        varint::push(out, used as u64);
        let mut next = 0;
        for (at, count) in self.counts.iter().enumerate() {
            if *count > 0 {
                let bucket = self.first + at;
                varint::push(out, (bucket - next) as u64);
                varint::push(out, *count);
                next = bucket + 1;
            }
        }
    }

    /// Adds what [`write`](Self::write) has written; what follows it is left. `None` if it makes no sense.
    pub(super) fn read<'a>(&mut self, mut bytes: &'a [u8]) -> Option<&'a [u8]> {
        let (used, rest) = varint::read(bytes)?;
        bytes = rest;
        let mut next = 0usize;
        for _ in 0..used {
            let (ahead, rest) = varint::read(bytes)?;
            let (count, rest) = varint::read(rest)?;
            bytes = rest;
            let bucket = next.checked_add(usize::try_from(ahead).ok()?)?;
            if bucket >= BUCKETS_MAX {
                return None;
            }
            self.add_to(bucket, count);
            next = bucket + 1;
        }
        Some(bytes)
    }
}

fn bucket(duration: u64) -> usize {
    if duration < EXACT_MAX {
        return duration as usize;
    }
    let octave = duration.ilog2() - BITS;
    // The highest bits, the first of them included, count on from the octave before.
    (u64::from(octave * IN_AN_OCTAVE) + (duration >> octave)) as usize
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a bucket of large numbers is wider than what a double rounds"
)]
fn middle(bucket: usize) -> f64 {
    let bucket = bucket as u64;
    if bucket < EXACT_MAX {
        return bucket as f64;
    }
    let octave = bucket / u64::from(IN_AN_OCTAVE) - 1;
    let width = (1u64 << octave) as f64;
    let least = (bucket - octave * u64::from(IN_AN_OCTAVE)) as f64 * width;
    least + (width - 1.0) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_a_bucket_is_at_most_a_32nd_away_from_every_duration_in_it() {
        let mut duration = 1u64;
        while duration < u64::MAX / 3 {
            for near in [duration - 1, duration, duration + 1] {
                let found = middle(bucket(near));
                #[expect(clippy::cast_precision_loss, reason = "compared with a tolerance")]
                let exact = near as f64;
                assert!((found - exact).abs() <= exact / 32.0, "{near}: {found}");
            }
            duration = duration * 3 / 2 + 1;
        }
        assert!(bucket(u64::MAX) < BUCKETS_MAX);
    }

    #[test]
    fn buckets_follow_each_other_without_a_gap() {
        let mut before = 0;
        for duration in 1..100_000 {
            let now = bucket(duration);
            assert!(now == before || now == before + 1, "{duration}");
            before = now;
        }
    }

    #[test]
    fn quantiles_are_those_of_the_durations_and_none_has_none() {
        let mut durations = Durations::default();
        assert!(durations.quantile(0.5).abs() < f64::EPSILON);
        (1..=20).for_each(|duration| durations.add(duration));
        assert!((durations.quantile(0.5) - 10.0).abs() < f64::EPSILON);
        assert!((durations.quantile(0.95) - 19.0).abs() < f64::EPSILON);
        assert!((durations.quantile(1.0) - 20.0).abs() < f64::EPSILON);
    }

    #[test]
    fn what_is_written_is_read_and_added() {
        let mut durations = Durations::default();
        for duration in [0, 5, 1_000_000, u64::MAX] {
            durations.add(duration);
        }
        let mut bytes = Vec::new();
        durations.write(&mut bytes);
        bytes.push(9);
        let mut twice = durations.clone();
        assert_eq!(twice.read(&bytes), Some(&[9][..]));
        let mut expected = durations.clone();
        for duration in [u64::MAX, 1_000_000, 5, 0] {
            expected.add(duration);
        }
        assert_eq!(twice, expected);
        for length in 0..bytes.len() - 1 {
            assert_eq!(Durations::default().read(&bytes[..length]), None);
        }
    }
}
