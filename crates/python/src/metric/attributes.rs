//! Sets of attributes: a Python dict read in place, and the key of a series.
//!
//! A set is equal to another when both have the same keys with values of the same type and value, in whatever order: True, 1 and
//! 1.0 are three values. Exact `str`, `bool`, `int` of 64 bits, `float` and `None` are compared as they are; other values are
//! cleaned by Python first and compared in their final bytes.
use std::sync::Arc;

use millrace_recorder::metric::SeriesKey;
use millrace_wire::AttributeValue;
use millrace_wire::encode::{EncodeValue, EncodedAttributes};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyString};

use crate::attribute::attribute_value;
use crate::entries::Entries;
use crate::text;

/// How many attributes a measurement may have before they are put on the heap.
const INLINE: usize = 8;

/// The type of a value: values of different types are never equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Kind {
    None,
    Bool,
    Int,
    Double,
    String,
    /// Anything else, compared in its final bytes.
    Encoded,
}

/// One attribute of a measurement: references into its dict, borrowed for as long as that stays unchanged.
#[derive(Clone, Copy)]
struct Pair<'a, 'py> {
    key: Borrowed<'a, 'py, PyAny>,
    value: Borrowed<'a, 'py, PyAny>,
    kind: Kind,
    /// Of key, type and value.
    hash: u64,
    /// Where the final bytes of the value are, if it is `Encoded`.
    encoded: u32,
}

/// The attributes of a measurement.
pub(super) struct AttributeSet<'a, 'py> {
    /// The pairs, while they are few; then they are in `many`.
    few: [Pair<'a, 'py>; INLINE],
    many: Vec<Pair<'a, 'py>>,
    length: usize,
    /// The final bytes of values that are compared in them.
    encoded: Vec<Box<[u8]>>,
    hash: u64,
}

/// Why a dict cannot be read in place.
pub(super) struct NeedsCleaning;

impl<'a, 'py> AttributeSet<'a, 'py> {
    /// No attribute. Any object will do to stand where there is none.
    #[inline]
    pub(super) fn empty(any: Borrowed<'a, 'py, PyAny>) -> Self {
        let nothing = Pair {
            key: any,
            value: any,
            kind: Kind::None,
            hash: 0,
            encoded: 0,
        };
        Self {
            few: [nothing; INLINE],
            many: Vec::new(),
            length: 0,
            encoded: Vec::new(),
            hash: 0,
        }
    }

    /// Reads a dict in place. What it holds must not change while the set is used: no Python code may run meanwhile.
    #[inline]
    pub(super) fn read(&mut self, dict: &'a Bound<'py, PyDict>) -> Result<(), NeedsCleaning> {
        Entries::new(dict).try_for_each(|(key, value)| self.add(key, value))
    }

    /// Reads a dict that Python has cleaned: its values may be of any form.
    pub(super) fn read_cleaned(dict: &'a Bound<'py, PyDict>) -> PyResult<Self> {
        let mut set = Self::empty(dict.as_any().as_borrowed());
        for (key, value) in Entries::new(dict) {
            if set.add(key, value).is_err() {
                let mut bytes = Vec::new();
                attribute_value(&value)?.encode_value(&mut bytes);
                let hash = bytes.chunks(8).fold(bytes.len() as u64, |hash, chunk| {
                    fold(hash, le_bytes(chunk))
                });
                let encoded = set.encoded.len() as u32;
                set.encoded.push(bytes.into());
                let hash = fold(
                    hash_of(key),
                    hash.wrapping_add((Kind::Encoded as u64) << 61),
                );
                set.push(key, value, Kind::Encoded, hash, encoded);
            }
        }
        Ok(set)
    }

