//! The one error type: what is wrong with untrusted bytes, at which byte, in which field.

use std::borrow::Cow;
use std::fmt;

/// Why bytes are not OTLP. It never repeats what the sender wrote, so it is safe in answers and logs.
#[derive(Clone, PartialEq, Eq)]
pub struct Error(Box<Inner>);

#[derive(Clone, PartialEq, Eq)]
struct Inner {
    offset: usize,
    fault: Fault,
    place: Option<Place>,
}

/// The message type and the field that were being read; both come from the schema, never from the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    message: &'static str,
    field: Option<&'static str>,
}

/// Everything that can be wrong with the encoding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The bytes end inside a value that needs this many.
    Truncated { needed: usize, left: usize },
    /// A varint runs on for more than 10 bytes or past 64 bits.
    VarintTooLong,
    /// A field number is 0 or above 2^29-1.
    FieldNumber(u64),
    /// Wire type 6 or 7.
    UnknownWireType(u8),
    /// A known field has another wire type than its type demands.
    WrongWireType { expected: u8, got: u8 },
    /// A length-delimited field declares more bytes than its enclosing message has left.
    Length { declared: u64, left: usize },
    /// A group ends that did not begin, or under another number.
    UnmatchedGroupEnd,
    /// A group begins and its message ends first.
    UnclosedGroup,
    /// A `string` field is not UTF-8.
    Utf8,
    /// Packed elements do not fill their field exactly.
    Packed { width: usize, length: usize },
    /// Values or groups are nested deeper than this many levels.
    TooDeep { limit: usize },
    /// The text is not JSON, or JSON that OTLP does not allow; the sentence says what was expected.
    Json(Cow<'static, str>),
}

impl Error {
    /// A protobuf encoding error at this byte.
    #[cold]
    #[inline(never)]
    pub(crate) fn new(fault: Fault, offset: usize) -> Self {
        Self(Box::new(Inner {
            offset,
            fault,
            place: None,
        }))
    }

    /// A JSON error at this byte; `reason` is a sentence without a full stop that repeats nothing from the input.
    #[cold]
    #[inline(never)]
    pub(crate) fn json(reason: impl Into<Cow<'static, str>>, offset: usize) -> Self {
        Self::new(Fault::Json(reason.into()), offset)
    }

    /// Says where, unless a deeper level has said so already.
    #[cold]
    #[inline(never)]
    #[must_use]
    pub(crate) fn within(mut self, message: &'static str, field: Option<&'static str>) -> Self {
        if self.0.place.is_none() {
            self.0.place = Some(Place { message, field });
        }
        self
    }

    /// The place in the input, in bytes from its start.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.0.offset
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let encoding = if matches!(self.0.fault, Fault::Json(_)) {
            "OTLP/JSON"
        } else {
            "OTLP protobuf"
        };
        write!(formatter, "not valid {encoding} at byte {}", self.0.offset)?;
        match self.0.place {
            Some(Place {
                message,
                field: Some(field),
            }) => write!(formatter, ", in field {field} of {message}")?,
            Some(Place {
                message,
                field: None,
            }) => write!(formatter, ", in {message}")?,
            None => {}
        }
        write!(formatter, ": {}", self.0.fault)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl std::error::Error for Error {}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { needed, left } => {
                write!(
                    formatter,
                    "expected {needed} more bytes, but the enclosing message ends after {left}"
                )
            }
            Self::VarintTooLong => formatter
                .write_str("expected a varint of at most 10 bytes and 64 bits, got a longer one"),
            Self::FieldNumber(number) => {
                write!(
                    formatter,
                    "expected a field number from 1 to 536870911, got {number}"
                )
            }
            Self::UnknownWireType(wire_type) => {
                write!(
                    formatter,
                    "expected a wire type from 0 to 5, got {wire_type}"
                )
            }
            Self::WrongWireType { expected, got } => {
                write!(
                    formatter,
                    "expected wire type {expected} for this field, got {got}"
                )
            }
            Self::Length { declared, left } => {
                write!(
                    formatter,
                    "the field declares {declared} bytes, but the enclosing message has only {left} left"
                )
            }
            Self::UnmatchedGroupEnd => formatter.write_str("a group ends here that did not begin"),
            Self::UnclosedGroup => formatter.write_str("a group begins here that does not end"),
            Self::Utf8 => {
                formatter.write_str("expected UTF-8, as in every protobuf string, got other bytes")
            }
            Self::Packed { width, length } => {
                write!(
                    formatter,
                    "expected packed elements of {width} bytes each, got {length} bytes in all"
                )
            }
            Self::TooDeep { limit } => {
                write!(
                    formatter,
                    "nested deeper than the {limit} levels that are accepted; flatten the value"
                )
            }
            Self::Json(reason) => formatter.write_str(reason),
        }
    }
}
