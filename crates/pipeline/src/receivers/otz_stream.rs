//! `otz1` over gRPC: the frames of a session in one ordered stream, and an answer to each that was rebuilt.
//!
//! The service is our own, beside those of OTLP, and is told of only to our own exporters. The call ends when a frame is not
//! rebuilt, and its status then is the answer to that frame; it ends with OK when the session is to go on elsewhere.
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use http_body::Frame;
use hyper::body::Incoming;
use millrace_wire::{PartialSuccess, Signal, Status};
use tokio::sync::watch;
use tokio::time::timeout;

use super::frames::{Unbuilt, session_of, signal_of};
use super::grpc::{bad_data, refused, respond, status};
use super::intake::{ReadError, Verdict};
use super::listener::Endpoint;
use super::messages::{Head, Messages};
use super::reply::{Reply, Turn};
use super::sessions::{IDLE, LIMITS_HEADER, RESET_HEADER, Reset};
use crate::net::grpc::{self, Code, SESSIONS_PATH};
use crate::net::otz_answer;

/// Whether the request calls the service.
pub(super) fn is_called<B>(request: &Request<B>) -> bool {
    request.uri().path() == SESSIONS_PATH && request.method() == Method::POST
}

/// Begins the conversation; it goes on while the client listens, until `closing` turns true.
pub(super) fn answer(
    endpoint: Arc<Endpoint>,
    request: Request<Incoming>,
    closing: watch::Receiver<bool>,
) -> Response<Reply> {
    let (head, body) = request.into_parts();
    let conversation = Conversation {
        endpoint,
        messages: Messages::new(body),
        limits: head.headers.get(LIMITS_HEADER).cloned(),
        closing,
        session: None,
    };
    respond(Reply::conversation(conversation.turn()))
}

/// What the turns of one stream share.
struct Conversation {
    endpoint: Arc<Endpoint>,
    messages: Messages,
    /// What a session on this stream is bounded by.
    limits: Option<HeaderValue>,
    closing: watch::Receiver<bool>,
    /// The session of the last frame; its sender gives it up with the call.
    session: Option<u64>,
}

impl Drop for Conversation {
    fn drop(&mut self) {
        self.speaks_of(None);
    }
}

/// How the call ends.
struct End {
    status: Option<Status>,
    reset: Option<Reset>,
}

impl Conversation {
    fn turn(mut self) -> Turn {
        Turn(Box::pin(async move {
            match self.next().await {
                Ok(message) => (Frame::data(message), Some(self.turn())),
                Err(end) => (Frame::trailers(end.trailers()), None),
            }
        }))
    }

    /// Waits for a frame and answers it.
    async fn next(&mut self) -> Result<Bytes, End> {
        let head = tokio::select! {
            // A frame that has begun to arrive is answered before the stream ends.
            biased;
            head = timeout(IDLE, self.messages.head()) => head,
            _ = self.closing.wait_for(|closing| *closing) => return Err(End::GOOD),
        };
        let head = match head {
            Ok(Ok(Some(head))) => head,
            // The client has said everything, or nothing for so long that its session is forgotten.
            Ok(Ok(None)) | Err(_) => return Err(End::GOOD),
            Ok(Err(error)) => return Err(error.into()),
        };
        let (signal, outcome) = self.take(head).await?;
        Ok(otz_answer::write(signal, outcome))
    }

    /// The session before this one is over.
    fn speaks_of(&mut self, session: Option<u64>) {
        if self.session != session
            && let Some(before) = std::mem::replace(&mut self.session, session)
        {
            self.endpoint.grpc.sessions.forget(before);
        }
    }

    async fn take(
        &mut self,
        head: Head,
    ) -> Result<(Signal, Result<Option<PartialSuccess>, Status>), End> {
        let endpoint = Arc::clone(&self.endpoint);
        let (intake, limits) = (&*endpoint.grpc, &endpoint.limits);
        let signal = signal_of(head.first).filter(|_| !head.is_compressed);
        let signal = signal.ok_or(Unbuilt::Reset(Reset::NoFrame))?;
        let consumer = intake.route(signal).ok_or_else(|| {
            // Not UNIMPLEMENTED, which would say that there is no such service.
            let problem = format!(
                "no pipeline of this gateway takes {}; add one under service.pipelines",
                signal.name()
            );
            status(Code::NotFound, problem)
        })?;
        let mut visit = intake.visit(signal);
        let _place = visit.note(intake.enter(limits).await)?;
        let read = intake.read_message(&mut self.messages, head, limits);
        let frame = visit.note(read.await)?;
        if let Some(session) = session_of(frame.bytes()) {
            self.speaks_of(Some(session));
        }
        let otz_limits = self.limits.as_ref();
        let otz_limits = otz_limits.and_then(|limits| limits.to_str().ok());
        let (request, _) = intake.rebuild(&mut visit, frame, otz_limits, limits)?;
        let verdict = intake.take(visit, request.hold(), consumer, None).await;
        let outcome = match verdict {
            Verdict::Accepted => Ok(None),
            Verdict::Partial(partial) => Ok(Some(partial)),
            Verdict::Malformed(problem) => Err(bad_data(problem)),
            Verdict::Refused(refusal) => Err(refused(refusal)),
        };
        Ok((signal, outcome))
    }
}

impl End {
    const GOOD: Self = Self {
        status: None,
        reset: None,
    };

    fn trailers(self) -> HeaderMap {
        let mut trailers = HeaderMap::new();
        grpc::write_status(&mut trailers, &self.status.unwrap_or_default());
        if let Some(reset) = self.reset {
            trailers.insert(RESET_HEADER, HeaderValue::from_static(reset.name()));
        }
        trailers
    }
}

impl From<Status> for End {
    fn from(status: Status) -> Self {
        Self {
            status: Some(status),
            reset: None,
        }
    }
}

impl From<ReadError> for End {
    fn from(error: ReadError) -> Self {
        Status::from(error).into()
    }
}

impl From<Unbuilt> for End {
    fn from(unbuilt: Unbuilt) -> Self {
        match unbuilt {
            Unbuilt::Read(error) => error.into(),
            Unbuilt::Reset(reset) => Self {
                status: Some(status(Code::Aborted, reset.sentence())),
                reset: Some(reset),
            },
        }
    }
}
