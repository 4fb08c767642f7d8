//! The columns of a signal, as they are given to the writer of a file.

use arrow_array::ArrayRef;
use arrow_schema::{DataType, Field};

use crate::leaf::Leaf;

/// One column: lists and maps as arrays of a batch, everything else encoded already.
pub(crate) struct Column<'a> {
    pub(crate) field: Field,
    pub(crate) content: Content<'a>,
}

pub(crate) enum Content<'a> {
    /// The rows since the last time.
    Array(ArrayRef),
    /// All rows of the row group, in the order of the schema.
    Leaves(Vec<&'a mut Leaf>),
}

impl<'a> Column<'a> {
    pub(crate) fn array((field, array): (Field, ArrayRef)) -> Self {
        Self {
            field,
            content: Content::Array(array),
        }
    }

    /// A column that is one leaf.
    pub(crate) fn leaf(name: &str, kind: DataType, leaf: &'a mut Leaf) -> Self {
        Self {
            field: Field::new(name, kind, leaf.level > 0),
            content: Content::Leaves(vec![leaf]),
        }
    }

    pub(crate) fn text(name: &str, leaf: &'a mut Leaf) -> Self {
        Self::leaf(name, DataType::Utf8, leaf)
    }

    pub(crate) fn bytes(name: &str, leaf: &'a mut Leaf) -> Self {
        Self::leaf(name, DataType::Binary, leaf)
    }
}
