//! The span that is current when a measurement is made: for exemplars.
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

/// The ids of a span, and whether it is sampled.
#[derive(Clone, Copy, Debug)]
pub(super) struct CurrentSpan {
    pub(super) trace_id: [u8; 16],
    pub(super) span_id: [u8; 8],
    pub(super) is_sampled: bool,
}

/// How the API finds the current span: its runtime context and the key of the span in it.
struct Api {
    get_current: Py<PyAny>,
    span_key: Py<PyAny>,
    /// The context variable, where the API keeps its context in one.
    variable: Option<Py<PyAny>>,
}

static API: PyOnceLock<Api> = PyOnceLock::new();

impl Api {
    fn get(py: Python<'_>) -> PyResult<&'static Self> {
        API.get_or_try_init(py, || {
            let context = py.import("opentelemetry.context")?;
            let propagation = py.import("opentelemetry.trace.propagation")?;
            let runtime = context.getattr("_RUNTIME_CONTEXT")?;
            let default = py
                .import("opentelemetry.context.contextvars_context")?
                .getattr("ContextVarsRuntimeContext")?;
            let variable = if runtime.get_type().is(&default) {
                Some(runtime.getattr("_current_context")?.unbind())
            } else {
                None
            };
            Ok(Self {
                get_current: context.getattr("get_current")?.unbind(),
                span_key: propagation.getattr("_SPAN_KEY")?.unbind(),
                variable,
            })
        })
    }
}

/// The span in `context`, or in the current context; none where there is no valid one.
#[inline]
pub(super) fn current_span(
    py: Python<'_>,
    context: Option<&Bound<'_, PyAny>>,
) -> PyResult<Option<CurrentSpan>> {
    let api = Api::get(py)?;
    let span = match (context, &api.variable) {
        (Some(context), _) => context.call_method1("get", (&api.span_key,))?,
        (None, Some(variable)) => match contexts::span_in(py, variable, &api.span_key)? {
            Some(span) => span,
            None => return Ok(None),
        },
        (None, None) => api
            .get_current
            .bind(py)
            .call0()?
            .call_method1("get", (&api.span_key,))?,
    };
    if span.is_none() {
        return Ok(None);
    }
    let context = span.call_method0("get_span_context")?;
    if !context.getattr("is_valid")?.is_truthy()? {
        return Ok(None);
    }
    let trace_id: u128 = context.getattr("trace_id")?.extract()?;
    let span_id: u64 = context.getattr("span_id")?.extract()?;
    let flags: u8 = context.getattr("trace_flags")?.extract()?;
    Ok(Some(CurrentSpan {
        trace_id: trace_id.to_be_bytes(),
        span_id: span_id.to_be_bytes(),
        is_sampled: flags & 1 == 1,
    }))
}

mod contexts {
    //! Reads a context variable without a call into Python.
    use pyo3::ffi;
    use pyo3::prelude::*;
    use pyo3::types::PyDict;

    /// The span in the context that `variable` holds, if there is one.
    pub(super) fn span_in<'py>(
        py: Python<'py>,
        variable: &Py<PyAny>,
        key: &Py<PyAny>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let mut value = std::ptr::null_mut();
        #[expect(unsafe_code, reason = "PyO3 has no safe door to context variables")]
        // SAFETY: the variable is a `ContextVar`, and `value` takes the new reference.
        let context = unsafe {
            if ffi::PyContextVar_Get(variable.as_ptr(), std::ptr::null_mut(), &raw mut value) < 0 {
                return Err(PyErr::fetch(py));
            }
            Bound::from_owned_ptr_or_opt(py, value)
        };
        match context {
            // Most programs have no context most of the time.
            Some(context) => match context.cast::<PyDict>()? {
                dict if dict.is_empty() => Ok(None),
                dict => dict.get_item(key),
            },
            None => Ok(None),
        }
    }
}
