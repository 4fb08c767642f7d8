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
use millrace_wire::field::push_delimited;
use millrace_wire::view::ValueView;

use crate::error::Error;
use crate::value::{Pair, Scalar};
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
    Text(StringBuilder),
    Bool(BooleanBuilder),
    Int(Int64Builder),
    Double(Float64Builder),
    Bytes(BinaryBuilder),
}

struct KeyColumn {
    key: Box<str>,
    kind: Option<Kind>,
    typed: Option<Typed>,
    typed_rows: usize,
    /// Values of another type. Mostly there are none, but `DuckDB` wants the column.
    value: BinaryBuilder,
    value_rows: usize,
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
    residual: BinaryBuilder,
    otlp: BinaryBuilder,
    metadata: Metadata,
    /// Of the row before this one: the column of each attribute. Mostly this row has the same.
    last_columns: Vec<usize>,
    scratch: Scratch,
}

#[derive(Default)]
struct Scratch {
    columns: Vec<usize>,
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
            typed: None,
            typed_rows: 0,
            value: BinaryBuilder::new(),
            value_rows: 0,
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

    /// Adds the attributes of one row, in order.
    pub(crate) fn push(&mut self, pairs: &[Pair<'_>]) {
        self.rows += 1;
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.otlp.clear();
        if self.is_plain(pairs, &mut scratch.columns) {
            self.push_plain(pairs, &mut scratch);
        } else {
            self.push_any(pairs, &mut scratch);
        }
        if scratch.otlp.is_empty() {
            self.otlp.append_null();
        } else {
            self.otlp.append_value(&scratch.otlp);
        }
        self.scratch = scratch;
    }

    /// Whether all are scalars that the columns of their keys can hold, which `found` gets, and no key stands twice.
    fn is_plain(&mut self, pairs: &[Pair<'_>], found: &mut Vec<usize>) -> bool {
        found.clear();
        let row = self.rows;
        for (place, pair) in pairs.iter().enumerate() {
            let index = self.column_of(place, pair.key);
            found.push(index);
            match (self.columns.get_mut(index), pair.scalar) {
                (Some(column), Some(scalar)) if column.seen_row != row && column.fits(scalar) => {
                    column.seen_row = row;
                }
                _ => return false,
            }
        }
        true
    }

    fn push_plain(&mut self, pairs: &[Pair<'_>], scratch: &mut Scratch) {
        let row = self.rows;
        for (pair, index) in pairs.iter().zip(&scratch.columns) {
            if let (Some(column), Some(scalar)) = (self.columns.get_mut(*index), pair.scalar) {
                column.push(scalar, row);
            }
        }
        if self.last_columns == scratch.columns
            && let Some(last) = self.metadata.of_rows.last()
        {
            let last = *last;
            self.metadata.of_rows.push(last);
        } else {
            self.push_metadata_of_columns(&scratch.columns);
            std::mem::swap(&mut self.last_columns, &mut scratch.columns);
        }
        self.residual.append_null();
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
        let row = self.rows;
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
                    column.push_value(&scratch.value, row);
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
        if residual.is_empty() {
            self.residual.append_null();
        } else {
            let mut object = Vec::new();
            variant::push_object(&mut object, residual);
            self.residual.append_value(object);
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
        let mut value = self.residual.finish();
        let mut members = vec![(metadata_field, metadata)];
        if fields.is_empty() {
            value = BinaryArray::from_iter_values(std::iter::repeat_n(EMPTY_OBJECT, rows));
        }
        members.push((
            Field::new("value", DataType::Binary, true),
            Arc::new(value) as ArrayRef,
        ));
        if !fields.is_empty() {
            let typed = StructArray::try_new(fields.into(), arrays, None)?;
            members.push((
                Field::new("typed_value", typed.fields().clone().into_struct(), true),
                Arc::new(typed),
            ));
        }
        let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = members.into_iter().unzip();
        let attributes = StructArray::try_new(fields.into(), arrays, None)?;
        let otlp = self.otlp.finish();
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
            (
                Field::new("attributes_otlp", DataType::Binary, true),
                Arc::new(otlp),
            ),
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
    const fn of(scalar: Scalar<'_>) -> Self {
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
            Kind::Text => Self::Text(StringBuilder::new()),
            Kind::Bool => Self::Bool(BooleanBuilder::new()),
            Kind::Int => Self::Int(Int64Builder::new()),
            Kind::Double => Self::Double(Float64Builder::new()),
            Kind::Bytes => Self::Bytes(BinaryBuilder::new()),
        }
    }

    fn push(&mut self, scalar: Scalar<'_>, missing: usize) {
        match (self, scalar) {
            (Self::Text(builder), Scalar::Text(text)) => {
                builder.append_nulls(missing);
                builder.append_value(text);
            }
            (Self::Bool(builder), Scalar::Bool(value)) => {
                builder.append_nulls(missing);
                builder.append_value(value);
            }
            (Self::Int(builder), Scalar::Int(value)) => {
                builder.append_nulls(missing);
                builder.append_value(value);
            }
            (Self::Double(builder), Scalar::Double(value)) => {
                builder.append_nulls(missing);
                builder.append_value(value);
            }
            (Self::Bytes(builder), Scalar::Bytes(bytes)) => {
                builder.append_nulls(missing);
                builder.append_value(bytes);
            }
            _ => {}
        }
    }

    fn finish(&mut self, missing: usize) -> ArrayRef {
        match self {
            Self::Text(builder) => {
                builder.append_nulls(missing);
                Arc::new(builder.finish())
            }
            Self::Bool(builder) => {
                builder.append_nulls(missing);
                Arc::new(builder.finish())
            }
            Self::Int(builder) => {
                builder.append_nulls(missing);
                Arc::new(builder.finish())
            }
            Self::Double(builder) => {
                builder.append_nulls(missing);
                Arc::new(builder.finish())
            }
            Self::Bytes(builder) => {
                builder.append_nulls(missing);
                Arc::new(builder.finish())
            }
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
        typed.push(scalar, row - 1 - self.typed_rows);
        self.typed_rows = row;
    }

    fn push_value(&mut self, value: &[u8], row: usize) {
        self.value.append_nulls(row - 1 - self.value_rows);
        self.value.append_value(value);
        self.value_rows = row;
    }

    fn finish(&mut self, rows: usize) -> Result<StructArray, Error> {
        let kind = self.kind.unwrap_or(Kind::Text);
        let typed = self.typed.get_or_insert_with(|| Typed::new(kind));
        let typed = typed.finish(rows - self.typed_rows);
        self.value.append_nulls(rows - self.value_rows);
        let value = Arc::new(self.value.finish());
        (self.typed_rows, self.value_rows, self.seen_row) = (0, 0, 0);
        let fields = vec![
            Field::new("value", DataType::Binary, true),
            Field::new("typed_value", typed.data_type().clone(), true),
        ];
        let arrays: Vec<ArrayRef> = vec![value, typed];
        Ok(StructArray::try_new(fields.into(), arrays, None)?)
    }
}
