//! A span that is current inside a `with` block, or during the calls of a decorated function.
use pyo3::exceptions::PyException;
#[cfg(not(Py_GIL_DISABLED))]
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
#[cfg(not(Py_GIL_DISABLED))]
use pyo3::types::PyType;

use super::end;
#[cfg(not(Py_GIL_DISABLED))]
use super::scope_calls;
use super::span::{self, Options, Span};
use super::tracer::{self, SpanRequest, Tracer};
use crate::held::Held;
use crate::recycled::{self, Blocks, Recycled};
use crate::{complaint, context};

/// What `start_as_current_span` returns: it starts its span when it is entered.
///
/// Entered, it is also what the context variable holds: it knows its span and the context below.
#[pyclass(frozen, module = "millrace._native")]
pub(crate) struct SpanScope {
    /// What the interpreter calls when it calls a scope.
    #[cfg(not(Py_GIL_DISABLED))]
    call: ffi::vectorcallfunc,
    tracer: Py<Tracer>,
    name: Py<PyAny>,
    context: Option<Py<PyAny>>,
    kind: Option<Py<PyAny>>,
    attributes: Option<Py<PyAny>>,
    links: Option<Py<PyAny>>,
    start_time: Option<Py<PyAny>>,
    options: Options,
    entered: Held<Entered>,
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
    #[pyo3(name = "__enter__")]
    fn enter_made<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        enter(slf)
    }

    #[pyo3(name = "__exit__")]
    fn exit_made(
        slf: &Bound<'_, Self>,
        _class: &Bound<'_, PyAny>,
        exception: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        exit(slf, exception)
    }

    /// Decorates a function: each call has a span of its own.
    #[pyo3(name = "__call__")]
    fn decorate<'py>(
        slf: &Bound<'py, Self>,
        function: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        WRAP.import(py, "millrace.sdk.trace.decorator", "wrap")?
            .call1((slf, function))
    }

    /// The same once more, for the next call of a decorated function.
    fn again<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, Self>> {
        let py = slf.py();
        let this = slf.get();
        recycled::object(py, || Self::new(this.tracer.bind(py), &this.request(py)))
    }
}

impl SpanScope {
    #[inline]
    pub(crate) fn new(tracer: &Bound<'_, Tracer>, start: &SpanRequest<'_, '_>) -> Self {
        let kept = |object: Option<&Bound<'_, PyAny>>| object.map(|object| object.clone().unbind());
        Self {
            #[cfg(not(Py_GIL_DISABLED))]
            call: scope_calls::call_scope,
            tracer: tracer.clone().unbind(),
            name: start.name.clone().unbind(),
            context: kept(start.context),
            kind: kept(start.kind),
            attributes: kept(start.attributes),
            links: kept(start.links),
            start_time: kept(start.start_time),
            options: start.options,
            entered: Held::new(Entered {
                span: None,
                below: None,
                token: None,
            }),
        }
    }

    #[inline]
    fn request<'a, 'py>(&'a self, py: Python<'py>) -> SpanRequest<'a, 'py> {
        SpanRequest {
            name: self.name.bind(py),
            context: self.context.as_ref().map(|context| context.bind(py)),
            kind: self.kind.as_ref().map(|kind| kind.bind(py)),
            attributes: self
                .attributes
                .as_ref()
                .map(|attributes| attributes.bind(py)),
            links: self.links.as_ref().map(|links| links.bind(py)),
            start_time: self.start_time.as_ref().map(|time| time.bind(py)),
            options: self.options,
        }
    }

    /// The context below its span.
    #[inline]
    pub(crate) fn below<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        let entered = self.entered.hold(py);
        entered.below.as_ref().map(|below| below.bind(py).clone())
    }

    /// Its span.
    #[inline]
    pub(crate) fn span<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        let entered = self.entered.hold(py);
        entered.span.as_ref().map(|span| span.bind(py).clone())
    }
}

impl Entered {
    #[inline]
    fn release(&mut self, py: Python<'_>) {
        let_go(py, &mut self.span);
        let_go(py, &mut self.below);
        let_go(py, &mut self.token);
    }
}

#[inline]
fn let_go(py: Python<'_>, object: &mut Option<Py<PyAny>>) {
    if let Some(object) = object.take() {
        object.drop_ref(py);
    }
}

impl Recycled for SpanScope {
    fn blocks() -> &'static Blocks {
        static BLOCKS: Blocks = Blocks::new();
        &BLOCKS
    }

    #[cfg(not(Py_GIL_DISABLED))]
    fn prepare(class: &Bound<'_, PyType>, offset: usize) -> PyResult<()> {
        scope_calls::make_scopes_callable(class, offset + std::mem::offset_of!(Self, call))
    }

    #[expect(unsafe_code, reason = "as in `recycled`")]
    #[inline]
    unsafe fn release(&mut self, py: Python<'_>) {
        // SAFETY: as the caller says.
        unsafe {
            recycled::let_go(py, &self.tracer);
            recycled::let_go(py, &self.name);
        }
        let_go(py, &mut self.context);
        let_go(py, &mut self.kind);
        let_go(py, &mut self.attributes);
        let_go(py, &mut self.links);
        let_go(py, &mut self.start_time);
        self.entered.get_mut().release(py);
    }
}

/// Starts the span and makes it current.
#[inline]
pub(super) fn enter<'py>(scope: &Bound<'py, SpanScope>) -> PyResult<Bound<'py, PyAny>> {
    let py = scope.py();
    let this = scope.get();
    let current = context::current(py)?;
    let span = tracer::started(this.tracer.bind(py), &this.request(py), current.as_ref())?;
    let entered = Entered {
        span: Some(span.clone().unbind()),
        below: context::below(current.as_ref()).map(Bound::unbind),
        token: None,
    };
    this.entered.replace(py, entered).release(py);
    let token = context::variable(py)?.set(scope.as_any())?;
    this.entered.hold(py).token = Some(token.unbind());
    Ok(span)
}

/// Makes current again what was before, and ends the span.
#[inline]
pub(super) fn exit(scope: &Bound<'_, SpanScope>, exception: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = scope.py();
    let this = scope.get();
    let (span, token) = {
        let mut entered = this.entered.hold(py);
        let span = entered.span.as_ref().map(|span| span.bind(py).clone());
        (span, entered.token.take().map(|token| token.into_bound(py)))
    };
    if let Some(token) = token {
        leave(scope, &token)?;
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

/// Makes current again what was before. In another context than the one that was entered, as when a generator is closed elsewhere,
/// the token means nothing; there the scope only takes itself away.
#[inline]
fn leave(scope: &Bound<'_, SpanScope>, token: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = scope.py();
    let variable = context::variable(py)?;
    if variable.reset(token).is_ok() {
        return Ok(());
    }
    if variable.get(py).is_some_and(|current| current.is(scope)) {
        let below = match scope.get().below(py) {
            Some(below) => below,
            None => crate::api::Api::get(py)?.context.bind(py).call0()?,
        };
        variable.set(&below)?;
    }
    Ok(())
}
