//! When a request is sent again: which failures are worth it, and after what wait. Pure: clock and chance come in.
use std::time::{Duration, SystemTime};

use crate::config;
use crate::net::grpc::Code;

/// Growth starts here when a destination asks for no wait at all, so that nobody is asked in a busy loop.
const SHORTEST_GROWTH: Duration = Duration::from_millis(100);

/// The longest wait that a destination can ask for: ten digits in a header must not stop an exporter for years (X3).
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// What a failure means for the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The same request may succeed later.
    Retry,
    /// It never will; the data is dropped and counted (X6).
    GiveUp,
}

/// The retry table of OTLP/gRPC (X1); `OK` is no failure and must not come here.
#[must_use]
pub fn grpc_verdict(code: Code, has_retry_info: bool) -> Verdict {
    match code {
        Code::Cancelled
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unavailable
        | Code::DataLoss => Verdict::Retry,
        // Only RetryInfo says that the resource recovers; otherwise it is the message that is too large.
        Code::ResourceExhausted if has_retry_info => Verdict::Retry,
        _ => Verdict::GiveUp,
    }
}

/// The retry table of OTLP/HTTP (X2) for every answer that is not 2xx.
///
/// Redirects are answers that are not retried: following one would carry headers, which may hold secrets,
/// to a host that nobody configured (S16).
#[must_use]
pub fn http_verdict(status: u16) -> Verdict {
    match status {
        429 | 502 | 503 | 504 => Verdict::Retry,
        _ => Verdict::GiveUp,
    }
}

/// `Retry-After` in either of its forms: seconds, or a date, which is now when it has passed (X3).
#[must_use]
pub fn parse_retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

/// `retry_on_failure` in the types of the clock.
#[derive(Clone, Debug)]
pub struct Policy {
    enabled: bool,
    initial: Duration,
    longest: Duration,
    multiplier: f64,
    randomization: f64,
    give_up_after: Option<Duration>,
}

impl From<&config::Retry> for Policy {
    fn from(settings: &config::Retry) -> Self {
        let give_up_after = Duration::from_millis(settings.max_elapsed_time_ms);
        Self {
            enabled: settings.enabled,
            initial: Duration::from_millis(settings.initial_interval_ms),
            longest: Duration::from_millis(settings.max_interval_ms),
            multiplier: settings.multiplier.max(1.0),
            randomization: settings.randomization_factor.clamp(0.0, 1.0),
            give_up_after: (!give_up_after.is_zero()).then_some(give_up_after),
        }
    }
}

/// The waits of one request, growing with each failure.
#[derive(Clone, Debug)]
pub struct Backoff<'a> {
    policy: &'a Policy,
    interval: Option<Duration>,
}

impl<'a> Backoff<'a> {
    /// Before the first failure.
    #[must_use]
    pub fn new(policy: &'a Policy) -> Self {
        Self {
            policy,
            interval: None,
        }
    }

