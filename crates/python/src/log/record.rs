//! A log record that is complete: read off what the API takes, and written in its final bytes.
use millrace_recorder::{Buffer, Scope};
use millrace_wire::encode::LogEncoder;
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::severity;
use crate::attributes::{AttributeLimits, Attributes};
use crate::clean::{self, ValueLimits};
use crate::clock::now_unix_nano;
use crate::trace::SpanIds;
use crate::value::EncodedObject;
use crate::{complaint, scratch, text};

/// Everything that is written of a record.
pub(super) struct Record<'py> {
    /// 0 where it is not known.
    pub(super) time: u64,
    pub(super) observed_time: u64,
    pub(super) severity_number: i32,
    pub(super) severity_text: Option<Bound<'py, PyString>>,
    /// A value that `clean` has accepted.
    pub(super) body: Option<Bound<'py, PyAny>>,
    pub(super) attributes: Attributes,
    /// Attributes that were dropped before, where somebody else has applied the limits.
    pub(super) dropped: u32,
    pub(super) event_name: Option<Bound<'py, PyString>>,
    pub(super) correlation: Correlation,
}

/// What happened at the same time.
pub(super) enum Correlation {
    Nothing,
    Trace([u8; 16], u8),
    Span(SpanIds),
}

impl From<Option<SpanIds>> for Correlation {
    fn from(ids: Option<SpanIds>) -> Self {
        ids.map_or(Self::Nothing, Self::Span)
    }
}

impl<'py> Record<'py> {
    /// Reads an API's `LogRecord`, whose exception is not among its attributes unless somebody has put it there.
    pub(super) fn of_api(record: &Bound<'py, PyAny>, limits: &AttributeLimits) -> PyResult<Self> {
        let attributes = record.getattr("attributes")?;
        Ok(Self {
            time: time(&record.getattr("timestamp")?).unwrap_or(0),
            observed_time: time(&record.getattr("observed_timestamp")?)
                .unwrap_or_else(now_unix_nano),
            severity_number: severity::of_object(&record.getattr("severity_number")?),
            severity_text: as_text(&record.getattr("severity_text")?)?,
            body: body(&record.getattr("body")?)?,
            attributes: self::attributes(record.py(), Some(&attributes), limits)?,
            dropped: match attributes.getattr_opt("dropped")? {
                Some(dropped) => dropped.extract().unwrap_or(0),
                None => 0,
            },
            event_name: as_text(&record.getattr("event_name")?)?,
            correlation: Correlation::of_api(record)?,
        })
    }

    /// Writes it and adds it to the buffer.
    #[inline]
    pub(super) fn append(self, py: Python<'_>, buffer: &Buffer, place: &Scope) {
        scratch::append(buffer, place, |out| self.encode(py, out));
        self.release(py);
    }

    /// Lets go of all that it refers to: the handler of `logging` is called directly, where nothing else may do so.
    #[inline]
    pub(super) fn release(mut self, py: Python<'_>) {
        self.attributes.release(py);
    }

    fn encode(&self, py: Python<'_>, out: &mut Vec<u8>) {
        let mut log = LogEncoder::new(out);
        let severity_text = self.severity_text.as_ref().map(text::lossy);
        log.times(self.time, self.observed_time).severity(
            self.severity_number,
            severity_text.as_deref().unwrap_or_default(),
        );
        if let Some(body) = &self.body {
            log.body(&EncodedObject(body));
        }
        self.attributes.each(py, |key, value| {
            log.attribute(key, value);
        });
        let dropped = self.attributes.dropped().saturating_add(self.dropped);
        if dropped > 0 {
            log.dropped_attributes(dropped);
        }
        match &self.correlation {
            Correlation::Nothing => {}
            Correlation::Trace(trace_id, flags) => {
                log.trace(trace_id, u32::from(*flags));
            }
            Correlation::Span(ids) => {
                log.context(&ids.trace_id, &ids.span_id, u32::from(ids.flags));
            }
        }
        if let Some(name) = &self.event_name {
            log.event_name(&text::lossy(name));
        }
    }
}

impl Correlation {
    /// The ids of an API's `LogRecord`; those that are not valid are nothing (conformance D1).
    fn of_api(record: &Bound<'_, PyAny>) -> PyResult<Self> {
        let number = |name: &str| {
            record
                .getattr(name)
                .map(|id| id.extract::<u128>().unwrap_or(0))
        };
        let (trace_id, span_id) = (number("trace_id")?, number("span_id")?);
        let flags = number("trace_flags")? as u8;
        let trace_id = trace_id.to_be_bytes();
        Ok(match u64::try_from(span_id) {
            _ if trace_id == [0; 16] => Self::Nothing,
            Ok(span_id) if span_id != 0 => Self::Span(SpanIds {
                trace_id,
                span_id: span_id.to_be_bytes(),
                flags,
            }),
            _ => Self::Trace(trace_id, flags),
        })
    }
}

/// Attributes that were given, or none where they are no mapping: that does not cost the record.
#[inline]
pub(super) fn attributes(
    py: Python<'_>,
    given: Option<&Bound<'_, PyAny>>,
    limits: &AttributeLimits,
) -> PyResult<Attributes> {
    let given = given.filter(|given| !given.is_none());
    let attributes = Attributes::from_mapping(given, limits);
    complaint::settle(py, attributes, Attributes::default)
}

/// A time in nanoseconds since 1970; `None` where there is none, or none that can be written.
#[inline]
pub(super) fn time(time: &Bound<'_, PyAny>) -> Option<u64> {
    time.extract().ok()
}

/// A text, or the text of something else; `None` stays `None`.
#[inline]
pub(super) fn as_text<'py>(text: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyString>>> {
    match text.cast::<PyString>() {
        Ok(text) => Ok(Some(text.clone())),
        Err(_) if text.is_none() => Ok(None),
        Err(_) => complaint::settle(text.py(), text.str().map(Some), || None),
    }
}

/// A body: any value. Limits are for attributes (specification: `LogRecord` limits).
#[inline]
pub(super) fn body<'py>(body: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
    if body.is_none() {
        return Ok(None);
    }
    clean::value(body, &ValueLimits::default()).map(Some)
}
