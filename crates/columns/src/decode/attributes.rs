//! Reads attributes back from their Variant column and its companion.

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{
    Array, BinaryArray, BooleanArray, Float64Array, Int64Array, StringArray, StructArray,
};
use arrow_schema::DataType;
use millrace_wire::encode::push_attribute;
use millrace_wire::field::{children, push_delimited};

use super::{Named, bytes_of, typed};
use crate::attributes::COMPLETE;
use crate::error::Error;
use crate::value::Pair;
use crate::variant;

enum Typed<'a> {
    Text(&'a StringArray),
    Bool(&'a BooleanArray),
    Int(&'a Int64Array),
    Double(&'a Float64Array),
    Bytes(&'a BinaryArray),
}

/// Reads the columns `attributes` and `attributes_otlp`.
pub(crate) struct AttributeDecoder<'a> {
    metadata: &'a BinaryArray,
    keys: Vec<(&'a str, Typed<'a>)>,
    otlp: &'a BinaryArray,
    /// The dictionary of the last row, and where its keys have their columns.
    last: Option<(&'a [u8], KeyColumns<'a>)>,
}

/// Keys in their order, each with the place of its column.
type KeyColumns<'a> = Vec<(&'a str, usize)>;

const NO_COLUMN: usize = usize::MAX;

impl<'a> AttributeDecoder<'a> {
    pub(crate) fn new(batch: &'a impl Named) -> Result<Self, Error> {
        let attributes: &StructArray =
            typed(batch.any("attributes")?.as_struct_opt(), "attributes")?;
        let mut keys = Vec::new();
        if let Some(all) = attributes.find("typed_value") {
            let all: &StructArray = typed(all.as_struct_opt(), "attributes.typed_value")?;
            for (field, column) in all.fields().iter().zip(all.columns()) {
                let column: &StructArray = typed(column.as_struct_opt(), field.name())?;
                let values = column.any("typed_value")?;
                let values = match values.data_type() {
                    DataType::Utf8 => values.as_string_opt().map(Typed::Text),
                    DataType::Boolean => values.as_boolean_opt().map(Typed::Bool),
                    DataType::Int64 => values.as_primitive_opt::<Int64Type>().map(Typed::Int),
                    DataType::Float64 => {
                        values.as_primitive_opt::<Float64Type>().map(Typed::Double)
                    }
                    DataType::Binary => values.as_binary_opt().map(Typed::Bytes),
                    _ => None,
                };
                keys.push((field.name().as_str(), typed(values, field.name())?));
            }
        }
        Ok(Self {
            metadata: attributes.bytes("metadata")?,
            keys,
            otlp: batch.bytes("attributes_otlp")?,
            last: None,
        })
    }

    /// Appends the attributes of a row as fields `number`.
    pub(crate) fn append(
        &mut self,
        row: usize,
        number: u32,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let otlp = bytes_of(self.otlp, row).and_then(<[u8]>::split_first);
        if let Some((&COMPLETE, pairs)) = otlp {
            children(pairs, 1).for_each(|pair| push_delimited(out, number, pair));
            return Ok(());
        }
        let kept: Vec<Pair<'_>> = otlp
            .iter()
            .flat_map(|(_, pairs)| children(pairs, 1).map(Pair::new))
            .collect();
        let metadata = bytes_of(self.metadata, row).unwrap_or_default();
        self.look_up(metadata)?;
        let Some((_, columns)) = &self.last else {
            return Ok(());
        };
        for (key, column) in columns {
            let is_typed = self
                .keys
                .get(*column)
                .is_some_and(|(_, values)| values.append(row, number, key, out));
            if !is_typed && let Some(pair) = kept.iter().find(|pair| pair.key == *key) {
                push_delimited(out, number, pair.bytes);
            }
        }
        Ok(())
    }

    fn look_up(&mut self, metadata: &'a [u8]) -> Result<(), Error> {
        if self
            .last
            .as_ref()
            .is_some_and(|(last, _)| *last == metadata)
        {
            return Ok(());
        }
        let keys = variant::keys_of(metadata)
            .ok_or_else(|| Error::damaged("the keys of a row are not readable"))?;
        let columns = keys
            .into_iter()
            .map(|key| {
                let column = self.keys.iter().position(|(known, _)| *known == key);
                (key, column.unwrap_or(NO_COLUMN))
            })
            .collect();
        self.last = Some((metadata, columns));
        Ok(())
    }
}

impl Typed<'_> {
    /// Appends the value of a row; false where there is none.
    fn append(&self, row: usize, number: u32, key: &str, out: &mut Vec<u8>) -> bool {
        match self {
            Self::Text(column) if column.is_valid(row) => {
                push_attribute(out, number, key, column.value(row));
            }
            Self::Bool(column) if column.is_valid(row) => {
                push_attribute(out, number, key, &column.value(row));
            }
            Self::Int(column) if column.is_valid(row) => {
                push_attribute(out, number, key, &column.value(row));
            }
            Self::Double(column) if column.is_valid(row) => {
                push_attribute(out, number, key, &column.value(row));
            }
            Self::Bytes(column) if column.is_valid(row) => {
                push_attribute(out, number, key, column.value(row));
            }
            _ => return false,
        }
        true
    }
}
