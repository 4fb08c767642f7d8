//! What a server made of one request, in the same words for HTTP and gRPC.
use std::io;
use std::time::Duration;

/// The fate of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Taken, but for the items that a partial success names.
    Accepted { rejected: u64 },
    /// Not taken, and the server said so.
    Refused {
        /// The HTTP status or the name of the gRPC code.
        code: String,
        /// Whether OTLP lets the client try again.
        retryable: bool,
        retry_after: Option<Duration>,
    },
    /// No answer: it may have been taken or not.
    Failed { reason: String },
}

impl Answer {
    /// The answer of OTLP/HTTP.
    pub(super) fn of_http(status: u16, retry_after: Option<Duration>, rejected: u64) -> Self {
        match status {
            200..=299 => Self::Accepted { rejected },
            _ => Self::Refused {
                code: status.to_string(),
                retryable: matches!(status, 429 | 502 | 503 | 504),
                retry_after,
            },
        }
    }

    /// The answer of OTLP/gRPC.
    pub(super) fn of_grpc(code: u32, rejected: u64) -> Self {
        if code == 0 {
            return Self::Accepted { rejected };
        }
        let name = CODES.get(code as usize).copied();
        Self::Refused {
            code: name.map_or_else(|| format!("code {code}"), str::to_owned),
            // RESOURCE_EXHAUSTED counts as retryable only with RetryInfo; a load generator tries anyhow.
            retryable: matches!(code, 1 | 4 | 8 | 10 | 11 | 14 | 15),
            retry_after: None,
        }
    }

    /// The connection broke or the answer made no sense.
    pub(super) fn of_error(error: &io::Error) -> Self {
        let reason = match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => "timeout".to_owned(),
            io::ErrorKind::Other | io::ErrorKind::InvalidData => error.to_string(),
            kind => kind.to_string(),
        };
        Self::Failed { reason }
    }
}

/// The names of gRPC's status codes, by number.
const CODES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// The items that the partial success of an Export response rejects; 0 for a response without one.
///
/// All four responses are alike: field 1 is the partial success, whose field 1 is the count.
pub(super) fn rejected_items(response: &[u8]) -> u64 {
    use millrace_wire::field::Fields;

    let partial = Fields::new(response).find(|field| field.number == 1);
    let count = partial
        .and_then(|partial| Fields::new(partial.value.delimited()).find(|field| field.number == 1));
    count.map_or(0, |count| count.value.bits())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_status_codes_that_otlp_names_are_retryable() {
        let retryable: Vec<u16> = (300..600)
            .filter(|status| {
                matches!(
                    Answer::of_http(*status, None, 0),
                    Answer::Refused {
                        retryable: true,
                        ..
                    }
                )
            })
            .collect();
        assert_eq!(retryable, [429, 502, 503, 504]);
    }

    #[test]
    fn a_partial_success_is_read_from_the_response() {
        assert_eq!(
            rejected_items(&[0x0a, 0x05, 0x08, 0x07, 0x12, 0x01, b'x']),
            7
        );
        assert_eq!(rejected_items(&[]), 0);
    }
}
