//! The HTTP client of the exporters: one exchange at a time, within its deadline and its size.
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::header::{HeaderName, PROXY_AUTHORIZATION, USER_AGENT};
use http::uri::{PathAndQuery, Scheme};
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::{HttpConnector, capture_connection};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::ServerName;
use tokio::sync::mpsc;

use super::connector::Connector;
use super::proxy::Proxies;
use super::tls;
use crate::config::{ClientTls, StartError};

/// Who we are (X15).
const AGENT: &str = concat!("OTel-OTLP-Exporter-millrace/", env!("CARGO_PKG_VERSION"));
/// How our own exporters are told from those of others.
pub const AGENT_NAME: &str = "OTel-OTLP-Exporter-millrace/";
/// Servers close idle connections after 60 seconds or more; leaving first avoids writing into a closing one.
const IDLE_TIMEOUT: Duration = Duration::from_secs(50);
const CONNECTION_KEEPALIVE: Duration = Duration::from_secs(30);
/// Bounds the memory of one connection; answers to exports are a few bytes.
const CONNECTION_BUFFER: usize = 64 << 10;
/// Pieces smaller than this, on average, are cheaper to copy together than to hand on one by one.
const WORTH_A_FRAME: usize = 4 << 10;
/// Headers that belong to the framing of the message.
const RESERVED_HEADERS: [&str; 6] = [
    "connection",
    "content-length",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// What clients offer during a TLS handshake, in order of preference.
const NEGOTIATED: &[&[u8]] = &[b"h2", b"http/1.1"];
const HTTP_2: &[&[u8]] = &[b"h2"];

/// A request body that hands on pieces of memory without copying them.
#[derive(Debug)]
pub struct Rope {
    chunks: std::vec::IntoIter<Bytes>,
    left: usize,
    /// Pieces to come, where the body does not end with the ones that are there.
    more: Option<mpsc::Receiver<Bytes>>,
}

impl Rope {
    /// A body of these pieces in order.
    #[must_use]
    pub fn new(chunks: Vec<Bytes>) -> Self {
        let left = chunks.iter().map(Bytes::len).sum();
        let small = chunks.len() > 2 && left / chunks.len() < WORTH_A_FRAME;
        let chunks = if small {
            vec![Bytes::from(chunks.concat())]
        } else {
            chunks
        };
        Self {
            chunks: chunks.into_iter(),
            left,
            more: None,
        }
    }

    /// A body of the pieces that will come here, until the sender is dropped.
    pub(super) fn fed(more: mpsc::Receiver<Bytes>) -> Self {
        Self {
            chunks: Vec::new().into_iter(),
            left: 0,
            more: Some(more),
        }
    }
}

impl Body for Rope {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(more) = &mut self.more {
            let piece = ready!(more.poll_recv(context));
            return Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))));
        }
        Poll::Ready(self.chunks.next().map(|chunk| {
            self.left -= chunk.len();
            Ok(Frame::data(chunk))
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0 && self.more.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        if self.more.is_some() {
            return SizeHint::default();
        }
        SizeHint::with_exact(self.left as u64)
    }
}

/// Where requests go, taken apart once.
#[derive(Clone, Debug)]
pub struct Target {
    /// Scheme, host, port and path; never a user or a password.
    pub url: Uri,
}

impl Target {
    /// Reads a URL; `setting` is where it stands, and the URL itself is not repeated, since it may hold a password (S17).
    pub fn parse(setting: &str, url: &str) -> Result<Self, StartError> {
        let wrong = |problem: &str| {
            StartError::of(
                setting,
                format_args!("expected http://host:port or https://host:port, got {problem}"),
            )
        };
        match url.split_once("://") {
            Some(("http" | "https", _)) => {}
            Some((scheme, _)) if scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
                return Err(wrong(&format!("the scheme {scheme:?}")));
            }
            _ => return Err(wrong("a URL without a scheme")),
        }
        let uri: Uri = url.parse().map_err(|_| wrong("a text that is not a URL"))?;
        let authority = uri
            .authority()
            .ok_or_else(|| wrong("a URL without a host"))?;
        if authority.as_str().contains('@') {
            // A URL is shown in messages and statistics; a header never is.
            return Err(wrong("a URL with credentials, which belong into headers"));
        }
        Ok(Self { url: uri })
    }

    /// The URL of a path on the same host.
    #[must_use]
    pub fn with_path(&self, path: &'static str) -> Uri {
        let mut parts = self.url.clone().into_parts();
        parts.path_and_query = Some(PathAndQuery::from_static(path));
        Uri::from_parts(parts).unwrap_or_else(|_| self.url.clone())
    }

    /// Whether connections are encrypted.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.url.scheme() == Some(&Scheme::HTTPS)
    }
}

