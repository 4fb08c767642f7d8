//! OTLP/HTTP: method, path and encodings in; the matching response or a `google.rpc.Status` out.
use http::header::{
    ACCEPT_ENCODING, ALLOW, CONNECTION, CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use millrace_wire::{PartialSuccess, Signal, Status};

use super::frames::Unbuilt;
use super::intake::{Intake, Limits, ReadError, Verdict};
use super::reply::Reply;
use super::sessions::{ACK_HEADER, LIMITS_HEADER, OTZ1, RESET_HEADER, Reset, is_ours, offer};
use crate::component::{Reason, Refusal};
use crate::config::SignalMap;
use crate::net::compression::Coding;

/// How long a client that was turned away for want of memory should wait (H8).
const OVERLOAD_RETRY_S: u64 = 1;

/// The two encodings of OTLP/HTTP; the answer always uses the request's (H3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Protobuf,
    Json,
}

/// How a body is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BodyCoding {
    /// By itself.
    Alone(Coding),
    /// As a frame of a session.
    Otz1,
}

/// A failure on its way to the client.
struct Failure {
    status: StatusCode,
    code: i32,
    message: String,
    retry_after_s: Option<u64>,
    bad_request: bool,
    /// The rest of the body was not read, so the connection cannot be used again.
    close: bool,
    /// Why the sender must begin a new session.
    reset: Option<Reset>,
}

/// Answers one HTTP request.
pub(crate) async fn answer(
    intake: &Intake,
    limits: &Limits,
    paths: &SignalMap,
    request: Request<Incoming>,
) -> Response<Reply> {
    let encoding = encoding_of(request.headers());
    let is_ours = is_ours(request.headers());
    let mut ack = None;
    let outcome = match signal_of(request.uri().path(), paths) {
        None => Err(Failure::new(
            StatusCode::NOT_FOUND,
            5,
            format!(
                "there is no OTLP service at this path; the paths are {}, {}, {} and {}",
                paths.traces, paths.metrics, paths.logs, paths.profiles
            ),
        )),
        Some(_) if request.method() != Method::POST => Err(Failure::new(
            StatusCode::METHOD_NOT_ALLOWED,
            12,
            "OTLP requests are sent with POST",
        )),
        Some(signal) => receive(intake, limits, signal, encoding, request, &mut ack).await,
    };
    // Errors in an encoding that nobody asked for are still OTLP errors: protobuf is the default (H4).
    let encoding = encoding.unwrap_or(Encoding::Protobuf);
    let mut response = match outcome {
        Ok((signal, partial)) => success(signal, encoding, partial.as_ref()),
        Err(failure) => failure.response(encoding),
    };
    let headers = response.headers_mut();
    if is_ours {
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(CODINGS));
        headers.insert(LIMITS_HEADER, offer());
    }
    if let Some(sequence) = ack {
        headers.insert(ACK_HEADER, HeaderValue::from(sequence));
    }
    response
}

/// What a client of our own is offered; others are not told of a coding that they do not know.
const CODINGS: &str = "otz1, zstd, gzip";

async fn receive(
    intake: &Intake,
    limits: &Limits,
    signal: Signal,
    encoding: Option<Encoding>,
    request: Request<Incoming>,
    ack: &mut Option<u64>,
) -> Result<(Signal, Option<PartialSuccess>), Failure> {
    let encoding = encoding.ok_or_else(|| {
        Failure::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            3,
            "Content-Type must be application/x-protobuf or application/json",
        )
    })?;
    let coding = coding_of(request.headers(), encoding)?;
    let consumer = intake.route(signal).ok_or_else(|| {
        Failure::new(
            StatusCode::NOT_FOUND,
            12,
            format!(
                "no pipeline of this gateway takes {}; add one under service.pipelines",
                signal.name()
            ),
        )
    })?;
    let mut visit = intake.visit(signal);
    let otz_limits = (coding == BodyCoding::Otz1)
        .then(|| request.headers().get(LIMITS_HEADER).cloned())
        .flatten();
    // The head is not needed any more, and must not be held by all those who wait.
    let body = request.into_body();
    let _place = visit.note(intake.enter(limits).await)?;
    let expected = match coding {
        BodyCoding::Alone(coding) => coding,
        BodyCoding::Otz1 => Coding::Zstd,
    };
    let plain = visit.note(intake.read(body, 0, expected, limits).await)?;
    let mut plain = match coding {
        BodyCoding::Alone(coding) => visit.note(intake.decompress(plain, coding, limits))?,
        BodyCoding::Otz1 => {
            let otz_limits = otz_limits.as_ref().and_then(|limits| limits.to_str().ok());
            let (request, sequence) = intake.rebuild(&mut visit, plain, otz_limits, limits)?;
            *ack = Some(sequence);
            request
        }
    };
    if encoding == Encoding::Json {
        let translated = plain
            .translate(|json| millrace_wire::request_from_json(signal, json))
            .map_err(|error| {
                visit.is_malformed();
                Failure::bad_request(error.to_string())
            })?;
        plain = visit.note(translated)?;
    }
    match intake.take(visit, plain.hold(), consumer, None).await {
        Verdict::Accepted => Ok((signal, None)),
        Verdict::Partial(partial) => Ok((signal, Some(partial))),
        Verdict::Malformed(problem) => Err(Failure::bad_request(problem)),
        Verdict::Refused(refusal) => Err(Failure::from(refusal)),
    }
}

