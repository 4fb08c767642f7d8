//! Methods that the interpreter calls as they are: without what `PyO3` does around every call.
//!
//! `PyO3` counts how deep it is called, per thread, before and after each call, and takes arguments apart by a description of
//! them: several times what setting an attribute costs. A direct method takes its common case; everything else it leaves to the
//! method that `PyO3` made, which stays behind it, with its names, defaults and errors.
//!
//! While a direct method runs, `PyO3` believes that the thread is not attached: a `Py` that is dropped there waits in a queue
//! for the next ordinary call. So these methods keep what they let go of as `Bound`.
#![expect(
    unsafe_code,
    reason = "the interpreter's calling convention has no safe interface"
)]
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use pyo3::exceptions::PyTypeError;
use pyo3::ffi;
use pyo3::panic::PanicException;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyString, PyTuple, PyType};
use smallvec::SmallVec;

/// Arguments that a call has seldom more of; they are copied on the stack when they are passed on.
const ARGUMENTS_INLINE: usize = 10;

/// The function of a direct method: itself, positional arguments and then those of the names, how many are positional, the names.
pub(crate) type Function = ffi::PyCFunctionFastWithKeywords;

/// What a direct method answers; `None` leaves the call to the method that `PyO3` made.
pub(crate) type Answer<'py> = PyResult<Option<Bound<'py, PyAny>>>;

/// A method with a function of its own.
pub(crate) struct DirectMethod {
    name: &'static str,
    function: Function,
    pub(crate) made: Made,
}

/// A method that `PyO3` made.
pub(crate) struct Made(PyOnceLock<Py<PyAny>>);

impl DirectMethod {
    pub(crate) const fn new(name: &'static str, function: Function) -> Self {
        Self {
            name,
            function,
            made: Made::new(),
        }
    }

    /// Puts the function in the place of the method that `PyO3` made for `class`.
    ///
    /// The function may rely on being called with instances of this class.
    pub(crate) fn install(&'static self, class: &Bound<'_, PyType>) -> PyResult<()> {
        let py = class.py();
        let made = class.getattr(self.name)?;
        // SAFETY: the type is checked before the object is read as one; the definition is leaked, as a type may live as long as
        // the process, and so are the texts in it, which `PyO3` has leaked likewise.
        let direct = unsafe {
            if ffi::Py_IS_TYPE(made.as_ptr(), &raw mut ffi::PyMethodDescr_Type) == 0 {
                return Err(PyTypeError::new_err(format!(
                    "{} is not a method of its class",
                    self.name
                )));
            }
            let described = &*(*made.as_ptr().cast::<ffi::PyMethodDescrObject>()).d_method;
            let definition = Box::leak(Box::new(ffi::PyMethodDef {
                ml_name: described.ml_name,
                ml_meth: ffi::PyMethodDefPointer {
                    PyCFunctionFastWithKeywords: self.function,
                },
                ml_flags: ffi::METH_FASTCALL | ffi::METH_KEYWORDS,
                ml_doc: described.ml_doc,
            }));
            let method = ffi::PyDescr_NewMethod(class.as_type_ptr(), definition);
            Bound::from_owned_ptr_or_err(py, method)?
        };
        self.made.keep(made);
        class.setattr(self.name, direct)
    }
}

impl Made {
    pub(crate) const fn new() -> Self {
        Self(PyOnceLock::new())
    }

    pub(crate) fn keep(&self, method: Bound<'_, PyAny>) {
        let _ = self.0.set(method.py(), method.unbind());
    }

    #[cold]
    fn call(&self, call: &Call<'_>) -> *mut ffi::PyObject {
        let Some(made) = self.0.get(call.py) else {
            return ptr::null_mut();
        };
        let named = if call.names.is_null() {
            0
        } else {
            // SAFETY: the names of a call are a tuple.
            unsafe { ffi::PyTuple_GET_SIZE(call.names) }.unsigned_abs()
        };
        let mut all = SmallVec::<[*mut ffi::PyObject; ARGUMENTS_INLINE]>::new();
        all.push(call.itself);
        // SAFETY: a call has as many arguments as it says, and the interpreter keeps all of them alive until it returns.
        unsafe {
            all.extend((0..call.positional + named).map(|at| *call.arguments.add(at)));
            ffi::PyObject_Vectorcall(made.as_ptr(), all.as_ptr(), call.positional + 1, call.names)
        }
    }
}

/// A static direct method `$made`: the method `$name` of `$class`, answered by `$answer` with the call and the object.
macro_rules! direct_method {
    ($made:ident, $class:ty, $name:literal, $answer:expr) => {
        static $made: $crate::direct::DirectMethod = $crate::direct::DirectMethod::new($name, {
            unsafe extern "C" fn function(
                itself: *mut pyo3::ffi::PyObject,
                arguments: *const *mut pyo3::ffi::PyObject,
                positional: pyo3::ffi::Py_ssize_t,
                names: *mut pyo3::ffi::PyObject,
            ) -> *mut pyo3::ffi::PyObject {
                // SAFETY: the interpreter calls this, as a method of the class in which it is installed.
                let call =
                    unsafe { $crate::direct::Call::new(itself, arguments, positional, names) };
                call.answer(&$made.made, |call| {
                    // SAFETY: as above.
                    let itself = unsafe { call.itself::<$class>() };
                    $answer(call, &itself)
                })
            }
            function
        });
    };
}
pub(crate) use direct_method;

