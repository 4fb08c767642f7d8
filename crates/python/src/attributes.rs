//! Attributes of spans, events, links and log records: kept as the Python objects they are, and written when their owner ends.
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use smallvec::SmallVec;

use crate::clean::{self, ValueLimits};
use crate::text;
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
    key: Py<PyString>,
    value: Py<PyAny>,
}

/// How many attributes there may be, and how large.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AttributeLimits {
    pub(crate) count: u32,
    pub(crate) value: ValueLimits,
}

impl AttributeLimits {
    /// No limits.
    pub(crate) const NONE: Self = Self {
        count: u32::MAX,
        value: ValueLimits { length: None },
    };

    /// The limits of these names, of upstream's `SpanLimits` or `LogRecordLimits`.
    pub(crate) fn named(limits: &Bound<'_, PyAny>, count: &str, length: &str) -> PyResult<Self> {
        let count = limit(limits, count)?.and_then(|count| u32::try_from(count).ok());
        Ok(Self {
            count: count.unwrap_or(u32::MAX),
            value: ValueLimits {
                length: limit(limits, length)?,
            },
        })
    }
}

/// One limit of upstream's `SpanLimits` or `LogRecordLimits`; `None` is no limit.
pub(crate) fn limit(limits: &Bound<'_, PyAny>, name: &str) -> PyResult<Option<usize>> {
    limits.getattr(name)?.extract()
}

/// A key and a value that may be kept: what calls Python has been done.
pub(crate) struct Accepted<'py> {
    key: Bound<'py, PyString>,
    value: Bound<'py, PyAny>,
}

/// Takes a key and a value in; `None` where the key is not one, which was said to the user.
#[expect(
    clippy::inline_always,
    reason = "a third of what it costs would be the passing of its result"
)]
#[inline(always)]
pub(crate) fn accept<'py>(
    key: &Bound<'py, PyAny>,
    value: &Bound<'py, PyAny>,
    limits: &AttributeLimits,
) -> PyResult<Option<Accepted<'py>>> {
    let other;
    let text = match key.cast_exact::<PyString>() {
        Ok(text) if text::length(text) > 0 => text,
        _ => match clean::key(key)? {
            Some(text) => {
                other = text;
                &other
            }
            None => return Ok(None),
        },
    };
    Ok(Some(Accepted {
        key: text.clone(),
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
        if let Some(dictionary) = mapping.and_then(|mapping| mapping.cast_exact::<PyDict>().ok()) {
            attributes.fill(dictionary, limits)?;
        } else if let Some(mapping) = mapping {
            each_pair(mapping, |key, value| {
                attributes.put(mapping.py(), accept(key, value, limits)?, limits);
                Ok(())
            })?;
        }
        Ok(attributes)
    }

    /// Takes over a dictionary.
    fn fill(&mut self, dictionary: &Bound<'_, PyDict>, limits: &AttributeLimits) -> PyResult<()> {
        let py = dictionary.py();
        let fitting = dictionary.len().min(limits.count as usize);
        self.pairs.reserve_exact(fitting);
        // The keys of a dictionary are different, as long as each is the text that it is.
        let mut are_texts = true;
        for (key, value) in dictionary {
            are_texts &= key.is_exact_instance_of::<PyString>();
            match accept(&key, &value, limits)? {
                Some(accepted) if are_texts && self.pairs.len() < fitting => self.push(accepted),
                accepted => drop(self.put(py, accepted, limits)),
            }
        }
        Ok(())
    }

    #[inline]
    fn push(&mut self, Accepted { key, value }: Accepted<'_>) {
        self.pairs.push(Pair {
            key: key.unbind(),
            value: value.unbind(),
        });
    }

    /// Sets one attribute: a new value for a known key, or a new key if there is room. What is replaced is returned, to be let go of
    /// where no lock is held.
    #[expect(clippy::inline_always, reason = "as above")]
    #[inline(always)]
    pub(crate) fn put<'py>(
        &mut self,
        py: Python<'py>,
        accepted: Option<Accepted<'py>>,
        limits: &AttributeLimits,
    ) -> Option<Bound<'py, PyAny>> {
        let Some(accepted) = accepted else {
            self.dropped += 1;
            return None;
        };
        let position = self.position(py, &accepted.key);
        if let Some(pair) = position.and_then(|position| self.pairs.get_mut(position)) {
            let before = std::mem::replace(&mut pair.value, accepted.value.unbind());
            return Some(before.into_bound(py));
        }
        if self.pairs.len() >= limits.count as usize {
            self.dropped += 1;
            return Some(accepted.value);
        }
        self.push(accepted);
        None
    }

    /// Lets go of all. Faster than dropping: nothing has to be asked about the thread.
    #[inline]
    pub(crate) fn release(&mut self, py: Python<'_>) {
        while let Some(pair) = self.pairs.pop() {
            pair.key.drop_ref(py);
            pair.value.drop_ref(py);
        }
        if self.pairs.spilled() {
            self.pairs = SmallVec::new();
        }
    }

    /// Where a key is. The hash that strings keep tells those apart that are not the same.
    #[inline]
    fn position(&self, py: Python<'_>, key: &Bound<'_, PyString>) -> Option<usize> {
        let hash = text::hash(key);
        self.pairs.iter().position(|pair| {
            let known = pair.key.bind(py);
            text::hash(known) == hash && text::equals(known, key)
        })
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
            match text::utf8(key) {
                Some(key) => write(key, &value),
                None => write(&clean::readable(key), &value),
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
