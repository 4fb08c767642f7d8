//! The receiving ends of `otz1` sessions: found by their number, one request at a time, forgotten when they are old.
//!
//! A session belongs to whoever knows its number, 64 random bits that only its sender has. All workers of a gateway share
//! this table, because a connection may come to any of them. What sessions hold counts against the gateway's byte budget;
//! requests go first, since a session that is forgotten costs its sender one that begins anew.
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::header::USER_AGENT;
use http::{HeaderMap, HeaderValue};
use millrace_tracezip::{Decompressor, Error, Header, Limits, Mode, decompress_plain};
use tokio::time::Instant;

use crate::budget::{Budget, Exhausted, Reservation, Spare};
use crate::net::http::AGENT_NAME;

/// The name of the coding in headers.
pub(crate) const OTZ1: &str = "otz1";
/// What a session may hold and a frame may carry, as [`Limits::to_text`] writes it.
pub(crate) const LIMITS_HEADER: &str = "otz-limits";
/// In an answer to a frame that was rebuilt: its place in the session.
pub(crate) const ACK_HEADER: &str = "otz-ack";
/// In an answer to a frame that was not: why, so that its sender begins a new session.
pub(crate) const RESET_HEADER: &str = "otz-reset";

/// Whether a client is one of our own; others are not told of a coding that they do not know.
pub(super) fn is_ours(headers: &HeaderMap) -> bool {
    let agent = headers.get(USER_AGENT).map(HeaderValue::as_bytes);
    agent.is_some_and(|agent| {
        agent
            .windows(AGENT_NAME.len())
            .any(|part| part == AGENT_NAME.as_bytes())
    })
}

/// What such a client is told that a session may hold.
pub(super) fn offer() -> HeaderValue {
    let limits = HeaderValue::from_str(&Limits::default().to_text());
    limits.unwrap_or_else(|_| HeaderValue::from_static("")) // digits and commas always are a value
}

/// Sessions that are silent for longer are forgotten.
pub(crate) const IDLE: Duration = Duration::from_secs(5 * 60);
/// Sessions that are silent for this long make room for a new one, where the budget has none.
const QUIET: Duration = Duration::from_secs(10);
/// Sessions of one gateway; the one that was silent longest makes room for another.
const SESSIONS_MAX: usize = 512;
/// What a session is expected to hold: it is set aside before one is begun, and corrected after each frame.
const EXPECTED_BYTES: usize = 2 << 20;

/// Sessions that wait for their next frame. What they hold counts as telemetry does, and gives way to it.
#[derive(Debug)]
pub(crate) struct Sessions {
    budget: Budget,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table(HashMap<u64, Waiting>);

#[derive(Debug)]
struct Waiting {
    session: Session,
    since: Instant,
}

/// What a session remembers, and the memory that is set aside for it.
#[derive(Debug)]
struct Session {
    decompressor: Decompressor,
    reservation: Reservation,
}

/// Why a frame was not rebuilt, in the word that its sender gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reset {
    UnknownSession,
    Sequence,
    Hash,
    Limit,
    NoFrame,
    /// There is no memory for a session: its sender does without one for a while.
    Budget,
}

impl Reset {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::UnknownSession => "unknown-session",
            Self::Sequence => "seq",
            Self::Hash => "raw-hash",
            Self::Limit => "limit",
            Self::NoFrame => "no-frame",
            Self::Budget => "budget",
        }
    }
}

impl Reset {
    /// What the sender is told.
    pub(super) fn sentence(self) -> String {
        let name = self.name();
        match self {
            Self::Budget => {
                "the gateway has no memory for a session now; send the request without one"
                    .to_owned()
            }
            _ => format!(
                "the frame could not be rebuilt here ({name}); begin a new session and send the request again"
            ),
        }
    }
}

impl From<Error> for Reset {
    fn from(error: Error) -> Self {
        match error {
            Error::NoFrame => Self::NoFrame,
            Error::OtherSession | Error::Broken => Self::UnknownSession,
            Error::OutOfOrder => Self::Sequence,
            Error::TooLong => Self::Limit,
            Error::Damaged => Self::Hash,
        }
    }
}

impl Sessions {
    /// No sessions yet, whose memory will count against this budget.
    pub(crate) fn new(budget: Budget) -> Arc<Self> {
        let sessions = Arc::new(Self {
            budget,
            table: Mutex::default(),
        });
        sessions.budget.spares(&sessions);
        sessions
    }

