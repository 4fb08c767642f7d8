//! The receiving ends of `otz1` sessions: found by their number, one request at a time, forgotten when they are old.
//!
//! A session belongs to whoever knows its number, 64 random bits that only its sender has. All workers of a receiver share
//! this table, because a connection may come to any of them.
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use millrace_tracezip::{Decompressor, Error, Header, Limits, Mode, decompress_plain};
use tokio::time::Instant;

/// The name of the coding in headers.
pub(crate) const OTZ1: &str = "otz1";
/// What a session may hold and a frame may carry, as [`Limits::to_text`] writes it.
pub(crate) const LIMITS_HEADER: &str = "otz-limits";
/// In an answer to a frame that was rebuilt: its place in the session.
pub(crate) const ACK_HEADER: &str = "otz-ack";
/// In an answer to a frame that was not: why, so that its sender begins a new session.
pub(crate) const RESET_HEADER: &str = "otz-reset";

/// Sessions that are silent for longer are forgotten.
const IDLE: Duration = Duration::from_secs(5 * 60);
/// Sessions of one receiver; the one that was silent longest makes room for another.
const SESSIONS_MAX: usize = 512;
/// What all of them may hold together.
const BYTES_MAX: usize = 128 << 20;

/// Sessions that wait for their next frame.
#[derive(Debug, Default)]
pub(crate) struct Sessions(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    waiting: HashMap<u64, Waiting>,
    bytes: usize,
}

#[derive(Debug)]
struct Waiting {
    decompressor: Decompressor,
    bytes: usize,
    since: Instant,
}

/// Why a frame was not rebuilt, in the word that its sender gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reset {
    UnknownSession,
    Sequence,
    Hash,
    Limit,
    NoFrame,
}

impl Reset {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::UnknownSession => "unknown-session",
            Self::Sequence => "seq",
            Self::Hash => "raw-hash",
            Self::Limit => "limit",
            Self::NoFrame => "no-frame",
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
        let mut decompressor = self.take(&header, limits)?;
        match decompressor.decompress(frame) {
            Ok(request) => {
                self.keep(header.session, decompressor);
                Ok((request, header.sequence))
            }
            Err(error) => {
                if !decompressor.is_broken() {
                    self.keep(header.session, decompressor);
                }
                Err(error.into())
            }
        }
    }

    fn take(&self, header: &Header, limits: Option<&str>) -> Result<Decompressor, Reset> {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waiting) = table.waiting.remove(&header.session) {
            table.bytes -= waiting.bytes;
            return Ok(waiting.decompressor);
        }
        if header.sequence != 0 {
            return Err(Reset::UnknownSession);
        }
        let limits = limits.and_then(Limits::from_text).ok_or(Reset::Limit)?;
        if !limits.is_within(Limits::default()) {
            return Err(Reset::Limit);
        }
        Ok(Decompressor::new(limits, header.session))
    }

    fn keep(&self, session: u64, decompressor: Decompressor) {
        let now = Instant::now();
        let bytes = decompressor.held();
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = Waiting {
            decompressor,
            bytes,
            since: now,
        };
        if let Some(old) = table.waiting.insert(session, waiting) {
            table.bytes -= old.bytes;
        }
        table.bytes += bytes;
        table.forget(now);
    }
}

impl Table {
    /// Lets go of sessions that are silent for too long, and of the most silent ones where there are too many.
    fn forget(&mut self, now: Instant) {
        let expired = self
            .waiting
            .iter()
            .filter(|(_, waiting)| now.duration_since(waiting.since) > IDLE)
            .map(|(session, _)| *session)
            .collect::<Vec<u64>>();
        for session in expired {
            self.remove(session);
        }
        while self.waiting.len() > SESSIONS_MAX || self.bytes > BYTES_MAX {
            let oldest = self.waiting.iter().min_by_key(|(_, waiting)| waiting.since);
            let Some(oldest) = oldest.map(|(session, _)| *session) else {
                return;
            };
            self.remove(oldest);
        }
    }

    fn remove(&mut self, session: u64) {
        if let Some(waiting) = self.waiting.remove(&session) {
            self.bytes -= waiting.bytes;
        }
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

    #[tokio::test(start_paused = true)]
    async fn a_session_that_was_silent_too_long_or_that_nobody_began_is_unknown() {
        let sessions = Sessions::default();
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
        let sessions = Sessions::default();
        let last = SESSIONS_MAX as u64 + 1;
        for session in 1..=last {
            rebuild(&sessions, &frame(session)).unwrap();
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        let table = sessions.0.lock().unwrap();
        assert!(table.waiting.len() <= SESSIONS_MAX);
        assert!(table.bytes <= BYTES_MAX);
        assert!(!table.waiting.contains_key(&1));
        assert!(table.waiting.contains_key(&last));
        assert_eq!(
            table.bytes,
            table
                .waiting
                .values()
                .map(|waiting| waiting.bytes)
                .sum::<usize>()
        );
    }

    #[test]
    fn limits_above_ours_are_refused_and_so_is_a_request_above_the_receivers() {
        let sessions = Sessions::default();
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
