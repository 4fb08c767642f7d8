//! The forms that a file of requests can have, and what stands for one request in each.
use std::path::Path;

use millrace_tracezip::{Decompressor, Header, Limits, Mode};
use millrace_wire::Signal;
use serde::de::{Deserializer as _, IgnoredAny, MapAccess, Visitor};

use super::super::frames::signal_of;

/// Largest request in a file: OTLP's own recommendation for receivers.
pub(super) const REQUEST_BYTES_MAX: usize = 64 << 20;
const LENGTH_BYTES: usize = 4;
/// The first names of the requests of each signal in JSON.
const NAMES: [&str; 4] = [
    "resourceSpans",
    "resourceMetrics",
    "resourceLogs",
    "resourceProfiles",
];

/// How a file is written.
pub(super) enum Form {
    /// JSON, one request in each line.
    Json,
    /// Protobuf after its length in 4 bytes, big-endian.
    Proto,
    /// Frames of tracezip after their length, and the session that they belong to.
    Tracezip(Box<Decompressor>),
}

/// A request, or why there is none; of which signal, if that can be told.
pub(super) type Rebuilt = Result<(Signal, Vec<u8>), (Option<Signal>, String)>;

impl Form {
    /// The form that the ending of a name stands for.
    pub(super) fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "jsonl" | "json" => Some(Self::Json),
            "otlp" => Some(Self::Proto),
            "otz" => Some(Self::Tracezip(Box::new(Decompressor::new(
                Limits::default(),
                0,
            )))),
            _ => None,
        }
    }

    /// How many of these bytes stand for the first request: whole, and without what is around it. `None` if there are too
    /// few of them, an error if they are none at all.
    pub(super) fn measure(
        &self,
        bytes: &[u8],
        searched: usize,
    ) -> Result<Option<(usize, usize)>, String> {
        let (whole, around) = if let Self::Json = self {
            let end = bytes.iter().skip(searched).position(|byte| *byte == b'\n');
            let Some(end) = end.map(|end| searched + end) else {
                return if bytes.len() > REQUEST_BYTES_MAX {
                    Err(format!("a line is longer than {REQUEST_BYTES_MAX} bytes"))
                } else {
                    Ok(None)
                };
            };
            (end + 1, 0)
        } else {
            let Some(length) = bytes.first_chunk::<LENGTH_BYTES>() else {
                return Ok(None);
            };
            let length = u32::from_be_bytes(*length) as usize;
            if length > REQUEST_BYTES_MAX {
                return Err(format!(
                    "a request of {length} bytes is said to follow, more than {REQUEST_BYTES_MAX}"
                ));
            }
            (LENGTH_BYTES + length, LENGTH_BYTES)
        };
        Ok((bytes.len() >= whole).then_some((whole, around)))
    }

    /// The request that such bytes stand for; `None` for an empty line.
    pub(super) fn rebuild(&mut self, bytes: &[u8]) -> Option<Rebuilt> {
        match self {
            Self::Json if bytes.iter().all(u8::is_ascii_whitespace) => None,
            Self::Json => Some(from_json(bytes)),
            Self::Proto if bytes.is_empty() => None,
            Self::Proto => {
                let unknown = "the signal of a request cannot be told from its bytes".to_owned();
                let signal = millrace_wire::detect(bytes);
                Some(
                    signal
                        .map(|signal| (signal, bytes.to_vec()))
                        .ok_or((None, unknown)),
                )
            }
            Self::Tracezip(session) => {
                let signal = bytes.first().copied().and_then(signal_of);
                let request = session
                    .follow(bytes)
                    .map_err(|error| (signal, error.to_string()));
                let named = |request| signal.map(|signal| (signal, request));
                Some(request.and_then(|request| named(request).ok_or((None, String::new()))))
            }
        }
    }

    /// Whether a request can be rebuilt by who has not read those before it.
    pub(super) fn is_beginning(&self, bytes: &[u8]) -> bool {
        match self {
            Self::Json | Self::Proto => true,
            Self::Tracezip(_) => Header::read(bytes)
                .is_ok_and(|(header, _)| header.mode != Mode::Plain && header.sequence == 0),
        }
    }
}

fn from_json(line: &[u8]) -> Rebuilt {
    let Some(signal) = signal_of_json(line) else {
        let problem = format!("a line is no JSON object with one of {}", NAMES.join(", "));
        return Err((None, problem));
    };
    let request = millrace_wire::request_from_json(signal, line);
    request
        .map(|request| (signal, request))
        .map_err(|error| (Some(signal), error.to_string()))
}

/// The signal by the first name of an object that is one of a request.
fn signal_of_json(line: &[u8]) -> Option<Signal> {
    let mut reader = serde_json::Deserializer::from_slice(line);
    reader.deserialize_map(FirstName).ok()?
}

struct FirstName;

impl<'de> Visitor<'de> for FirstName {
    type Value = Option<Signal>;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(name) = map.next_key::<String>()? {
            let known = NAMES.iter().position(|known| *known == name);
            found = found.or_else(|| known.and_then(|index| Signal::ALL.get(index).copied()));
            map.next_value::<IgnoredAny>()?;
        }
        Ok(found)
    }
}