    /// Rebuilds the request of a frame, which may be the first of a session with these limits; what to acknowledge it by.
    pub(crate) fn rebuild(
        &self,
        frame: &[u8],
        limits: Option<&str>,
        request_bytes: usize,
    ) -> Result<(Vec<u8>, u64), Reset> {
        let (header, _) = Header::read(frame)?;
        if header.request_length > request_bytes {
            return Err(Reset::Limit);
        }
        if header.mode == Mode::Plain {
            let limits = Limits {
                request_bytes,
                ..Limits::default()
            };
            return Ok((decompress_plain(frame, limits)?, 0));
        }
        let mut session = self.take(&header, limits)?;
        match session.decompressor.decompress(frame) {
            Ok(request) => {
                self.keep(header.session, session);
                Ok((request, header.sequence))
            }
            Err(error) => {
                if !session.decompressor.is_broken() {
                    self.keep(header.session, session);
                }
                Err(error.into())
            }
        }
    }

    /// Lets a session go that its sender has given up.
    pub(crate) fn forget(&self, session: u64) {
        self.lock().0.remove(&session);
    }

    /// How many wait for their next frame.
    pub(crate) fn waiting(&self) -> usize {
        self.lock().0.len()
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, header: &Header, limits: Option<&str>) -> Result<Session, Reset> {
        let mut table = self.lock();
        if let Some(waiting) = table.0.remove(&header.session) {
            return Ok(waiting.session);
        }
        if header.sequence != 0 {
            return Err(Reset::UnknownSession);
        }
        let limits = limits.and_then(Limits::from_text).ok_or(Reset::Limit)?;
        if !limits.is_within(Limits::default()) {
            return Err(Reset::Limit);
        }
        let mut reserved = self.budget.try_reserve(EXPECTED_BYTES);
        if reserved.is_err() {
            table.make_room(EXPECTED_BYTES.saturating_sub(self.budget.available()));
            reserved = self.budget.try_reserve(EXPECTED_BYTES);
        }
        Ok(Session {
            reservation: reserved.map_err(|Exhausted| Reset::Budget)?,
            decompressor: Decompressor::new(limits, header.session),
        })
    }

    /// Keeps a session for its next frame. One that has grown and cannot be paid for is forgotten instead.
    fn keep(&self, number: u64, mut session: Session) {
        let now = Instant::now();
        let bytes = session.decompressor.held();
        let mut table = self.lock();
        table.forget_silent(now);
        session.reservation.shrink_to(bytes);
        let mut paid = session.reservation.try_grow_to(bytes);
        if paid.is_err() {
            let more = bytes.saturating_sub(session.reservation.bytes());
            table.make_room(more.saturating_sub(self.budget.available()));
            paid = session.reservation.try_grow_to(bytes);
        }
        if paid.is_ok() {
            let since = now;
            table.0.insert(number, Waiting { session, since });
        }
    }
}

impl Spare for Sessions {
    fn give_back(&self, bytes: usize) -> bool {
        self.lock().give_back(bytes)
    }
}

impl Table {
    /// Lets go of sessions that are silent for too long, and of the most silent ones where there are too many.
    fn forget_silent(&mut self, now: Instant) {
        self.0
            .retain(|_, waiting| now.duration_since(waiting.since) <= IDLE);
        while self.0.len() >= SESSIONS_MAX {
            let oldest = self.oldest();
            oldest.and_then(|oldest| self.0.remove(&oldest));
        }
    }

    /// Makes so many bytes free for another session, if those that are silent for a while hold as many.
    fn make_room(&mut self, bytes: usize) {
        let now = Instant::now();
        let waiting = self.0.values();
        let held: usize = waiting
            .filter(|waiting| now.duration_since(waiting.since) >= QUIET)
            .map(|waiting| waiting.session.reservation.bytes())
            .sum();
        if held >= bytes {
            self.give_back(bytes);
        }
    }

    /// The sessions that were silent longest go until so many bytes are free; false where there is no session.
    fn give_back(&mut self, bytes: usize) -> bool {
        let mut freed = 0;
        while freed < bytes
            && let Some(waiting) = self.oldest().and_then(|number| self.0.remove(&number))
        {
            freed += waiting.session.reservation.bytes();
        }
        freed > 0
    }

    fn oldest(&self) -> Option<u64> {
        let oldest = self.0.iter().min_by_key(|(_, waiting)| waiting.since);
        oldest.map(|(number, _)| *number)
    }
}

#[cfg(test)]
mod tests {
    use millrace_tracezip::Compressor;
    use millrace_wire::Signal;

    use super::*;

