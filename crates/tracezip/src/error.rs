//! Why a frame was not taken, or a request not made one.

use std::fmt;

/// A frame that cannot be read. After any of these but the first three the session is of no use any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The bytes do not begin like a frame.
    NoFrame,
    /// The frame belongs to another session.
    OtherSession,
    /// The frame is not the next of the session: one was lost, doubled or overtaken.
    OutOfOrder,
    /// The request is longer than the limit of the session.
    TooLong,
    /// The body does not decode, or not to what the header says.
    Damaged,
    /// An earlier frame was damaged.
    Broken,
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NoFrame => "expected a tracezip frame, got other bytes",
            Self::OtherSession => "the frame belongs to a session that is not known here; send the request again in a new one",
            Self::OutOfOrder => "the frame is not the next of its session: one was lost, doubled or overtaken; send the request again in a new session",
            Self::TooLong => "the request is longer than the limit of the session; send smaller requests",
            Self::Damaged => "the frame does not decode to the request that its header describes; send the request again in a new session",
            Self::Broken => "an earlier frame of the session was damaged; send the request again in a new session",
        })
    }
}

impl std::error::Error for Error {}
