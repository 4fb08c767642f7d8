//! The sending ends of `otz1` sessions: one for each request in flight, none for a destination that has not offered it.
//!
//! A destination of our own offers the coding in its answers to ordinary requests; until then, and for ten minutes after it
//! took the offer back, requests travel as zstd. A session goes on only when the destination says that it rebuilt the frame;
//! whatever else happens, it is thrown away, and the request, which the caller still has, begins another one.
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::HeaderMap;
use http::header::ACCEPT_ENCODING;
use millrace_tracezip::{Compressor, Header, Limits};
use millrace_wire::Signal;
use tokio::time::Instant;

use crate::receivers::sessions::{ACK_HEADER, LIMITS_HEADER, OTZ1, RESET_HEADER};

/// How long a destination that refused the coding is not tried again.
const REFUSED: Duration = Duration::from_secs(10 * 60);
/// A session is given up at this age, so that what it learned long ago does not stay for ever.
const AGE_MAX: Duration = Duration::from_secs(60 * 60);
/// ... or after this many bytes of requests.
const BYTES_MAX: usize = 1 << 30;
/// ... or when it was silent for this long: the destination forgets it a little later.
const IDLE_MAX: Duration = Duration::from_secs(4 * 60);
/// Sessions that wait for work; as many as there are requests in flight are needed.
const WAITING_MAX: usize = 8;

/// What is known about the destination, and its sessions.
#[derive(Debug, Default)]
pub(crate) struct Otz(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    waiting: Vec<Session>,
    offered: Option<Limits>,
    refused_until: Option<Instant>,
}

/// One session, while it carries a request or waits for one.
#[derive(Debug)]
pub(crate) struct Session {
    compressor: Compressor,
    limits: Limits,
    began: Instant,
    used: Instant,
    bytes: usize,
}

/// A request as a frame of a session.
#[derive(Debug)]
pub(crate) struct Frame {
    session: Session,
    pub(crate) bytes: Vec<u8>,
    sequence: u64,
    is_plain: bool,
}

impl Frame {
    /// What the session is bounded by, where this is its first frame.
    pub(crate) fn limits(&self) -> Option<String> {
        (self.sequence == 0 && !self.is_plain).then(|| self.session.limits.to_text())
    }
}

impl Otz {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The request as a frame; `None` where the destination has not offered to read one.
    pub(crate) fn frame(&self, signal: Signal, request: &[u8]) -> Option<Frame> {
        let mut session = self.session()?;
        let bytes = session.compressor.compress(signal, request)?;
        let (header, _) = Header::read(&bytes).ok()?;
        session.bytes += request.len();
        Some(Frame {
            session,
            bytes,
            sequence: header.sequence,
            is_plain: header.session == 0,
        })
    }

    /// A session that waits, or a new one.
    fn session(&self) -> Option<Session> {
        let now = Instant::now();
        let mut state = self.lock();
        let limits = state.offered?;
        if state.refused_until.is_some_and(|until| now < until) {
            return None;
        }
        state.waiting.retain(|session| {
            session.bytes < BYTES_MAX
                && now.duration_since(session.began) < AGE_MAX
                && now.duration_since(session.used) < IDLE_MAX
        });
        let known = state.waiting.pop();
        drop(state);
        Some(known.unwrap_or_else(|| Session {
            compressor: Compressor::new(limits, random()),
            limits,
            began: now,
            used: now,
            bytes: 0,
        }))
    }

    /// Reads what the answer to any request says about the coding.
    pub(crate) fn hear(&self, headers: &HeaderMap) {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let offers = text(ACCEPT_ENCODING.as_str())
            .is_some_and(|codings| codings.split(',').any(|coding| coding.trim() == OTZ1));
        if offers && let Some(limits) = text(LIMITS_HEADER).and_then(Limits::from_text) {
            self.lock().offered = Some(limits.common(Limits::default()));
        }
    }

    /// Keeps the session of a frame that the destination rebuilt, and tells whether it did.
    pub(crate) fn settle(&self, frame: Frame, headers: &HeaderMap) -> bool {
        let ack = headers
            .get(ACK_HEADER)
            .and_then(|value| value.to_str().ok());
        let is_rebuilt = ack.and_then(|ack| ack.parse().ok()) == Some(frame.sequence);
        let mut session = frame.session;
        session.used = Instant::now();
        let mut state = self.lock();
        if is_rebuilt && state.waiting.len() < WAITING_MAX {
            state.waiting.push(session);
        }
        is_rebuilt
    }

    /// Whether the answer asks for a new session.
    pub(crate) fn is_reset(status: u16, headers: &HeaderMap) -> bool {
        status == 409 && headers.contains_key(RESET_HEADER)
    }

    /// Notes that the destination does not read the coding any more.
    pub(crate) fn refused(&self) {
        let mut state = self.lock();
        state.waiting.clear();
        state.offered = None;
        state.refused_until = Some(Instant::now() + REFUSED);
    }
}

/// A number that nobody can guess: whoever knows it could spoil the session.
fn random() -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    // The keys of a `RandomState` are the system's randomness; SipHash of a fresh value does not give them away.
    RandomState::new().hash_one(fastrand::u64(..))
}
