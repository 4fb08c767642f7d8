//! Reads a `LogRecord` of Python's `logging` in one pass over its dictionary.
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyFrozenSet, PyString};
use smallvec::SmallVec;

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
}

struct Names {
    ordered: [Py<PyString>; STANDARD.len()],
    all: Py<PyFrozenSet>,
}

static NAMES: PyOnceLock<Names> = PyOnceLock::new();

impl Names {
    #[inline]
    fn get(py: Python<'_>) -> PyResult<&'static Self> {
        NAMES.get_or_try_init(py, || {
            let ordered = STANDARD.map(|name| PyString::intern(py, name).unbind());
            let all = PyFrozenSet::new(py, &ordered)?.unbind();
            Ok(Self { ordered, all })
        })
    }

    /// The position of a field's name, mostly the `expected` one; `None` for what the program has added.
    #[inline]
    fn position(&self, key: &Bound<'_, PyAny>, expected: usize) -> PyResult<Option<usize>> {
        if self.ordered.get(expected).is_some_and(|name| name.is(key)) {
            return Ok(Some(expected));
        }
        self.search(key)
    }

    #[cold]
    fn search(&self, key: &Bound<'_, PyAny>) -> PyResult<Option<usize>> {
        let py = key.py();
        if !self.all.bind(py).contains(key)? {
            return Ok(None);
        }
        for (position, name) in self.ordered.iter().enumerate() {
            if name.is(key) || name.bind(py).as_any().eq(key)? {
                return Ok(Some(position));
            }
        }
        Ok(None)
    }
}

impl<'py> LoggingRecord<'py> {
    /// Reads the dictionary of a record. Nothing of the program's is called meanwhile: it might change the dictionary.
    #[inline]
    pub(super) fn read(record: &Bound<'py, PyAny>) -> PyResult<Self> {
        let py = record.py();
        let names = Names::get(py)?;
        let dictionary = record.getattr(pyo3::intern!(py, "__dict__"))?;
        let mut read = Self {
            fields: [const { None }; READ],
            extra: SmallVec::new(),
        };
        let mut expected = 0;
        for (key, value) in dictionary.cast::<PyDict>()?.iter() {
            match names.position(&key, expected)? {
                Some(position) => {
                    expected = position + 1;
                    if let Some(field) = read.fields.get_mut(position) {
                        *field = Some(value);
                    }
                }
                None => read.extra.push((key, value)),
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
