//! `google.rpc.Status`, the body of every OTLP error, with the two details that OTLP uses.

use std::time::Duration;

use jiter::{JsonObject, JsonValue};

use crate::Error;
use crate::field::{Fields, children, push_delimited, push_varint};
use crate::json;
use crate::response::cut;
use crate::schema;
use crate::validate::validate_message;

const CODE: u32 = 1;
const MESSAGE: u32 = 2;
const DETAILS: u32 = 3;
/// `google.protobuf.Any`
const TYPE_URL: u32 = 1;
const VALUE: u32 = 2;
/// `google.rpc.BadRequest` and its `FieldViolation`
const FIELD_VIOLATIONS: u32 = 1;
const DESCRIPTION: u32 = 2;
/// `google.rpc.RetryInfo` and `google.protobuf.Duration`
const RETRY_DELAY: u32 = 1;
const SECONDS: u32 = 1;
const NANOS: u32 = 2;

/// The longest `google.protobuf.Duration`, about ten thousand years.
const MAX_SECONDS: u64 = 315_576_000_000;

const BAD_REQUEST: &str = "type.googleapis.com/google.rpc.BadRequest";
const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";

/// An error as OTLP sends it over gRPC and HTTP.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// The number of a `google.rpc.Code`; HTTP senders may leave it 0.
    pub code: i32,
    /// What is wrong, for a human.
    pub message: String,
    /// `RetryInfo`: how long to wait before sending the request again. `None` means that there was no such detail.
    pub retry_delay: Option<Duration>,
    /// `BadRequest`: what is wrong with the data, which must not be sent again.
    pub bad_request: Option<String>,
}

impl Status {
    /// The status in protobuf. Texts longer than 64 KiB are cut (C7).
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if self.code != 0 {
            // Negative numbers are sign-extended to 64 bits, as every int32 is.
            push_varint(&mut out, CODE, i64::from(self.code).cast_unsigned());
        }
        if !self.message.is_empty() {
            push_delimited(&mut out, MESSAGE, cut(&self.message).as_bytes());
        }
        if let Some(description) = &self.bad_request {
            let mut violation = Vec::new();
            push_delimited(&mut violation, DESCRIPTION, cut(description).as_bytes());
            let mut detail = Vec::new();
            push_delimited(&mut detail, FIELD_VIOLATIONS, &violation);
            push_detail(&mut out, BAD_REQUEST, &detail);
        }
        if let Some(delay) = self.retry_delay {
            let mut duration = Vec::new();
            if delay.as_secs() != 0 {
                push_varint(&mut duration, SECONDS, delay.as_secs().min(MAX_SECONDS));
            }
            if delay.subsec_nanos() != 0 {
                push_varint(&mut duration, NANOS, delay.subsec_nanos().into());
            }
            let mut detail = Vec::new();
            push_delimited(&mut detail, RETRY_DELAY, &duration);
            push_detail(&mut out, RETRY_INFO, &detail);
        }
        out
    }

    /// Reads a status in protobuf. Details of other kinds, and details that cannot be read, are passed over.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        validate_message(&schema::RPC_STATUS, bytes)?;
        let mut status = Self::default();
        for field in Fields::new(bytes) {
            match field.number {
                CODE => status.code = field.value.bits() as i32,
                MESSAGE => status.message = text(field.value.delimited()),
                DETAILS => status.read_detail(field.value.delimited()),
                _ => {}
            }
        }
        Ok(status)
    }

    fn read_detail(&mut self, any: &[u8]) {
        let Some(name) = children(any, TYPE_URL).last().map(text) else {
            return;
        };
        let value = children(any, VALUE).last().unwrap_or_default();
        match message_name(&name) {
            "google.rpc.BadRequest" if validate_message(&schema::BAD_REQUEST, value).is_ok() => {
                let descriptions = children(value, FIELD_VIOLATIONS)
                    .filter_map(|violation| children(violation, DESCRIPTION).last().map(text));
                self.bad_request = Some(descriptions.collect::<Vec<_>>().join("; "));
            }
            "google.rpc.RetryInfo" if validate_message(&schema::RETRY_INFO, value).is_ok() => {
                // A server that says only that sending again is worth while gives no time to wait.
                let delay = children(value, RETRY_DELAY).last();
                self.retry_delay = Some(delay.map_or(Duration::ZERO, duration));
            }
            _ => {}
        }
    }

    /// The status in JSON, its details in the form of `google.protobuf.Any`: the type beside the fields.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let (code, message) = (self.code, quoted(&self.message));
        let mut details = Vec::new();
        if let Some(description) = &self.bad_request {
            let description = quoted(description);
            details.push(format!(
                r#"{{"@type":"{BAD_REQUEST}","fieldViolations":[{{"description":{description}}}]}}"#
            ));
        }
        if let Some(delay) = self.retry_delay {
            let delay = duration_to_text(delay);
            details.push(format!(
                r#"{{"@type":"{RETRY_INFO}","retryDelay":"{delay}"}}"#
            ));
        }
        let details = match details.join(",") {
            none if none.is_empty() => none,
            some => format!(r#","details":[{some}]"#),
        };
        format!(r#"{{"code":{code},"message":{message}{details}}}"#).into_bytes()
    }

    /// Reads a status in JSON, as tolerant as [`decode`](Self::decode).
    pub fn from_json(json: &[u8]) -> Result<Self, Error> {
        let value = JsonValue::parse(json, false)
            .map_err(|error| Error::json(json::sentence(&error.error_type), error.index))?;
        let JsonValue::Object(object) = value else {
            return Err(Error::json(
                "expected `{`, the beginning of a google.rpc.Status",
                0,
            ));
        };
        let mut status = Self {
            message: string(&object, "message").unwrap_or_default(),
            ..Self::default()
        };
        if let Some(JsonValue::Int(code)) = member(&object, "code") {
            status.code = i32::try_from(*code).unwrap_or_default();
        }
        if let Some(JsonValue::Array(details)) = member(&object, "details") {
            for detail in details.iter() {
                if let JsonValue::Object(detail) = detail {
                    status.read_json_detail(detail);
                }
            }
        }
        Ok(status)
    }

    fn read_json_detail(&mut self, detail: &JsonObject<'_>) {
        match string(detail, "@type").as_deref().map(message_name) {
            Some("google.rpc.BadRequest") => {
                let Some(JsonValue::Array(violations)) = member(detail, "fieldViolations") else {
                    return;
                };
                let descriptions = violations.iter().filter_map(|violation| match violation {
                    JsonValue::Object(violation) => string(violation, "description"),
                    _ => None,
                });
                self.bad_request = Some(descriptions.collect::<Vec<_>>().join("; "));
            }
            Some("google.rpc.RetryInfo") => {
                let delay = string(detail, "retryDelay");
                self.retry_delay = duration_from_text(delay.as_deref().unwrap_or("0s"));
            }
            _ => {}
        }
    }
}

