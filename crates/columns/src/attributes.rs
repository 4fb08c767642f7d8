//! Attributes as one shredded Variant column: a typed column for each key, and beside it what those cannot say.
//!
//! The dictionary of keys that every Variant has is written in the order of the attributes, so the order survives. What no
//! typed column can say exactly (arrays, lists of keys and values, a second type under one key, keys beyond the limit) is
//! in the Variant for those who query, and beside it as OTLP for those who want the bytes back.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::builder::{
    BinaryBuilder, BooleanBuilder, Float64Builder, Int64Builder, StringBuilder,
};
use arrow_array::{ArrayRef, BinaryArray, DictionaryArray, Int32Array, StructArray};
use arrow_schema::{DataType, Field, Fields};
use millrace_wire::field::{DELIMITED, push_delimited, push_tag};
use millrace_wire::view::ValueView;

use crate::error::Error;
use crate::sparse::{Sparse, add_bytes};
use crate::value::{Pair, Scalar, scalar};
use crate::variant;

/// How many keys have a column; more are kept together, where each search has to look through all of them.
pub(crate) const KEYS_MAX: usize = 256;
/// Of attributes that are kept as OTLP: only those that no typed column has.
pub(crate) const PARTIAL: u8 = 0;
/// Of attributes that are kept as OTLP: all of the row, because a key stands there twice.
pub(crate) const COMPLETE: u8 = 1;
/// An object without fields.
const EMPTY_OBJECT: &[u8] = &[2, 0, 0];

/// The type of a key's column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Text,
    Bool,
    Int,
    Double,
    Bytes,
}

enum Typed {
    Text(Sparse<StringBuilder>),
    Bool(Sparse<BooleanBuilder>),
    Int(Sparse<Int64Builder>),
    Double(Sparse<Float64Builder>),
    Bytes(Sparse<BinaryBuilder>),
}

struct KeyColumn {
    key: Box<str>,
    /// A `KeyValue` of this key up to its value.
    prefix: Vec<u8>,
    kind: Option<Kind>,
    typed: Option<Typed>,
    /// Values of another type. Mostly there are none, but `DuckDB` wants the column.
    value: Sparse<BinaryBuilder>,
    /// The last row in which the key was seen, counted from 1.
    seen_row: usize,
}

/// Builds the column `attributes` and its companion `attributes_otlp`.
#[derive(Default)]
pub(crate) struct AttributeColumns {
    by_key: HashMap<Box<str>, usize>,
    columns: Vec<KeyColumn>,
    /// Whether keys may still be added: the columns of a file with several row groups are declared beforehand.
    is_frozen: bool,
    rows: usize,
    residual: Sparse<BinaryBuilder>,
    otlp: Sparse<BinaryBuilder>,
    metadata: Metadata,
    /// Of the row before this one: the column of each attribute. Mostly this row has the same.
    last_columns: Vec<usize>,
    scratch: Scratch,
    found: Vec<(usize, Scalar<'static>)>,
}

#[derive(Default)]
struct Scratch {
    otlp: Vec<u8>,
    value: Vec<u8>,
}

/// The dictionaries of the rows, each kept once.
#[derive(Default)]
struct Metadata {
    by_columns: HashMap<Vec<usize>, i32>,
    by_bytes: HashMap<Vec<u8>, i32>,
    distinct: Vec<Vec<u8>>,
    of_rows: Vec<i32>,
}

/// Stands for a key without a column.
const NO_COLUMN: usize = usize::MAX;

impl AttributeColumns {
    /// Columns for these keys and no others.
    pub(crate) fn declared(keys: Vec<(String, Kind)>) -> Self {
        let mut columns = Self {
            is_frozen: true,
            ..Self::default()
        };
        for (key, kind) in keys {
            let index = columns.add_key(&key);
            if let Some(column) = columns.columns.get_mut(index) {
                column.kind = Some(kind);
            }
        }
        columns
    }

    fn add_key(&mut self, key: &str) -> usize {
        let index = self.columns.len();
        self.by_key.insert(key.into(), index);
        self.columns.push(KeyColumn {
            key: key.into(),
            prefix: prefix_of(key),
            typed: None,
            value: Sparse::default(),
            kind: None,
            seen_row: 0,
        });
        index
    }

