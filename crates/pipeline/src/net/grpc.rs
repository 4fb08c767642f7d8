//! gRPC over HTTP/2, both sides: message framing, status headers, deadlines.
use std::time::Duration;

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use http::{HeaderMap, HeaderValue};
use millrace_wire::Status;

/// Bytes before each message: the compressed flag and the length, 4 bytes big-endian.
pub const PREFIX_BYTES: usize = 5;

/// The service for frames of `otz1` sessions, one session in each call.
pub const SESSIONS_PATH: &str = "/millrace.tracezip.v1.Sessions/Exchange";

/// `-bin` metadata is written without padding and read either way, as the protocol asks.
const BINARY: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Longest message and details that are put into headers; peers refuse header blocks beyond 8 to 16 KiB.
const STATUS_TEXT_MAX: usize = 1024;
const STATUS_DETAILS_MAX: usize = 4096;

/// The status codes of gRPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i32)]
#[allow(missing_docs, reason = "the names are the specification's")]
pub enum Code {
    Ok = 0,
    Cancelled = 1,
    Unknown = 2,
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    AlreadyExists = 6,
    PermissionDenied = 7,
    ResourceExhausted = 8,
    FailedPrecondition = 9,
    Aborted = 10,
    OutOfRange = 11,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
    DataLoss = 15,
    Unauthenticated = 16,
}

impl Code {
    /// Every code, in order.
    pub const ALL: [Self; 17] = [
        Self::Ok,
        Self::Cancelled,
        Self::Unknown,
        Self::InvalidArgument,
        Self::DeadlineExceeded,
        Self::NotFound,
        Self::AlreadyExists,
        Self::PermissionDenied,
        Self::ResourceExhausted,
        Self::FailedPrecondition,
        Self::Aborted,
        Self::OutOfRange,
        Self::Unimplemented,
        Self::Internal,
        Self::Unavailable,
        Self::DataLoss,
        Self::Unauthenticated,
    ];

    /// The code of a number; numbers from the future are `Unknown`, as the specification says.
    #[must_use]
    pub fn from_number(number: i32) -> Self {
        usize::try_from(number)
            .ok()
            .and_then(|index| Self::ALL.get(index))
            .copied()
            .unwrap_or(Self::Unknown)
    }

    /// The code of an HTTP answer that carries no gRPC status, by the table of the specification
    /// (`http-grpc-status-mapping.md`): a proxy answered, not the server.
    #[must_use]
    pub fn from_http(status: http::StatusCode) -> Self {
        match status.as_u16() {
            400 => Self::Internal,
            401 => Self::Unauthenticated,
            403 => Self::PermissionDenied,
            404 => Self::Unimplemented,
            429 | 502 | 503 | 504 => Self::Unavailable,
            _ => Self::Unknown,
        }
    }

    /// The name in the specification.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Cancelled => "CANCELLED",
            Self::Unknown => "UNKNOWN",
            Self::InvalidArgument => "INVALID_ARGUMENT",
            Self::DeadlineExceeded => "DEADLINE_EXCEEDED",
            Self::NotFound => "NOT_FOUND",
            Self::AlreadyExists => "ALREADY_EXISTS",
            Self::PermissionDenied => "PERMISSION_DENIED",
            Self::ResourceExhausted => "RESOURCE_EXHAUSTED",
            Self::FailedPrecondition => "FAILED_PRECONDITION",
            Self::Aborted => "ABORTED",
            Self::OutOfRange => "OUT_OF_RANGE",
            Self::Unimplemented => "UNIMPLEMENTED",
            Self::Internal => "INTERNAL",
            Self::Unavailable => "UNAVAILABLE",
            Self::DataLoss => "DATA_LOSS",
            Self::Unauthenticated => "UNAUTHENTICATED",
        }
    }
}

/// The prefix of a message of `length` bytes.
#[must_use]
pub fn prefix(compressed: bool, length: u32) -> [u8; PREFIX_BYTES] {
    let [a, b, c, d] = length.to_be_bytes();
    [u8::from(compressed), a, b, c, d]
}

/// Checks that `body` is exactly one message, prefix included, and tells whether it is compressed.
///
/// The declared length is only compared, never believed (G7).
pub fn check_frame(body: &[u8]) -> Result<bool, String> {
    let Some(([flag, a, b, c, d], message)) = body.split_first_chunk::<PREFIX_BYTES>() else {
        return Err(format!(
            "expected a message with its prefix of {PREFIX_BYTES} bytes, got {} bytes",
            body.len()
        ));
    };
    let declared = u32::from_be_bytes([*a, *b, *c, *d]);
    if usize::try_from(declared) != Ok(message.len()) {
        let got = message.len();
        return Err(format!(
            "expected one message of {declared} bytes as its prefix declares, got {got} bytes"
        ));
    }
    match flag {
        0 => Ok(false),
        1 => Ok(true),
        other => Err(format!(
            "expected the compressed flag of the message to be 0 or 1, got {other}"
        )),
    }
}