/// One call of a direct method.
#[derive(Clone, Copy)]
pub(crate) struct Call<'py> {
    py: Python<'py>,
    itself: *mut ffi::PyObject,
    arguments: *const *mut ffi::PyObject,
    positional: usize,
    names: *mut ffi::PyObject,
}

impl<'py> Call<'py> {
    /// A call as a [`Function`] gets it.
    ///
    /// # Safety
    ///
    /// All of it comes from the interpreter, whose call goes on.
    #[inline]
    pub(crate) unsafe fn new(
        itself: *mut ffi::PyObject,
        arguments: *const *mut ffi::PyObject,
        positional: ffi::Py_ssize_t,
        names: *mut ffi::PyObject,
    ) -> Self {
        Self {
            // SAFETY: the interpreter calls with its thread attached.
            py: unsafe { Python::assume_attached() },
            itself,
            arguments,
            positional: positional.unsigned_abs(),
            names,
        }
    }

    #[inline]
    pub(crate) fn py(&self) -> Python<'py> {
        self.py
    }

    /// The object whose method is called.
    ///
    /// # Safety
    ///
    /// It is an instance of `T`, as it is for a method that was installed in the class of `T`.
    #[inline]
    pub(crate) unsafe fn itself<'a, T>(&'a self) -> Borrowed<'a, 'py, T> {
        // SAFETY: the object lives as long as the call, and has this type as the caller says.
        unsafe { Borrowed::from_ptr(self.py, self.itself).cast_unchecked() }
    }

    /// The arguments, where there are just so many and none has a name.
    #[inline]
    pub(crate) fn positional<const N: usize>(&self) -> Option<[Borrowed<'_, 'py, PyAny>; N]> {
        if self.positional != N || !self.names.is_null() {
            return None;
        }
        // SAFETY: there are N arguments, which live as long as the call.
        Some(std::array::from_fn(|at| unsafe {
            Borrowed::from_ptr(self.py, *self.arguments.add(at))
        }))
    }

    /// The arguments by their place or name; `None` where there are too many, or names that are not among these.
    #[inline]
    pub(crate) fn arguments<const N: usize>(
        &self,
        names: &[Py<PyString>; N],
    ) -> Option<[Option<Borrowed<'_, 'py, PyAny>>; N]> {
        let mut arguments = [None; N];
        if self.positional > N {
            return None;
        }
        for (at, argument) in arguments.iter_mut().take(self.positional).enumerate() {
            // SAFETY: there are so many arguments, which live as long as the call.
            *argument = Some(unsafe { Borrowed::from_ptr(self.py, *self.arguments.add(at)) });
        }
        if !self.names.is_null() {
            self.named(names, &mut arguments)?;
        }
        Some(arguments)
    }

    fn named<'a, const N: usize>(
        &'a self,
        names: &[Py<PyString>; N],
        arguments: &mut [Option<Borrowed<'a, 'py, PyAny>>; N],
    ) -> Option<()> {
        // SAFETY: the names of a call are a tuple, which lives as long as the call; the arguments of the names follow the others.
        let (given, values) = unsafe {
            let given = Borrowed::from_ptr(self.py, self.names).cast_unchecked::<PyTuple>();
            (given, self.arguments.add(self.positional))
        };
        for at in 0..given.len() {
            let name = given.get_borrowed_item(at).ok()?;
            // Names in a program's code are interned, so they are these objects, or none of them.
            let place = names.iter().position(|known| known.is(name))?;
            let argument = arguments.get_mut(place)?;
            if argument.is_some() {
                return None;
            }
            // SAFETY: there is an argument for each name.
            *argument = Some(unsafe { Borrowed::from_ptr(self.py, *values.add(at)) });
        }
        Some(())
    }

    /// Python's `None`.
    #[inline]
    pub(crate) fn nothing(&self) -> Bound<'py, PyAny> {
        self.py.None().into_bound(self.py)
    }

    /// Answers the call: with what `body` returns, or by the method that `PyO3` made where that is `None`.
    #[inline]
    pub(crate) fn answer(
        &self,
        made: &Made,
        body: impl FnOnce(&Self) -> Answer<'py>,
    ) -> *mut ffi::PyObject {
        match catch_unwind(AssertUnwindSafe(|| body(self))) {
            Ok(Ok(Some(answer))) => answer.into_ptr(),
            Ok(Ok(None)) => made.call(self),
            Ok(Err(error)) => failed(self.py, error),
            Err(payload) => failed(self.py, panicked(&*payload)),
        }
    }
}

#[cold]
fn failed(py: Python<'_>, error: PyErr) -> *mut ffi::PyObject {
    error.restore(py);
    ptr::null_mut()
}

/// What `PyO3` makes of a panic.
#[cold]
fn panicked(payload: &(dyn Any + Send)) -> PyErr {
    let text = payload
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| payload.downcast_ref::<&str>().copied());
    PanicException::new_err(text.unwrap_or("panic from Rust code").to_owned())
}

/// The names of arguments as the interpreter keeps them, in the order of their places.
pub(crate) fn interned<const N: usize>(py: Python<'_>, names: [&str; N]) -> [Py<PyString>; N] {
    names.map(|name| PyString::intern(py, name).unbind())
}
