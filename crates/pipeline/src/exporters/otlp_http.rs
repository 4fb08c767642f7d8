//! The `otlphttp` exporter: one POST per request, protobuf or JSON.
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use millrace_wire::{PartialSuccess, Signal, Status};

use super::Context;
use super::otz::{Asked, Frame, Otz, SESSIONS_TRIED};
use super::sender::Sender;
use super::transport::{Failure, Transport, remark};
use crate::batch::Payload;
use crate::component::Reason;
use crate::config::{OtlpHttpExporter, SignalMap, StartError};
use crate::net::compression::{Coding, compress, decompress};
use crate::net::http::{
    Answer, BodyError, Client, Limits, NoAnswer, Rope, Target, Versions, request_headers,
};
use crate::receivers::sessions::{LIMITS_HEADER, OTZ1};
use crate::retry::{Verdict, http_verdict, parse_retry_after};

const PROTOBUF: HeaderValue = HeaderValue::from_static("application/x-protobuf");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// OTLP over HTTP to one destination.
#[derive(Debug)]
pub(crate) struct OtlpHttp {
    client: Client,
    urls: [Uri; 4],
    headers: HeaderMap,
    json: bool,
    coding: Coding,
    /// Sessions, where the destination may be one of our own.
    otz: Option<Otz>,
    level: Option<i32>,
    request_bytes_max: usize,
    response_bytes_max: usize,
}

/// Builds the exporter.
pub(crate) fn build(
    settings: &OtlpHttpExporter,
    context: Context,
) -> Result<Sender<OtlpHttp>, StartError> {
    let transport = OtlpHttp::new(&format!("exporters.{}", context.id), settings)?;
    Sender::new(transport, &settings.sending, context)
}

impl OtlpHttp {
    fn new(setting: &str, settings: &OtlpHttpExporter) -> Result<Self, StartError> {
        let sending = &settings.sending;
        let json = match settings.encoding.as_str() {
            "proto" => false,
            "json" => true,
            other => {
                let problem = format!("expected \"proto\" or \"json\", got {other:?}");
                return Err(StartError::of(&format!("{setting}.encoding"), problem));
            }
        };
        let SignalMap {
            traces,
            metrics,
            logs,
            profiles,
        } = &settings.urls;
        let parse =
            |signal: &str, url: &str| Target::parse(&format!("{setting}.{signal}_endpoint"), url);
        let urls = [
            parse("traces", traces)?.url,
            parse("metrics", metrics)?.url,
            parse("logs", logs)?.url,
            parse("profiles", profiles)?.url,
        ];
        let limits = Limits {
            timeout: Duration::from_millis(sending.timeout_ms),
            response_bytes: sending.max_response_bytes,
            connections: sending.sending_queue.num_consumers,
        };
        let mut headers = request_headers(setting, &sending.headers)?;
        headers.insert(CONTENT_TYPE, if json { JSON } else { PROTOBUF });
        let coding = super::coding(setting, &sending.compression)?;
        if coding != Coding::Identity {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
        }
        // One URL may be https while the others are not; TLS is set up if any of them needs it.
        let [first, ..] = &urls;
        let secure = urls
            .iter()
            .find(|url| url.scheme() == Some(&http::uri::Scheme::HTTPS));
        let target = Target {
            url: secure.unwrap_or(first).clone(),
        };
        Ok(Self {
            client: Client::new(
                setting,
                &target,
                sending.tls.as_ref(),
                Versions::Negotiated,
                limits,
            )?,
            urls,
            headers,
            json,
            coding,
            otz: (sending.compression == "otz1" && !json)
                .then(|| Otz::new(sending.sending_queue.num_consumers)),
            level: sending.compression_level,
            request_bytes_max: sending.max_request_bytes,
            response_bytes_max: sending.max_response_bytes,
        })
    }

