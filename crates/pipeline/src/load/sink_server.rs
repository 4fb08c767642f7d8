//! The server side of a sink: OTLP/HTTP and OTLP/gRPC, each request read whole, then judged.
use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::{BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, Request, Response, header};
use http_body_util::{BodyExt as _, Full, combinators::BoxBody};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use millrace_wire::{Signal, Status};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::sink::{Hang, Refuse, Shared};
use super::sink_tally::RequestBytes;
use crate::net::compression::{Coding, decompress};

/// Windows and frames so large that no sender ever waits for permission to go on.
const WINDOW: u32 = 64 << 20;
const FRAME: u32 = 4 << 20;
const READ_BUFFER: usize = 1 << 20;

/// What precedes a gRPC message.
const PREFIX: usize = 5;

/// Accepts connections until told to stop, then lets go of all of them.
pub(super) async fn serve(
    shared: Arc<Shared>,
    http: Option<TcpListener>,
    grpc: Option<TcpListener>,
    stopped: oneshot::Receiver<()>,
) {
    let mut connections = JoinSet::new();
    let mut stopped = stopped;
    loop {
        tokio::select! {
            _ = &mut stopped => return,
            stream = accept(http.as_ref()) => {
                connections.spawn(http_connection(Arc::clone(&shared), stream));
            }
            stream = accept(grpc.as_ref()) => {
                connections.spawn(grpc_connection(Arc::clone(&shared), stream));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// The next connection; never returns without a listener.
async fn accept(listener: Option<&TcpListener>) -> TcpStream {
    let Some(listener) = listener else {
        return pending().await;
    };
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let _ = stream.set_nodelay(true);
                return stream;
            }
            // Out of file descriptors, most likely: they come back when connections end.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

type SinkBody = BoxBody<Bytes, Infallible>;

async fn http_connection(shared: Arc<Shared>, stream: TcpStream) {
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(over_http(&shared, request).await) }
    });
    // A broken connection is the client's to notice: its request is not counted.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .max_buf_size(READ_BUFFER)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn grpc_connection(shared: Arc<Shared>, stream: TcpStream) {
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(over_grpc(&shared, request).await) }
    });
    let _ = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_frame_size(FRAME)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// How a request is answered, before it is put into the words of a protocol.
enum Verdict {
    Ok,
    Malformed(&'static str),
    Unknown,
    Refused(Refuse),
}

async fn over_http(shared: &Shared, request: Request<Incoming>) -> Response<SinkBody> {
    let signal =
        Signal::from_http_path(request.uri().path()).filter(|_| request.method() == Method::POST);
    let coding = coding(request.headers(), "content-encoding");
    let framing = if is_json(request.headers()) {
        Framing::Json
    } else {
        Framing::Protobuf
    };
    let verdict = match signal {
        Some(signal) => judge(shared, signal, coding, framing, request.into_body()).await,
        None => Verdict::Unknown,
    };
    let (media_type, ok) = match framing {
        Framing::Json => ("application/json", "{}"),
        _ => ("application/x-protobuf", ""),
    };
    let mut response = Response::new(Full::new(Bytes::from_static(ok.as_bytes())).boxed());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    let (status, message) = match &verdict {
        Verdict::Ok => return response,
        Verdict::Unknown => (404, "no such path here"),
        Verdict::Malformed(why) => (400, *why),
        Verdict::Refused(refuse) => {
            if let Some(seconds) = refuse.retry_after_s {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            }
            (refuse.status, "refused on purpose")
        }
    };
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
    let details = Status {
        code: grpc_code(status),
        message: message.to_owned(),
        retry_delay: None,
        bad_request: None,
    };
    let body = match framing {
        Framing::Json => details.to_json(),
        _ => details.encode(),
    };
    *response.body_mut() = Full::new(Bytes::from(body)).boxed();
    response
}

async fn over_grpc(shared: &Shared, request: Request<Incoming>) -> Response<SinkBody> {
    let signal = Signal::from_grpc_path(request.uri().path());
    let coding = coding(request.headers(), "grpc-encoding");
    let verdict = match signal {
        Some(signal) => judge(shared, signal, coding, Framing::Grpc, request.into_body()).await,
        None => Verdict::Unknown,
    };
    let (code, message) = match &verdict {
        Verdict::Ok => (0, ""),
        Verdict::Unknown => (12, "no such method here"),
        Verdict::Malformed(why) => (3, *why),
        Verdict::Refused(refuse) => (grpc_code(refuse.status), "refused on purpose"),
    };
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from(code));
    if !message.is_empty() {
        trailers.insert("grpc-message", HeaderValue::from_static(message));
    }
    let message = Bytes::from_static(&[0; PREFIX]); // the empty Export response
    let body = Full::new(message).with_trailers(async move { Some(Ok(trailers)) });
    let mut response = Response::new(body.boxed());
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/grpc"),
    );
    response
}

