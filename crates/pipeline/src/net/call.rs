//! A gRPC call with many messages in each direction, seen from the client: one goes out, one comes in, in turn.
use std::fmt;

use bytes::{Buf as _, Bytes, BytesMut};
use http::header::PROXY_AUTHORIZATION;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper_util::client::legacy::ResponseFuture;
use hyper_util::client::legacy::connect::{CaptureConnection, capture_connection};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::grpc::{self, PREFIX_BYTES};
use super::http::{Answer, BodyError, Client, Limits, Rope, chain, explained};

/// A call that was begun and has not ended.
pub(crate) struct Call {
    messages: mpsc::Sender<Bytes>,
    side: Side,
    /// Received and not read yet: less than a message, as each is an answer.
    received: BytesMut,
    limits: Limits,
    connection: CaptureConnection,
}

/// The other side: before and after the headers of its answer.
enum Side {
    Silent(ResponseFuture),
    Speaks(StatusCode, HeaderMap, Incoming),
}

/// What the other side said to a message.
#[derive(Debug)]
pub(crate) enum Said {
    /// A message, without its prefix.
    Message(Bytes),
    /// The end of the call, with its status.
    End(Answer),
}

/// Nothing was said, and the message may have arrived or not.
#[derive(Debug)]
pub(crate) enum Unanswered {
    /// The connection broke.
    Broken(String),
    /// Not within the limit; the connection is not used any more.
    TimedOut(String),
}

impl fmt::Debug for Call {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Call")
    }
}

impl Client {
    /// Begins a call, which travels when its first message does.
    pub(crate) fn call(&self, mut head: Request<()>) -> Call {
        if let Some(value) = self.proxies.authorization(head.uri()) {
            head.headers_mut().insert(PROXY_AUTHORIZATION, value);
        }
        // One message is under way at most: the next one is made when the last is answered.
        let (messages, body) = mpsc::channel(1);
        let mut request = head.map(|()| Rope::fed(body));
        let connection = capture_connection(&mut request);
        Call {
            messages,
            side: Side::Silent(self.pool.request(request)),
            received: BytesMut::new(),
            limits: self.limits,
            connection,
        }
    }
}

impl Call {
    /// Whether the other side may still take a message: false as soon as the connection has ended.
    pub(crate) fn is_open(&self) -> bool {
        !self.messages.is_closed()
    }

    /// Sends a message and waits for what is said to it, within the limits of the client.
    pub(crate) async fn exchange(&mut self, message: &[u8]) -> Result<Said, Unanswered> {
        let length = u32::try_from(message.len());
        let length = length.map_err(|_| broken("the message is longer than gRPC allows"))?;
        let framed = [&grpc::prefix(false, length), message].concat();
        if self.messages.send(Bytes::from(framed)).await.is_err() {
            return Err(broken("the call has ended"));
        }
        let limit = self.limits.timeout;
        if let Ok(said) = timeout(limit, self.listen()).await {
            return said;
        }
        // Silence may be a dead connection, which HTTP/2 would go on using: the next call makes a new one.
        if let Some(metadata) = self.connection.connection_metadata().as_ref() {
            metadata.poison();
        }
        let seconds = limit.as_secs_f64();
        let problem = format!("no answer came within {seconds} s (timeout)");
        Err(Unanswered::TimedOut(problem))
    }

    async fn listen(&mut self) -> Result<Said, Unanswered> {
        if let Side::Silent(answer) = &mut self.side {
            let answer = answer
                .await
                .map_err(|error| Unanswered::Broken(explained(chain(&error))))?;
            let (head, body) = answer.into_parts();
            self.side = Side::Speaks(head.status, head.headers, body);
        }
        loop {
            if let Some(message) = self.message()? {
                return Ok(Said::Message(message));
            }
            let Side::Speaks(status, headers, body) = &mut self.side else {
                return Err(broken("the call has not begun"));
            };
            let trailers = match body.frame().await {
                None => None,
                Some(Err(error)) => return Err(Unanswered::Broken(chain(&error))),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => {
                        self.received.extend_from_slice(&data);
                        continue;
                    }
                    Err(frame) => frame.into_trailers().ok(),
                },
            };
            return Ok(Said::End(Answer {
                status: *status,
                headers: headers.clone(),
                body: Ok::<_, BodyError>(Vec::new()),
                trailers,
            }));
        }
    }

    /// Takes a whole message out of what was received.
    fn message(&mut self) -> Result<Option<Bytes>, Unanswered> {
        let Some([flag, length @ ..]) = self.received.first_chunk::<PREFIX_BYTES>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes(*length) as usize;
        if *flag != 0 || length > self.limits.response_bytes {
            return Err(broken(
                "the answer is longer than max_response_bytes, or compressed",
            ));
        }
        if self.received.len() < PREFIX_BYTES + length {
            return Ok(None);
        }
        self.received.advance(PREFIX_BYTES);
        Ok(Some(self.received.split_to(length).freeze()))
    }
}

fn broken(problem: &str) -> Unanswered {
    Unanswered::Broken(problem.to_owned())
}
