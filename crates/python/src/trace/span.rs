//! A span that is recorded: what it is told is kept as it comes, and becomes bytes when it ends.
use std::cell::Cell;
use std::sync::{Mutex, MutexGuard, PoisonError};

use millrace_wire::encode::SpanEncoder;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyString};

use super::SpanIds;
use super::parent::{Parent, kept_state};
use super::tracer::{Start, Tracer, name_text, time_or_now};
use crate::api::Api;
use crate::attributes::{self, Attributes};
use crate::complaint;

/// OTLP span flags: bits 8 and 9 say whether the parent is remote (trace.proto, `SpanFlags`).
const HAS_IS_REMOTE: u32 = 0x100;
const IS_REMOTE: u32 = 0x200;
/// Where spans are put together before they go to the buffer; a larger one is not kept.
const SCRATCH_MAX: usize = 64 * 1024;

/// The values of `StatusCode`, which are also those of the wire.
const STATUS_UNSET: u8 = 0;
const STATUS_OK: u8 = 1;
const STATUS_ERROR: u8 = 2;

thread_local! {
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// What a span does about exceptions, and about the end of its `with` block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options(u8);

impl Options {
    const RECORD_EXCEPTION: u8 = 1;
    const SET_STATUS: u8 = 2;
    const END_ON_EXIT: u8 = 4;

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
            if given.map_or(Ok(true), |given| given.is_truthy())? {
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
#[pyclass(frozen, weakref, freelist = 256, module = "millrace._native")]
pub(crate) struct Span {
    pub(super) tracer: Py<Tracer>,
    pub(super) ids: SpanIds,
    pub(super) parent: Option<Parent>,
    pub(super) trace_state: Option<Py<PyAny>>,
    pub(super) kind: u8,
    pub(super) start: u64,
    options: Options,
    state: Mutex<State>,
}

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
    ids: SpanIds,
    is_remote: bool,
    trace_state: Option<Py<PyAny>>,
    pub(super) attributes: Attributes,
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
    pub(crate) fn begin(
        tracer: &Bound<'_, Tracer>,
        start: &Start<'_, '_>,
        begun: Begun<'_, '_>,
    ) -> PyResult<Self> {
        let limits = &tracer.get().recorder.get().limits;
        let mut state = State {
            name: name_text(start.name)?.unbind(),
            end: None,
            attributes: Attributes::from_mapping(begun.attributes, &limits.attributes)?,
            status_code: STATUS_UNSET,
            status_description: None,
            extra: None,
        };
        if let Some(links) = start.links.filter(|links| !links.is_none()) {
            for link in links.try_iter()? {
                let link = link?;
                if let Some(link) = accepted_link(
                    &link.getattr("context")?,
                    &link.getattr("attributes")?,
                    tracer,
                )? {
                    state.add_link(link, limits.links);
                }
            }
        }
        Ok(Self {
            tracer: tracer.clone().unbind(),
            ids: begun.ids,
            parent: begun.parent,
            trace_state: begun.trace_state,
            kind: begun.kind,
            start: time_or_now(start.start_time),
            options: start.options,
            state: Mutex::new(state),
        })
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
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state while the span is open; after that a complaint, which upstream makes as well.
    #[inline]
    fn open_state(&self, py: Python<'_>, method: &str) -> PyResult<Option<MutexGuard<'_, State>>> {
        let state = self.state();
        if state.end.is_none() {
            return Ok(Some(state));
        }
        drop(state);
        complaint::warn(
            py,
            &format!("{method} was called on a span that has ended; nothing is changed"),
        )?;
        Ok(None)
    }

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

    fn encode(
        &self,
        py: Python<'_>,
        content: &Content<'_>,
        end: u64,
        trace_state: &str,
        out: &mut Vec<u8>,
    ) {
        let parent = self.parent.as_ref();
        let mut span = SpanEncoder::new(out);
        span.ids(
            &self.ids.trace_id,
            &self.ids.span_id,
            parent.map(|parent| &parent.ids.span_id),
        )
        .trace_state(trace_state)
        .name(&text(&content.name), i32::from(self.kind) + 1)
        .times(self.start, end);
        content.attributes.each(py, |key, value| {
            span.attribute(key, value);
        });
        let extra = content.extra.as_deref();
        let (dropped_events, dropped_links) =
            extra.map_or((0, 0), |extra| (extra.dropped_events, extra.dropped_links));
        span.dropped(content.attributes.dropped(), dropped_events, dropped_links);
        if let Some(extra) = extra {
            encode_extra(py, extra, &mut span);
        }
        if content.status_code != STATUS_UNSET {
            let description = content.status_description.as_ref().map(text);
            span.status(
                i32::from(content.status_code),
                description.as_deref().unwrap_or_default(),
            );
        }
        let remote = parent.is_some_and(|parent| parent.is_remote);
        span.flags(flags(self.ids, remote));
    }
}

/// What an ended span consists of, taken out of its lock to be written: reading it may call Python.
struct Content<'py> {
    name: Bound<'py, PyString>,
    attributes: Attributes,
    extra: Option<Box<Extra>>,
    status_code: u8,
    status_description: Option<Bound<'py, PyString>>,
}

impl State {
    #[inline]
    fn take<'py>(&mut self, py: Python<'py>) -> Content<'py> {
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

    /// Puts back what was taken, for those who read the span.
    fn restore(&mut self, content: Content<'_>) {
        self.attributes = content.attributes;
        self.extra = content.extra;
    }

    fn extra(&mut self) -> &mut Extra {
        self.extra.get_or_insert_default()
    }

    /// Adds a link, or counts it; what did not fit is returned.
    fn add_link(&mut self, link: Link, limit: usize) -> Option<Link> {
        let extra = self.extra();
        if extra.links.len() < limit {
            extra.links.push(link);
            return None;
        }
        extra.dropped_links += 1;
        Some(link)
    }
}

#[pymethods]
impl Span {
    /// See `opentelemetry.trace.Span.set_attribute`.
    fn set_attribute(&self, key: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        complaint::settle(key.py(), self.set_one(key, value), || ())
    }

    fn set_attributes(&self, attributes: &Bound<'_, PyAny>) -> PyResult<()> {
        let all = attributes::each_pair(attributes, |key, value| self.set_one(key, value));
        complaint::settle(attributes.py(), all, || ())
    }

    #[pyo3(signature = (name, attributes=None, timestamp=None))]
    fn add_event(
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

    fn is_recording(&self) -> bool {
        self.state().end.is_none()
    }

    #[pyo3(signature = (end_time=None))]
    #[pyo3(name = "end")]
    fn end_at(slf: &Bound<'_, Self>, end_time: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
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
        if !exception.is_none() && slf.get().is_recording() {
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
        drop(unused);
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
            Some(mut state) => state.add_link(link, limit),
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
    if !this.is_recording() {
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

/// Ends a span: its bytes go to the buffer, and whoever wants to see it is called.
#[inline]
pub(crate) fn end(span: &Bound<'_, Span>, end_time: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
    let py = span.py();
    let this = span.get();
    let tracer = this.tracer.get();
    let recorder = tracer.recorder.get();
    let end = time_or_now(end_time);
    let trace_state = match &this.trace_state {
        Some(state) => Some(state.bind(py).call_method0("to_header")?),
        None => None,
    };
    let trace_state = match &trace_state {
        Some(header) => header.extract::<&str>()?,
        None => "",
    };
    let processor = recorder.processor(py);
    let Some(mut state) = this.open_state(py, "end")? else {
        return Ok(());
    };
    state.end = Some(end);
    let (Some(buffer), Some(place), true) =
        (&recorder.buffer, &tracer.place, this.ids.is_sampled())
    else {
        drop(state);
        return tell(span, processor);
    };
    let mut content = state.take(py);
    drop(state);
    // Taken, not borrowed: reading Python objects can run a finalizer, which may end a span itself.
    let mut scratch = SCRATCH.take();
    scratch.clear();
    this.encode(py, &content, end, trace_state, &mut scratch);
    buffer.append(place, &scratch);
    scratch.shrink_to(SCRATCH_MAX);
    SCRATCH.set(scratch);
    if processor.is_some() {
        this.state().restore(content);
    } else {
        content.attributes.release(py);
    }
    tell(span, processor)
}

/// Calls the processor of a span that has ended.
#[inline]
fn tell(span: &Bound<'_, Span>, processor: Option<Py<PyAny>>) -> PyResult<()> {
    if let Some(processor) = processor {
        let processor = processor.bind(span.py());
        if let Some(ending) = processor.getattr_opt("_on_ending")? {
            ending.call1((span,))?;
        }
        processor.call_method1("on_end", (span,))?;
    }
    Ok(())
}

/// A link that is worth keeping: one to a span, or at least with something to say.
fn accepted_link(
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
            Some(state) => Some(state.bind(context.py()).call_method0("to_header")?.unbind()),
            None => None,
        },
        attributes: Attributes::from_mapping(
            Some(attributes).filter(|given| !given.is_none()),
            limits,
        )?,
    }))
}

fn encode_extra(py: Python<'_>, extra: &Extra, span: &mut SpanEncoder<'_>) {
    for event in &extra.events {
        span.event(event.time, &text(event.name.bind(py)), |encoder| {
            event.attributes.each(py, |key, value| {
                encoder.attribute(key, value);
            });
            if event.attributes.dropped() > 0 {
                encoder.dropped_attributes(event.attributes.dropped());
            }
        });
    }
    for link in &extra.links {
        let state = link
            .trace_state
            .as_ref()
            .and_then(|state| state.extract::<String>(py).ok());
        let flags = flags(link.ids, link.is_remote);
        span.link(
            &link.ids.trace_id,
            &link.ids.span_id,
            state.as_deref().unwrap_or_default(),
            flags,
            |encoder| {
                link.attributes.each(py, |key, value| {
                    encoder.attribute(key, value);
                });
                if link.attributes.dropped() > 0 {
                    encoder.dropped_attributes(link.attributes.dropped());
                }
            },
        );
    }
}

fn flags(ids: SpanIds, is_remote: bool) -> u32 {
    u32::from(ids.flags) | HAS_IS_REMOTE | if is_remote { IS_REMOTE } else { 0 }
}

/// The text of a string; what UTF-8 cannot hold becomes a question mark.
fn text<'a>(text: &'a Bound<'_, PyString>) -> std::borrow::Cow<'a, str> {
    text.to_string_lossy()
}