fn push_detail(out: &mut Vec<u8>, type_url: &str, value: &[u8]) {
    let mut any = Vec::new();
    push_delimited(&mut any, TYPE_URL, type_url.as_bytes());
    push_delimited(&mut any, VALUE, value);
    push_delimited(out, DETAILS, &any);
}

/// What follows the last slash of a type URL.
fn message_name(type_url: &str) -> &str {
    type_url.rsplit('/').next().unwrap_or_default()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The last member with this name, as everywhere in OTLP/JSON.
fn member<'o, 'j>(object: &'o JsonObject<'j>, key: &str) -> Option<&'o JsonValue<'j>> {
    object
        .iter()
        .rev()
        .find(|(name, _)| name == key)
        .map(|(_, value)| value)
}

fn string(object: &JsonObject<'_>, key: &str) -> Option<String> {
    match member(object, key) {
        Some(JsonValue::Str(text)) => Some(text.to_string()),
        _ => None,
    }
}

/// A text as a JSON string.
fn quoted(text: &str) -> String {
    let mut out = Vec::new();
    json::push_string(&mut out, cut(text));
    self::text(&out)
}

/// Reads a validated `google.protobuf.Duration`. A negative one, to which a clock that was set back may lead, is zero.
fn duration(bytes: &[u8]) -> Duration {
    let (mut seconds, mut nanos) = (0, 0);
    for field in Fields::new(bytes) {
        match field.number {
            SECONDS => seconds = field.value.bits().cast_signed(),
            NANOS => nanos = (field.value.bits() as u32).cast_signed(),
            _ => {}
        }
    }
    let seconds = u64::try_from(seconds).unwrap_or_default().min(MAX_SECONDS);
    let nanos = u32::try_from(nanos).unwrap_or_default();
    Duration::from_secs(seconds) + Duration::from_nanos(nanos.into())
}

/// A `google.protobuf.Duration` in JSON: seconds with 0, 3, 6 or 9 decimals and an `s`.
fn duration_to_text(duration: Duration) -> String {
    let seconds = duration.as_secs().min(MAX_SECONDS);
    match duration.subsec_nanos() {
        0 => format!("{seconds}s"),
        nanos if nanos % 1_000_000 == 0 => format!("{seconds}.{:03}s", nanos / 1_000_000),
        nanos if nanos % 1_000 == 0 => format!("{seconds}.{:06}s", nanos / 1_000),
        nanos => format!("{seconds}.{nanos:09}s"),
    }
}

/// Reads what [`duration_to_text`] writes, with any number of decimals up to nine.
fn duration_from_text(text: &str) -> Option<Duration> {
    let number = text.strip_suffix('s')?;
    let (negative, number) = match number.strip_prefix('-') {
        Some(number) => (true, number),
        None => (false, number),
    };
    let (seconds, decimals) = number.split_once('.').unwrap_or((number, "0"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
    if !is_number(seconds) || !is_number(decimals) || decimals.len() > 9 {
        return None;
    }
    let seconds = seconds.parse().ok().filter(|it| *it <= MAX_SECONDS)?;
    let nanos = format!("{decimals:0<9}").parse().ok()?;
    Some(if negative {
        Duration::ZERO
    } else {
        Duration::new(seconds, nanos)
    })
}
