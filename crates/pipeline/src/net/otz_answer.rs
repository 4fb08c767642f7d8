//! The answer to one frame of an `otz1` stream, which says that it was rebuilt, and what became of the request.
//!
//! ```text
//! message Answer {
//!   google.rpc.Status status = 1;  // absent: OK
//!   bytes response = 2;            // Export...ServiceResponse of the request's signal, where it is OK
//! }
//! ```
use bytes::Bytes;
use millrace_wire::field::{Fields, push_delimited};
use millrace_wire::{PartialSuccess, Signal, Status, decode_response, encode_response};

use super::grpc::{self, PREFIX_BYTES};

const STATUS: u32 = 1;
const RESPONSE: u32 = 2;

/// What became of a request.
type Outcome = Result<Option<PartialSuccess>, Status>;

/// The answer as a gRPC message, its prefix included.
pub(crate) fn write(signal: Signal, outcome: Outcome) -> Bytes {
    let mut message = vec![0; PREFIX_BYTES];
    match outcome {
        Ok(None) => {}
        Ok(partial) => {
            let response = encode_response(signal, partial.as_ref());
            push_delimited(&mut message, RESPONSE, &response);
        }
        Err(status) => push_delimited(&mut message, STATUS, &status.encode()),
    }
    let length = u32::try_from(message.len() - PREFIX_BYTES).unwrap_or(u32::MAX);
    if let Some(prefix) = message.first_chunk_mut() {
        *prefix = grpc::prefix(false, length);
    }
    Bytes::from(message)
}

/// Reads what [`write`] has written, without the prefix.
pub(crate) fn read(signal: Signal, message: &[u8]) -> Result<Outcome, String> {
    let mut response = None;
    let mut length = 0;
    for field in Fields::new(message) {
        length += field.bytes.len();
        let content = field.value.delimited();
        match field.number {
            STATUS => {
                let status = Status::decode(content);
                return Ok(Err(status.map_err(|error| error.to_string())?));
            }
            RESPONSE => response = Some(content),
            _ => {}
        }
    }
    if length != message.len() {
        return Err("it is cut off".to_owned());
    }
    let partial = response.map(|response| decode_response(signal, response));
    match partial.transpose() {
        Ok(partial) => Ok(Ok(partial.flatten())),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_as_it_was_written() {
        let partial = PartialSuccess {
            rejected: 3,
            message: "ids of zeros".to_owned(),
        };
        let status = Status {
            code: 14,
            message: "later".to_owned(),
            retry_delay: Some(std::time::Duration::from_secs(2)),
            bad_request: None,
        };
        for outcome in [Ok(None), Ok(Some(partial)), Err(status)] {
            let written = write(Signal::Logs, outcome.clone());
            assert_eq!(grpc::check_frame(&written), Ok(false));
            let read = read(Signal::Logs, written.get(PREFIX_BYTES..).unwrap());
            assert_eq!(read, Ok(outcome));
        }
    }

    #[test]
    fn an_answer_that_is_cut_off_is_not_taken_for_ok() {
        let status = Status {
            code: 14,
            ..Status::default()
        };
        let written = write(Signal::Traces, Err(status));
        let cut = written.get(PREFIX_BYTES..written.len() - 1).unwrap();
        assert!(read(Signal::Traces, cut).is_err());
    }
}
