//! Attributes of spans, events, links and log records: kept as the Python objects they are, and written when their owner ends.
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use smallvec::SmallVec;

use crate::clean::{self, ValueLimits};
use crate::value::EncodedObject;

/// Attributes that lie inside their owner; more of them lie elsewhere.
const INLINE: usize = 4;

/// Attributes in the order in which their keys came, each key once.
#[derive(Default)]
pub(crate) struct Attributes {
    pairs: SmallVec<[Pair; INLINE]>,
    dropped: u32,
}

struct Pair {
    /// The hash that Python keeps in the string: keys that differ mostly differ here.
    hash: isize,
    key: Py<PyString>,
    value: Py<PyAny>,
}

/// How many attributes there may be, and how large.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AttributeLimits {
    pub(crate) count: u32,
    pub(crate) value: ValueLimits,
}

/// A key and a value that may be kept: what calls Python has been done.
pub(crate) struct Accepted {
    hash: isize,
    key: Py<PyString>,
    value: Py<PyAny>,
}

/// Takes a key and a value in; `None` where the key is not one, which was said to the user.
#[inline]
pub(crate) fn accept(
    key: &Bound<'_, PyAny>,
    value: &Bound<'_, PyAny>,
    limits: &AttributeLimits,
) -> PyResult<Option<Accepted>> {
    let other;
    let text = match key.cast_exact::<PyString>() {
        Ok(text) if !text.is_empty()? => text,
        _ => match clean::key(key)? {
            Some(text) => {
                other = text;
                &other
            }
            None => return Ok(None),
        },
    };
    let hash = text.hash()?;
    Ok(Some(Accepted {
        hash,
        key: text.clone().unbind(),
        value: clean::value(value, &limits.value)?,
    }))
}

impl Attributes {
    /// All attributes of a mapping; whatever is not one is counted as dropped.
    pub(crate) fn from_mapping(
        mapping: Option<&Bound<'_, PyAny>>,
        limits: &AttributeLimits,
    ) -> PyResult<Self> {
        let mut attributes = Self::default();
        if let Some(mapping) = mapping {
            each_pair(mapping, |key, value| {
                attributes.put(mapping.py(), accept(key, value, limits)?, limits);
                Ok(())
            })?;
        }
        Ok(attributes)
    }

    /// Sets one attribute: a new value for a known key, or a new key if there is room. What is replaced is returned, to be let go of
    /// where no lock is held.
    #[inline]
    pub(crate) fn put(
        &mut self,
        py: Python<'_>,
        accepted: Option<Accepted>,
        limits: &AttributeLimits,
    ) -> Option<Py<PyAny>> {
        let Some(Accepted { hash, key, value }) = accepted else {
            self.dropped += 1;
            return None;
        };
        for pair in &mut self.pairs {
            if pair.hash == hash && same_text(py, &pair.key, &key) {
                return Some(std::mem::replace(&mut pair.value, value));
            }
        }
        if self.pairs.len() >= limits.count as usize {
            self.dropped += 1;
            return Some(value);
        }
        self.pairs.push(Pair { hash, key, value });
        None
    }

    /// Lets go of all. Faster than dropping: nothing has to be asked about the thread.
    #[inline]
    pub(crate) fn release(&mut self, py: Python<'_>) {
        for pair in self.pairs.drain(..) {
            drop(pair.key.into_bound(py));
            drop(pair.value.into_bound(py));
        }
    }

    /// How many did not fit or were not attributes.
    pub(crate) fn dropped(&self) -> u32 {
        self.dropped
    }

    /// Calls `write` with each key and value, ready to be encoded.
    #[inline]
    pub(crate) fn each(&self, py: Python<'_>, mut write: impl FnMut(&str, &EncodedObject<'_, '_>)) {
        for pair in &self.pairs {
            let key = pair.key.bind(py);
            let value = EncodedObject(pair.value.bind(py));
            match key.to_str() {
                Ok(key) => write(key, &value),
                Err(_) => write(&clean::readable(key), &value),
            }
        }
    }

    /// The same as a new dictionary.
    pub(crate) fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dictionary = PyDict::new(py);
        for pair in &self.pairs {
            dictionary.set_item(&pair.key, &pair.value)?;
        }
        Ok(dictionary)
    }
}

#[inline]
fn same_text(py: Python<'_>, one: &Py<PyString>, other: &Py<PyString>) -> bool {
    one.is(other) || one.bind(py).as_any().eq(other.bind(py)).unwrap_or(false)
}

/// Calls `visit` for each entry of a dictionary, or of whatever has `items()`.
pub(crate) fn each_pair(
    mapping: &Bound<'_, PyAny>,
    mut visit: impl FnMut(&Bound<'_, PyAny>, &Bound<'_, PyAny>) -> PyResult<()>,
) -> PyResult<()> {
    if let Ok(dictionary) = mapping.cast_exact::<PyDict>() {
        for (key, value) in dictionary {
            visit(&key, &value)?;
        }
        return Ok(());
    }
    for item in mapping.call_method0("items")?.try_iter()? {
        let item = item?;
        visit(&item.get_item(0)?, &item.get_item(1)?)?;
    }
    Ok(())
}
