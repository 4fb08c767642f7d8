//! The body of every answer: one piece of data, then trailers where gRPC wants them; or one turn of a conversation after
//! the other.
use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

/// Data, then trailers, each at most once; or the turns of a conversation.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    data: Option<Bytes>,
    trailers: Option<HeaderMap>,
    turn: Option<Turn>,
}

/// What is said next in a conversation, and the turn after it; it goes on only while somebody listens.
pub(crate) struct Turn(pub(crate) NextTurn);

type NextTurn = Pin<Box<dyn Future<Output = (Frame<Bytes>, Option<Turn>)> + Send>>;

impl fmt::Debug for Turn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Turn")
    }
}

impl Reply {
    /// A body of known length.
    pub(crate) fn data(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self {
            data: (!bytes.is_empty()).then_some(bytes),
            ..Self::default()
        }
    }

    /// A gRPC message and its status.
    pub(crate) fn with_trailers(bytes: Bytes, trailers: HeaderMap) -> Self {
        Self {
            data: Some(bytes),
            trailers: Some(trailers),
            turn: None,
        }
    }

    /// A conversation from its first turn on.
    pub(crate) fn conversation(first: Turn) -> Self {
        Self {
            turn: Some(first),
            ..Self::default()
        }
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(turn) = &mut self.turn {
            let (frame, next) = ready!(turn.0.as_mut().poll(context));
            self.turn = next;
            return Poll::Ready(Some(Ok(frame)));
        }
        let frame = self
            .data
            .take()
            .map(Frame::data)
            .or_else(|| self.trailers.take().map(Frame::trailers));
        Poll::Ready(frame.map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_none() && self.trailers.is_none() && self.turn.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        if self.trailers.is_some() || self.turn.is_some() {
            return SizeHint::default();
        }
        SizeHint::with_exact(self.data.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}