    fn frame(session: u64) -> Vec<u8> {
        Compressor::new(Limits::default(), session)
            .compress(Signal::Logs, &[0x0a, 0].repeat(50))
            .unwrap()
    }

    fn rebuild(sessions: &Sessions, frame: &[u8]) -> Result<u64, Reset> {
        let limits = Limits::default().to_text();
        sessions
            .rebuild(frame, Some(&limits), 1 << 20)
            .map(|(_, sequence)| sequence)
    }

    fn sessions(budget_mib: usize) -> Arc<Sessions> {
        Sessions::new(Budget::new(budget_mib << 20))
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_that_was_silent_too_long_or_that_nobody_began_is_unknown() {
        let sessions = sessions(2048);
        let mut sender = Compressor::new(Limits::default(), 9);
        let mut next = || {
            sender
                .compress(Signal::Logs, &[0x0a, 0].repeat(50))
                .unwrap()
        };
        assert_eq!(rebuild(&sessions, &next()), Ok(0));
        assert_eq!(rebuild(&sessions, &next()), Ok(1));
        tokio::time::advance(IDLE + Duration::from_secs(1)).await;
        rebuild(&sessions, &frame(10)).unwrap();
        assert_eq!(rebuild(&sessions, &next()), Err(Reset::UnknownSession));
    }

    #[tokio::test(start_paused = true)]
    async fn of_too_many_sessions_the_most_silent_go() {
        let sessions = sessions(2048);
        let last = SESSIONS_MAX as u64 + 1;
        for session in 1..=last {
            rebuild(&sessions, &frame(session)).unwrap();
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        let table = sessions.lock();
        assert!(table.0.len() <= SESSIONS_MAX);
        assert!(!table.0.contains_key(&1));
        assert!(table.0.contains_key(&last));
        let held = table
            .0
            .values()
            .map(|waiting| waiting.session.decompressor.held());
        assert_eq!(sessions.budget.used(), held.sum::<usize>());
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_that_the_budget_has_no_room_for_is_refused_until_another_is_silent() {
        let sessions = sessions(16);
        rebuild(&sessions, &frame(1)).unwrap();
        // With what the first one holds there would be room for another.
        let missing = EXPECTED_BYTES.saturating_sub(sessions.budget.used());
        let telemetry = sessions.budget.available() - missing;
        let _telemetry = sessions.budget.try_reserve(telemetry).unwrap();
        assert_eq!(rebuild(&sessions, &frame(2)), Err(Reset::Budget));
        assert!(sessions.lock().0.contains_key(&1));
        tokio::time::advance(QUIET).await;
        assert_eq!(rebuild(&sessions, &frame(2)), Ok(0));
        assert!(!sessions.lock().0.contains_key(&1));
    }

    #[tokio::test(start_paused = true)]
    async fn no_session_goes_where_that_would_not_make_room_enough() {
        let sessions = sessions(16);
        rebuild(&sessions, &frame(1)).unwrap();
        let held = sessions.budget.used();
        tokio::time::advance(QUIET).await;
        sessions.lock().make_room(held + 1);
        assert_eq!(sessions.budget.used(), held);
        sessions.lock().make_room(held);
        assert_eq!(sessions.budget.used(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn sessions_give_their_memory_back_to_telemetry_the_most_silent_first() {
        let sessions = sessions(64);
        for number in 1..=3 {
            rebuild(&sessions, &frame(number)).unwrap();
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        let used = sessions.budget.used();
        assert!(sessions.give_back(1));
        assert!(sessions.budget.used() < used);
        assert!(!sessions.lock().0.contains_key(&1) && sessions.lock().0.contains_key(&2));
        assert!(sessions.give_back(usize::MAX));
        assert_eq!((sessions.budget.used(), sessions.give_back(1)), (0, false));
    }

    #[test]
    fn limits_above_ours_are_refused_and_so_is_a_request_above_the_receivers() {
        let sessions = sessions(2048);
        let more = Limits {
            shapes: 5000,
            ..Limits::default()
        }
        .to_text();
        assert_eq!(
            sessions.rebuild(&frame(1), Some(&more), 1 << 20).err(),
            Some(Reset::Limit)
        );
        assert_eq!(
            sessions.rebuild(&frame(1), None, 1 << 20).err(),
            Some(Reset::Limit)
        );
        assert_eq!(rebuild(&sessions, b"no frame"), Err(Reset::NoFrame));
        let limits = Limits::default().to_text();
        assert_eq!(
            sessions.rebuild(&frame(1), Some(&limits), 10).err(),
            Some(Reset::Limit)
        );
    }
}
