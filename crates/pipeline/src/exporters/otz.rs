//! The sending ends of `otz1` sessions: one for each request in flight, none for a destination that has not offered it.
//!
//! Over HTTP each frame is a request of its own; over gRPC the frames of a session travel in one stream, its [`Carrier`].
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

use crate::receivers::sessions::{ACK_HEADER, LIMITS_HEADER, OTZ1, RESET_HEADER, Reset};

/// How long a destination that refused the coding is not tried again.
const REFUSED: Duration = Duration::from_secs(10 * 60);
/// ... and one that reads it, but has no memory for a session now.
const WITHOUT_ROOM: Duration = Duration::from_secs(60);
/// A session is given up at this age, so that what it learned long ago does not stay for ever.
const AGE_MAX: Duration = Duration::from_secs(60 * 60);
/// ... or after this many bytes of requests.
const BYTES_MAX: usize = 1 << 30;
/// ... or when it was silent for this long: the destination forgets it a little later.
const IDLE_MAX: Duration = Duration::from_secs(4 * 60);
/// Sessions that wait for work, at most; as many are kept as there can be requests in flight.
const WAITING_MAX: usize = 64;

/// Sessions that are begun for one request before it travels by itself.
pub(crate) const SESSIONS_TRIED: usize = 3;

/// What the frames of one session travel on, where that is not a request for each.
pub(crate) trait Carrier: Default {
    /// Whether it may take another frame.
    fn is_open(&self) -> bool;
}

/// Requests over HTTP have nothing in common but the number of their session.
impl Carrier for () {
    fn is_open(&self) -> bool {
        true
    }
}

/// What is known about the destination, and its sessions.
#[derive(Debug)]
pub(crate) struct Otz<C = ()>(Mutex<State<C>>);

#[derive(Debug)]
struct State<C> {
    waiting: Vec<Session<C>>,
    waiting_max: usize,
    offered: Option<Limits>,
    refused_until: Option<Instant>,
}

/// One session, while it carries a request or waits for one.
#[derive(Debug)]
struct Session<C> {
    compressor: Compressor,
    carrier: C,
    limits: Limits,
    began: Instant,
    used: Instant,
    bytes: usize,
}

/// A request as a frame of a session.
#[derive(Debug)]
pub(crate) struct Frame<C = ()> {
    session: Session<C>,
    pub(crate) bytes: Vec<u8>,
    sequence: u64,
    is_plain: bool,
}

impl<C> Frame<C> {
    /// What the session is bounded by.
    pub(crate) fn limits(&self) -> Limits {
        self.session.limits
    }

    /// What the session's frames travel on.
    pub(crate) fn carrier(&mut self) -> &mut C {
        &mut self.session.carrier
    }
}

impl Frame {
    /// The header with the bounds of the session, where this is its first frame.
    pub(crate) fn limits_header(&self) -> Option<String> {
        (self.sequence == 0 && !self.is_plain).then(|| self.limits().to_text())
    }
}

impl<C: Carrier> Otz<C> {
    /// No sessions yet, for an exporter with so many requests in flight.
    pub(crate) fn new(in_flight: usize) -> Self {
        Self(Mutex::new(State {
            waiting: Vec::new(),
            waiting_max: in_flight.min(WAITING_MAX),
            offered: None,
            refused_until: None,
        }))
    }

    fn lock(&self) -> MutexGuard<'_, State<C>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The request as a frame; `None` where the destination has not offered to read one.
    pub(crate) fn frame(&self, signal: Signal, request: &[u8]) -> Option<Frame<C>> {
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
    fn session(&self) -> Option<Session<C>> {
        let now = Instant::now();
        let mut state = self.lock();
        let limits = state.offered?;
        if state.refused_until.is_some_and(|until| now < until) {
            return None;
        }
        state.waiting.retain(|session| {
            session.carrier.is_open()
                && session.bytes < BYTES_MAX
                && now.duration_since(session.began) < AGE_MAX
                && now.duration_since(session.used) < IDLE_MAX
        });
        let known = state.waiting.pop();
        drop(state);
        Some(known.unwrap_or_else(|| Session {
            compressor: Compressor::new(limits, random()),
            carrier: C::default(),
            limits,
            began: now,
            used: now,
            bytes: 0,
        }))
    }

    /// Reads the offer in the headers of an answer over gRPC, where there is one.
    pub(crate) fn hear_limits(&self, headers: &HeaderMap) {
        if let Some(limits) = text(headers, LIMITS_HEADER).and_then(Limits::from_text) {
            self.lock().offered = Some(limits.common(Limits::default()));
        }
    }

    /// Keeps the session of a frame that the destination rebuilt.
    pub(crate) fn keep(&self, frame: Frame<C>) {
        let mut session = frame.session;
        session.used = Instant::now();
        let mut state = self.lock();
        if state.waiting.len() < state.waiting_max {
            state.waiting.push(session);
        }
    }

    /// Gives up the sessions that wait: what they travel on may be as dead as that of a frame without an answer.
    pub(crate) fn give_up(&self) {
        self.lock().waiting.clear();
    }

    /// Notes that the destination does not read the coding any more.
    pub(crate) fn refused(&self) {
        let mut state = self.lock();
        state.waiting.clear();
        state.offered = None;
        state.refused_until = Some(Instant::now() + REFUSED);
    }

    /// Notes that the destination has no memory for another session now.
    pub(crate) fn has_no_room(&self) {
        self.lock().refused_until = Some(Instant::now() + WITHOUT_ROOM);
    }
}

impl Otz {
    /// Reads what the answer to any request over HTTP says about the coding.
    pub(crate) fn hear(&self, headers: &HeaderMap) {
        let offers = text(headers, ACCEPT_ENCODING.as_str())
            .is_some_and(|codings| codings.split(',').any(|coding| coding.trim() == OTZ1));
        if offers {
            self.hear_limits(headers);
        }
    }

    /// Keeps the session of a frame if the answer says that it was rebuilt, and tells whether it does.
    pub(crate) fn settle(&self, frame: Frame, headers: &HeaderMap) -> bool {
        let ack = text(headers, ACK_HEADER).and_then(|ack| ack.parse().ok());
        let is_rebuilt = ack == Some(frame.sequence);
        if is_rebuilt {
            self.keep(frame);
        }
        is_rebuilt
    }
}

/// What follows for a request whose frame was not rebuilt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// It travels in a new session, now.
    NewSession,
    /// It travels by itself: the destination has no memory for a session.
    NoSession,
}

impl Asked {
    /// What the headers or trailers of an answer ask for, if that is anything.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let reset = headers.get(RESET_HEADER)?;
        Some(if *reset == Reset::Budget.name() {
            Self::NoSession
        } else {
            Self::NewSession
        })
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// A number that nobody can guess: whoever knows it could spoil the session.
pub(super) fn random() -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    // The keys of a `RandomState` are the system's randomness; SipHash of a fresh value does not give them away.
    RandomState::new().hash_one(fastrand::u64(..))
}
