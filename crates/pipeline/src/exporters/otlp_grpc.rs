//! The `otlp` exporter: gRPC calls, all on one HTTP/2 connection; unary ones, or the streams of `otz1` sessions.
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, TE};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use millrace_wire::{PartialSuccess, Signal, Status};

use super::Context;
use super::otz_stream::Streams;
use super::sender::Sender;
use super::transport::{Failure, Transport, remark};
use crate::batch::Payload;
use crate::component::Reason;
use crate::config::{OtlpGrpcExporter, StartError};
use crate::net::compression::{Coding, compress, decompress};
use crate::net::grpc::{self, Code, PREFIX_BYTES, SESSIONS_PATH};
use crate::net::http::{
    Answer, BodyError, Client, Limits, NoAnswer, Rope, Target, Versions, request_headers,
};
use crate::retry::{Verdict, grpc_verdict};

/// OTLP over gRPC to one destination.
#[derive(Debug)]
pub(crate) struct OtlpGrpc {
    client: Client,
    urls: [Uri; 4],
    headers: HeaderMap,
    coding: Coding,
    /// Sessions, where the destination may be one of our own.
    streams: Option<Streams>,
    level: Option<i32>,
    response_bytes_max: usize,
}

/// Builds the exporter.
pub(crate) fn build(
    settings: &OtlpGrpcExporter,
    context: Context,
) -> Result<Sender<OtlpGrpc>, StartError> {
    let transport = OtlpGrpc::new(&format!("exporters.{}", context.id), settings)?;
    Sender::new(transport, &settings.sending, context)
}

impl OtlpGrpc {
    fn new(setting: &str, settings: &OtlpGrpcExporter) -> Result<Self, StartError> {
        let sending = &settings.sending;
        let target = Target::parse(&format!("{setting}.endpoint"), &settings.endpoint)?;
        let limits = Limits {
            timeout: Duration::from_millis(sending.timeout_ms),
            response_bytes: sending.max_response_bytes.saturating_add(PREFIX_BYTES),
            connections: 1,
        };
        let coding = super::coding(setting, &sending.compression)?;
        let mut headers = request_headers(setting, &sending.headers)?;
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.insert("grpc-timeout", grpc::timeout_header(limits.timeout));
        headers.insert(
            "grpc-accept-encoding",
            HeaderValue::from_static("identity,gzip,zstd"),
        );
        if coding != Coding::Identity {
            headers.insert("grpc-encoding", HeaderValue::from_static(coding.name()));
        }
        let is_otz1 = sending.compression == "otz1";
        let in_flight = sending.sending_queue.num_consumers;
        let streams = is_otz1.then(|| {
            let url = target.with_path(SESSIONS_PATH);
            Streams::new(url, headers.clone(), in_flight)
        });
        let mut urls = [const { None }; 4];
        for (url, signal) in urls.iter_mut().zip(Signal::ALL) {
            *url = Some(target.with_path(signal.grpc_path()));
        }
        Ok(Self {
            client: Client::new(
                setting,
                &target,
                sending.tls.as_ref(),
                Versions::Http2,
                limits,
            )?,
            urls: urls.map(Option::unwrap_or_default),
            headers,
            coding,
            streams,
            level: sending.compression_level,
            response_bytes_max: sending.max_response_bytes,
        })
    }

    fn body(&self, request: &Payload, coding: Coding) -> Result<Rope, Failure> {
        let mut chunks = Vec::with_capacity(request.chunks().len() + 1);
        chunks.push(Bytes::new());
        if coding == Coding::Identity {
            chunks.extend_from_slice(request.chunks());
        } else {
            let body = compress(coding, self.level, request.chunks())
                .map_err(|error| Failure::again(error.to_string()))?;
            chunks.push(Bytes::from(body));
        }
        let length: usize = chunks.iter().map(Bytes::len).sum();
        let length = u32::try_from(length).map_err(|_| Failure::TooLarge {
            message: format!("{length} bytes are more than a gRPC message can have"),
        })?;
        let prefix = grpc::prefix(coding != Coding::Identity, length);
        if let Some(first) = chunks.first_mut() {
            *first = Bytes::copy_from_slice(&prefix);
        }
        Ok(Rope::new(chunks))
    }

    async fn call(
        &self,
        signal: Signal,
        request: &Payload,
        coding: Coding,
    ) -> Result<Answer, Failure> {
        let mut call = Request::new(self.body(request, coding)?);
        *call.method_mut() = Method::POST;
        *call.version_mut() = http::Version::HTTP_2;
        if let Some(url) = self.urls.get(signal as usize) {
            *call.uri_mut() = url.clone();
        }
        *call.headers_mut() = self.headers.clone();
        if coding != self.coding {
            let name = HeaderValue::from_static(coding.name());
            call.headers_mut().insert("grpc-encoding", name);
        }
        self.client
            .exchange(call)
            .await
            .map_err(|NoAnswer(problem)| Failure::again(problem))
    }

