//! OTLP/gRPC: one message of a unary call in; the response message and its status trailers out.
use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use hyper::body::Incoming;
use millrace_wire::{PartialSuccess, Signal, Status};
use tokio::time::{Instant, timeout_at};

use super::intake::{Intake, Limits, ReadError, Verdict};
use super::reply::Reply;
use super::sessions::{LIMITS_HEADER, is_ours, offer};
use crate::component::{Reason, Refusal};
use crate::net::compression::Coding;
use crate::net::grpc::{self, Code, PREFIX_BYTES};

/// How long a client that was turned away for want of memory should wait (G4).
const OVERLOAD_RETRY: Duration = Duration::from_secs(1);

/// True when the request is a gRPC call, whatever message format it names.
pub(crate) fn is_grpc(headers: &HeaderMap) -> bool {
    let value = headers
        .get(http::header::CONTENT_TYPE)
        .map(HeaderValue::as_bytes)
        .unwrap_or_default();
    value.starts_with(b"application/grpc")
}

/// Answers one call; every outcome is HTTP 200 with a gRPC status.
pub(crate) async fn answer(
    intake: &Intake,
    limits: &Limits,
    request: Request<Incoming>,
) -> Response<Reply> {
    let is_ours = is_ours(request.headers());
    let mut response = match call(intake, limits, request).await {
        Ok((signal, partial)) => success(signal, partial.as_ref()),
        Err(status) => failure(&status),
    };
    if is_ours {
        // So an exporter of ours learns that there is the service for frames of `otz1`.
        response.headers_mut().insert(LIMITS_HEADER, offer());
    }
    response
}

async fn call(
    intake: &Intake,
    limits: &Limits,
    request: Request<Incoming>,
) -> Result<(Signal, Option<PartialSuccess>), Status> {
    let signal = Signal::from_grpc_path(request.uri().path())
        .filter(|_| request.method() == Method::POST)
        .ok_or_else(|| {
            status(
                Code::Unimplemented,
                "this server has the OTLP trace, metrics, logs and profiles services only",
            )
        })?;
    let consumer = intake.route(signal).ok_or_else(|| {
        let problem = format!(
            "no pipeline of this gateway takes {}; add one under service.pipelines",
            signal.name()
        );
        status(Code::Unimplemented, problem)
    })?;
    let coding = coding_of(request.headers())?;
    let deadline = grpc::timeout_of(request.headers()).map(|timeout| Instant::now() + timeout);
    let work = async {
        // The prefix comes with the body, so whether the message is compressed is known only after reading.
        let coding = coding.unwrap_or(Coding::Identity);
        let mut visit = intake.visit(signal);
        // The head is not needed any more, and must not be held by all those who wait.
        let body = request.into_body();
        let _place = visit.note(intake.enter(limits).await)?;
        let plain = visit.note(intake.read(body, PREFIX_BYTES, coding, limits).await)?;
        let coding = coding_of_frame(plain.bytes(), coding).map_err(|problem| {
            visit.is_malformed();
            status(Code::Internal, problem)
        })?;
        let plain = visit.note(intake.decompress(plain, coding, limits))?;
        match intake.take(visit, plain.hold(), consumer, deadline).await {
            Verdict::Accepted => Ok((signal, None)),
            Verdict::Partial(partial) => Ok((signal, Some(partial))),
            Verdict::Malformed(problem) => Err(bad_data(problem)),
            Verdict::Refused(refusal) => Err(refused(refusal)),
        }
    };
    match deadline {
        None => work.await,
        // The intake answers at the deadline itself, with the books in order; this bounds the reading.
        Some(deadline) => timeout_at(deadline + Duration::from_millis(50), work)
            .await
            .unwrap_or_else(|_| {
                Err(status(
                    Code::DeadlineExceeded,
                    "the deadline passed before the request was read",
                ))
            }),
    }
}

/// The coding named by the client; an unknown one is told which are known (G6).
fn coding_of(headers: &HeaderMap) -> Result<Option<Coding>, Status> {
    let Some(value) = headers.get("grpc-encoding") else {
        return Ok(None);
    };
    let name = value.to_str().unwrap_or_default();
    Coding::from_name(name).map(Some).ok_or_else(|| {
        status(
            Code::Unimplemented,
            "grpc-encoding must be identity, gzip or zstd, as grpc-accept-encoding says",
        )
    })
}

/// The coding of the one message in a body, which its prefix may switch off.
fn coding_of_frame(body: &[u8], named: Coding) -> Result<Coding, String> {
    match (grpc::check_frame(body)?, named) {
        (false, _) => Ok(Coding::Identity),
        (true, Coding::Identity) => {
            Err("the message is marked as compressed but grpc-encoding names no coding".into())
        }
        (true, coding) => Ok(coding),
    }
}

fn success(signal: Signal, partial: Option<&PartialSuccess>) -> Response<Reply> {
    let message = millrace_wire::encode_response(signal, partial);
    let mut framed = BytesMut::with_capacity(PREFIX_BYTES + message.len());
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    framed.put_slice(&message);
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    respond(Reply::with_trailers(framed.freeze(), trailers))
}

/// A call without a message: the status stands in the headers ("Trailers-Only").
fn failure(status: &Status) -> Response<Reply> {
    let mut response = respond(Reply::data(Bytes::new()));
    grpc::write_status(response.headers_mut(), status);
    response
}

pub(super) fn respond(reply: Reply) -> Response<Reply> {
    let mut response = Response::new(reply);
    let headers = response.headers_mut();
    headers.insert(
        http::header::CONTENT_TYPE,
        HeaderValue::from_static("application/grpc"),
    );
    headers.insert(
        "grpc-accept-encoding",
        HeaderValue::from_static("identity,gzip,zstd"),
    );
    response
}

pub(super) fn status(code: Code, message: impl Into<String>) -> Status {
    Status {
        code: code as i32,
        message: message.into(),
        retry_delay: None,
        bad_request: None,
    }
}

pub(super) fn bad_data(problem: String) -> Status {
    Status {
        bad_request: Some(problem.clone()),
        ..status(Code::InvalidArgument, problem)
    }
}

pub(super) fn refused(refusal: Refusal) -> Status {
    match (refusal.retryable, refusal.reason) {
        (false, _) => status(Code::InvalidArgument, refusal.message),
        (true, Reason::DeadlineExceeded) => status(Code::DeadlineExceeded, refusal.message),
        (true, _) => {
            let retry_delay = Some(refusal.retry_after.unwrap_or(OVERLOAD_RETRY));
            Status {
                retry_delay,
                ..status(Code::Unavailable, refusal.message)
            }
        }
    }
}

impl From<ReadError> for Status {
    fn from(error: ReadError) -> Self {
        match error {
            // Without RetryInfo, as the client must not send it again (G2).
            ReadError::TooLarge(limit) => status(
                Code::ResourceExhausted,
                format!(
                    "the message is larger than the limit of {limit} bytes after decompression; send smaller batches"
                ),
            ),
            ReadError::Overload => Self {
                retry_delay: Some(OVERLOAD_RETRY),
                ..status(
                    Code::Unavailable,
                    "the gateway holds as much data as its memory budget allows; send the request again later",
                )
            },
            ReadError::TimedOut(limit) => status(
                Code::DeadlineExceeded,
                format!("the message did not arrive within {} s", limit.as_secs()),
            ),
            ReadError::Broken(problem) => status(
                Code::Internal,
                format!("the message could not be read: {problem}"),
            ),
            ReadError::Corrupt(problem) => bad_data(problem),
        }
    }
}