    fn body(&self, signal: Signal, request: &Payload, coding: Coding) -> Result<Rope, Failure> {
        let mut chunks = request.chunks().to_vec();
        if self.json {
            let text = millrace_wire::json_from_request(signal, &request.to_contiguous());
            if text.len() > self.request_bytes_max {
                let (size, limit) = (text.len(), self.request_bytes_max);
                return Err(Failure::TooLarge {
                    message: format!(
                        "{size} bytes of JSON are more than max_request_bytes of {limit}"
                    ),
                });
            }
            chunks = vec![Bytes::from(text)];
        }
        if coding != Coding::Identity {
            let body = compress(coding, self.level, &chunks)
                .map_err(|error| Failure::again(error.to_string()))?;
            chunks = vec![Bytes::from(body)];
        }
        Ok(Rope::new(chunks))
    }

    async fn post(
        &self,
        signal: Signal,
        body: Rope,
        headers: HeaderMap,
    ) -> Result<Answer, Failure> {
        let mut post = Request::new(body);
        *post.method_mut() = Method::POST;
        if let Some(url) = self.urls.get(signal as usize) {
            *post.uri_mut() = url.clone();
        }
        *post.headers_mut() = headers;
        self.client
            .exchange(post)
            .await
            .map_err(|NoAnswer(problem)| Failure::again(problem))
    }

    /// Sends the request as a frame of a session. `None`: it must travel in another way, now.
    async fn send_frame(
        &self,
        otz: &Otz,
        signal: Signal,
        request: &Payload,
    ) -> Result<Option<Answer>, Failure> {
        let whole = request.to_contiguous();
        for _ in 0..SESSIONS_TRIED {
            let Some(mut frame) = otz.frame(signal, &whole) else {
                return Ok(None);
            };
            let body = Rope::new(vec![Bytes::from(std::mem::take(&mut frame.bytes))]);
            let headers = self.frame_headers(&frame);
            let answer = self.post(signal, body, headers).await?;
            otz.hear(&answer.headers);
            let status = answer.status.as_u16();
            match Asked::of(&answer.headers).filter(|_| status == 409) {
                Some(Asked::NewSession) => continue,
                Some(Asked::NoSession) => {
                    otz.has_no_room();
                    return Ok(None);
                }
                None => {}
            }
            if otz.settle(frame, &answer.headers) || !matches!(status, 400 | 409 | 415) {
                return Ok(Some(answer));
            }
            // Another server answers at this address now: it does not read frames.
            otz.refused();
            return Ok(None);
        }
        Ok(None)
    }

    fn frame_headers(&self, frame: &Frame) -> HeaderMap {
        let mut headers = self.headers.clone();
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(OTZ1));
        if let Some(limits) = frame.limits_header()
            && let Ok(limits) = HeaderValue::from_str(&limits)
        {
            headers.insert(LIMITS_HEADER, limits);
        }
        headers
    }

    /// Sends the request by itself; as gzip where a destination of an unknown kind reads no zstd.
    async fn send_alone(&self, signal: Signal, request: &Payload) -> Result<Answer, Failure> {
        let body = self.body(signal, request, self.coding)?;
        let answer = self.post(signal, body, self.headers.clone()).await?;
        let Some(otz) = &self.otz else {
            return Ok(answer);
        };
        otz.hear(&answer.headers);
        if answer.status != StatusCode::UNSUPPORTED_MEDIA_TYPE {
            return Ok(answer);
        }
        let mut headers = self.headers.clone();
        headers.insert(
            CONTENT_ENCODING,
            HeaderValue::from_static(Coding::Gzip.name()),
        );
        let body = self.body(signal, request, Coding::Gzip)?;
        self.post(signal, body, headers).await
    }
}

impl Transport for OtlpHttp {
    async fn send(
        &self,
        signal: Signal,
        request: &Payload,
    ) -> Result<Option<PartialSuccess>, Failure> {
        let mut answer = None;
        if let Some(otz) = &self.otz {
            answer = self.send_frame(otz, signal, request).await?;
        }
        let answer = match answer {
            Some(answer) => answer,
            None => self.send_alone(signal, request).await?,
        };
        let body = plain_body(&answer, self.response_bytes_max);
        if answer.status.is_success() {
            taken(signal, &answer, body)
        } else {
            Err(refused(
                &answer,
                &body.unwrap_or_default(),
                SystemTime::now(),
            ))
        }
    }
}