fn signal_of(path: &str, paths: &SignalMap) -> Option<Signal> {
    Signal::ALL
        .into_iter()
        .find(|signal| paths.get(*signal) == path)
}

/// The request's encoding: the media type in any case, its parameters ignored (H2).
fn encoding_of(headers: &HeaderMap) -> Option<Encoding> {
    let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let media_type = value.split(';').next()?.trim();
    if media_type.eq_ignore_ascii_case("application/x-protobuf") {
        Some(Encoding::Protobuf)
    } else if media_type.eq_ignore_ascii_case("application/json") {
        Some(Encoding::Json)
    } else {
        None
    }
}

fn coding_of(headers: &HeaderMap, encoding: Encoding) -> Result<BodyCoding, Failure> {
    let Some(value) = headers.get(CONTENT_ENCODING) else {
        return Ok(BodyCoding::Alone(Coding::Identity));
    };
    let name = value
        .to_str()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let is_one = headers.get_all(CONTENT_ENCODING).iter().count() == 1;
    match Coding::from_name(&name) {
        Some(coding) if is_one => Ok(BodyCoding::Alone(coding)),
        None if is_one && name == OTZ1 && encoding == Encoding::Protobuf => Ok(BodyCoding::Otz1),
        _ => Err(Failure::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            3,
            "Content-Encoding must be gzip, zstd or identity, and only one of them",
        )),
    }
}

fn success(
    signal: Signal,
    encoding: Encoding,
    partial: Option<&PartialSuccess>,
) -> Response<Reply> {
    let body = match encoding {
        Encoding::Protobuf => millrace_wire::encode_response(signal, partial),
        Encoding::Json => millrace_wire::response_to_json(signal, partial),
    };
    respond(StatusCode::OK, encoding, body)
}

fn respond(status: StatusCode, encoding: Encoding, body: Vec<u8>) -> Response<Reply> {
    let mut response = Response::new(Reply::data(body));
    *response.status_mut() = status;
    let media_type = match encoding {
        Encoding::Protobuf => "application/x-protobuf",
        Encoding::Json => "application/json",
    };
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

impl Failure {
    /// `code` is the `google.rpc.Code` that says the same as the HTTP status.
    fn new(status: StatusCode, code: i32, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            retry_after_s: None,
            bad_request: false,
            close: false,
            reset: None,
        }
    }

    fn bad_request(message: impl Into<String>) -> Self {
        Self {
            bad_request: true,
            ..Self::new(StatusCode::BAD_REQUEST, 3, message)
        }
    }

    fn response(self, encoding: Encoding) -> Response<Reply> {
        let status = Status {
            code: self.code,
            bad_request: self.bad_request.then(|| self.message.clone()),
            message: self.message,
            retry_delay: None,
        };
        let body = match encoding {
            Encoding::Protobuf => status.encode(),
            Encoding::Json => status.to_json(),
        };
        let mut response = respond(self.status, encoding, body);
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after_s {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(reset) = self.reset {
            headers.insert(RESET_HEADER, HeaderValue::from_static(reset.name()));
        }
        if self.status == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(ALLOW, HeaderValue::from_static("POST"));
        }
        if self.close {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

impl From<Unbuilt> for Failure {
    fn from(unbuilt: Unbuilt) -> Self {
        let reset = match unbuilt {
            Unbuilt::Reset(reset) => reset,
            Unbuilt::Read(error) => return error.into(),
        };
        Self {
            reset: Some(reset),
            ..Self::new(StatusCode::CONFLICT, 10, reset.sentence())
        }
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::TooLarge(limit) => Self {
                close: true,
                ..Self::new(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    8,
                    format!(
                        "the request is larger than the limit of {limit} bytes after decompression; send smaller batches"
                    ),
                )
            },
            ReadError::Overload => Self {
                retry_after_s: Some(OVERLOAD_RETRY_S),
                ..Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    14,
                    "the gateway holds as much data as its memory budget allows; send the request again later",
                )
            },
            // Not 408, which OTLP clients do not retry (H8): a slow moment must not cost data.
            ReadError::TimedOut(limit) => Self {
                close: true,
                retry_after_s: Some(OVERLOAD_RETRY_S),
                ..Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    4,
                    format!("the body did not arrive within {} s", limit.as_secs()),
                )
            },
            ReadError::Broken(problem) => Self {
                close: true,
                ..Self::bad_request(format!("the body could not be read: {problem}"))
            },
            ReadError::Corrupt(problem) => Self::bad_request(problem),
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        if refusal.retryable {
            // Whole seconds, rounded up: zero would be an invitation to a busy loop.
            let wait = refusal
                .retry_after
                .map_or(OVERLOAD_RETRY_S, |wait| wait.as_secs() + 1);
            let full = matches!(refusal.reason, Reason::QueueFull | Reason::BudgetExhausted);
            let status = if full {
                StatusCode::TOO_MANY_REQUESTS
            } else {
                StatusCode::SERVICE_UNAVAILABLE
            };
            Self {
                retry_after_s: Some(wait),
                ..Self::new(status, 14, refusal.message)
            }
        } else {
            Self::new(StatusCode::BAD_REQUEST, 3, refusal.message)
        }
    }
}
