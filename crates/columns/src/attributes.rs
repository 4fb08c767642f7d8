//! Attributes as one shredded Variant column: a typed column for each key, and beside it what those cannot say.
//!
//! The dictionary of keys that every Variant has is written in the order of the attributes, so the order survives. What no
//! typed column can say exactly (arrays, lists of keys and values, a second type under one key, keys beyond the limit) is
//! in the Variant for those who query, and beside it as OTLP for those who want the bytes back.

use std::collections::HashMap;

use arrow_schema::{DataType, Field, Fields};
use millrace_wire::field::{DELIMITED, push_delimited, push_tag};
use millrace_wire::view::ValueView;

use crate::column::{Column, Content};
use crate::leaf::{Leaf, Use, Width};
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

struct KeyColumn {
    key: Box<str>,
    /// A `KeyValue` of this key up to its value.
    prefix: Vec<u8>,
    kind: Option<Kind>,
    typed: Leaf,
    /// Values of another type. Mostly there are none, but `DuckDB` wants the column.
    value: Leaf,
    /// The last row in which the key was seen, counted from 1.
    seen_row: usize,
}

/// Builds the column `attributes` and its companion `attributes_otlp`.
pub(crate) struct AttributeColumns {
    by_key: HashMap<Box<str>, usize>,
    columns: Vec<KeyColumn>,
    /// Whether keys may still be added: the columns of a file with several row groups are declared beforehand.
    is_frozen: bool,
    rows: usize,
    metadata: Leaf,
    residual: Leaf,
    otlp: Leaf,
    /// The number that a row's dictionary has in `metadata`, by the columns of its attributes.
    shapes: HashMap<Vec<usize>, u32>,
    /// Of the row before this one: the column of each attribute, and its dictionary. Mostly this row has the same.
    last_columns: Vec<usize>,
    last_shape: Option<u32>,
    scratch: Scratch,
}

/// The value of an attribute that its column can hold.
#[derive(Clone, Copy)]
enum Found<'a> {
    /// The one that the column has had before.
    Same,
    Other(Scalar<'a>),
}

#[derive(Default)]
struct Scratch {
    otlp: Vec<u8>,
    value: Vec<u8>,
}

/// Stands for a key without a column.
const NO_COLUMN: usize = usize::MAX;