    #[inline]
    fn add(
        &mut self,
        key: Borrowed<'a, 'py, PyAny>,
        value: Borrowed<'a, 'py, PyAny>,
    ) -> Result<(), NeedsCleaning> {
        if !key.is_exact_instance_of::<PyString>() {
            return Err(NeedsCleaning);
        }
        let (kind, bits) = if value.is_exact_instance_of::<PyString>() {
            (Kind::String, hash_of(value))
        } else if value.is_exact_instance_of::<PyInt>() {
            let integer = integer_of(value).ok_or(NeedsCleaning)?;
            (Kind::Int, integer.cast_unsigned())
        } else if let Ok(truth) = value.cast::<PyBool>() {
            (Kind::Bool, u64::from(truth.is_true()))
        } else if let Ok(double) = value.cast_exact::<PyFloat>() {
            (Kind::Double, double_bits(double.value()))
        } else if value.is_none() {
            (Kind::None, 0)
        } else {
            return Err(NeedsCleaning);
        };
        let key_hash = hash_of(key);
        // Empty text, which is no key, has this hash; hardly any other has.
        if key_hash == 0 {
            return Err(NeedsCleaning);
        }
        self.push(
            key,
            value,
            kind,
            fold(key_hash, bits.wrapping_add((kind as u64) << 61)),
            0,
        );
        Ok(())
    }

    #[inline]
    fn push(
        &mut self,
        key: Borrowed<'a, 'py, PyAny>,
        value: Borrowed<'a, 'py, PyAny>,
        kind: Kind,
        hash: u64,
        encoded: u32,
    ) {
        self.push_pair(Pair {
            key,
            value,
            kind,
            hash,
            encoded,
        });
    }

    #[inline]
    fn push_pair(&mut self, pair: Pair<'a, 'py>) {
        match self.few.get_mut(self.length) {
            Some(place) => *place = pair,
            None => self.push_beyond(pair),
        }
        self.length += 1;
        // Addition, because the order of attributes means nothing.
        self.hash = self.hash.wrapping_add(pair.hash);
    }

    #[cold]
    fn push_beyond(&mut self, pair: Pair<'a, 'py>) {
        if self.many.is_empty() {
            self.many.extend_from_slice(&self.few);
        }
        self.many.push(pair);
    }

    #[inline]
    fn pairs(&self) -> &[Pair<'a, 'py>] {
        self.few.get(..self.length).unwrap_or(&self.many)
    }

    /// The hash of the whole set.
    #[inline]
    pub(super) fn hash(&self) -> u64 {
        fold(self.hash, self.length as u64)
    }

    /// The set without what `kept` does not keep.
    pub(super) fn filtered(&self, kept: &KeptKeys) -> Self {
        let [first, ..] = &self.few;
        let mut filtered = Self::empty(first.key);
        filtered.encoded.clone_from(&self.encoded);
        for pair in self.pairs().iter().filter(|pair| kept.contains(pair.key)) {
            filtered.push_pair(*pair);
        }
        filtered
    }

    /// Whether a series has these attributes. Runs no Python code.
    #[inline]
    pub(super) fn is(&self, key: &AttributesKey) -> bool {
        let owned = &key.0.pairs;
        owned.len() == self.length
            && self.pairs().iter().zip(owned).all(|(pair, owned)| {
                owned.is_same(pair)
                    || owned.equals(pair, &self.encoded)
                    || key
                        .0
                        .pairs
                        .iter()
                        .any(|owned| owned.equals(pair, &self.encoded))
            })
    }

    /// The key of a new series with these attributes.
    pub(super) fn to_key(&self, reservoir: Option<Py<PyAny>>) -> AttributesKey {
        let mut attributes = EncodedAttributes::new();
        let pairs = self
            .pairs()
            .iter()
            .map(|pair| {
                pair.encode(&self.encoded, &mut attributes);
                OwnedPair {
                    key: pair.key.to_owned().unbind(),
                    value: pair.value.to_owned().unbind(),
                    kind: pair.kind,
                    hash: pair.hash,
                    encoded: (pair.kind == Kind::Encoded)
                        .then(|| self.encoded.get(pair.encoded as usize).cloned())
                        .flatten(),
                }
            })
            .collect();
        attributes.shrink();
        AttributesKey(Arc::new(Key {
            pairs,
            attributes,
            reservoir,
        }))
    }
}

