//! OTLP/JSON in both directions, from the schema table: text to protobuf bytes and back, without a tree in between.

mod assembly;
mod number;
mod read;
mod text;
mod write;

pub(crate) use read::sentence;

use crate::schema::{self, Message};
use crate::{Error, Signal};

/// Translates a request from OTLP/JSON to protobuf bytes that [`validate`](crate::validate()) accepts.
///
/// The input may be anything; what is not OTLP/JSON is an error with its byte. Time is linear in the length of the text,
/// and memory too: the result is at most four times as long, which only arrays of one-digit counts reach. The rules, with
/// the decisions where the specification leaves one open:
///
/// - Keys are lowerCamelCase. Every other key is unknown and passed over with its value, which may nest 200 levels deep.
/// - `traceId`, `spanId` and `parentSpanId` are 32 or 16 hexadecimal digits of either case; `""` is no id. Other bytes are
///   base64 in the standard or the URL-safe alphabet, padded or not. `profileId` may be either.
/// - Enums are integers, as OTLP demands. The name of a value is refused, and the error says which integer to write.
///   Numbers that this version does not know are kept.
/// - Integers may be numbers or strings and keep all their 64 bits; `1.0` and `1e3` are integers, `1.5` is not.
/// - Doubles may be numbers or strings, `"NaN"`, `"Infinity"` and `"-Infinity"` among them.
/// - `null` is the same as an absent field, but no element of an array.
/// - Of a key that occurs twice, and of several arms of a oneof, the last counts, as in most JSON readers; earlier ones are
///   checked and dropped, also those of arrays.
/// - `AnyValue` nests as deep as [`validate`](crate::validate()) allows, 128 levels.
pub fn request_from_json(signal: Signal, json: &[u8]) -> Result<Vec<u8>, Error> {
    from_json(schema::request_schema(signal), json)
}

/// Translates a request that [`validate`](crate::validate()) has accepted to OTLP/JSON, on one line.
///
/// 64-bit integers are strings, enums are integers, ids, those of profiles too, are lower-case hexadecimal, other bytes are base64. Fields come in
/// the order of the bytes. Submessages that occur in pieces are merged and the last value of a scalar counts, as
/// protobuf has it. Unknown protobuf fields have no name and cannot be written; they are left out.
#[must_use]
pub fn json_from_request(signal: Signal, request: &[u8]) -> Vec<u8> {
    to_json(schema::request_schema(signal), request)
}

/// [`request_from_json`] for any message.
pub(crate) fn from_json(message: &'static Message, json: &[u8]) -> Result<Vec<u8>, Error> {
    read::read(message, json)
}

/// [`json_from_request`] for any message.
pub(crate) fn to_json(message: &'static Message, bytes: &[u8]) -> Vec<u8> {
    // Recorded traffic takes two to three times the space.
    let mut out = Vec::with_capacity(bytes.len().saturating_mul(3) + 2);
    write::message(&mut out, message, bytes);
    out
}

/// Appends text as a JSON string.
pub(crate) fn push_string(out: &mut Vec<u8>, text: &str) {
    text::push_string(out, text.as_bytes());
}
