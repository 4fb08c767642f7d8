//! The methods that a program calls for every span, as the interpreter calls them.
#![expect(
    unsafe_code,
    reason = "the interpreter's calling convention has no safe interface"
)]
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyString;

use super::span::Options;
use super::tracer::{self, SpanRequest};
use super::{NonRecordingSpan, Span, SpanScope, Tracer};
use crate::direct::{self, Answer, Call, DirectMethod, direct_method};
use crate::recycled;

/// The arguments of `start_span` in their order, and then those that only `start_as_current_span` has.
const START_ARGUMENTS: [&str; 9] = [
    "name",
    "context",
    "kind",
    "attributes",
    "links",
    "start_time",
    "record_exception",
    "set_status_on_exception",
    "end_on_exit",
];
static START_NAMES: PyOnceLock<[Py<PyString>; START_ARGUMENTS.len()]> = PyOnceLock::new();

direct_method!(START_SPAN, Tracer, "start_span", start_span);
direct_method!(
    START_AS_CURRENT_SPAN,
    Tracer,
    "start_as_current_span",
    start_as_current_span
);
direct_method!(SET_ATTRIBUTE, Span, "set_attribute", set_attribute);
direct_method!(ADD_EVENT, Span, "add_event", add_event);
direct_method!(END, Span, "end", end);
/// What a span that is not recorded ignores.
static IGNORED: [DirectMethod; 8] = [
    DirectMethod::new("set_attribute", ignore),
    DirectMethod::new("set_attributes", ignore),
    DirectMethod::new("add_event", ignore),
    DirectMethod::new("add_link", ignore),
    DirectMethod::new("update_name", ignore),
    DirectMethod::new("set_status", ignore),
    DirectMethod::new("record_exception", ignore),
    DirectMethod::new("end", ignore),
];

/// Puts these functions in the place of the methods that `PyO3` made.
pub(crate) fn install_direct_methods(py: Python<'_>) -> PyResult<()> {
    START_NAMES.get_or_init(py, || direct::interned(py, START_ARGUMENTS));
    let tracer = py.get_type::<Tracer>();
    START_SPAN.install(&tracer)?;
    START_AS_CURRENT_SPAN.install(&tracer)?;
    let span = py.get_type::<Span>();
    for method in [&SET_ATTRIBUTE, &ADD_EVENT, &END] {
        method.install(&span)?;
    }
    let non_recording_span = py.get_type::<NonRecordingSpan>();
    for method in &IGNORED {
        method.install(&non_recording_span)?;
    }
    Ok(())
}

/// What a call of `start_span` or `start_as_current_span` asks for.
#[inline]
fn with_request<'py, T>(
    call: &Call<'py>,
    becomes_current: bool,
    start: impl FnOnce(&SpanRequest<'_, 'py>) -> PyResult<T>,
) -> PyResult<Option<T>> {
    if let Some([name]) = call.positional() {
        return start(&SpanRequest::of(&name)).map(Some);
    }
    let Some(names) = START_NAMES.get(call.py()) else {
        return Ok(None);
    };
    let Some(arguments) = call.arguments(names) else {
        return Ok(None);
    };
    let [
        Some(name),
        context,
        kind,
        attributes,
        links,
        start_time,
        record_exception,
        set_status_on_exception,
        end_on_exit,
    ] = &arguments
    else {
        return Ok(None);
    };
    if end_on_exit.is_some() && !becomes_current {
        return Ok(None);
    }
    let options = Options::new(
        said(record_exception.as_ref()),
        said(set_status_on_exception.as_ref()),
        said(end_on_exit.as_ref()),
    )?;
    start(&SpanRequest::new(
        name,
        said(context.as_ref()),
        said(kind.as_ref()),
        said(attributes.as_ref()),
        said(links.as_ref()),
        said(start_time.as_ref()),
        options,
    ))
    .map(Some)
}

/// An argument that says something: `None` is what all but the name are by default.
#[inline]
fn said<'a, 'py>(argument: Option<&'a Borrowed<'a, 'py, PyAny>>) -> Option<&'a Bound<'py, PyAny>> {
    argument
        .map(|argument| &**argument)
        .filter(|argument| !argument.is_none())
}

#[inline]
fn start_span<'py>(call: &Call<'py>, tracer: &Bound<'py, Tracer>) -> Answer<'py> {
    with_request(call, false, |start| tracer::start_anywhere(tracer, start))
}

#[inline]
fn start_as_current_span<'py>(call: &Call<'py>, tracer: &Bound<'py, Tracer>) -> Answer<'py> {
    with_request(call, true, |start| {
        let scope = recycled::object(call.py(), || SpanScope::new(tracer, start))?;
        Ok(scope.into_any())
    })
}

#[inline]
fn set_attribute<'py>(call: &Call<'py>, span: &Bound<'py, Span>) -> Answer<'py> {
    let Some([key, value]) = call.positional() else {
        return Ok(None);
    };
    span.get().set_attribute(&key, &value)?;
    Ok(Some(call.nothing()))
}

#[inline]
fn add_event<'py>(call: &Call<'py>, span: &Bound<'py, Span>) -> Answer<'py> {
    let Some([name, attributes]) = call.positional() else {
        return Ok(None);
    };
    span.get().add_event(&name, Some(&attributes), None)?;
    Ok(Some(call.nothing()))
}

#[inline]
fn end<'py>(call: &Call<'py>, span: &Bound<'py, Span>) -> Answer<'py> {
    let Some([]) = call.positional() else {
        return Ok(None);
    };
    Span::end_at(span, None)?;
    Ok(Some(call.nothing()))
}

unsafe extern "C" fn ignore(
    itself: *mut ffi::PyObject,
    arguments: *const *mut ffi::PyObject,
    positional: ffi::Py_ssize_t,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: the interpreter calls this as a method.
    let call = unsafe { Call::new(itself, arguments, positional, names) };
    call.nothing().into_ptr()
}
