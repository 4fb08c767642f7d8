//! What a recorded span holds until it ends, and the events and links in it.
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::parent::kept_state;
use super::{SpanIds, Tracer};
use crate::attributes::Attributes;
use crate::recycled;

/// What can change until the span ends.
pub(super) struct State {
    pub(super) name: Py<PyString>,
    pub(super) end: Option<u64>,
    pub(super) attributes: Attributes,
    pub(super) status_code: u8,
    pub(super) status_description: Option<Py<PyString>>,
    /// Most spans have neither events nor links.
    pub(super) extra: Option<Box<Extra>>,
}

#[derive(Default)]
pub(super) struct Extra {
    pub(super) events: Vec<Event>,
    pub(super) dropped_events: u32,
    pub(super) links: Vec<Link>,
    pub(super) dropped_links: u32,
}

pub(super) struct Event {
    pub(super) name: Py<PyString>,
    pub(super) time: u64,
    pub(super) attributes: Attributes,
}

pub(super) struct Link {
    pub(super) context: Py<PyAny>,
    pub(super) ids: SpanIds,
    pub(super) is_remote: bool,
    pub(super) trace_state: Option<Py<PyAny>>,
    pub(super) attributes: Attributes,
}

/// What an ended span consists of, taken out of its lock to be written: reading it may call Python.
pub(super) struct Content<'py> {
    pub(super) name: Bound<'py, PyString>,
    pub(super) attributes: Attributes,
    pub(super) extra: Option<Box<Extra>>,
    pub(super) status_code: u8,
    pub(super) status_description: Option<Bound<'py, PyString>>,
}

impl State {
    #[inline]
    pub(super) fn take<'py>(&mut self, py: Python<'py>) -> Content<'py> {
        Content {
            name: self.name.bind(py).clone(),
            attributes: std::mem::take(&mut self.attributes),
            extra: self.extra.take(),
            status_code: self.status_code,
            status_description: self
                .status_description
                .as_ref()
                .map(|text| text.bind(py).clone()),
        }
    }

    /// Lets go of all that it refers to, where it lies.
    ///
    /// # Safety
    ///
    /// It is called once, and nobody uses or drops the state afterwards.
    #[expect(unsafe_code, reason = "as in `recycled`")]
    #[inline]
    pub(super) unsafe fn release(&mut self, py: Python<'_>) {
        // SAFETY: as the caller says.
        unsafe {
            recycled::let_go(py, &self.name);
        }
        self.attributes.release(py);
        if let Some(description) = self.status_description.take() {
            description.drop_ref(py);
        }
        if let Some(extra) = self.extra.take() {
            extra.release(py);
        }
    }

    /// Puts back what was taken, for those who read the span.
    pub(super) fn restore(&mut self, content: Content<'_>) {
        self.attributes = content.attributes;
        self.extra = content.extra;
    }

    pub(super) fn extra(&mut self) -> &mut Extra {
        self.extra.get_or_insert_default()
    }
}

impl Extra {
    /// Adds a link, or counts it; what did not fit is returned.
    pub(super) fn add_link(&mut self, link: Link, limit: usize) -> Option<Link> {
        if self.links.len() < limit {
            self.links.push(link);
            return None;
        }
        self.dropped_links += 1;
        Some(link)
    }

    #[cold]
    fn release(self, py: Python<'_>) {
        for event in self.events {
            event.release(py);
        }
        for link in self.links {
            link.release(py);
        }
    }
}

impl Event {
    pub(super) fn release(mut self, py: Python<'_>) {
        self.name.drop_ref(py);
        self.attributes.release(py);
    }
}

impl Link {
    fn release(mut self, py: Python<'_>) {
        self.context.drop_ref(py);
        if let Some(state) = self.trace_state {
            state.drop_ref(py);
        }
        self.attributes.release(py);
    }
}

impl Content<'_> {
    /// Lets go of all that it refers to.
    #[inline]
    pub(super) fn release(mut self, py: Python<'_>) {
        self.attributes.release(py);
        if let Some(extra) = self.extra {
            extra.release(py);
        }
    }
}

/// A link that is worth keeping: one to a span, or at least with something to say.
pub(super) fn accepted_link(
    context: &Bound<'_, PyAny>,
    attributes: &Bound<'_, PyAny>,
    tracer: &Bound<'_, Tracer>,
) -> PyResult<Option<Link>> {
    if context.is_none() {
        return Ok(None);
    }
    let state = kept_state(&context.getattr("trace_state")?)?;
    let ids = SpanIds::from_span_context(context)?;
    if ids.is_none() && state.is_none() && !attributes.is_truthy()? {
        return Ok(None);
    }
    let limits = &tracer.get().recorder.get().limits.link_attributes;
    Ok(Some(Link {
        context: context.clone().unbind(),
        ids: ids.unwrap_or_default(),
        is_remote: context.getattr("is_remote")?.is_truthy()?,
        trace_state: match state {
            Some(state) if state.bind(context.py()).is_instance_of::<PyString>() => Some(state),
            Some(state) => Some(state.bind(context.py()).call_method0("to_header")?.unbind()),
            None => None,
        },
        attributes: Attributes::from_mapping(
            Some(attributes).filter(|given| !given.is_none()),
            limits,
        )?,
    }))
}