    /// The column of the attribute at `place` of a row.
    fn column_of(&mut self, place: usize, key: &str) -> usize {
        if let Some(index) = self.last_columns.get(place)
            && let Some(column) = self.columns.get(*index)
            && *column.key == *key
        {
            return *index;
        }
        match self.by_key.get(key) {
            Some(index) => *index,
            None if self.is_frozen || self.columns.len() >= KEYS_MAX => NO_COLUMN,
            None => self.add_key(key),
        }
    }

    /// Adds the attributes of one row, in order: a `KeyValue` each.
    pub(crate) fn push<'a>(&mut self, pairs: &[&'a [u8]]) {
        self.rows += 1;
        let mut found: Vec<(usize, Scalar<'a>)> = emptied(std::mem::take(&mut self.found));
        if self.is_plain(pairs, &mut found) {
            self.push_plain(&found);
        } else {
            let mut scratch = std::mem::take(&mut self.scratch);
            scratch.otlp.clear();
            let pairs: Vec<Pair<'a>> = pairs.iter().map(|bytes| Pair::new(bytes)).collect();
            self.push_any(&pairs, &mut scratch);
            let kept = (!scratch.otlp.is_empty()).then_some(&scratch.otlp[..]);
            add_bytes(&mut self.otlp, self.rows - 1, kept);
            self.scratch = scratch;
        }
        self.found = emptied(found);
    }

    /// Whether all are scalars that the columns of their keys can hold, which `found` gets, and no key stands twice.
    fn is_plain<'a>(&mut self, pairs: &[&'a [u8]], found: &mut Vec<(usize, Scalar<'a>)>) -> bool {
        let row = self.rows;
        for (place, bytes) in pairs.iter().enumerate() {
            let Some((index, scalar)) = self.find(place, bytes) else {
                return false;
            };
            match self.columns.get_mut(index) {
                Some(column) if column.seen_row != row && column.fits(scalar) => {
                    column.seen_row = row;
                    found.push((index, scalar));
                }
                _ => return false,
            }
        }
        true
    }

    /// The column and the value of the attribute at `place` of a row, if it is a scalar.
    fn find<'a>(&mut self, place: usize, bytes: &'a [u8]) -> Option<(usize, Scalar<'a>)> {
        // Mostly it has the same key as the attribute at this place of the row before.
        if let Some(index) = self.last_columns.get(place)
            && let Some(column) = self.columns.get(*index)
            && let Some([length @ ..0x80, value @ ..]) = bytes.strip_prefix(&column.prefix[..])
            && value.len() == usize::from(*length)
            && let Some(scalar) = scalar(value)
        {
            return Some((*index, scalar));
        }
        let pair = Pair::new(bytes);
        Some((self.column_of(place, pair.key), pair.scalar?))
    }

    fn push_plain(&mut self, found: &[(usize, Scalar<'_>)]) {
        let row = self.rows - 1;
        for (index, scalar) in found {
            if let Some(column) = self.columns.get_mut(*index) {
                column.push(*scalar, row);
            }
        }
        let columns = found.iter().map(|(index, _)| index);
        if let Some(last) = self.metadata.of_rows.last()
            && self.last_columns.iter().eq(columns.clone())
        {
            let last = *last;
            self.metadata.of_rows.push(last);
        } else {
            self.last_columns.clear();
            self.last_columns.extend(columns);
            let columns = std::mem::take(&mut self.last_columns);
            self.push_metadata_of_columns(&columns);
            self.last_columns = columns;
        }
    }

    fn push_metadata_of_columns(&mut self, columns: &[usize]) {
        let id = if let Some(id) = self.metadata.by_columns.get(columns) {
            *id
        } else {
            let keys: Vec<&str> = columns
                .iter()
                .filter_map(|index| self.columns.get(*index))
                .map(|column| &*column.key)
                .collect();
            let id = self.metadata.intern(variant::metadata(keys.into_iter()));
            self.metadata.by_columns.insert(columns.to_vec(), id);
            id
        };
        self.metadata.of_rows.push(id);
    }

    /// Adds a row of any attributes.
    fn push_any(&mut self, pairs: &[Pair<'_>], scratch: &mut Scratch) {
        let last_of_key: HashMap<&str, usize> = pairs
            .iter()
            .enumerate()
            .map(|(place, pair)| (pair.key, place))
            .collect();
        let is_complete = last_of_key.len() < pairs.len();
        scratch
            .otlp
            .push(if is_complete { COMPLETE } else { PARTIAL });
        // Where a key stands twice, the last one counts (D4); all of them are kept.
        let counting: Vec<&Pair<'_>> = pairs
            .iter()
            .enumerate()
            .filter(|(place, pair)| last_of_key.get(pair.key) == Some(place))
            .map(|(_, pair)| pair)
            .collect();
        if is_complete {
            for pair in pairs {
                push_delimited(&mut scratch.otlp, 1, pair.bytes);
            }
        }
        let mut names: Vec<&str> = counting.iter().map(|pair| pair.key).collect();
        let mut residual = Vec::new();
        let row = self.rows - 1;
        for (place, pair) in counting.into_iter().enumerate() {
            let index = self.column_of(place, pair.key);
            let column = self.columns.get_mut(index);
            scratch.value.clear();
            match (column, pair.scalar) {
                (Some(column), Some(scalar)) if column.fits(scalar) => {
                    column.push(scalar, row);
                    continue;
                }
                (Some(column), _) => {
                    push_variant(&mut scratch.value, pair, &mut names);
                    add_bytes(&mut column.value, row, Some(&scratch.value));
                }
                (None, _) => {
                    push_variant(&mut scratch.value, pair, &mut names);
                    residual.push((pair.key, place as u32, scratch.value.clone()));
                }
            }
            if !is_complete {
                push_delimited(&mut scratch.otlp, 1, pair.bytes);
            }
        }
        self.push_metadata_of_names(&names, &mut residual);
        self.last_columns.clear();
    }

    fn push_metadata_of_names(&mut self, names: &[&str], residual: &mut [(&str, u32, Vec<u8>)]) {
        let id = self
            .metadata
            .intern(variant::metadata(names.iter().copied()));
        self.metadata.of_rows.push(id);
        if !residual.is_empty() {
            let mut object = Vec::new();
            variant::push_object(&mut object, residual);
            add_bytes(&mut self.residual, self.rows - 1, Some(&object));
        }
    }

    /// The two columns of all rows so far; building goes on with the next row group.
    pub(crate) fn finish(&mut self) -> Result<[(Field, ArrayRef); 2], Error> {
        let rows = std::mem::take(&mut self.rows);
        let mut fields = Vec::with_capacity(self.columns.len());
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.columns.len());
        for column in &mut self.columns {
            let array = column.finish(rows)?;
            fields.push(Field::new(
                &*column.key,
                DataType::Struct(array.fields().clone()),
                false,
            ));
            arrays.push(Arc::new(array));
        }
        let (metadata_field, metadata) = self.metadata.finish()?;
        let mut value = self.residual.finish(rows);
        let mut members = vec![(metadata_field, metadata)];
        if fields.is_empty() {
            let empty = std::iter::repeat_n(EMPTY_OBJECT, rows);
            value = Arc::new(BinaryArray::from_iter_values(empty));
        }
        members.push((Field::new("value", DataType::Binary, true), value));
        if !fields.is_empty() {
            let typed = StructArray::try_new(fields.into(), arrays, None)?;
            members.push((
                Field::new("typed_value", typed.fields().clone().into_struct(), true),
                Arc::new(typed),
            ));
        }
        let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = members.into_iter().unzip();
        let attributes = StructArray::try_new(fields.into(), arrays, None)?;
        let otlp = self.otlp.finish(rows);
        self.last_columns.clear();
        Ok([
            (
                Field::new(
                    "attributes",
                    attributes.fields().clone().into_struct(),
                    false,
                ),
                Arc::new(attributes),
            ),
            (Field::new("attributes_otlp", DataType::Binary, true), otlp),
        ])
    }
}

fn push_variant<'a>(out: &mut Vec<u8>, pair: &Pair<'a>, names: &mut Vec<&'a str>) {
    match pair.scalar {
        Some(scalar) => variant::push_scalar(out, scalar),
        None => variant::push_value(out, &ValueView::new(pair.value), names),
    }
}

