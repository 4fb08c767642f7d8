//! OTLP/gRPC over one HTTP/2 connection that several requests share.
use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, header};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::sync::Mutex;

use super::answer::{Answer, rejected_items};
use super::plan::Plan;

/// The flag and the length that precede a message.
const PREFIX: usize = 5;
/// Answers are tiny; these only must never be what a sender waits for.
const WINDOW: u32 = 1 << 20;
/// What hyper may hold of a request before the socket takes it: whole requests, so that frames are never cut short.
const SEND_BUFFER: usize = 8 << 20;

type Connection = http2::SendRequest<Full<Bytes>>;

/// A connection that is made again when it breaks.
pub(super) struct GrpcChannel {
    plan: Arc<Plan>,
    connection: Mutex<Option<Connection>>,
}

/// One of the requests in flight on a channel, with its own buffer.
pub(super) struct GrpcSender {
    channel: Arc<GrpcChannel>,
    buffer: BytesMut,
}

impl GrpcChannel {
    /// Connects with the first request.
    pub(super) fn new(plan: Arc<Plan>) -> Self {
        Self {
            plan,
            connection: Mutex::new(None),
        }
    }

    async fn connection(&self) -> io::Result<Connection> {
        let mut slot = self.connection.lock().await;
        if let Some(connection) = slot.as_ref().filter(|connection| !connection.is_closed()) {
            return Ok(connection.clone());
        }
        let stream = tokio::net::TcpStream::connect(&self.plan.endpoint.authority).await?;
        stream.set_nodelay(true)?;
        let (sender, driver) = http2::Builder::new(TokioExecutor::new())
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(WINDOW)
            .max_send_buf_size(SEND_BUFFER)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(io::Error::other)?;
        tokio::spawn(driver);
        Ok(slot.insert(sender).clone())
    }
}

impl GrpcSender {
    pub(super) fn new(channel: Arc<GrpcChannel>) -> Self {
        Self {
            channel,
            buffer: BytesMut::new(),
        }
    }

    /// Sends the run of sequence numbers at `place` and waits for the answer.
    pub(super) async fn send(&mut self, place: u64, time_unix_nano: u64) -> Answer {
        let timeout = self.channel.plan.timeout;
        let exchange = tokio::time::timeout(timeout, self.exchange(place, time_unix_nano));
        match exchange.await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => Answer::of_error(&error),
            Err(_) => Answer::of_error(&io::ErrorKind::TimedOut.into()),
        }
    }

    async fn exchange(&mut self, place: u64, time_unix_nano: u64) -> io::Result<Answer> {
        let message = self.message(place, time_unix_nano)?;
        self.channel.plan.count_sent(message.len() - PREFIX);
        let request = self.request(message.clone())?;
        let mut connection = self.channel.connection().await?;
        let response = connection
            .send_request(request)
            .await
            .map_err(io::Error::other)?;
        let (head, body) = response.into_parts();
        let body = body.collect().await.map_err(io::Error::other)?;
        // The connection has let go of the message, so the next one can be stamped into the same memory.
        self.buffer = message.try_into_mut().unwrap_or_default();
        if head.status != http::StatusCode::OK {
            return Ok(Answer::of_http(head.status.as_u16(), None, 0));
        }
        let status = body
            .trailers()
            .and_then(status)
            .or_else(|| status(&head.headers));
        let status = status.ok_or_else(|| io::Error::other("an answer without grpc-status"))?;
        let response = body.to_bytes();
        Ok(Answer::of_grpc(
            status,
            rejected_items(response.get(PREFIX..).unwrap_or_default()),
        ))
    }

    /// The stamped message behind its prefix, in the memory of the one before where that is free.
    fn message(&mut self, place: u64, time_unix_nano: u64) -> io::Result<Bytes> {
        let plan = &self.channel.plan;
        let mut buffer = std::mem::take(&mut self.buffer);
        if let Some(body) = plan.compressed(place, time_unix_nano)? {
            buffer.clear();
            push_message(&mut buffer, 1, &body);
        } else {
            let template = plan.template.bytes();
            if buffer.len() != PREFIX + template.len() {
                buffer.clear();
                push_message(&mut buffer, 0, template);
            }
            plan.stamp(
                buffer.get_mut(PREFIX..).unwrap_or_default(),
                place,
                time_unix_nano,
            );
        }
        Ok(buffer.freeze())
    }

    fn request(&self, message: Bytes) -> io::Result<Request<Full<Bytes>>> {
        let plan = &self.channel.plan;
        let mut request = Request::post(format!(
            "http://{}{}",
            plan.endpoint.authority, plan.endpoint.path
        ))
        .header(header::CONTENT_TYPE, "application/grpc")
        .header(header::TE, "trailers");
        if let Some(coding) = plan.compression.name() {
            request = request.header("grpc-encoding", coding);
        }
        for (name, value) in &plan.headers {
            request = request.header(name, value);
        }
        request.body(Full::new(message)).map_err(io::Error::other)
    }
}

fn push_message(buffer: &mut BytesMut, compressed: u8, message: &[u8]) {
    buffer.extend_from_slice(&[compressed]);
    buffer.extend_from_slice(&(message.len() as u32).to_be_bytes());
    buffer.extend_from_slice(message);
}

fn status(headers: &HeaderMap) -> Option<u32> {
    headers.get("grpc-status")?.to_str().ok()?.parse().ok()
}
