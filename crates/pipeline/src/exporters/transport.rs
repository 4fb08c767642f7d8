//! How one request reaches a destination, and how that can end: what the protocols have in common.
use std::future::Future;
use std::time::Duration;

use millrace_wire::{PartialSuccess, Signal};

use crate::batch::Payload;
use crate::component::Reason;

/// One protocol to one destination. It makes a single attempt: waiting, repeating and splitting are not its work.
pub trait Transport: Send + Sync + 'static {
    /// Sends one request and reads the answer.
    fn send(
        &self,
        signal: Signal,
        request: &Payload,
    ) -> impl Future<Output = Result<Option<PartialSuccess>, Failure>> + Send;
}

/// Why an attempt failed. Messages are sentences without secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The same request may succeed later.
    Retryable {
        /// What happened.
        message: String,
        /// The wait that the destination asked for (`Retry-After`, `RetryInfo`).
        retry_after: Option<Duration>,
        /// Whether the bytes of the request may be the cause.
        content: bool,
    },
    /// It never will (X6).
    Permanent {
        /// The word under which the items are counted.
        reason: Reason,
        /// What happened.
        message: String,
        /// Whether the bytes of the request may be the cause, so that parts of a merged request can differ.
        content: bool,
    },
    /// It is too large for the destination; smaller pieces may pass (X7).
    TooLarge {
        /// What happened.
        message: String,
    },
}

impl Failure {
    /// Nothing is known against trying again at once (X4).
    pub(crate) fn again(message: String) -> Self {
        Self::Retryable {
            message,
            retry_after: None,
            content: false,
        }
    }

    /// The answer cannot be understood, and sending again could double the data (X16).
    pub(crate) fn bad_answer(message: String) -> Self {
        Self::Permanent {
            reason: Reason::BadResponse,
            message,
            content: false,
        }
    }
}

/// Texts from a destination are cut to what a log line bears; the log escapes what is not printable.
pub(crate) fn remark(text: &str) -> String {
    const CHARS_MAX: usize = 200;
    text.chars().take(CHARS_MAX).collect()
}