trait IntoStruct {
    fn into_struct(self) -> DataType;
}

impl IntoStruct for Fields {
    fn into_struct(self) -> DataType {
        DataType::Struct(self)
    }
}

impl Metadata {
    fn intern(&mut self, bytes: Vec<u8>) -> i32 {
        if let Some(id) = self.by_bytes.get(&bytes) {
            return *id;
        }
        let id = (self.distinct.len() as u32).cast_signed();
        self.distinct.push(bytes.clone());
        self.by_bytes.insert(bytes, id);
        id
    }

    fn finish(&mut self) -> Result<(Field, ArrayRef), Error> {
        let keys = Int32Array::from(std::mem::take(&mut self.of_rows));
        let values = BinaryArray::from_iter_values(self.distinct.drain(..));
        self.by_columns.clear();
        self.by_bytes.clear();
        let array = DictionaryArray::try_new(keys, Arc::new(values))?;
        let kind = DataType::Dictionary(DataType::Int32.into(), DataType::Binary.into());
        Ok((Field::new("metadata", kind, false), Arc::new(array)))
    }
}

impl Kind {
    pub(crate) const fn of(scalar: Scalar<'_>) -> Self {
        match scalar {
            Scalar::Text(_) => Self::Text,
            Scalar::Bool(_) => Self::Bool,
            Scalar::Int(_) => Self::Int,
            Scalar::Double(_) => Self::Double,
            Scalar::Bytes(_) => Self::Bytes,
        }
    }
}

