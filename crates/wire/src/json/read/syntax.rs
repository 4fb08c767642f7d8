//! What is wrong with text that is not JSON, in sentences.

use jiter::{JiterError, JiterErrorType, JsonErrorType as Json, Peek};

use super::Reader;
use crate::Error;

impl Reader<'_> {
    /// The error for a value of another type than the field has; the value has been peeked at, not read.
    #[cold]
    #[inline(never)]
    pub(super) fn unexpected(&self, expected: &str, peek: Peek) -> Error {
        let got = match peek {
            Peek::Null => "null",
            Peek::True | Peek::False => "a boolean",
            Peek::String => "a string",
            Peek::Array => "an array",
            Peek::Object => "an object",
            Peek::NaN | Peek::Infinity => {
                "a bare NaN or Infinity, which JSON does not have; write it in quotes"
            }
            peek if peek.is_num() => "a number",
            _ => "something that begins no JSON value",
        };
        Error::json(
            format!("expected {expected}, got {got}"),
            self.json.current_index(),
        )
    }
}

/// The error of the JSON iterator as ours.
#[cold]
#[inline(never)]
#[expect(clippy::needless_pass_by_value, reason = "the argument of `map_err`")]
pub(super) fn syntax(error: JiterError) -> Error {
    let reason = match error.error_type {
        JiterErrorType::JsonError(ref kind) => sentence(kind),
        JiterErrorType::WrongType { .. } => "expected a value of another type",
    };
    Error::json(reason, error.index)
}

/// What is wrong with text that is no JSON.
pub(crate) fn sentence(kind: &Json) -> &'static str {
    match kind {
        Json::EofWhileParsingList
        | Json::EofWhileParsingObject
        | Json::EofWhileParsingString
        | Json::EofWhileParsingValue => "expected more, got the end of the text",
        Json::ExpectedColon => "expected `:` between a key and its value",
        Json::ExpectedListCommaOrEnd => "expected `,` or `]` after an element",
        Json::ExpectedObjectCommaOrEnd => "expected `,` or `}` after a value",
        Json::ExpectedSomeIdent | Json::ExpectedSomeValue => {
            "expected a value: an object, an array, a string, a number, true, false or null"
        }
        Json::InvalidEscape => "expected an escape that JSON knows after `\\`",
        Json::InvalidNumber | Json::FloatExpectingInt => "expected a number as JSON spells it",
        Json::NumberOutOfRange => "expected a number of usual length, got thousands of digits",
        Json::InvalidUnicodeCodePoint => "expected UTF-8, as JSON must be, got other bytes",
        Json::ControlCharacterWhileParsingString => {
            "expected control characters to be escaped, got one as it is"
        }
        Json::KeyMustBeAString => "expected a key in double quotes",
        Json::LoneLeadingSurrogateInHexEscape | Json::UnexpectedEndOfHexEscape => {
            "expected both halves of a surrogate pair, got one alone"
        }
        Json::TrailingComma => "expected another entry after `,`, got the end of the list",
        Json::TrailingCharacters => "expected the end of the text after the object, got more",
        Json::RecursionLimitExceeded => {
            "nested deeper than the 200 levels that are accepted in a field that OTLP does not know"
        }
        Json::DuplicateKey(_) | Json::InternalError(_) => "expected JSON",
    }
}
