//! The answer to an Export request: empty after full success, else what was rejected and why.

use crate::field::{Fields, push_delimited, push_varint};
use crate::json::{from_json, to_json};
use crate::schema;
use crate::validate::validate_message;
use crate::{Error, Signal};

/// Field of every Export response.
const PARTIAL_SUCCESS: u32 = 1;
/// Fields of every partial success, the same numbers for all signals.
const REJECTED: u32 = 1;
const ERROR_MESSAGE: u32 = 2;
/// Longest text that answers carry. In JSON each byte may take six, so no answer comes near the 4 MiB that clients accept
/// (C7).
const TEXT_BYTES: usize = 64 << 10;

/// The request was taken, but not all of it, or not without a warning.
///
/// Zero rejected items with a message is a warning (C6).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartialSuccess {
    /// Spans, data points, log records or profiles that were not taken.
    pub rejected: i64,
    /// Why, in English, for the person who reads the client's log.
    pub message: String,
}

/// The response in protobuf; full success is no bytes at all (C4). A message longer than 64 KiB is cut (C7).
#[must_use]
pub fn encode_response(_signal: Signal, partial: Option<&PartialSuccess>) -> Vec<u8> {
    // To reject nothing and to say nothing is full success.
    let Some(partial) = partial.filter(|partial| **partial != PartialSuccess::default()) else {
        return Vec::new();
    };
    let mut content = Vec::new();
    if partial.rejected != 0 {
        push_varint(&mut content, REJECTED, partial.rejected.cast_unsigned());
    }
    if !partial.message.is_empty() {
        let message = cut(&partial.message);
        push_delimited(&mut content, ERROR_MESSAGE, message.as_bytes());
    }
    let mut out = Vec::new();
    push_delimited(&mut out, PARTIAL_SUCCESS, &content);
    out
}

/// Reads a response in protobuf; a partial success that is present but says nothing is full success.
pub fn decode_response(signal: Signal, bytes: &[u8]) -> Result<Option<PartialSuccess>, Error> {
    validate_message(schema::response_schema(signal), bytes)?;
    let mut partial = PartialSuccess::default();
    // Both loops see repeated occurrences in turn, which is protobuf's rule for merging them.
    for response in Fields::new(bytes).filter(|field| field.number == PARTIAL_SUCCESS) {
        for field in Fields::new(response.value.delimited()) {
            match field.number {
                REJECTED => partial.rejected = field.value.bits().cast_signed(),
                ERROR_MESSAGE => {
                    partial.message = String::from_utf8_lossy(field.value.delimited()).into_owned();
                }
                _ => {}
            }
        }
    }
    Ok((partial != PartialSuccess::default()).then_some(partial))
}

/// The response in JSON; full success is `{}`.
#[must_use]
pub fn response_to_json(signal: Signal, partial: Option<&PartialSuccess>) -> Vec<u8> {
    to_json(
        schema::response_schema(signal),
        &encode_response(signal, partial),
    )
}

/// Reads a response in JSON.
pub fn response_from_json(signal: Signal, json: &[u8]) -> Result<Option<PartialSuccess>, Error> {
    decode_response(signal, &from_json(schema::response_schema(signal), json)?)
}

/// The start of a text, as many whole characters as an answer may carry.
pub(crate) fn cut(text: &str) -> &str {
    (0..=text.len().min(TEXT_BYTES))
        .rev()
        .find_map(|end| text.get(..end))
        .unwrap_or_default()
}