    /// The wait before the next attempt, or `None` when it is time to give up.
    ///
    /// `elapsed` is the time since the first attempt, `asked` the wait that the destination asked for, and
    /// `chance` a random number from 0 to 1. A wait is jittered around its interval, but never shorter than
    /// what was asked for; it is cut at the end of the policy's time, so that the last attempt is made then.
    pub fn next(
        &mut self,
        elapsed: Duration,
        asked: Option<Duration>,
        chance: f64,
    ) -> Option<Duration> {
        let policy = self.policy;
        if !policy.enabled {
            return None;
        }
        let left = match policy.give_up_after {
            Some(limit) => limit.checked_sub(elapsed).filter(|left| !left.is_zero())?,
            None => Duration::MAX,
        };
        let asked = asked.map(|asked| asked.min(LONGEST_RETRY_AFTER));
        let interval = match (asked, self.interval) {
            (Some(asked), grown) => asked.max(grown.unwrap_or_default()),
            (None, grown) => grown.unwrap_or(policy.initial),
        };
        let grown = interval.max(SHORTEST_GROWTH).mul_f64(policy.multiplier);
        self.interval = Some(grown.min(policy.longest.max(interval)));
        let jitter = match asked {
            Some(_) => policy.randomization * chance,
            None => policy.randomization * (2.0 * chance - 1.0),
        };
        Some(interval.mul_f64(1.0 + jitter).min(left))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn policy() -> Policy {
        Policy {
            enabled: true,
            initial: SECOND,
            longest: 10 * SECOND,
            multiplier: 2.0,
            randomization: 0.5,
            give_up_after: Some(100 * SECOND),
        }
    }

    #[test]
    fn x1_sixteen_codes_with_and_without_retry_info() {
        use Code as C;
        let retried = [
            C::Cancelled,
            C::DeadlineExceeded,
            C::Aborted,
            C::OutOfRange,
            C::Unavailable,
            C::DataLoss,
        ];
        for code in C::ALL.into_iter().filter(|&code| code != C::Ok) {
            for asked in [None, Some(Duration::ZERO), Some(2 * SECOND)] {
                let retry =
                    retried.contains(&code) || (code == C::ResourceExhausted && asked.is_some());
                let verdict = grpc_verdict(code, asked.is_some());
                assert_eq!(
                    verdict == Verdict::Retry,
                    retry,
                    "{} {asked:?}",
                    code.name()
                );
                if retry {
                    let wait = Backoff::new(&policy())
                        .next(Duration::ZERO, asked, 0.0)
                        .unwrap();
                    assert_eq!(
                        wait,
                        asked.unwrap_or(SECOND / 2),
                        "{} {asked:?}",
                        code.name()
                    );
                }
            }
        }
    }

    #[test]
    fn x2_of_the_codes_300_to_599_only_four_are_retried() {
        let retried: Vec<u16> = (300..600)
            .filter(|&status| http_verdict(status) == Verdict::Retry)
            .collect();
        assert_eq!(retried, [429, 502, 503, 504]);
    }

    #[test]
    fn x3_retry_after_is_seconds_or_a_date_and_a_past_date_is_now() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        let parse = |value| parse_retry_after(value, now);
        assert_eq!(parse("7"), Some(7 * SECOND));
        assert_eq!(parse(" 0 "), Some(Duration::ZERO));
        assert_eq!(parse("Sun, 06 Nov 1994 08:50:37 GMT"), Some(60 * SECOND));
        assert_eq!(parse("Sun, 06 Nov 1994 08:49:36 GMT"), Some(Duration::ZERO));
        assert_eq!(
            parse("99999999999999999999999"),
            Some(Duration::from_secs(u64::MAX))
        );
        for bad in ["", "-1", "1.5", "soon", "06 Nov"] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn x3_waits_grow_exponentially_with_jitter_up_to_the_longest() {
        let policy = policy();
        for (chance, expected) in [
            (0.0, [500, 1000, 2000, 4000, 5000]),
            (1.0, [1500, 3000, 6000, 12000, 15000]),
        ] {
            let mut backoff = Backoff::new(&policy);
            let waits = [(); 5].map(|()| {
                backoff
                    .next(Duration::ZERO, None, chance)
                    .unwrap()
                    .as_millis()
            });
            assert_eq!(waits, expected);
        }
    }

    #[test]
    fn x3_a_wait_that_was_asked_for_is_never_shortened_and_grows_from_there() {
        let policy = policy();
        let mut backoff = Backoff::new(&policy);
        assert_eq!(
            backoff.next(Duration::ZERO, Some(3 * SECOND), 0.0),
            Some(3 * SECOND)
        );
        assert_eq!(
            backoff.next(Duration::ZERO, Some(3 * SECOND), 0.0),
            Some(6 * SECOND)
        );
        assert_eq!(
            backoff.next(Duration::ZERO, Some(60 * SECOND), 0.0),
            Some(60 * SECOND)
        );
    }

    #[test]
    fn x3_a_destination_that_keeps_asking_for_no_wait_is_still_asked_less_and_less_often() {
        let policy = policy();
        let mut backoff = Backoff::new(&policy);
        let waits = [(); 4].map(|()| {
            backoff
                .next(Duration::ZERO, Some(Duration::ZERO), 0.0)
                .unwrap()
                .as_millis()
        });
        assert_eq!(waits, [0, 200, 400, 800]);
    }

    #[test]
    fn x3_a_wait_of_a_billion_seconds_is_capped_by_the_deadline_or_an_hour() {
        let asked = Some(Duration::from_secs(1_000_000_000));
        let policy = policy();
        assert_eq!(
            Backoff::new(&policy).next(40 * SECOND, asked, 0.9),
            Some(60 * SECOND)
        );
        let for_ever = Policy {
            give_up_after: None,
            ..policy
        };
        assert_eq!(
            Backoff::new(&for_ever).next(40 * SECOND, asked, 0.0),
            Some(LONGEST_RETRY_AFTER)
        );
        let longest = Some(Duration::from_secs(u64::MAX));
        assert_eq!(
            Backoff::new(&for_ever).next(40 * SECOND, longest, 0.0),
            Some(LONGEST_RETRY_AFTER)
        );
    }

    #[test]
    fn retrying_ends_with_the_policys_time_and_never_begins_when_it_is_off() {
        let policy = policy();
        assert_eq!(Backoff::new(&policy).next(100 * SECOND, None, 0.5), None);
        let off = Policy {
            enabled: false,
            ..policy
        };
        assert_eq!(Backoff::new(&off).next(Duration::ZERO, None, 0.5), None);
    }
}
