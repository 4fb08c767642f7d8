//! Reads a `LogRecord` of Python's `logging` in one pass over its dictionary.
use std::ptr;

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyString};
use pyo3::{ffi, intern};
use smallvec::SmallVec;

use crate::direct;
use crate::entries::Entries;
use crate::text;

/// What `logging` itself puts into a record, in its order: a record is read without searching. The last ones are put there by
/// formatters, or by newer versions.
const STANDARD: [&str; 24] = [
    "name",
    "msg",
    "args",
    "levelname",
    "levelno",
    "pathname",
    "filename",
    "module",
    "exc_info",
    "exc_text",
    "stack_info",
    "lineno",
    "funcName",
    "created",
    "msecs",
    "relativeCreated",
    "thread",
    "threadName",
    "processName",
    "process",
    "taskName",
    "message",
    "asctime",
    "getMessage",
];

/// Positions in [`STANDARD`].
#[derive(Clone, Copy)]
pub(super) enum Field {
    Name = 0,
    Message = 1,
    Arguments = 2,
    LevelName = 3,
    Level = 4,
    Path = 5,
    ExceptionInfo = 8,
    Line = 11,
    Function = 12,
    Created = 13,
}

/// Values of the fields that are read; the others are not kept.
const READ: usize = Field::Created as usize + 1;

/// Extra fields that lie on the stack; more of them lie elsewhere.
const EXTRA_INLINE: usize = 8;

/// What a record holds.
pub(super) struct LoggingRecord<'py> {
    fields: [Option<Bound<'py, PyAny>>; READ],
    /// What the program has added, as `extra` or in a filter.
    pub(super) extra: SmallVec<[(Bound<'py, PyAny>, Bound<'py, PyAny>); EXTRA_INLINE]>,
    /// Whether it formats its message as `logging` does.
    pub(super) is_plain: bool,
}

/// [`STANDARD`] as the interpreter keeps it.
struct Names([Py<PyString>; STANDARD.len()]);

static NAMES: PyOnceLock<Names> = PyOnceLock::new();
static RECORD_CLASS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

impl Names {
    #[inline]
    fn get(py: Python<'_>) -> &'static Self {
        NAMES.get_or_init(py, || Self(direct::interned(py, STANDARD)))
    }

    /// The position of a field's name, mostly the `expected` one; `None` for what the program has added.
    #[inline]
    fn position(&self, key: Borrowed<'_, '_, PyAny>, expected: usize) -> Option<usize> {
        if self.0.get(expected).is_some_and(|name| name.is(key)) {
            return Some(expected);
        }
        let key = key.cast::<PyString>().ok()?;
        let py = key.py();
        self.0
            .iter()
            .position(|name| text::equals(name.bind(py), &key))
    }
}

impl<'py> LoggingRecord<'py> {
    /// Reads the dictionary of a record. Nothing of the program's is called meanwhile: it might change the dictionary.
    #[inline]
    pub(super) fn read(record: &Bound<'py, PyAny>) -> PyResult<Self> {
        let py = record.py();
        let is_plain = is_plain(record)?;
        let dictionary = dictionary(record, is_plain)?;
        let names = Names::get(py);
        let mut read = Self {
            fields: [const { None }; READ],
            extra: SmallVec::new(),
            is_plain,
        };
        let mut expected = 0;
        for (key, value) in Entries::new(&dictionary) {
            match names.position(key, expected) {
                Some(position) => {
                    expected = position + 1;
                    if let Some(field) = read.fields.get_mut(position) {
                        *field = Some(value.to_owned());
                    }
                }
                None => read.extra.push((key.to_owned(), value.to_owned())),
            }
        }
        Ok(read)
    }

    /// A field, where it is there and not `None`.
    #[inline]
    pub(super) fn field(&self, field: Field) -> Option<&Bound<'py, PyAny>> {
        let value = self.fields.get(field as usize)?.as_ref()?;
        (!value.is_none()).then_some(value)
    }
}

/// Whether the record is of `logging`'s own class.
#[inline]
fn is_plain(record: &Bound<'_, PyAny>) -> PyResult<bool> {
    let class = RECORD_CLASS.import(record.py(), "logging", "LogRecord")?;
    Ok(record.get_type_ptr().cast() == class.as_ptr())
}

/// The dictionary of a record's attributes.
#[inline]
fn dictionary<'py>(record: &Bound<'py, PyAny>, is_plain: bool) -> PyResult<Bound<'py, PyDict>> {
    let py = record.py();
    let dictionary = if is_plain {
        #[expect(
            unsafe_code,
            reason = "asking for `__dict__` looks it up in the class first"
        )]
        // SAFETY: the record is alive; the result is a new reference or null with an error.
        unsafe {
            let found = ffi::PyObject_GenericGetDict(record.as_ptr(), ptr::null_mut());
            Bound::from_owned_ptr_or_err(py, found)?
        }
    } else {
        record.getattr(intern!(py, "__dict__"))?
    };
    let dictionary = dictionary.cast_into::<PyDict>()?;
    #[cfg(Py_GIL_DISABLED)]
    let dictionary = dictionary.copy()?;
    Ok(dictionary)
}