impl Default for AttributeColumns {
    fn default() -> Self {
        Self {
            by_key: HashMap::new(),
            columns: Vec::new(),
            is_frozen: false,
            rows: 0,
            metadata: Leaf::required(Use::Known),
            residual: Leaf::optional(Use::Text),
            otlp: Leaf::optional(Use::Text),
            shapes: HashMap::new(),
            last_columns: Vec::new(),
            last_shape: None,
            scratch: Scratch::default(),
        }
    }
}

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
                column.set_kind(kind);
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
            kind: None,
            typed: Leaf::nested(Use::Text),
            value: Leaf::nested(Use::Text),
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
        let mut found = Vec::with_capacity(pairs.len());
        if self.is_plain(pairs, &mut found) {
            self.push_plain(&found);
        } else {
            let mut scratch = std::mem::take(&mut self.scratch);
            scratch.otlp.clear();
            let pairs: Vec<Pair<'a>> = pairs.iter().map(|bytes| Pair::new(bytes)).collect();
            self.push_any(&pairs, &mut scratch);
            self.otlp.put_some(self.rows - 1, &scratch.otlp);
            self.scratch = scratch;
        }
    }

    /// Whether all are scalars that the columns of their keys can hold, which `found` gets, and no key stands twice.
    fn is_plain<'a>(&mut self, pairs: &[&'a [u8]], found: &mut Vec<(usize, Found<'a>)>) -> bool {
        let row = self.rows;
        for (place, bytes) in pairs.iter().enumerate() {
            let Some((index, value)) = self.find(place, bytes) else {
                return false;
            };
            match self.columns.get_mut(index) {
                Some(column) if column.seen_row != row && column.holds(value) => {
                    column.seen_row = row;
                    found.push((index, value));
                }
                _ => return false,
            }
        }
        true
    }

    /// The column and the value of the attribute at `place` of a row, if it is a scalar.
    fn find<'a>(&mut self, place: usize, bytes: &'a [u8]) -> Option<(usize, Found<'a>)> {
        const TEXT: u8 = 1 << 3 | DELIMITED;
        // Mostly it has the same key as the attribute at this place of the row before.
        if let Some(index) = self.last_columns.get(place)
            && let Some(column) = self.columns.get(*index)
            && let Some([length @ ..0x80, value @ ..]) = bytes.strip_prefix(&column.prefix[..])
            && value.len() == usize::from(*length)
        {
            if let [TEXT, length @ ..0x80, text @ ..] = value
                && text.len() == usize::from(*length)
                && column.kind == Some(Kind::Text)
                && column.typed.ends_with(text)
            {
                return Some((*index, Found::Same));
            }
            if let Some(scalar) = scalar(value) {
                return Some((*index, Found::Other(scalar)));
            }
        }
        let pair = Pair::new(bytes);
        let scalar = pair.scalar?;
        Some((self.column_of(place, pair.key), Found::Other(scalar)))
    }

    fn push_plain(&mut self, found: &[(usize, Found<'_>)]) {
        let row = self.rows - 1;
        for (index, value) in found {
            if let Some(column) = self.columns.get_mut(*index) {
                match value {
                    Found::Same => column.typed.repeat(row),
                    Found::Other(scalar) => column.push(*scalar, row),
                }
            }
        }
        let columns = found.iter().map(|(index, _)| index);
        let shape = match self.last_shape {
            Some(shape) if self.last_columns.iter().eq(columns.clone()) => shape,
            _ => {
                self.last_columns.clear();
                self.last_columns.extend(columns);
                self.shape_of_last()
            }
        };
        self.last_shape = Some(shape);
        self.metadata.put_known(row, shape);
    }

    fn shape_of_last(&mut self) -> u32 {
        if let Some(shape) = self.shapes.get(&self.last_columns) {
            return *shape;
        }
        let columns = self.last_columns.iter();
        let keys: Vec<&str> = columns
            .filter_map(|index| self.columns.get(*index))
            .map(|column| &*column.key)
            .collect();
        let shape = self
            .metadata
            .texts
            .intern(&variant::metadata(keys.into_iter()));
        self.shapes.insert(self.last_columns.clone(), shape);
        shape
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
                    column.value.put(row, &scratch.value);
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
        let metadata = variant::metadata(names.iter().copied());
        let shape = self.metadata.texts.intern(&metadata);
        self.metadata.put_known(row, shape);
        if !residual.is_empty() {
            let mut object = Vec::new();
            variant::push_object(&mut object, &mut residual);
            self.say_empty(row);
            self.residual.put(row, &object);
        }
        self.last_columns.clear();
        self.last_shape = None;
    }

    /// Without any key, each of the rows before this one says that it is an object; a key that comes later is beside that.
    fn say_empty(&mut self, rows: usize) {
        if self.columns.is_empty() {
            for row in self.residual.rows..rows {
                self.residual.put(row, EMPTY_OBJECT);
            }
        }
    }

    /// Row groups have nothing in common but the keys.
    pub(crate) fn end_group(&mut self) {
        self.rows = 0;
        self.shapes.clear();
        self.last_columns.clear();
        self.last_shape = None;
        for column in &mut self.columns {
            column.seen_row = 0;
        }
    }

    /// The two columns; building goes on.
    pub(crate) fn finish(&mut self) -> [Column<'_>; 2] {
        self.say_empty(self.rows);
        let field = |name: &str, kind, is_nullable| Field::new(name, kind, is_nullable);
        let mut fields = vec![
            field("metadata", DataType::Binary, false),
            field("value", DataType::Binary, true),
        ];
        let mut leaves = vec![&mut self.metadata, &mut self.residual];
        let mut keys = Vec::with_capacity(self.columns.len());
        for column in &mut self.columns {
            let kind = column.kind.unwrap_or(Kind::Text);
            let members = Fields::from(vec![
                field("value", DataType::Binary, true),
                field("typed_value", kind.data_type(), true),
            ]);
            keys.push(field(&column.key, DataType::Struct(members), false));
            leaves.extend([&mut column.value, &mut column.typed]);
        }
        if !keys.is_empty() {
            fields.push(field("typed_value", DataType::Struct(keys.into()), true));
        }
        let attributes = Column {
            field: field("attributes", DataType::Struct(fields.into()), false),
            content: Content::Leaves(leaves),
        };
        [attributes, Column::bytes("attributes_otlp", &mut self.otlp)]
    }
}

fn push_variant<'a>(out: &mut Vec<u8>, pair: &Pair<'a>, names: &mut Vec<&'a str>) {
    match pair.scalar {
        Some(scalar) => variant::push_scalar(out, scalar),
        None => variant::push_value(out, &ValueView::new(pair.value), names),
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

    const fn data_type(self) -> DataType {
        match self {
            Self::Text => DataType::Utf8,
            Self::Bool => DataType::Boolean,
            Self::Int => DataType::Int64,
            Self::Double => DataType::Float64,
            Self::Bytes => DataType::Binary,
        }
    }

    const fn of_leaf(self) -> Use {
        match self {
            Self::Text | Self::Bytes => Use::Text,
            Self::Bool => Use::Truth,
            Self::Int => Use::Number(Width::Int64),
            Self::Double => Use::Number(Width::Double),
        }
    }
}

impl KeyColumn {
    /// Whether the typed column can hold the value; the first one decides on the type.
    fn fits(&self, scalar: Scalar<'_>) -> bool {
        self.kind.is_none_or(|kind| kind == Kind::of(scalar))
    }

    fn holds(&self, value: Found<'_>) -> bool {
        match value {
            Found::Same => true,
            Found::Other(scalar) => self.fits(scalar),
        }
    }

    fn set_kind(&mut self, kind: Kind) {
        self.kind = Some(kind);
        self.typed = Leaf::nested(kind.of_leaf());
    }

    /// Adds a value that fits.
    fn push(&mut self, scalar: Scalar<'_>, row: usize) {
        if self.kind.is_none() {
            self.set_kind(Kind::of(scalar));
        }
        match scalar {
            Scalar::Text(text) => self.typed.put(row, text.as_bytes()),
            Scalar::Bytes(bytes) => self.typed.put(row, bytes),
            Scalar::Int(value) => self.typed.put_number(row, value.cast_unsigned()),
            Scalar::Double(value) => self.typed.put_number(row, value.to_bits()),
            Scalar::Bool(value) => self.typed.put_truth(row, value),
        }
    }
}

/// The bytes of a `KeyValue` with this key up to the length of its value.
pub(crate) fn prefix_of(key: &str) -> Vec<u8> {
    let mut prefix = Vec::with_capacity(key.len() + 4);
    push_delimited(&mut prefix, 1, key.as_bytes());
    push_tag(&mut prefix, 2, DELIMITED);
    prefix
}