impl Typed {
    fn new(kind: Kind) -> Self {
        match kind {
            Kind::Text => Self::Text(Sparse::default()),
            Kind::Bool => Self::Bool(Sparse::default()),
            Kind::Int => Self::Int(Sparse::default()),
            Kind::Double => Self::Double(Sparse::default()),
            Kind::Bytes => Self::Bytes(Sparse::default()),
        }
    }

    fn push(&mut self, scalar: Scalar<'_>, row: usize) {
        match (self, scalar) {
            (Self::Text(column), Scalar::Text(text)) => column.at(row).append_value(text),
            (Self::Bool(column), Scalar::Bool(value)) => column.at(row).append_value(value),
            (Self::Int(column), Scalar::Int(value)) => column.at(row).append_value(value),
            (Self::Double(column), Scalar::Double(value)) => column.at(row).append_value(value),
            (Self::Bytes(column), Scalar::Bytes(bytes)) => column.at(row).append_value(bytes),
            _ => {}
        }
    }

    fn finish(&mut self, rows: usize) -> ArrayRef {
        match self {
            Self::Text(column) => column.finish(rows),
            Self::Bool(column) => column.finish(rows),
            Self::Int(column) => column.finish(rows),
            Self::Double(column) => column.finish(rows),
            Self::Bytes(column) => column.finish(rows),
        }
    }
}

impl KeyColumn {
    /// Whether the typed column can hold the value; the first one decides on the type.
    fn fits(&self, scalar: Scalar<'_>) -> bool {
        self.kind.is_none_or(|kind| kind == Kind::of(scalar))
    }

    /// Adds a value that fits.
    fn push(&mut self, scalar: Scalar<'_>, row: usize) {
        let kind = *self.kind.get_or_insert(Kind::of(scalar));
        let typed = self.typed.get_or_insert_with(|| Typed::new(kind));
        typed.push(scalar, row);
    }

    fn finish(&mut self, rows: usize) -> Result<StructArray, Error> {
        let kind = self.kind.unwrap_or(Kind::Text);
        let typed = self.typed.get_or_insert_with(|| Typed::new(kind));
        let typed = typed.finish(rows);
        let value = self.value.finish(rows);
        self.seen_row = 0;
        let fields = vec![
            Field::new("value", DataType::Binary, true),
            Field::new("typed_value", typed.data_type().clone(), true),
        ];
        let arrays: Vec<ArrayRef> = vec![value, typed];
        Ok(StructArray::try_new(fields.into(), arrays, None)?)
    }
}

/// The bytes of a `KeyValue` with this key up to the length of its value.
pub(crate) fn prefix_of(key: &str) -> Vec<u8> {
    let mut prefix = Vec::with_capacity(key.len() + 4);
    push_delimited(&mut prefix, 1, key.as_bytes());
    push_tag(&mut prefix, 2, DELIMITED);
    prefix
}

/// The same memory for values of something else: without elements, the collected vector is the one that it was.
fn emptied<'b>(mut found: Vec<(usize, Scalar<'_>)>) -> Vec<(usize, Scalar<'b>)> {
    found.clear();
    found.into_iter().map_while(|_| None).collect()
}
