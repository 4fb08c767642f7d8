//! The current context: a variable that holds a span's scope as it is, and the API's dictionary only for those who ask for it.
//!
//! Building a `Context` for every span costs half of what the span costs. So the variable holds either a `Context`, as anybody may
//! attach one, or the [`SpanScope`] of the span that was entered last, which knows the context below it.
use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;

use crate::api::Api;
use crate::context_variable::ContextVariable;
use crate::trace::{NonRecordingSpan, Span, SpanIds, SpanScope};

static CURRENT: PyOnceLock<ContextVariable> = PyOnceLock::new();
/// The variable of the runtime context that ours took over from: what was attached there stays current until we attach.
static BEFORE: PyOnceLock<ContextVariable> = PyOnceLock::new();

/// Whether a runtime context of ours was ever made; else the program has its own.
static IS_OURS: AtomicBool = AtomicBool::new(false);

/// The runtime context of this process, for `opentelemetry.context`.
#[pyclass(frozen, module = "millrace._native")]
pub(crate) struct RuntimeContext;

#[pymethods]
impl RuntimeContext {
    /// Takes over from `previous`, the variable of the runtime context that was in use, if there was one.
    #[new]
    #[pyo3(signature = (previous=None))]
    fn new(py: Python<'_>, previous: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        variable(py)?;
        IS_OURS.store(true, Ordering::Relaxed);
        if let Some(previous) = previous {
            let previous = ContextVariable::from_object(previous)?;
            let _ = BEFORE.set(py, previous);
        }
        Ok(Self)
    }

    /// Makes `context` current; the token undoes it.
    #[expect(clippy::unused_self, reason = "a method of the API")]
    fn attach<'py>(&self, context: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        variable(context.py())?.set(context)
    }

    /// The current context as the API's immutable dictionary.
    #[expect(clippy::unused_self, reason = "a method of the API")]
    fn get_current<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        current_context(py)
    }

    /// Undoes an `attach`. Where the token belongs to another context, as in a generator that is closed elsewhere, there is nothing
    /// to undo here, and nothing to complain about.
    #[expect(clippy::unused_self, reason = "a method of the API")]
    fn detach(&self, token: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = token.py();
        if variable(py)?.reset(token).is_err()
            && let Some(before) = BEFORE.get(py)
        {
            let _ = before.reset(token);
        }
        Ok(())
    }
}

/// Our context variable.
pub(crate) fn variable(py: Python<'_>) -> PyResult<&'static ContextVariable> {
    CURRENT.get_or_try_init(py, || ContextVariable::new(py, "millrace_context"))
}

/// What is current: a [`SpanScope`] or a `Context`.
#[inline]
pub(crate) fn current(py: Python<'_>) -> PyResult<Option<Bound<'_, PyAny>>> {
    if let Some(value) = variable(py)?.get(py) {
        return Ok(Some(value));
    }
    Ok(BEFORE.get(py).and_then(|before| before.get(py)))
}

/// The current context as a `Context`.
fn current_context(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    let Some(value) = current(py)? else {
        return Api::get(py)?.context.bind(py).call0();
    };
    let Ok(scope) = value.cast_exact::<SpanScope>() else {
        return Ok(value);
    };
    let api = Api::get(py)?;
    let context = api.context.bind(py).call0()?;
    // The class refuses changes from outside; this one is not finished yet.
    let dictionary = context.cast::<PyDict>()?;
    if let Some(below) = scope.get().below(py) {
        dictionary.update(below.cast()?)?;
    }
    if let Some(span) = scope.get().span(py) {
        dictionary.set_item(&api.span_key, span)?;
    }
    Ok(context)
}

/// The context below a span that is about to be entered: the current one without the span in it.
#[inline]
pub(crate) fn below<'py>(current: Option<&Bound<'py, PyAny>>) -> Option<Bound<'py, PyAny>> {
    let current = current?;
    match current.cast_exact::<SpanScope>() {
        Ok(scope) => scope.get().below(current.py()),
        Err(_) => Some(current.clone()),
    }
}

/// The span in a context: in `context` if it is given, else in what is current.
#[inline]
pub(crate) fn span_in<'py>(
    py: Python<'py>,
    context: Option<&Bound<'py, PyAny>>,
    current: Option<&Bound<'py, PyAny>>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let Some(holder) = context.or(current) else {
        return Ok(None);
    };
    if let Ok(scope) = holder.cast_exact::<SpanScope>() {
        return Ok(scope.get().span(py));
    }
    let key = &Api::get(py)?.span_key;
    let found = match holder.cast::<PyDict>() {
        Ok(dictionary) if dictionary.is_empty() => None,
        Ok(dictionary) => dictionary.get_item(key)?,
        Err(_) => Some(holder.call_method1("get", (key,))?),
    };
    Ok(found.filter(|span| !span.is_none()))
}

/// The ids of the span in `context`, or of the current one, for exemplars and log records; `None` without a valid one.
#[inline]
pub(crate) fn span_ids(
    py: Python<'_>,
    context: Option<&Bound<'_, PyAny>>,
) -> PyResult<Option<SpanIds>> {
    let current = match context {
        Some(_) => None,
        None => match current(py)? {
            None if !IS_OURS.load(Ordering::Relaxed) => Some(foreign_current(py)?),
            found => found,
        },
    };
    match span_in(py, context, current.as_ref())? {
        Some(span) => ids_of(&span),
        None => Ok(None),
    }
}

/// The current context of a program that chose its own runtime context.
#[cold]
fn foreign_current(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    py.import("opentelemetry.context")?
        .call_method0("get_current")
}

/// The ids of any span, ours or somebody else's; `None` where they are not valid.
fn ids_of(span: &Bound<'_, PyAny>) -> PyResult<Option<SpanIds>> {
    if let Ok(span) = span.cast_exact::<Span>() {
        return Ok(Some(span.get().ids()));
    }
    if let Ok(span) = span.cast_exact::<NonRecordingSpan>() {
        return Ok(span.get().valid_ids());
    }
    SpanIds::from_span_context(&span.call_method0("get_span_context")?)
}
