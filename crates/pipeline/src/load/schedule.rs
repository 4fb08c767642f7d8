//! When the next request is due: at a fixed rate, or as soon as somebody has time for it.
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long a sleeper may overlook that the run was stopped.
const STOP_POLL: Duration = Duration::from_millis(50);

/// Hands out the times of sends to all connections of one run.
///
/// Open loop: request `k` is due at `start + k / rate`, whether or not an earlier one is still waiting for its
/// answer; a late send does not move the ones after it. Closed loop: due at once.
#[derive(Debug)]
pub(super) struct Schedule {
    start: Instant,
    interval: Option<Duration>,
    requests: u64,
    end: Option<Instant>,
    taken: AtomicU64,
    stopped: AtomicBool,
}

impl Schedule {
    /// Begins now.
    pub(super) fn new(
        interval: Option<Duration>,
        requests: Option<u64>,
        duration: Option<Duration>,
    ) -> Self {
        let start = Instant::now();
        let requests = requests.unwrap_or(u64::MAX);
        let (requests, end) = match (interval, duration) {
            (Some(interval), Some(duration)) => {
                let due = duration.as_nanos().div_ceil(interval.as_nanos().max(1));
                (requests.min(u64::try_from(due).unwrap_or(u64::MAX)), None)
            }
            (None, Some(duration)) => (requests, start.checked_add(duration)),
            (_, None) => (requests, None),
        };
        Self {
            start,
            interval,
            requests,
            end,
            taken: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
        }
    }

    pub(super) fn start(&self) -> Instant {
        self.start
    }

    /// The time that the next request is due; `None` when there is no next one.
    pub(super) fn next(&self) -> Option<Instant> {
        let now = Instant::now();
        if self.is_stopped() || self.end.is_some_and(|end| now >= end) {
            return None;
        }
        let place = self.taken.fetch_add(1, Ordering::Relaxed);
        if place >= self.requests {
            self.taken.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        Some(self.due(place).unwrap_or(now))
    }

    /// Whether sends have fixed times.
    pub(super) fn is_open_loop(&self) -> bool {
        self.interval.is_some()
    }

    /// When the request at this place is due; `None` without a rate or after the last.
    pub(super) fn due(&self, place: u64) -> Option<Instant> {
        let nanos = self.interval?.as_nanos().checked_mul(u128::from(place))?;
        let since = Duration::from_nanos(u64::try_from(nanos).ok()?);
        (place < self.requests)
            .then(|| self.start.checked_add(since))
            .flatten()
    }

    /// Blocks until this time; false when the run was stopped before.
    pub(super) fn sleep_until(&self, time: Instant) -> bool {
        while !self.is_stopped() {
            let left = time.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            std::thread::sleep(left.min(STOP_POLL));
        }
        false
    }

    /// Lets no further request begin.
    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_a_rate_requests_are_due_at_fixed_times_however_late_they_are_taken() {
        let interval = Duration::from_millis(10);
        let schedule = Schedule::new(Some(interval), None, Some(Duration::from_millis(35)));
        let due: Vec<_> = std::iter::from_fn(|| schedule.next()).collect();
        let since: Vec<_> = due.iter().map(|due| *due - schedule.start()).collect();
        assert_eq!(since, [0, 10, 20, 30].map(Duration::from_millis));
    }

    #[test]
    fn without_a_rate_the_count_of_requests_is_the_limit() {
        let schedule = Schedule::new(None, Some(3), None);
        assert_eq!(std::iter::from_fn(|| schedule.next()).count(), 3);
    }

    #[test]
    fn a_stopped_schedule_has_no_next_request() {
        let schedule = Schedule::new(None, None, None);
        schedule.stop();
        assert!(schedule.next().is_none());
        assert!(!schedule.sleep_until(Instant::now() + Duration::from_secs(59)));
    }
}
