//! A span that is recorded: what it is told is kept as it comes, and becomes bytes when it ends.
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyString};

use super::SpanIds;
use super::end::end;
use super::parent::Parent;
use super::state::{Event, Extra, State, accepted_link};
use super::tracer::{SpanRequest, Tracer, name_text, time_or_now};
use crate::api::Api;
use crate::attributes::{self, Attributes};
use crate::complaint;
use crate::held::{Guard, Held};
use crate::recycled::{self, Blocks, Recycled};

/// The values of `StatusCode`, which are also those of the wire.
pub(super) const STATUS_UNSET: u8 = 0;
const STATUS_OK: u8 = 1;
const STATUS_ERROR: u8 = 2;

/// What a span does about exceptions, and about the end of its `with` block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options(u8);

impl Options {
    const RECORD_EXCEPTION: u8 = 1;
    const SET_STATUS: u8 = 2;
    const END_ON_EXIT: u8 = 4;
    /// What is done unless somebody says otherwise.
    pub(super) const ALL: Self =
        Self(Self::RECORD_EXCEPTION | Self::SET_STATUS | Self::END_ON_EXIT);

    /// Everything is done unless it is said to be false.
    #[inline]
    pub(crate) fn new(
        record_exception: Option<&Bound<'_, PyAny>>,
        set_status: Option<&Bound<'_, PyAny>>,
        end_on_exit: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let mut options = 0;
        for (given, bit) in [
            (record_exception, Self::RECORD_EXCEPTION),
            (set_status, Self::SET_STATUS),
            (end_on_exit, Self::END_ON_EXIT),
        ] {
            if given.map_or(Ok(true), PyAnyMethods::is_truthy)? {
                options |= bit;
            }
        }
        Ok(Self(options))
    }

    pub(crate) fn ends_on_exit(self) -> bool {
        self.0 & Self::END_ON_EXIT != 0
    }
}

/// A span.
#[pyclass(frozen, weakref, module = "millrace._native")]
pub(crate) struct Span {
    pub(super) tracer: Py<Tracer>,
    pub(super) ids: SpanIds,
    pub(super) parent: Option<Parent>,
    pub(super) trace_state: Option<Py<PyAny>>,
    pub(super) kind: u8,
    pub(super) start: u64,
    options: Options,
    state: Held<State>,
}

/// What was decided about a span before it begins.
pub(crate) struct Begun<'a, 'py> {
    pub(crate) ids: SpanIds,
    pub(crate) parent: Option<Parent>,
    pub(crate) trace_state: Option<Py<PyAny>>,
    pub(crate) kind: u8,
    pub(crate) attributes: Option<&'a Bound<'py, PyAny>>,
}

impl Span {
    /// Begins a span with what it was given.
    #[inline]
    pub(crate) fn begin<'py>(
        tracer: &Bound<'py, Tracer>,
        start: &SpanRequest<'_, 'py>,
        begun: Begun<'_, 'py>,
    ) -> PyResult<Bound<'py, Self>> {
        let py = tracer.py();
        let limits = &tracer.get().recorder.get().limits;
        let name = name_text(start.name)?;
        let given = match begun.attributes {
            Some(given) => Some(Attributes::from_mapping(Some(given), &limits.attributes)?),
            None => None,
        };
        let extra = match start.links {
            Some(links) if !links.is_none() => linked(links, tracer)?,
            _ => None,
        };
        let started = time_or_now(start.start_time);
        let span = recycled::object(py, || Self {
            tracer: tracer.clone().unbind(),
            ids: begun.ids,
            parent: begun.parent,
            trace_state: begun.trace_state,
            kind: begun.kind,
            start: started,
            options: start.options,
            state: Held::new(State {
                name: name.unbind(),
                end: None,
                attributes: Attributes::default(),
                status_code: STATUS_UNSET,
                status_description: None,
                extra,
            }),
        })?;
        if let Some(given) = given {
            span.get().state(py).attributes = given;
        }
        Ok(span)
    }

    pub(crate) fn ids(&self) -> SpanIds {
        self.ids
    }

    #[inline]
    pub(crate) fn as_parent(&self, py: Python<'_>) -> Parent {
        Parent {
            ids: self.ids,
            is_remote: false,
            trace_state: self.trace_state.as_ref().map(|state| state.clone_ref(py)),
        }
    }

    #[inline]
    pub(super) fn state<'a>(&'a self, py: Python<'a>) -> Guard<'a, State> {
        self.state.hold(py)
    }

    /// The state while the span is open; after that a complaint, which upstream makes as well.
    #[expect(clippy::inline_always, reason = "called for every attribute")]
    #[inline(always)]
    pub(super) fn open_state<'a>(
        &'a self,
        py: Python<'a>,
        method: &str,
    ) -> PyResult<Option<Guard<'a, State>>> {
        let state = self.state(py);
        if state.end.is_none() {
            return Ok(Some(state));
        }
        drop(state);
        has_ended(py, method)?;
        Ok(None)
    }

    #[inline]
    fn set_one(&self, key: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = key.py();
        let limits = &self.tracer.get().recorder.get().limits.attributes;
        let accepted = attributes::accept(key, value, limits)?;
        let replaced = match self.open_state(py, "set_attribute")? {
            Some(mut state) => state.attributes.put(py, accepted, limits),
            None => None,
        };
        drop(replaced);
        Ok(())
    }
}

