//! A scope as the `with` statement calls it, where the interpreter has a GIL.
#![expect(
    unsafe_code,
    reason = "the interpreter's calling convention has no safe interface"
)]
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyType;

use super::scope::{self, SpanScope};
use crate::direct::{Call, Made};

/// What a scope is where the interpreter looks for `__enter__` or `__exit__`: the scope itself.
///
/// A `with` statement asks for both, and a method bound to an object costs as much as starting a span. Called without arguments
/// a scope enters, with three it exits, with one it decorates. To the class these are the methods that `PyO3` made.
#[pyclass(frozen, module = "millrace._native")]
struct ScopeMethod {
    made: Py<PyAny>,
}

static DECORATE: Made = Made::new();

/// Has scopes answer for their own `__enter__` and `__exit__`; `offset` is where in them the function is that is called.
pub(super) fn make_scopes_callable(class: &Bound<'_, PyType>, offset: usize) -> PyResult<()> {
    let py = class.py();
    DECORATE.keep(class.getattr("__call__")?);
    let methods = py.get_type::<ScopeMethod>();
    // SAFETY: both classes are this module's own, which has no object of them yet but the first scope, and live as long as the
    // process. In every scope there is a function at this place.
    unsafe {
        (*methods.as_type_ptr()).tp_descr_get = Some(scope_method);
        let class = &mut *class.as_type_ptr();
        class.tp_vectorcall_offset = offset.cast_signed();
        class.tp_flags |= ffi::Py_TPFLAGS_HAVE_VECTORCALL;
        class.tp_call = Some(ffi::PyVectorcall_Call);
    }
    for name in ["__enter__", "__exit__"] {
        let made = class.getattr(name)?.unbind();
        class.setattr(name, Bound::new(py, ScopeMethod { made })?)?;
    }
    Ok(())
}

/// What the interpreter finds where it looks for `__enter__` or `__exit__`.
unsafe extern "C" fn scope_method(
    method: *mut ffi::PyObject,
    scope: *mut ffi::PyObject,
    _class: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: the interpreter calls this for a `ScopeMethod`, with an object of the class in which that is, or none.
    unsafe {
        if scope.is_null() {
            let py = Python::assume_attached();
            let method = Borrowed::from_ptr(py, method).cast_unchecked::<ScopeMethod>();
            return method.get().made.clone_ref(py).into_ptr();
        }
        ffi::Py_INCREF(scope);
        scope
    }
}

/// Calls a scope.
pub(super) unsafe extern "C" fn call_scope(
    itself: *mut ffi::PyObject,
    arguments: *const *mut ffi::PyObject,
    positional: usize,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: the interpreter calls this for a `SpanScope`.
    let call = unsafe {
        let positional = ffi::PyVectorcall_NARGS(positional);
        Call::new(itself, arguments, positional, names)
    };
    call.answer(&DECORATE, |call| {
        // SAFETY: as above.
        let scope = unsafe { call.itself::<SpanScope>() };
        if let Some([_class, exception, _traceback]) = call.positional() {
            scope::exit(&scope, &exception)?;
            Ok(Some(call.nothing()))
        } else if let Some([]) = call.positional() {
            scope::enter(&scope).map(Some)
        } else {
            Ok(None)
        }
    })
}
