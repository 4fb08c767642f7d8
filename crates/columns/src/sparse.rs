//! A column that has nothing in most rows: such a row costs nothing, unless one behind it has something.

use arrow_array::ArrayRef;
use arrow_array::builder::{
    ArrayBuilder, BinaryBuilder, BooleanBuilder, GenericByteBuilder, PrimitiveBuilder,
    StringBuilder,
};
use arrow_array::types::{ArrowPrimitiveType, ByteArrayType};

/// A builder that takes many rows without a value at once.
pub(crate) trait Nulls: ArrayBuilder + Default {
    fn append_nulls(&mut self, count: usize);
}

impl<T: ByteArrayType> Nulls for GenericByteBuilder<T> {
    fn append_nulls(&mut self, count: usize) {
        Self::append_nulls(self, count);
    }
}

impl<T: ArrowPrimitiveType> Nulls for PrimitiveBuilder<T> {
    fn append_nulls(&mut self, count: usize) {
        Self::append_nulls(self, count);
    }
}

impl Nulls for BooleanBuilder {
    fn append_nulls(&mut self, count: usize) {
        Self::append_nulls(self, count);
    }
}

/// Builds such a column.
#[derive(Debug, Default)]
pub(crate) struct Sparse<B>(B);

impl<B: Nulls> Sparse<B> {
    /// The builder, for the value of this row, counted from 0; the rows before it are there.
    pub(crate) fn at(&mut self, row: usize) -> &mut B {
        let missing = row.saturating_sub(self.0.len());
        if missing > 0 {
            self.0.append_nulls(missing);
        }
        &mut self.0
    }

    /// The column of so many rows.
    pub(crate) fn finish(&mut self, rows: usize) -> ArrayRef {
        self.at(rows).finish()
    }
}

/// Adds a text, unless it is empty.
pub(crate) fn add_text(column: &mut Sparse<StringBuilder>, row: usize, bytes: &[u8]) {
    if !bytes.is_empty() {
        column.at(row).append_value(crate::spans::text(bytes));
    }
}

/// Adds bytes, if there are any.
pub(crate) fn add_bytes(column: &mut Sparse<BinaryBuilder>, row: usize, bytes: Option<&[u8]>) {
    if let Some(bytes) = bytes {
        column.at(row).append_value(bytes);
    }
}

/// Adds a number, unless there is none.
pub(crate) fn add_number<T: ArrowPrimitiveType>(
    column: &mut Sparse<PrimitiveBuilder<T>>,
    row: usize,
    number: Option<T::Native>,
) {
    if let Some(number) = number {
        column.at(row).append_value(number);
    }
}

/// Adds a count, unless it is zero.
pub(crate) fn add_count(
    column: &mut Sparse<PrimitiveBuilder<arrow_array::types::UInt32Type>>,
    row: usize,
    count: u32,
) {
    add_number(column, row, (count != 0).then_some(count));
}