impl Recycled for Span {
    fn blocks() -> &'static Blocks {
        static BLOCKS: Blocks = Blocks::new();
        &BLOCKS
    }

    #[expect(unsafe_code, reason = "as in `recycled`")]
    #[inline]
    unsafe fn release(&mut self, py: Python<'_>) {
        // SAFETY: as the caller says.
        unsafe {
            recycled::let_go(py, &self.tracer);
            self.state.get_mut().release(py);
        }
        let parents = self.parent.take().and_then(|parent| parent.trace_state);
        for state in [parents, self.trace_state.take()].into_iter().flatten() {
            state.drop_ref(py);
        }
    }
}

#[pymethods]
impl Span {
    /// See `opentelemetry.trace.Span.set_attribute`.
    pub(super) fn set_attribute(
        &self,
        key: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        complaint::settle(key.py(), self.set_one(key, value), || ())
    }

    fn set_attributes(&self, attributes: &Bound<'_, PyAny>) -> PyResult<()> {
        let all = attributes::each_pair(attributes, |key, value| self.set_one(key, value));
        complaint::settle(attributes.py(), all, || ())
    }

    #[pyo3(signature = (name, attributes=None, timestamp=None))]
    pub(super) fn add_event(
        &self,
        name: &Bound<'_, PyAny>,
        attributes: Option<&Bound<'_, PyAny>>,
        timestamp: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        complaint::settle(name.py(), self.event(name, attributes, timestamp), || ())
    }

    #[pyo3(signature = (context, attributes=None))]
    fn add_link(
        slf: &Bound<'_, Self>,
        context: &Bound<'_, PyAny>,
        attributes: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let py = slf.py();
        let none = py.None();
        let attributes = attributes.unwrap_or_else(|| none.bind(py));
        complaint::settle(py, slf.get().link(py, context, attributes), || ())
    }

    fn update_name(&self, name: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = name.py();
        let renamed = || {
            let name = name_text(name)?.unbind();
            let before = self
                .open_state(py, "update_name")?
                .map(|mut state| std::mem::replace(&mut state.name, name));
            drop(before);
            Ok(())
        };
        complaint::settle(py, renamed(), || ())
    }

    #[pyo3(signature = (status, description=None))]
    fn set_status(
        &self,
        status: &Bound<'_, PyAny>,
        description: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        complaint::settle(status.py(), self.change_status(status, description), || ())
    }

    #[pyo3(signature = (exception, attributes=None, timestamp=None, escaped=false))]
    fn record_exception(
        &self,
        exception: &Bound<'_, PyAny>,
        attributes: Option<&Bound<'_, PyAny>>,
        timestamp: Option<&Bound<'_, PyAny>>,
        escaped: bool,
    ) -> PyResult<()> {
        let recorded = self.exception(exception, attributes, timestamp, escaped);
        complaint::settle(exception.py(), recorded, || ())
    }

    pub(super) fn is_recording(&self, py: Python<'_>) -> bool {
        self.state(py).end.is_none()
    }

    #[pyo3(signature = (end_time=None))]
    #[pyo3(name = "end")]
    pub(super) fn end_at(
        slf: &Bound<'_, Self>,
        end_time: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        complaint::settle(slf.py(), end(slf, end_time), || ())
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __exit__(
        slf: &Bound<'_, Self>,
        _class: &Bound<'_, PyAny>,
        exception: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let py = slf.py();
        if !exception.is_none() && slf.get().is_recording(py) {
            let options = slf.get().options;
            complaint::settle(py, note_exception(slf, exception, options, true), || ())?;
        }
        complaint::settle(py, end(slf, None), || ())
    }
}

impl Span {
    fn event(
        &self,
        name: &Bound<'_, PyAny>,
        attributes: Option<&Bound<'_, PyAny>>,
        timestamp: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let py = name.py();
        let limits = &self.tracer.get().recorder.get().limits;
        let event = Event {
            name: name_text(name)?.unbind(),
            time: time_or_now(timestamp),
            attributes: Attributes::from_mapping(
                attributes.filter(|given| !given.is_none()),
                &limits.event_attributes,
            )?,
        };
        let unused = match self.open_state(py, "add_event")? {
            Some(mut state) => {
                let extra = state.extra();
                if extra.events.len() < limits.events {
                    extra.events.push(event);
                    None
                } else {
                    extra.dropped_events += 1;
                    Some(event)
                }
            }
            None => Some(event),
        };
        if let Some(event) = unused {
            event.release(py);
        }
        Ok(())
    }

