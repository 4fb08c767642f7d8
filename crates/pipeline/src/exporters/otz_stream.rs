//! `otz1` over gRPC: each session's frames in one call to our own service, which a destination offers in its answers.
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Uri};
use millrace_wire::{PartialSuccess, Signal};

use super::otlp_grpc::{refused, status_of};
use super::otz::{Asked, Carrier, Otz, SESSIONS_TRIED};
use super::transport::Failure;
use crate::net::call::{Call, Said, Unanswered};
use crate::net::grpc::Code;
use crate::net::http::{Answer, Client};
use crate::net::otz_answer;
use crate::receivers::sessions::LIMITS_HEADER;

/// The call of a session; none before its first frame.
#[derive(Debug, Default)]
pub(super) struct Stream(Option<Call>);

impl Carrier for Stream {
    fn is_open(&self) -> bool {
        self.0.as_ref().is_some_and(Call::is_open)
    }
}

/// The sessions with a destination, and how a call to it begins.
#[derive(Debug)]
pub(super) struct Streams {
    sessions: Otz<Stream>,
    /// Whether the destination has said that single messages may be zstd.
    reads_zstd: AtomicBool,
    url: Uri,
    headers: HeaderMap,
}

/// What follows after a frame.
enum Next {
    /// The destination has answered for good.
    Done(Result<Option<PartialSuccess>, Failure>),
    /// The request travels in a new session.
    Again,
    /// The request travels by itself.
    Alone,
}

impl Streams {
    /// `headers` are those of an ordinary call, without a deadline, which would end the stream.
    pub(super) fn new(url: Uri, mut headers: HeaderMap, in_flight: usize) -> Self {
        headers.remove("grpc-timeout");
        headers.remove("grpc-encoding");
        Self {
            sessions: Otz::new(in_flight),
            reads_zstd: AtomicBool::new(false),
            url,
            headers,
        }
    }

    /// Reads what the answer to an ordinary call says of codings.
    pub(super) fn hear(&self, headers: &HeaderMap) {
        let codings = headers.get_all("grpc-accept-encoding").iter();
        let mut codings = codings.filter_map(|codings| codings.to_str().ok());
        let reads_zstd =
            codings.any(|codings| codings.split(',').any(|coding| coding.trim() == "zstd"));
        self.reads_zstd.store(reads_zstd, Ordering::Relaxed);
        self.sessions.hear_limits(headers);
    }

    pub(super) fn reads_zstd(&self) -> bool {
        self.reads_zstd.load(Ordering::Relaxed)
    }

    /// Sends a request as a frame of a session. `None`: it must travel by itself, now.
    pub(super) async fn send(
        &self,
        client: &Client,
        signal: Signal,
        request: &Bytes,
    ) -> Option<Result<Option<PartialSuccess>, Failure>> {
        for _ in 0..SESSIONS_TRIED {
            match self.try_send(client, signal, request).await {
                Next::Done(outcome) => return Some(outcome),
                Next::Again => {}
                Next::Alone => return None,
            }
        }
        None
    }

    async fn try_send(&self, client: &Client, signal: Signal, request: &Bytes) -> Next {
        let Some(mut frame) = self.sessions.frame(signal, request) else {
            return Next::Alone;
        };
        let bytes = std::mem::take(&mut frame.bytes);
        let limits = frame.limits().to_text();
        let stream = frame.carrier();
        let is_known = stream.0.is_some();
        let call = stream.0.get_or_insert_with(|| self.call(client, &limits));
        match call.exchange(&bytes).await {
            Ok(Said::Message(message)) => {
                self.sessions.keep(frame);
                Next::Done(taken(signal, &message))
            }
            Ok(Said::End(answer)) => self.ended(&answer),
            // The connection of a stream that was silent may have ended meanwhile, which says nothing of the destination.
            Err(Unanswered::Broken(_)) if is_known => Next::Again,
            Err(Unanswered::Broken(problem)) => Next::Done(Err(Failure::again(problem))),
            Err(Unanswered::TimedOut(problem)) => {
                self.sessions.give_up();
                Next::Done(Err(Failure::again(problem)))
            }
        }
    }

    fn call(&self, client: &Client, limits: &str) -> Call {
        let mut head = Request::new(());
        *head.method_mut() = Method::POST;
        *head.version_mut() = http::Version::HTTP_2;
        *head.uri_mut() = self.url.clone();
        *head.headers_mut() = self.headers.clone();
        if let Ok(limits) = HeaderValue::from_str(limits) {
            head.headers_mut().insert(LIMITS_HEADER, limits);
        }
        client.call(head)
    }

    /// The call ended instead of an answer: the frame was not rebuilt.
    fn ended(&self, answer: &Answer) -> Next {
        let asked = answer.trailers.as_ref().and_then(Asked::of);
        match asked.or_else(|| Asked::of(&answer.headers)) {
            Some(Asked::NewSession) => return Next::Again,
            Some(Asked::NoSession) => {
                self.sessions.has_no_room();
                return Next::Alone;
            }
            None => {}
        }
        let status = match status_of(answer) {
            Ok(status) => status,
            Err(failure) => return Next::Done(Err(failure)),
        };
        match Code::from_number(status.code) {
            // The destination closes its connections or stops: the session goes on with whoever takes the next call.
            Code::Ok => Next::Again,
            // Another server answers at this address now, or something before it that knows only OTLP.
            Code::Unimplemented | Code::PermissionDenied => {
                self.sessions.refused();
                Next::Alone
            }
            _ => Next::Done(Err(refused(&status))),
        }
    }
}

/// What the destination said of a request that it rebuilt.
fn taken(signal: Signal, message: &[u8]) -> Result<Option<PartialSuccess>, Failure> {
    match otz_answer::read(signal, message) {
        Ok(Ok(partial)) => Ok(partial),
        Ok(Err(status)) => Err(refused(&status)),
        Err(problem) => {
            let problem = format!("the destination's answer to a frame is unreadable: {problem}");
            Err(Failure::bad_answer(problem))
        }
    }
}