impl Pair<'_, '_> {
    fn encode(&self, encoded: &[Box<[u8]>], attributes: &mut EncodedAttributes) {
        let Ok(key) = self.key.cast::<PyString>() else {
            return;
        };
        let key = key.to_string_lossy();
        match self.kind {
            Kind::None => attributes.push(&key, &AttributeValue::Empty),
            Kind::Bool => attributes.push(&key, &self.value.is_truthy().unwrap_or_default()),
            Kind::Int => attributes.push(&key, &self.value.extract::<i64>().unwrap_or_default()),
            Kind::Double => attributes.push(&key, &self.value.extract::<f64>().unwrap_or_default()),
            Kind::String => {
                if let Ok(text) = self.value.cast::<PyString>() {
                    attributes.push(&key, &*text.to_string_lossy());
                }
            }
            Kind::Encoded => {
                if let Some(bytes) = encoded.get(self.encoded as usize) {
                    attributes.push(&key, &Verbatim(bytes));
                }
            }
        }
    }
}

/// A value that was encoded before.
struct Verbatim<'a>(&'a [u8]);

impl EncodeValue for Verbatim<'_> {
    fn encode_value(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.0);
    }
}

/// One attribute of a series.
#[derive(Debug)]
struct OwnedPair {
    key: Py<PyAny>,
    value: Py<PyAny>,
    kind: Kind,
    hash: u64,
    encoded: Option<Box<[u8]>>,
}

impl OwnedPair {
    /// Whether these are the same objects.
    #[inline]
    fn is_same(&self, pair: &Pair<'_, '_>) -> bool {
        self.key.as_ptr() == pair.key.as_ptr() && self.value.as_ptr() == pair.value.as_ptr()
    }

    #[inline]
    fn equals(&self, pair: &Pair<'_, '_>, encoded: &[Box<[u8]>]) -> bool {
        self.hash == pair.hash
            && self.kind == pair.kind
            && text_equals(&self.key, pair.key)
            && match self.kind {
                // Their hashes, which are equal, were made of their bits, and can be undone.
                Kind::None => true,
                Kind::Bool => self.value.as_ptr() == pair.value.as_ptr(),
                Kind::Int => same_integer(&self.value, pair.value),
                Kind::Double => same_double(&self.value, pair.value),
                Kind::String => text_equals(&self.value, pair.value),
                Kind::Encoded => self.encoded.as_ref() == encoded.get(pair.encoded as usize),
            }
    }
}

fn same_integer(left: &Py<PyAny>, right: Borrowed<'_, '_, PyAny>) -> bool {
    integer_of(left.bind_borrowed(right.py())) == integer_of(right)
}

fn same_double(left: &Py<PyAny>, right: Borrowed<'_, '_, PyAny>) -> bool {
    let left = left.bind(right.py()).extract::<f64>().ok();
    left.map(double_bits) == right.extract::<f64>().ok().map(double_bits)
}

/// Zero is one value, whatever its sign, and what is not a number is equal to itself.
fn double_bits(double: f64) -> u64 {
    if double == 0.0 { 0 } else { double.to_bits() }
}

#[derive(Debug)]
struct Key {
    pairs: Box<[OwnedPair]>,
    attributes: EncodedAttributes,
    /// The reservoir of the series, where the user brought one.
    reservoir: Option<Py<PyAny>>,
}

/// The attributes of a series.
#[derive(Clone, Debug)]
pub(super) struct AttributesKey(Arc<Key>);

impl SeriesKey for AttributesKey {
    fn attributes(&self) -> &EncodedAttributes {
        &self.0.attributes
    }
}

impl AttributesKey {
    /// The reservoir that the user brought.
    pub(super) fn reservoir(&self) -> Option<&Py<PyAny>> {
        self.0.reservoir.as_ref()
    }

