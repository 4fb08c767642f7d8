//! The messages of a gRPC call that has many of them: one after the other out of the body, each admitted before it is read.
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::time::timeout;

use super::intake::{Intake, Limits, Plain, ReadError};
use crate::net::compression::Coding;
use crate::net::grpc::PREFIX_BYTES;

/// What stands before each message, and the first byte of it, which says what it is.
const HEAD_BYTES: usize = PREFIX_BYTES + 1;

/// The body of a call, read up to the beginning of a message or into it.
pub(super) struct Messages {
    body: Incoming,
    /// Read and not used yet.
    left: Bytes,
    head: Vec<u8>,
}

/// The beginning of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// The flag of compressed messages.
    pub(super) is_compressed: bool,
    /// Its first byte.
    pub(super) first: u8,
    length: usize,
}

impl Messages {
    pub(super) fn new(body: Incoming) -> Self {
        Self {
            body,
            left: Bytes::new(),
            head: Vec::with_capacity(HEAD_BYTES),
        }
    }

    /// Waits for the next message; `None` after the last one. May be given up and asked again.
    pub(super) async fn head(&mut self) -> Result<Option<Head>, ReadError> {
        loop {
            let missing = HEAD_BYTES - self.head.len();
            let now = self.left.split_to(missing.min(self.left.len()));
            self.head.extend_from_slice(&now);
            if let [flag, a, b, c, d, first] = *self.head.as_slice() {
                let length = u32::from_be_bytes([a, b, c, d]) as usize;
                return match (flag, length) {
                    (0 | 1, 1..) => Ok(Some(Head {
                        is_compressed: flag == 1,
                        first,
                        length,
                    })),
                    _ => Err(broken("the prefix of a message is wrong")),
                };
            }
            if !self.more().await? {
                return if self.head.is_empty() {
                    Ok(None)
                } else {
                    Err(broken("the call ended within a message"))
                };
            }
        }
    }

    /// Reads on; false at the end.
    async fn more(&mut self) -> Result<bool, ReadError> {
        while let Some(frame) = self.body.frame().await {
            let frame = frame.map_err(|error| ReadError::Broken(error.to_string()))?;
            if let Ok(data) = frame.into_data()
                && !data.is_empty()
            {
                self.left = data;
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn broken(problem: &str) -> ReadError {
    ReadError::Broken(problem.to_owned())
}

impl Intake {
    /// Reads the message that begins with `head` within every limit.
    pub(super) async fn read_message(
        &self,
        messages: &mut Messages,
        head: Head,
        limits: &Limits,
    ) -> Result<Plain, ReadError> {
        // A frame of a session grows as compressed bodies do.
        let mut plain = self.admit(Some(head.length), Coding::Zstd, limits).await?;
        let read = async {
            messages.head.clear();
            self.append(&mut plain, &[head.first], head.length, limits)?;
            while plain.bytes().len() < head.length {
                if messages.left.is_empty() && !messages.more().await? {
                    return Err(broken("the call ended within a message"));
                }
                let missing = head.length - plain.bytes().len();
                let now = messages.left.len().min(missing);
                let now = messages.left.split_to(now);
                self.append(&mut plain, &now, head.length, limits)?;
            }
            Ok(())
        };
        let outcome = timeout(limits.body, read).await;
        outcome.unwrap_or(Err(ReadError::TimedOut(limits.body)))?;
        Ok(plain)
    }
}