/// The headers of every request: what the user set, and who we are.
pub fn request_headers(
    setting: &str,
    settings: &BTreeMap<String, String>,
) -> Result<HeaderMap, StartError> {
    let mut headers = HeaderMap::new();
    headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    for (name, value) in settings {
        let setting = format!("{setting}.headers");
        let key = HeaderName::try_from(name.as_str()).map_err(|_| {
            StartError::of(
                &setting,
                format_args!("{name:?} is not the name of an HTTP header"),
            )
        })?;
        if RESERVED_HEADERS.contains(&key.as_str()) {
            return Err(StartError::of(
                &setting,
                format_args!("{name} belongs to the framing of the request; remove it"),
            ));
        }
        // The value may be a secret and is not repeated.
        let value = HeaderValue::from_str(value).map_err(|_| {
            StartError::of(
                &setting,
                format_args!("the value of {name} holds characters that HTTP forbids"),
            )
        })?;
        headers.insert(key, secret(value));
    }
    Ok(headers)
}

/// Marks a value so that no debug output shows it and HTTP/2 does not index it.
fn secret(mut value: HeaderValue) -> HeaderValue {
    value.set_sensitive(true);
    value
}

/// Which versions a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Versions {
    /// HTTP/1.1, or HTTP/2 where the server chooses it during the TLS handshake (X12).
    Negotiated,
    /// HTTP/2 from the first byte, as gRPC needs.
    Http2,
}

/// What a client must know beside its target.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From connecting to the last byte of the answer (X8).
    pub timeout: Duration,
    /// Largest body of an answer.
    pub response_bytes: usize,
    /// Connections that are kept while nothing is sent.
    pub connections: usize,
}

/// A pool of connections to one destination.
#[derive(Clone, Debug)]
pub struct Client {
    pub(super) pool: Pool<Connector, Rope>,
    pub(super) proxies: Arc<Proxies>,
    pub(super) limits: Limits,
}

/// A whole answer, or as much of it as there is.
#[derive(Debug)]
pub struct Answer {
    /// The status line.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, or why it was not read to its end.
    pub body: Result<Vec<u8>, BodyError>,
    /// What followed the body.
    pub trailers: Option<HeaderMap>,
}

/// No answer: the sentence says what happened on the way. The request may or may not have arrived (X4).
#[derive(Debug)]
pub struct NoAnswer(pub String);

/// Why a body was not read to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BodyError {
    /// Larger than the limit; the rest was not read (X8).
    TooLarge,
    /// The connection broke.
    Broken(String),
}