/// The body without its coding, within the limit that holds after decompression too (X8).
fn plain_body(answer: &Answer, limit: usize) -> Result<Vec<u8>, String> {
    let body = answer.body.as_ref().map_err(|error| match error {
        BodyError::TooLarge => format!("its body is larger than max_response_bytes of {limit}"),
        BodyError::Broken(problem) => format!("its body broke off: {problem}"),
    })?;
    let name = answer
        .headers
        .get(CONTENT_ENCODING)
        .map(|name| name.to_str().unwrap_or("?"));
    match Coding::from_name(name.unwrap_or_default()) {
        None => Err("its content encoding is unknown".to_owned()),
        Some(_) if body.is_empty() => Ok(Vec::new()),
        Some(coding) => decompress(coding, body, limit).map_err(|error| error.to_string()),
    }
}

/// Reads the response message of a 2xx answer.
///
/// Whatever is not one, such as the page of a captive portal, means that nobody knows what became of the data (X16).
fn taken(
    signal: Signal,
    answer: &Answer,
    body: Result<Vec<u8>, String>,
) -> Result<Option<PartialSuccess>, Failure> {
    let status = answer.status.as_u16();
    let body = body.map_err(|problem| {
        Failure::bad_answer(format!("the destination answered {status}, but {problem}"))
    })?;
    if body.is_empty() {
        return Ok(None);
    }
    let kind = content_type(&answer.headers);
    let decoded = match kind.as_str() {
        "application/x-protobuf" | "application/protobuf" => {
            millrace_wire::decode_response(signal, &body)
        }
        "application/json" => millrace_wire::response_from_json(signal, &body),
        other => {
            return Err(Failure::bad_answer(format!(
                "the destination answered {status} with {}, which is not an OTLP answer; check that the endpoint is an OTLP receiver",
                if other.is_empty() {
                    "a body of no type"
                } else {
                    other
                },
            )));
        }
    };
    decoded.map_err(|error| {
        Failure::bad_answer(format!(
            "the destination answered {status}, but its {kind} body is not an OTLP answer: {error}"
        ))
    })
}

/// What an answer that is not 2xx means, by the table of OTLP/HTTP (X2).
fn refused(answer: &Answer, body: &[u8], now: SystemTime) -> Failure {
    let details = match content_type(&answer.headers).as_str() {
        "application/x-protobuf" | "application/protobuf" => Status::decode(body).ok(),
        "application/json" => Status::from_json(body).ok(),
        _ => None,
    };
    let words = details
        .as_ref()
        .map(|details| remark(&details.message))
        .unwrap_or_default();
    let message = format!(
        "the destination answered {}{}{words}",
        answer.status,
        if words.is_empty() { "" } else { ": " }
    );
    if http_verdict(answer.status.as_u16()) == Verdict::Retry {
        let header = answer
            .headers
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok());
        let retry_after = header.and_then(|value| parse_retry_after(value, now));
        let retry_after = retry_after.or_else(|| details.and_then(|details| details.retry_delay));
        return Failure::Retryable {
            message,
            retry_after,
            content: false,
        };
    }
    if answer.status == StatusCode::PAYLOAD_TOO_LARGE {
        return Failure::TooLarge { message };
    }
    // Who we are and where we knock does not depend on what we bring; all else may.
    let content =
        !answer.status.is_redirection() && !matches!(answer.status.as_u16(), 401..=407 | 415 | 501);
    Failure::Permanent {
        reason: Reason::DestinationRefused,
        message,
        content,
    }
}

/// The media type without its parameters, in lower case.
fn content_type(headers: &HeaderMap) -> String {
    let value = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    remark(value.split(';').next().unwrap_or_default().trim()).to_ascii_lowercase()
}
