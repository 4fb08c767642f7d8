//! Attributes of small things (events, links, exemplars, resources) as a map of text to text.

use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::{ArrayRef, MapArray, StructArray};
use arrow_buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, Field, Fields};
use millrace_wire::view::ValueView;

use crate::error::Error;
use crate::json_text;
use crate::value::{Pair, Scalar};

/// The letter that says the type of a value in a column of types.
pub(crate) const TEXT: char = 's';
pub(crate) const INT: char = 'i';
pub(crate) const DOUBLE: char = 'd';
pub(crate) const BOOL: char = 'b';

/// Builds a column of maps.
pub(crate) struct PairColumns {
    ends: Vec<i32>,
    nulls: Vec<bool>,
    keys: StringBuilder,
    values: StringBuilder,
    count: i32,
    scratch: String,
}

impl Default for PairColumns {
    fn default() -> Self {
        Self {
            ends: vec![0],
            nulls: Vec::new(),
            keys: StringBuilder::new(),
            values: StringBuilder::new(),
            count: 0,
            scratch: String::new(),
        }
    }
}

impl PairColumns {
    /// Adds one map. `types` gets a letter for each pair; false where the map does not say everything.
    pub(crate) fn push<'a>(
        &mut self,
        pairs: impl Iterator<Item = &'a [u8]>,
        types: &mut String,
    ) -> bool {
        types.clear();
        let pairs: Vec<Pair<'_>> = pairs.map(Pair::new).collect();
        let mut is_exact = true;
        for (place, pair) in pairs.iter().enumerate() {
            let later = pairs.get(place + 1..).unwrap_or_default();
            if later.iter().any(|other| other.key == pair.key) {
                is_exact = false; // of several with one key, the last one counts (D4)
                continue;
            }
            self.scratch.clear();
            json_text::push_text(&mut self.scratch, &ValueView::new(pair.value));
            types.push(match pair.scalar {
                Some(Scalar::Text(_)) => TEXT,
                Some(Scalar::Int(_)) => INT,
                Some(Scalar::Double(value)) if value.is_finite() => DOUBLE,
                Some(Scalar::Bool(_)) => BOOL,
                _ => {
                    is_exact = false;
                    TEXT
                }
            });
            self.keys.append_value(pair.key);
            self.values.append_value(&self.scratch);
            self.count += 1;
        }
        self.nulls.push(true);
        self.ends.push(self.count);
        is_exact
    }

    /// Adds no map.
    pub(crate) fn push_null(&mut self) {
        self.nulls.push(false);
        self.ends.push(self.count);
    }

    /// The column.
    pub(crate) fn finish(&mut self, name: &str) -> Result<(Field, ArrayRef), Error> {
        let fields = Fields::from(vec![
            Field::new("key", DataType::Utf8, false),
            Field::new("value", DataType::Utf8, true),
        ]);
        let arrays: Vec<ArrayRef> =
            vec![Arc::new(self.keys.finish()), Arc::new(self.values.finish())];
        let entries = StructArray::try_new(fields.clone(), arrays, None)?;
        let entry = Arc::new(Field::new("key_value", DataType::Struct(fields), false));
        let ends = std::mem::replace(&mut self.ends, vec![0]);
        let nulls = NullBuffer::from(std::mem::take(&mut self.nulls));
        self.count = 0;
        let map = MapArray::try_new(
            Arc::clone(&entry),
            OffsetBuffer::new(ScalarBuffer::from(ends)),
            entries,
            Some(nulls),
            false,
        )?;
        let field = Field::new(name, DataType::Map(entry, false), true);
        Ok((field, Arc::new(map)))
    }
}