    /// A dict with these attributes, and without those of `other`.
    pub(super) fn to_dict<'py>(
        &self,
        py: Python<'py>,
        other: Option<&Self>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        for pair in &self.0.pairs {
            let is_other = other.is_some_and(|other| {
                let mut others = other.0.pairs.iter();
                others.any(|known| text_equals(&known.key, pair.key.bind_borrowed(py)))
            });
            if !is_other {
                dict.set_item(&pair.key, &pair.value)?;
            }
        }
        Ok(dict)
    }

    /// The key with these attributes, but without those of `other`.
    pub(super) fn without(&self, py: Python<'_>, other: &Self) -> PyResult<Self> {
        let dict = self.to_dict(py, Some(other))?;
        Ok(AttributeSet::read_cleaned(&dict)?.to_key(None))
    }
}

/// The attributes that a view keeps.
#[derive(Debug)]
pub(super) struct KeptKeys(Box<[(u64, Py<PyAny>)]>);

impl KeptKeys {
    /// Keeps these; whatever is not text is no key of an attribute.
    pub(super) fn new(keys: &[Bound<'_, PyString>]) -> Self {
        Self(
            keys.iter()
                .map(|key| {
                    (
                        hash_of(key.as_any().as_borrowed()),
                        key.clone().into_any().unbind(),
                    )
                })
                .collect(),
        )
    }

    fn contains(&self, key: Borrowed<'_, '_, PyAny>) -> bool {
        let hash = hash_of(key);
        self.0
            .iter()
            .any(|(known_hash, known)| *known_hash == hash && text_equals(known, key))
    }
}

static CLEAN: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// A dict of attributes that are all valid, made by Python of whatever was given; it never raises but for a fault of its own.
pub(super) fn cleaned<'py>(attributes: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyDict>> {
    let py = attributes.py();
    let clean = CLEAN.get_or_try_init(py, || {
        let module = py.import("millrace.sdk.metrics._attributes")?;
        module.getattr("clean").map(Bound::unbind)
    })?;
    Ok(clean.bind(py).call1((attributes,))?.cast_into()?)
}

/// Mixes two numbers to one: the halves of their product.
#[inline]
fn fold(left: u64, right: u64) -> u64 {
    let product =
        u128::from(left ^ 0x9e37_79b9_7f4a_7c15) * u128::from(right ^ 0xd6e8_feb8_6659_fd93);
    (product as u64) ^ ((product >> 64) as u64)
}

fn le_bytes(chunk: &[u8]) -> u64 {
    chunk
        .iter()
        .rev()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// An integer that fits into 64 bits.
#[inline]
pub(super) fn integer_of(integer: Borrowed<'_, '_, PyAny>) -> Option<i64> {
    let mut overflow = 0;
    #[expect(
        unsafe_code,
        reason = "the safe call makes an exception of what does not fit"
    )]
    // SAFETY: the object is alive and exactly an `int`, for which this runs no code and only fails by `overflow`.
    let value = unsafe { ffi::PyLong_AsLongLongAndOverflow(integer.as_ptr(), &raw mut overflow) };
    (overflow == 0).then_some(value)
}

/// A key, or a value of the kind `String`, as the text that it is.
#[inline]
fn as_text<'a, 'py>(object: Borrowed<'a, 'py, PyAny>) -> Borrowed<'a, 'py, PyString> {
    #[expect(unsafe_code, reason = "its type was looked at when it was read")]
    // SAFETY: it is exactly a `str`, as everything that is stored or read as a key or `String`.
    unsafe {
        object.cast_unchecked()
    }
}

#[inline]
fn hash_of(object: Borrowed<'_, '_, PyAny>) -> u64 {
    text::hash(&as_text(object)).cast_unsigned() as u64
}

/// Whether two texts are the same. Runs no code.
#[inline]
fn text_equals(left: &Py<PyAny>, right: Borrowed<'_, '_, PyAny>) -> bool {
    text::equals(&as_text(left.bind_borrowed(right.py())), &as_text(right))
}
