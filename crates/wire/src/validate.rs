//! The one pass over untrusted bytes: are they an OTLP request, how many items has it, how many break the data model.

pub(crate) mod broken;
mod generic;
mod log;
pub(crate) mod metric;
mod place;
pub(crate) mod profile;
pub(crate) mod span;
pub(crate) mod value;
mod wire;

use broken::Broken;
use wire::{Checked, delimited, tag};

use crate::envelope::Envelope;
use crate::schema::Message;
use crate::{Error, Signal};

/// What a request holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Spans, data points, log records or profiles, as they stand in the bytes.
    pub items: usize,
    /// How many of them break a rule of the data model, so that nobody downstream could use them.
    pub invalid: usize,
}

impl Summary {
    #[inline]
    fn count(&mut self, broken: Option<Broken>) {
        self.items += 1;
        self.invalid += usize::from(broken.is_some());
    }
}

/// Checks that untrusted bytes are an Export request of this signal, and counts what it holds.
///
/// The encoding is checked to the last byte, unknown fields included. A known field with a wrong wire type is an error, as
/// it is to most peers downstream; values may nest 128 levels deep. Time is linear in the
/// length and nothing is allocated.
pub fn validate(signal: Signal, request: &[u8]) -> Result<Summary, Error> {
    let mut pass = Pass {
        signal,
        envelope: Envelope::of(signal),
        summary: Summary::default(),
    };
    match pass.request(request) {
        Ok(()) if signal == Signal::Profiles => Ok(profile::summary(request)),
        Ok(()) => Ok(pass.summary),
        Err(flaw) => {
            let offset = flaw.address - request.as_ptr() as usize;
            let (message, field) = place::find(pass.envelope.request, request, offset);
            Err(Error::new(flaw.fault, offset).within(message, field))
        }
    }
}

/// The signal whose request untrusted bytes are, if that can be told: the only one with items that all obey its data model;
/// failing that, the only one whose items these can be at all.
#[must_use]
pub fn detect(request: &[u8]) -> Option<Signal> {
    let mut found: Vec<_> = Signal::ALL
        .into_iter()
        .filter_map(|signal| Some((signal, validate(signal, request).ok()?)))
        .filter(|(_, summary)| summary.items > 0)
        .collect();
    if found.iter().any(|(_, summary)| summary.invalid == 0) {
        found.retain(|(_, summary)| summary.invalid == 0);
    }
    match found.as_slice() {
        [(signal, _)] => Some(*signal),
        _ => None,
    }
}

/// Checks that untrusted bytes are a message of this schema: [`validate`] for what a server answers.
pub(crate) fn validate_message(message: &'static Message, bytes: &[u8]) -> Result<(), Error> {
    generic::message(message, bytes).map_err(|flaw| {
        let offset = flaw.address - bytes.as_ptr() as usize;
        let (message, field) = place::find(message, bytes, offset);
        Error::new(flaw.fault, offset).within(message, field)
    })
}

struct Pass {
    signal: Signal,
    envelope: Envelope,
    summary: Summary,
}

impl Pass {
    fn request(&mut self, bytes: &[u8]) -> Checked<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let (tag, after) = tag(rest)?;
            rest = if tag == Envelope::RESOURCES {
                let (resource, rest) = delimited(after)?;
                self.resource(resource)?;
                rest
            } else {
                generic::field(self.envelope.request, tag, after, rest)?
            };
        }
        Ok(())
    }

    fn resource(&mut self, bytes: &[u8]) -> Checked<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let (tag, after) = tag(rest)?;
            rest = if tag == Envelope::SCOPES {
                let (scope, rest) = delimited(after)?;
                self.scope(scope)?;
                rest
            } else {
                generic::field(self.envelope.resource, tag, after, rest)?
            };
        }
        Ok(())
    }

    fn scope(&mut self, bytes: &[u8]) -> Checked<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let (tag, after) = tag(rest)?;
            rest = if tag == Envelope::ITEMS {
                let (item, rest) = delimited(after)?;
                self.item(item)?;
                rest
            } else {
                generic::field(self.envelope.scope, tag, after, rest)?
            };
        }
        Ok(())
    }

    #[inline]
    fn item(&mut self, bytes: &[u8]) -> Checked<()> {
        match self.signal {
            Signal::Traces => self.summary.count(span::span(bytes)?),
            Signal::Metrics => metric::metric(bytes, &mut self.summary)?,
            Signal::Logs => {
                log::log_record(bytes)?;
                self.summary.count(None);
            }
            // Counted by `profile::summary`, once the dictionary, which may come last, is known to be well formed.
            Signal::Profiles => generic::message(&crate::schema::PROFILE, bytes)?,
        }
        Ok(())
    }
}