/// In what a request is wrapped beside its compression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    Protobuf,
    Json,
    Grpc,
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE);
    let media_type = value
        .and_then(|value| value.to_str().ok()?.split(';').next())
        .unwrap_or_default();
    media_type.trim().eq_ignore_ascii_case("application/json")
}

fn coding(headers: &HeaderMap, name: &str) -> Option<Coding> {
    match headers.get(name) {
        None => Some(Coding::Identity),
        Some(value) => value.to_str().ok().and_then(Coding::from_name),
    }
}

/// The code that OTLP's table puts beside an HTTP status.
fn grpc_code(status: u16) -> i32 {
    match status {
        400 => 3,
        401 => 16,
        403 => 7,
        404 => 12,
        429 => 8,
        502..=504 => 14,
        _ => 13,
    }
}

/// Reads the body, counts its items, and waits as long as the sink's behaviour demands.
async fn judge(
    shared: &Shared,
    signal: Signal,
    coding: Option<Coding>,
    framing: Framing,
    body: Incoming,
) -> Verdict {
    let arrival = Instant::now();
    let behaviour = {
        let mut state = shared.state();
        state.tally.arrive(arrival);
        state.behaviour.clone()
    };
    if behaviour.hang == Some(Hang::BeforeReading) {
        return pending().await;
    }
    let Some(coding) = coding else {
        return Verdict::Malformed("a content coding that this sink does not speak");
    };
    let Some(body) = read(body, shared.max_request_bytes).await else {
        shared.state().tally.malformed();
        return Verdict::Malformed("a body that is cut short or too large");
    };
    if behaviour.hang == Some(Hang::AfterReading) {
        return pending().await;
    }
    if behaviour.delay_ms > 0 {
        tokio::time::sleep(Duration::from_millis(behaviour.delay_ms)).await;
    }
    if let Some(refuse) = refusal(shared) {
        return Verdict::Refused(refuse);
    }
    let is_grpc = framing == Framing::Grpc;
    let message = body
        .get(if is_grpc { PREFIX } else { 0 }..)
        .unwrap_or_default();
    let is_plain = coding == Coding::Identity || (is_grpc && body.first() == Some(&0));
    let counted = if is_plain {
        count(shared, signal, framing, message, message.len())
    } else {
        decompress(coding, message, shared.max_request_bytes)
            .ok()
            .and_then(|plain| count(shared, signal, framing, &plain, message.len()))
    };
    let Some(items) = counted else {
        return Verdict::Malformed("not an OTLP request");
    };
    wait_for_turn(shared, items).await;
    shared.state().tally.answered(arrival);
    Verdict::Ok
}

/// The refusal that is due, counting it off.
fn refusal(shared: &Shared) -> Option<Refuse> {
    let mut state = shared.state();
    let refuse = state.behaviour.refuse.as_mut()?;
    match &mut refuse.requests {
        Some(0) => return None,
        Some(left) => *left -= 1,
        None => {}
    }
    let refuse = refuse.clone();
    state.tally.refuse();
    Some(refuse)
}

fn count(
    shared: &Shared,
    signal: Signal,
    framing: Framing,
    plain: &[u8],
    wire_bytes: usize,
) -> Option<u64> {
    let bytes = RequestBytes {
        wire: wire_bytes,
        body: plain.len(),
    };
    let translated;
    let request = if framing == Framing::Json {
        let Ok(request) = millrace_wire::request_from_json(signal, plain) else {
            shared.state().tally.malformed();
            return None;
        };
        translated = request;
        &*translated
    } else {
        plain
    };
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let counted = shared
        .state()
        .tally
        .accept(signal, request, bytes, since.as_nanos() as u64);
    shared.notify();
    counted.ok()
}

/// At a limited rate every request takes its time, one after the other.
async fn wait_for_turn(shared: &Shared, items: u64) {
    let turn = {
        let mut state = shared.state();
        let Some(rate) = state.behaviour.items_per_second.filter(|rate| *rate > 0.0) else {
            return;
        };
        #[expect(
            clippy::cast_precision_loss,
            reason = "a count of items is far below 2^52"
        )]
        let time = Duration::try_from_secs_f64(items as f64 / rate).unwrap_or(Duration::MAX);
        let now = Instant::now();
        let turn = state
            .free_at
            .map_or(now, |free| free.max(now))
            .checked_add(time);
        state.free_at = turn;
        turn
    };
    match turn {
        Some(turn) => tokio::time::sleep_until(turn.into()).await,
        None => pending().await,
    }
}

/// The whole body in one piece; `None` when it breaks off or exceeds the limit.
async fn read(mut body: Incoming, limit: usize) -> Option<Bytes> {
    let declared = body.size_hint().exact().unwrap_or(0) as usize;
    if declared > limit {
        return None;
    }
    let mut whole = BytesMut::with_capacity(declared.min(16 << 20));
    while let Some(frame) = body.frame().await {
        let Ok(chunk) = frame.ok()?.into_data() else {
            continue; // trailers
        };
        if whole.len() + chunk.len() > limit {
            return None;
        }
        whole.put(chunk);
    }
    Some(whole.freeze())
}