    /// Sends the request by itself; where it could be a frame, as gzip until the destination says that it reads zstd.
    async fn send_alone(&self, signal: Signal, request: &Payload) -> Result<Answer, Failure> {
        let Some(streams) = &self.streams else {
            return self.call(signal, request, self.coding).await;
        };
        // There are servers that take a call with an unknown coding for one that is broken, and gzip every one reads.
        let coding = if streams.reads_zstd() {
            Coding::Zstd
        } else {
            Coding::Gzip
        };
        let answer = self.call(signal, request, coding).await?;
        streams.hear(&answer.headers);
        Ok(answer)
    }
}

impl Transport for OtlpGrpc {
    async fn send(
        &self,
        signal: Signal,
        request: &Payload,
    ) -> Result<Option<PartialSuccess>, Failure> {
        if let Some(streams) = &self.streams {
            let whole = request.to_contiguous();
            let outcome = streams.send(&self.client, signal, &whole).await;
            if let Some(outcome) = outcome {
                return outcome;
            }
        }
        let answer = self.send_alone(signal, request).await?;
        match status_of(&answer)? {
            status if status.code == Code::Ok as i32 => {
                taken(signal, &answer, self.response_bytes_max)
            }
            status => Err(refused(&status)),
        }
    }
}

/// The status of the call: in the trailers, or in the headers where there is no message.
pub(super) fn status_of(answer: &Answer) -> Result<Status, Failure> {
    let found = answer
        .trailers
        .as_ref()
        .and_then(grpc::read_status)
        .or_else(|| grpc::read_status(&answer.headers));
    if let Some(status) = found {
        return Ok(status);
    }
    if answer.status != StatusCode::OK {
        let code = Code::from_http(answer.status);
        let message = format!(
            "something on the way answered HTTP {} without a gRPC status",
            answer.status
        );
        return Ok(Status {
            code: code as i32,
            message,
            retry_delay: None,
            bad_request: None,
        });
    }
    Err(match &answer.body {
        Err(BodyError::Broken(problem)) => Failure::again(format!("the call broke off: {problem}")),
        Err(BodyError::TooLarge) => Failure::bad_answer("the answer is larger than max_response_bytes".to_owned()),
        Ok(_) if is_grpc(&answer.headers) => Failure::again("the call ended without a status".to_owned()),
        Ok(_) => Failure::bad_answer(
            "the destination answered 200 without gRPC; check that the endpoint is an OTLP/gRPC receiver".to_owned(),
        ),
    })
}

fn is_grpc(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

/// Reads the response message of a call that ended with OK (X16).
fn taken(signal: Signal, answer: &Answer, limit: usize) -> Result<Option<PartialSuccess>, Failure> {
    let unreadable = |problem: String| {
        Failure::bad_answer(format!("the destination answered OK, but {problem}"))
    };
    let body = match &answer.body {
        Ok(body) => body,
        Err(BodyError::TooLarge) => {
            return Err(unreadable(format!(
                "its message is larger than max_response_bytes of {limit}"
            )));
        }
        Err(BodyError::Broken(problem)) => {
            return Err(unreadable(format!("its message broke off: {problem}")));
        }
    };
    if body.is_empty() {
        return Err(unreadable("without a message".to_owned()));
    }
    let compressed = grpc::check_frame(body).map_err(unreadable)?;
    let message = body.get(PREFIX_BYTES..).unwrap_or_default();
    let decoded = if compressed {
        let name = answer
            .headers
            .get("grpc-encoding")
            .and_then(|name| name.to_str().ok())
            .unwrap_or_default();
        // A message that is compressed while no coding is named must not be guessed at (G6).
        let coding = Coding::from_name(name).filter(|coding| *coding != Coding::Identity);
        let coding = coding
            .ok_or_else(|| unreadable("its message is compressed in an unknown way".to_owned()))?;
        let plain =
            decompress(coding, message, limit).map_err(|error| unreadable(error.to_string()))?;
        millrace_wire::decode_response(signal, &plain)
    } else {
        millrace_wire::decode_response(signal, message)
    };
    decoded.map_err(|error| unreadable(format!("its message is not an OTLP answer: {error}")))
}

/// What a status other than OK means, by the table of OTLP/gRPC (X1).
pub(super) fn refused(status: &Status) -> Failure {
    let code = Code::from_number(status.code);
    let words = remark(&status.message);
    let message = format!(
        "the destination answered {}{}{words}",
        code.name(),
        if words.is_empty() { "" } else { ": " }
    );
    if grpc_verdict(code, status.retry_delay.is_some()) == Verdict::Retry {
        // Some servers say OUT_OF_RANGE where a message is larger than they allow.
        return Failure::Retryable {
            message,
            retry_after: status.retry_delay,
            content: code == Code::OutOfRange,
        };
    }
    // Who we are and where we knock does not depend on what we bring; all else may.
    let content = !matches!(
        code,
        Code::Unauthenticated | Code::PermissionDenied | Code::Unimplemented | Code::NotFound
    );
    Failure::Permanent {
        reason: Reason::DestinationRefused,
        message,
        content,
    }
}