/// Writes `grpc-status`, `grpc-message` and, where the status has details, `grpc-status-details-bin`.
pub fn write_status(headers: &mut HeaderMap, status: &Status) {
    headers.insert("grpc-status", HeaderValue::from(status.code));
    if !status.message.is_empty()
        && let Ok(value) = HeaderValue::from_str(&percent_encode(&status.message))
    {
        headers.insert("grpc-message", value);
    }
    if status.retry_delay.is_none() && status.bad_request.is_none() {
        return;
    }
    let details = status.encode();
    if details.len() <= STATUS_DETAILS_MAX
        && let Ok(value) = HeaderValue::from_str(&BINARY.encode(details))
    {
        headers.insert("grpc-status-details-bin", value);
    }
}

/// Reads a status from trailers (or from the headers of a call without messages); `None` where there is none.
#[must_use]
pub fn read_status(headers: &HeaderMap) -> Option<Status> {
    let code = headers
        .get("grpc-status")?
        .to_str()
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(Code::Unknown as i32);
    let message = headers
        .get("grpc-message")
        .map(|text| percent_decode(text.as_bytes()))
        .unwrap_or_default();
    let details = headers
        .get("grpc-status-details-bin")
        .and_then(|value| BINARY.decode(value.as_bytes()).ok())
        .and_then(|bytes| Status::decode(&bytes).ok());
    let (retry_delay, bad_request) = details.map_or((None, None), |details| {
        (details.retry_delay, details.bad_request)
    });
    Some(Status {
        code,
        message,
        retry_delay,
        bad_request,
    })
}

/// The time that the client gives the call; `None` without the header or with one that cannot be read.
#[must_use]
pub fn timeout_of(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let amount: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(amount * 3600)),
        "M" => Some(Duration::from_secs(amount * 60)),
        "S" => Some(Duration::from_secs(amount)),
        "m" => Some(Duration::from_millis(amount)),
        "u" => Some(Duration::from_micros(amount)),
        "n" => Some(Duration::from_nanos(amount)),
        _ => None,
    }
}

/// The value of `grpc-timeout`: at most eight digits, in the finest unit that they allow.
#[must_use]
pub fn timeout_header(timeout: Duration) -> HeaderValue {
    const EIGHT_DIGITS: u128 = 99_999_999;
    let text = if timeout.as_millis() <= EIGHT_DIGITS {
        format!("{}m", timeout.as_millis())
    } else {
        format!("{}S", u128::from(timeout.as_secs()).min(EIGHT_DIGITS))
    };
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("10S"))
}

/// Percent-encodes all but printable ASCII, and the percent sign, up to the length that headers bear.
fn percent_encode(text: &str) -> String {
    const HEX: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F',
    ];
    let mut encoded = String::with_capacity(text.len().min(STATUS_TEXT_MAX));
    for byte in text.bytes() {
        if encoded.len() >= STATUS_TEXT_MAX {
            encoded.push_str("...");
            break;
        }
        if matches!(byte, 0x20..=0x7e) && byte != b'%' {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.extend(
                [byte >> 4, byte & 15]
                    .iter()
                    .filter_map(|&nibble| HEX.get(usize::from(nibble))),
            );
        }
    }
    encoded
}