impl Client {
    /// A client of `target`; connections are made when they are needed.
    pub fn new(
        setting: &str,
        target: &Target,
        settings: Option<&ClientTls>,
        versions: Versions,
        limits: Limits,
    ) -> Result<Self, StartError> {
        let proxies = Arc::new(Proxies::from_environment(versions == Versions::Http2));
        proxies.check(&format!("{setting}.endpoint"), &target.url)?;
        let setting = format!("{setting}.tls");
        let protocols = match versions {
            Versions::Negotiated => NEGOTIATED,
            Versions::Http2 => HTTP_2,
        };
        let tls = if target.is_tls() {
            tls::client_files(&setting, settings, protocols)?
        } else {
            tls::no_tls()?
        };
        let name = settings.and_then(|tls| tls.server_name_override.as_deref());
        let name = name.map(|name| {
            ServerName::try_from(name.to_owned()).map_err(|_| {
                StartError::of(
                    &format!("{setting}.server_name_override"),
                    format_args!("{name:?} is not a host name"),
                )
            })
        });
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(CONNECTION_KEEPALIVE));
        tcp.set_connect_timeout(Some(limits.timeout));
        let pool = Pool::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(limits.connections)
            .http1_max_buf_size(CONNECTION_BUFFER)
            .http2_only(versions == Versions::Http2)
            .build(Connector::new(
                tcp,
                tls,
                name.transpose()?,
                Arc::clone(&proxies),
            ));
        Ok(Self {
            pool,
            proxies,
            limits,
        })
    }

    /// Sends a request and reads the answer whole. Redirects are answers like others and not followed (S16).
    pub async fn exchange(&self, mut request: Request<Rope>) -> Result<Answer, NoAnswer> {
        if let Some(value) = self.proxies.authorization(request.uri()) {
            request.headers_mut().insert(PROXY_AUTHORIZATION, value);
        }
        let connection = capture_connection(&mut request);
        let answer = tokio::time::timeout(self.limits.timeout, async {
            let response = self
                .pool
                .request(request)
                .await
                .map_err(|error| NoAnswer(explained(chain(&error))))?;
            let (head, body) = response.into_parts();
            let mut trailers = None;
            let body = read(body, self.limits.response_bytes, &mut trailers).await;
            Ok(Answer {
                status: head.status,
                headers: head.headers,
                body,
                trailers,
            })
        });
        if let Ok(answer) = answer.await {
            return answer;
        }
        // Silence may be a dead connection, which HTTP/2 would go on using: the next request makes a new one.
        if let Some(metadata) = connection.connection_metadata().as_ref() {
            metadata.poison();
        }
        let seconds = self.limits.timeout.as_secs_f64();
        Err(NoAnswer(format!(
            "no complete answer came within {seconds} s (timeout)"
        )))
    }
}

async fn read(
    mut body: Incoming,
    limit: usize,
    trailers: &mut Option<HeaderMap>,
) -> Result<Vec<u8>, BodyError> {
    if body.size_hint().lower() > limit as u64 {
        return Err(BodyError::TooLarge);
    }
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| BodyError::Broken(chain(&error)))?;
        match frame.into_data() {
            Ok(data) if bytes.len() + data.len() > limit => return Err(BodyError::TooLarge),
            Ok(data) => bytes.extend_from_slice(&data),
            Err(frame) => *trailers = frame.into_trailers().ok(),
        }
    }
    Ok(bytes)
}

/// An error with its causes, which is where hyper says what really happened.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.ends_with(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}

/// What libraries say when two sides speak different protocols, and what a person would ask then.
const QUESTIONS: [(&str, &str); 5] = [
    (
        "InvalidContentType",
        "nobody speaks TLS there: is it http:// instead of https://?",
    ),
    (
        "invalid HTTP version",
        "nobody speaks HTTP/1.1 there: is it https://, or the port of gRPC?",
    ),
    (
        "unexpected message from connection",
        "nobody speaks HTTP/1.1 there: is it https://, or the port of gRPC?",
    ),
    (
        "frame with invalid size",
        "nobody speaks HTTP/2 there: is it https://, or the port of OTLP/HTTP?",
    ),
    (
        "UnknownIssuer",
        "no authority that is trusted here has signed it: is a file of authorities to be set?",
    ),
];

pub(super) fn explained(error: String) -> String {
    let question = QUESTIONS.iter().find(|(sign, _)| error.contains(sign));
    match question {
        Some((_, question)) => format!("{error} ({question})"),
        None => error,
    }
}