    fn link(
        &self,
        py: Python<'_>,
        context: &Bound<'_, PyAny>,
        attributes: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let Some(link) = accepted_link(context, attributes, self.tracer.bind(py))? else {
            return Ok(());
        };
        let limit = self.tracer.get().recorder.get().limits.links;
        let unused = match self.open_state(py, "add_link")? {
            Some(mut state) => state.extra().add_link(link, limit),
            None => Some(link),
        };
        drop(unused);
        Ok(())
    }

    /// `Ok` is final, `Unset` changes nothing (specification: Set Status).
    fn change_status(
        &self,
        status: &Bound<'_, PyAny>,
        description: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let py = status.py();
        let api = Api::get(py)?;
        let given = description.filter(|description| !description.is_none());
        let (code, description) = if status.is_instance(api.status.bind(py))? {
            if let Some(given) = given {
                let sentence = format!(
                    "the description {} was ignored: pass it to Status, or pass a StatusCode with it",
                    given.repr()?.to_string_lossy()
                );
                complaint::warn(py, &sentence)?;
            }
            (
                status.getattr("status_code")?,
                Some(status.getattr("description")?),
            )
        } else {
            (status.clone(), given.cloned())
        };
        let Some(code) = Api::position(&api.status_codes, &code) else {
            return complaint::warn(
                py,
                "set_status takes a Status or a StatusCode; nothing is changed",
            );
        };
        let description = match description {
            Some(text) if code == STATUS_ERROR && !text.is_none() => {
                Some(name_text(&text)?.unbind())
            }
            _ => None,
        };
        let before = match self.open_state(py, "set_status")? {
            Some(mut state) if state.status_code != STATUS_OK && code != STATUS_UNSET => {
                state.status_code = code;
                std::mem::replace(&mut state.status_description, description)
            }
            _ => description,
        };
        drop(before);
        Ok(())
    }

    fn exception(
        &self,
        exception: &Bound<'_, PyAny>,
        attributes: Option<&Bound<'_, PyAny>>,
        timestamp: Option<&Bound<'_, PyAny>>,
        escaped: bool,
    ) -> PyResult<()> {
        static DESCRIBE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let py = exception.py();
        let describe =
            DESCRIBE.import(py, "millrace.sdk.trace.exceptions", "exception_attributes")?;
        let described = describe
            .call1((exception, escaped))?
            .cast_into::<PyDict>()?;
        if let Some(more) = attributes.filter(|more| !more.is_none()) {
            attributes::each_pair(more, |key, value| described.set_item(key, value))?;
        }
        self.event(
            PyString::intern(py, "exception").as_any(),
            Some(described.as_any()),
            timestamp,
        )
    }
}

#[cold]
fn has_ended(py: Python<'_>, method: &str) -> PyResult<()> {
    complaint::warn(
        py,
        &format!("{method} was called on a span that has ended; nothing is changed"),
    )
}

/// The links that a span begins with.
#[cold]
fn linked(links: &Bound<'_, PyAny>, tracer: &Bound<'_, Tracer>) -> PyResult<Option<Box<Extra>>> {
    let limit = tracer.get().recorder.get().limits.links;
    let mut extra = Extra::default();
    for link in links.try_iter()? {
        let link = link?;
        if link.is_none() {
            continue;
        }
        let context = link.getattr("context")?;
        if let Some(link) = accepted_link(&context, &link.getattr("attributes")?, tracer)? {
            extra.add_link(link, limit);
        }
    }
    Ok(Some(Box::new(extra)))
}

/// Does about an exception what the options say: an event, and an error as the status.
pub(crate) fn note_exception(
    span: &Bound<'_, Span>,
    exception: &Bound<'_, PyAny>,
    options: Options,
    escaped: bool,
) -> PyResult<()> {
    static DESCRIBE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let py = span.py();
    let this = span.get();
    if !this.is_recording(py) {
        return Ok(());
    }
    if options.0 & Options::RECORD_EXCEPTION != 0 {
        this.exception(exception, None, None, escaped)?;
    }
    if options.0 & Options::SET_STATUS != 0 {
        let describe =
            DESCRIBE.import(py, "millrace.sdk.trace.exceptions", "status_description")?;
        let description = describe.call1((exception,))?;
        if let Some(code) = Api::get(py)?.status_codes.get(usize::from(STATUS_ERROR)) {
            this.change_status(code.bind(py), Some(&description))?;
        }
    }
    Ok(())
}
