//! A span that is current inside a `with` block, or during the calls of a decorated function.
use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use super::end;
use super::span::{self, Options, Span};
use super::tracer::{self, SpanRequest, Tracer};
use crate::{complaint, context};

/// What `start_as_current_span` returns: it starts its span when it is entered.
///
/// Entered, it is also what the context variable holds: it knows its span and the context below.
#[pyclass(frozen, freelist = 64, module = "millrace._native")]
pub(crate) struct SpanScope {
    tracer: Py<Tracer>,
    name: Py<PyAny>,
    context: Option<Py<PyAny>>,
    kind: Option<Py<PyAny>>,
    attributes: Option<Py<PyAny>>,
    links: Option<Py<PyAny>>,
    start_time: Option<Py<PyAny>>,
    options: Options,
    entered: Mutex<Entered>,
}

#[derive(Default)]
struct Entered {
    span: Option<Py<PyAny>>,
    /// The context that was current before, without its span: never another scope, so that scopes form no chain.
    below: Option<Py<PyAny>>,
    token: Option<Py<PyAny>>,
}

static WRAP: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

#[pymethods]
impl SpanScope {
    fn __enter__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let this = slf.get();
        let current = context::current(py)?;
        let start = SpanRequest {
            name: this.name.bind(py),
            context: this.context.as_ref().map(|context| context.bind(py)),
            kind: this.kind.as_ref().map(|kind| kind.bind(py)),
            attributes: this
                .attributes
                .as_ref()
                .map(|attributes| attributes.bind(py)),
            links: this.links.as_ref().map(|links| links.bind(py)),
            start_time: this.start_time.as_ref().map(|time| time.bind(py)),
            options: this.options,
        };
        let span = tracer::started(this.tracer.bind(py), &start, current.as_ref())?;
        let entered = Entered {
            span: Some(span.clone().unbind()),
            below: context::below(current.as_ref()),
            token: None,
        };
        let before = std::mem::replace(&mut *this.entered(), entered);
        drop(before);
        let token = context::variable(py)?.set(slf.as_any())?;
        this.entered().token = Some(token.unbind());
        Ok(span)
    }

    fn __exit__(
        slf: &Bound<'_, Self>,
        _class: &Bound<'_, PyAny>,
        exception: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let py = slf.py();
        let this = slf.get();
        let (span, token) = {
            let mut entered = this.entered();
            let span = entered.span.as_ref().map(|span| span.bind(py).clone());
            (span, entered.token.take().map(|token| token.into_bound(py)))
        };
        if let Some(token) = token {
            leave(slf, &token)?;
        }
        let Some(span) = span else { return Ok(()) };
        let Ok(span) = span.cast_exact::<Span>() else {
            return Ok(());
        };
        // What is not an `Exception`, such as the end of a generator, is no error.
        if !exception.is_none() && exception.is_instance_of::<PyException>() {
            complaint::settle(
                py,
                span::note_exception(span, exception, this.options, false),
                || (),
            )?;
        }
        if this.options.ends_on_exit() {
            complaint::settle(py, end::end(span, None), || ())?;
        }
        Ok(())
    }

    /// Decorates a function: each call has a span of its own.
    fn __call__<'py>(
        slf: &Bound<'py, Self>,
        function: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        WRAP.import(py, "millrace.sdk.trace.decorator", "wrap")?
            .call1((slf, function))
    }

    /// The same once more, for the next call of a decorated function.
    fn again(&self, py: Python<'_>) -> Self {
        let copy = |object: &Option<Py<PyAny>>| object.as_ref().map(|object| object.clone_ref(py));
        Self {
            tracer: self.tracer.clone_ref(py),
            name: self.name.clone_ref(py),
            context: copy(&self.context),
            kind: copy(&self.kind),
            attributes: copy(&self.attributes),
            links: copy(&self.links),
            start_time: copy(&self.start_time),
            options: self.options,
            entered: Mutex::default(),
        }
    }
}

impl SpanScope {
    #[expect(clippy::too_many_arguments, reason = "the API's own")]
    pub(crate) fn new(
        tracer: Py<Tracer>,
        name: Py<PyAny>,
        context: Option<Py<PyAny>>,
        kind: Option<Py<PyAny>>,
        attributes: Option<Py<PyAny>>,
        links: Option<Py<PyAny>>,
        start_time: Option<Py<PyAny>>,
        options: Options,
    ) -> Self {
        Self {
            tracer,
            name,
            context,
            kind,
            attributes,
            links,
            start_time,
            options,
            entered: Mutex::default(),
        }
    }

    /// The context below its span.
    #[inline]
    pub(crate) fn below(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.entered()
            .below
            .as_ref()
            .map(|below| below.clone_ref(py))
    }

    /// Its span.
    #[inline]
    pub(crate) fn span<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        self.entered()
            .span
            .as_ref()
            .map(|span| span.bind(py).clone())
    }

    fn entered(&self) -> MutexGuard<'_, Entered> {
        self.entered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes current again what was before. In another context than the one that was entered, as when a generator is closed elsewhere,
/// the token means nothing; there the scope only takes itself away.
fn leave(scope: &Bound<'_, SpanScope>, token: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = scope.py();
    let variable = context::variable(py)?;
    if variable.reset(token).is_ok() {
        return Ok(());
    }
    if variable.get(py).is_some_and(|current| current.is(scope)) {
        let below = scope.get().below(py);
        let below = match below {
            Some(below) => below.into_bound(py),
            None => crate::api::Api::get(py)?.context.bind(py).call0()?,
        };
        variable.set(&below)?;
    }
    Ok(())
}