/// Undoes [`percent_encode`]; what is not a valid escape stays as it is, so that nothing is lost.
fn percent_decode(text: &[u8]) -> String {
    let hex = |byte: u8| char::from(byte).to_digit(16);
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte == b'%'
            && let Some((&[high, low], after)) = after.split_first_chunk::<2>()
            && let (Some(high), Some(low)) = (hex(high), hex(low))
        {
            decoded.push((high * 16 + low) as u8);
            rest = after;
        } else {
            decoded.push(byte);
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: Code, message: &str) -> Status {
        Status {
            code: code as i32,
            message: message.to_owned(),
            retry_delay: None,
            bad_request: None,
        }
    }

    #[test]
    fn a_frame_is_exactly_one_message() {
        assert_eq!(check_frame(&[0, 0, 0, 0, 2, 7, 7]), Ok(false));
        assert_eq!(check_frame(&[1, 0, 0, 0, 0]), Ok(true));
        for bad in [
            &b""[..],
            &[0, 0, 0, 0],
            &[0, 0, 0, 0, 2, 7],
            &[0, 0, 0, 0, 1, 7, 7],
            &[2, 0, 0, 0, 0],
        ] {
            assert!(check_frame(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn g7_a_declared_length_of_4_gib_is_compared_and_not_allocated() {
        let problem = check_frame(&[0, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4, 5]).unwrap_err();
        assert_eq!(
            problem,
            "expected one message of 4294967295 bytes as its prefix declares, got 5 bytes"
        );
    }

    #[test]
    fn a_status_survives_the_trailers_with_every_kind_of_character() {
        let sent = Status {
            retry_delay: Some(Duration::from_millis(2500)),
            bad_request: Some("at byte 7".to_owned()),
            ..status(
                Code::Unavailable,
                "100 % full,\r\nsp\u{e4}ter \u{1f600} bitte",
            )
        };
        let mut headers = HeaderMap::new();
        write_status(&mut headers, &sent);

        assert_eq!(headers["grpc-status"], "14");
        assert_eq!(
            headers["grpc-message"],
            "100 %25 full,%0D%0Asp%C3%A4ter %F0%9F%98%80 bitte"
        );
        let received = read_status(&headers).unwrap();
        assert_eq!(received.message, sent.message);
        assert_eq!(received.retry_delay, sent.retry_delay);
        assert_eq!(received.bad_request, sent.bad_request);
    }

    #[test]
    fn details_are_read_with_and_without_padding() {
        let details = Status {
            retry_delay: Some(Duration::from_secs(1)),
            ..status(Code::Unavailable, "x")
        }
        .encode();
        for engine in [
            base64::engine::general_purpose::STANDARD,
            base64::engine::general_purpose::STANDARD_NO_PAD,
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-status", HeaderValue::from_static("14"));
            headers.insert(
                "grpc-status-details-bin",
                HeaderValue::from_str(&engine.encode(&details)).unwrap(),
            );
            assert_eq!(
                read_status(&headers).unwrap().retry_delay,
                Some(Duration::from_secs(1))
            );
        }
    }

    #[test]
    fn damaged_details_leave_the_status_readable() {
        let mut headers = HeaderMap::new();
        headers.insert("grpc-status", HeaderValue::from_static("14"));
        headers.insert("grpc-status-details-bin", HeaderValue::from_static("!!!"));
        headers.insert("grpc-message", HeaderValue::from_static("50%"));
        let status = read_status(&headers).unwrap();
        assert_eq!(
            (status.code, status.message.as_str(), status.retry_delay),
            (14, "50%", None)
        );
    }

    #[test]
    fn a_long_message_is_cut_before_it_breaks_the_header_block() {
        let mut headers = HeaderMap::new();
        write_status(
            &mut headers,
            &status(Code::InvalidArgument, &"\u{1}".repeat(100_000)),
        );
        assert!(headers["grpc-message"].len() < STATUS_TEXT_MAX + 8);
    }

    #[test]
    fn codes_are_numbered_as_in_the_specification() {
        for (number, code) in (0..).zip(Code::ALL) {
            assert_eq!((code as i32, Code::from_number(number)), (number, code));
        }
        assert_eq!(Code::from_number(17), Code::Unknown);
        assert_eq!(Code::from_number(-1), Code::Unknown);
    }

    #[test]
    fn deadlines_are_read_in_every_unit_and_refused_in_every_wrong_form() {
        let parse = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-timeout", HeaderValue::from_str(text).unwrap());
            timeout_of(&headers)
        };
        assert_eq!(parse("2H"), Some(Duration::from_secs(7200)));
        assert_eq!(parse("3M"), Some(Duration::from_secs(180)));
        assert_eq!(parse("10S"), Some(Duration::from_secs(10)));
        assert_eq!(parse("1500m"), Some(Duration::from_millis(1500)));
        assert_eq!(parse("9u"), Some(Duration::from_micros(9)));
        assert_eq!(parse("99999999n"), Some(Duration::from_nanos(99_999_999)));
        for bad in [
            "",
            "S",
            "123456789S",
            "1",
            "-1S",
            "+1S",
            "1.5S",
            "1 S",
            "1s",
        ] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_deadline_is_written_as_it_will_be_read() {
        for seconds in [0, 5, 99_999, 100_000, 10_000_000] {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-timeout", timeout_header(Duration::from_secs(seconds)));
            assert_eq!(timeout_of(&headers), Some(Duration::from_secs(seconds)));
        }
    }
}
