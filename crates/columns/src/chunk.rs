//! Ends a column of a row group: its pages, what a reader has to know of them, and a filter of the ids.

use bytes::Bytes;
use parquet::basic::{Encoding, EncodingMask, PageType};
use parquet::bloom_filter::Sbbf;
use parquet::column::page::{CompressedPage, Page, PageWriter as _};
use parquet::column::writer::ColumnCloseResult;
use parquet::data_type::ByteArray;
use parquet::file::metadata::{ColumnChunkMetaData, OffsetIndexBuilder, PageEncodingStats};
use parquet::file::statistics::Statistics;
use parquet::file::writer::{SerializedPageWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;

use crate::error::Error;
use crate::leaf::{Leaf, Packed, Use, Width};
use crate::packer::Packer;
use crate::packing::{Runs, width_of};

/// How often a filter may be wrong: each time, a search for one trace reads the ids of a whole row group in vain.
const BLOOM_WRONG: f64 = 0.001;
/// Bounds that are longer are not kept.
const BOUND_BYTES_MAX: usize = 256;

/// The bytes of a column of this many rows, and what is to be known of them.
pub(crate) fn finish(
    mut leaf: Leaf,
    rows: usize,
    column: ColumnDescPtr,
    packer: &mut Packer,
) -> Result<(Bytes, ColumnCloseResult), Error> {
    leaf.end_batch(rows, packer)?;
    leaf.end_page(packer)?;
    if leaf.is_empty() {
        leaf.pages = vec![empty_page(&leaf, packer)?];
    }
    let mut pages = Vec::with_capacity(leaf.pages.len() + 1);
    pages.extend(dictionary_page(&leaf, packer)?);
    let has_dictionary = !pages.is_empty();
    pages.append(&mut leaf.pages);
    let mut encodings = vec![Encoding::RLE];
    let mut stats: Vec<PageEncodingStats> = Vec::new();
    let mut out = TrackedWrite::new(Vec::new());
    let mut writer = SerializedPageWriter::new(&mut out);
    let (mut index, mut size, mut bytes, mut data_start) = (OffsetIndexBuilder::new(), 0, 0, None);
    for Packed { page, rows } in pages {
        let (kind, encoding) = (page.page_type(), page.encoding());
        let written = writer.write_page(page)?;
        size += signed(written.uncompressed_size);
        bytes += signed(written.compressed_size);
        if kind == PageType::DATA_PAGE {
            data_start.get_or_insert(written.offset.cast_signed());
            index.append_row_count(signed(rows));
            let length = (written.compressed_size as u32).cast_signed();
            index.append_offset_and_size(written.offset.cast_signed(), length);
        }
        encodings.push(encoding);
        match stats.last_mut() {
            Some(last) if last.page_type == kind && last.encoding == encoding => last.count += 1,
            _ => stats.push(PageEncodingStats {
                page_type: kind,
                encoding,
                count: 1,
            }),
        }
    }
    writer.close()?;
    let mut metadata = ColumnChunkMetaData::builder(column)
        .set_compression(packer.compression()?)
        .set_encodings_mask(EncodingMask::new_from_encodings(encodings.iter()))
        .set_page_encoding_stats(stats)
        .set_total_compressed_size(bytes)
        .set_total_uncompressed_size(size)
        .set_num_values(signed(rows))
        .set_data_page_offset(data_start.unwrap_or_default())
        .set_dictionary_page_offset(has_dictionary.then_some(0));
    if let Some(statistics) = statistics(&leaf) {
        metadata = metadata.set_statistics(statistics);
    }
    let result = ColumnCloseResult {
        bytes_written: bytes.cast_unsigned(),
        rows_written: rows as u64,
        metadata: metadata.build()?,
        bloom_filter: filter(&leaf)?,
        column_index: None,
        offset_index: Some(index.build()),
    };
    Ok((out.into_inner()?.into(), result))
}

/// A length as Parquet's metadata has it.
const fn signed(length: usize) -> i64 {
    (length as u64).cast_signed()
}

/// One page that says of all rows that they have nothing.
fn empty_page(leaf: &Leaf, packer: &mut Packer) -> Result<Packed, Error> {
    let mut content = vec![0; 4];
    let mut runs = Runs::new(&mut content, width_of(u64::from(leaf.level)));
    runs.push(leaf.level.saturating_sub(1), leaf.rows);
    runs.finish();
    let length = (content.len() - 4) as u32;
    if let Some(header) = content.first_chunk_mut() {
        *header = length.to_le_bytes();
    }
    let page = Page::DataPage {
        buf: packer.pack(&content, false)?.into(),
        num_values: leaf.rows as u32,
        encoding: Encoding::PLAIN,
        def_level_encoding: Encoding::RLE,
        rep_level_encoding: Encoding::RLE,
        statistics: None,
    };
    Ok(Packed {
        page: CompressedPage::new(page, content.len()),
        rows: leaf.rows,
    })
}

fn dictionary_page(leaf: &Leaf, packer: &mut Packer) -> Result<Option<Packed>, Error> {
    let (content, count) = match leaf.of {
        Use::Number(width) => {
            let values = leaf.numbers.values();
            let mut content = Vec::with_capacity(8 * values.len());
            for value in values {
                let bytes = value.to_le_bytes();
                let used = bytes.get(..width.bytes()).unwrap_or_default();
                content.extend_from_slice(used);
            }
            (content, values.len())
        }
        _ => (leaf.texts.page().to_vec(), leaf.texts.len()),
    };
    if count == 0 {
        return Ok(None);
    }
    let page = Page::DictionaryPage {
        buf: packer.pack(&content, leaf.of == Use::TraceId)?.into(),
        num_values: count as u32,
        encoding: Encoding::PLAIN,
        is_sorted: false,
    };
    Ok(Some(Packed {
        page: CompressedPage::new(page, content.len()),
        rows: 0,
    }))
}

fn filter(leaf: &Leaf) -> Result<Option<Sbbf>, Error> {
    if leaf.of != Use::TraceId {
        return Ok(None);
    }
    let mut filter = Sbbf::new_with_ndv_fpp(leaf.texts.len().max(1) as u64, BLOOM_WRONG)?;
    leaf.texts.values().for_each(|id| filter.insert(id));
    Ok(Some(filter))
}

/// The least and greatest value, and how many there are not.
fn statistics(leaf: &Leaf) -> Option<Statistics> {
    let missing = Some(leaf.missing as u64);
    let numbers = leaf.numbers.values();
    match leaf.of {
        Use::Name => {
            let values = leaf.texts.values();
            let bound = |it: Option<&[u8]>| {
                it.filter(|it| it.len() <= BOUND_BYTES_MAX)
                    .map(|it| ByteArray::from(it.to_vec()))
            };
            let (least, greatest) = (bound(values.min()), bound(leaf.texts.values().max()));
            Some(Statistics::byte_array(
                least, greatest, None, missing, false,
            ))
        }
        Use::Number(Width::Int32) => {
            let values = || numbers.iter().map(|bits| (*bits as u32).cast_signed());
            Some(Statistics::int32(
                values().min(),
                values().max(),
                None,
                missing,
                false,
            ))
        }
        Use::Number(Width::UInt32) => {
            let bound = |it: Option<&u64>| it.map(|bits| (*bits as u32).cast_signed());
            let (least, greatest) = (bound(numbers.iter().min()), bound(numbers.iter().max()));
            Some(Statistics::int32(least, greatest, None, missing, false))
        }
        Use::Number(Width::Int64) => {
            let values = || numbers.iter().map(|bits| bits.cast_signed());
            Some(Statistics::int64(
                values().min(),
                values().max(),
                None,
                missing,
                false,
            ))
        }
        Use::Number(Width::Double) => Some(of_doubles(numbers, missing)),
        Use::Time | Use::Duration => {
            let bounds = leaf.bounds;
            let least = bounds.map(|(least, _)| least.cast_signed());
            let greatest = bounds.map(|(_, greatest)| greatest.cast_signed());
            Some(Statistics::int64(least, greatest, None, missing, false))
        }
        Use::Truth => Some(Statistics::boolean(None, None, None, missing, false)),
        Use::Text | Use::Known | Use::Id | Use::TraceId => None,
    }
}

/// Of doubles nobody compares with what is no number, and a zero may have either sign.
fn of_doubles(numbers: &[u64], missing: Option<u64>) -> Statistics {
    let values = || {
        numbers
            .iter()
            .map(|bits| f64::from_bits(*bits))
            .filter(|it| !it.is_nan())
    };
    let least = values().reduce(f64::min);
    let greatest = values().reduce(f64::max);
    let least = least.map(|it| if it == 0.0 { -0.0 } else { it });
    let greatest = greatest.map(|it| if it == 0.0 { 0.0 } else { it });
    Statistics::double(least, greatest, None, missing, false)
}

impl Width {
    const fn bytes(self) -> usize {
        match self {
            Self::Int32 | Self::UInt32 => 4,
            Self::Int64 | Self::Double => 8,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::cast::AsArray as _;
    use arrow_array::types::{Float64Type, Int32Type, Int64Type, UInt32Type, UInt64Type};
    use arrow_array::{Array as _, ArrayRef};
    use arrow_schema::{DataType, Field, Schema};
    use parquet::arrow::ArrowSchemaConverter;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug, PartialEq)]
    enum Cell {
        Text(String),
        Bits(u64),
        Truth(bool),
    }

    /// A file of one column with these cells, ended as a batch after each of so many rows.
    fn file(of: Use, kind: DataType, cells: &[Option<Cell>], batch: usize) -> Bytes {
        let is_required = cells.iter().all(Option::is_some);
        let mut leaf = if is_required {
            Leaf::required(of)
        } else {
            Leaf::optional(of)
        };
        let mut packer = Packer::new(1).unwrap();
        for (row, cell) in cells.iter().enumerate() {
            match cell {
                Some(Cell::Text(text)) if leaf.ends_with(text.as_bytes()) => leaf.repeat(row),
                Some(Cell::Text(text)) => leaf.put(row, text.as_bytes()),
                Some(Cell::Bits(bits)) => leaf.put_number(row, *bits),
                Some(Cell::Truth(truth)) => leaf.put_truth(row, *truth),
                None => {}
            }
            if (row + 1).is_multiple_of(batch) {
                leaf.end_batch(row + 1, &mut packer).unwrap();
            }
        }
        let field = Field::new("column", kind, !is_required);
        let schema = ArrowSchemaConverter::new()
            .convert(&Schema::new(vec![field]))
            .unwrap();
        let properties = Arc::new(WriterProperties::builder().build());
        let root = schema.root_schema_ptr();
        let mut file = SerializedFileWriter::new(Vec::new(), root, properties).unwrap();
        let mut group = file.next_row_group().unwrap();
        let (bytes, result) = finish(leaf, cells.len(), schema.column(0), &mut packer).unwrap();
        group.append_column(&bytes, result).unwrap();
        group.close().unwrap();
        file.into_inner().unwrap().into()
    }

    fn cell(array: &ArrayRef, row: usize) -> Option<Cell> {
        if array.is_null(row) {
            return None;
        }
        Some(match array.data_type() {
            DataType::Utf8 => Cell::Text(array.as_string::<i32>().value(row).to_owned()),
            DataType::Boolean => Cell::Truth(array.as_boolean().value(row)),
            DataType::Int32 => {
                let number = array.as_primitive::<Int32Type>().value(row);
                Cell::Bits(number.cast_unsigned().into())
            }
            DataType::UInt32 => Cell::Bits(array.as_primitive::<UInt32Type>().value(row).into()),
            DataType::Int64 => {
                Cell::Bits(array.as_primitive::<Int64Type>().value(row).cast_unsigned())
            }
            DataType::Float64 => {
                Cell::Bits(array.as_primitive::<Float64Type>().value(row).to_bits())
            }
            _ => Cell::Bits(array.as_primitive::<UInt64Type>().value(row)),
        })
    }

    /// What the reader of the parquet crate finds in the file.
    fn read(file: Bytes) -> Vec<Option<Cell>> {
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        let batches = reader.with_batch_size(1_000).build().unwrap();
        batches
            .flat_map(|batch| {
                let array = Arc::clone(batch.unwrap().column(0));
                (0..array.len())
                    .map(|row| cell(&array, row))
                    .collect::<Vec<_>>()
            })
            .collect()
    }

    /// Cells that come in runs and alone, with gaps or without.
    fn cells(
        one: impl Strategy<Value = Cell> + Clone + 'static,
    ) -> impl Strategy<Value = Vec<Option<Cell>>> {
        let run = |cell: BoxedStrategy<Option<Cell>>| {
            let runs = prop::collection::vec((cell, 1usize..40), 1..120);
            runs.prop_map(|runs| {
                runs.into_iter()
                    .flat_map(|(cell, count)| std::iter::repeat_n(cell, count))
                    .collect()
            })
        };
        prop_oneof![
            run(one.clone().prop_map(Some).boxed()),
            run(prop::option::of(one.clone()).boxed()),
            prop::collection::vec(prop::option::of(one), 1..2_000),
        ]
    }

    fn text() -> impl Strategy<Value = Cell> + Clone {
        prop_oneof![Just(String::new()), "[a-c]{1,2}", "\\PC{0,90}"].prop_map(Cell::Text)
    }

    fn bits(greatest: u64) -> impl Strategy<Value = Cell> + Clone {
        prop_oneof![0..4u64, 0..=greatest, Just(greatest)].prop_map(Cell::Bits)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn texts_come_back_whatever_they_are_used_for(cells in cells(text()), batch in 1usize..3_000) {
            for of in [Use::Text, Use::Name, Use::Id, Use::TraceId] {
                prop_assert_eq!(read(file(of, DataType::Utf8, &cells, batch)), cells.clone());
            }
        }

        #[test]
        fn numbers_of_4_bytes_come_back(cells in cells(bits(u32::MAX.into()))) {
            for (width, kind) in [(Width::Int32, DataType::Int32), (Width::UInt32, DataType::UInt32)] {
                prop_assert_eq!(read(file(Use::Number(width), kind, &cells, 500)), cells.clone());
            }
        }

        #[test]
        fn numbers_of_8_bytes_come_back(cells in cells(bits(u64::MAX))) {
            let uses = [
                (Use::Number(Width::Int64), DataType::Int64),
                (Use::Number(Width::Double), DataType::Float64),
                (Use::Time, DataType::UInt64),
                (Use::Duration, DataType::UInt64),
            ];
            for (of, kind) in uses {
                prop_assert_eq!(read(file(of, kind, &cells, 500)), cells.clone());
            }
        }

        #[test]
        fn truths_come_back(cells in cells(any::<bool>().prop_map(Cell::Truth))) {
            prop_assert_eq!(read(file(Use::Truth, DataType::Boolean, &cells, 500)), cells);
        }
    }

    fn texts(texts: impl Iterator<Item = String>) -> Vec<Option<Cell>> {
        texts.map(|text| Some(Cell::Text(text))).collect()
    }

    fn encodings(file: &Bytes) -> Vec<Encoding> {
        let reader = ParquetRecordBatchReaderBuilder::try_new(file.clone()).unwrap();
        let column = reader.metadata().row_group(0).column(0);
        column.encodings().collect()
    }

    #[test]
    fn texts_that_hardly_repeat_are_written_without_a_dictionary() {
        let cells = texts((0..20_000).map(|number: u64| format!("id {number}")));
        let file = file(Use::Text, DataType::Utf8, &cells, 8_192);
        let found = encodings(&file);
        assert!(
            found.contains(&Encoding::DELTA_LENGTH_BYTE_ARRAY),
            "{found:?}"
        );
        assert!(!found.contains(&Encoding::RLE_DICTIONARY), "{found:?}");
        assert_eq!(read(file), cells);
    }

    #[test]
    fn a_dictionary_that_grows_too_large_is_kept_for_what_it_has_and_given_up_for_the_rest() {
        let long = "x".repeat(1_000);
        let cells = texts((0..12_000u64).map(|number| format!("{long}{}", number / 2)));
        let file = file(Use::Text, DataType::Utf8, &cells, 2_048);
        let found = encodings(&file);
        assert!(
            found.contains(&Encoding::DELTA_LENGTH_BYTE_ARRAY),
            "{found:?}"
        );
        assert!(found.contains(&Encoding::RLE_DICTIONARY), "{found:?}");
        assert_eq!(read(file), cells);
    }

    #[test]
    fn bounds_and_missing_values_are_known_of_numbers() {
        let doubles = [3.5, -2.0, f64::NAN, 0.0].map(|it: f64| Some(Cell::Bits(it.to_bits())));
        let cells = [&doubles[..], &[None]].concat();
        let file = file(Use::Number(Width::Double), DataType::Float64, &cells, 500);
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        let Some(Statistics::Double(found)) = reader.metadata().row_group(0).column(0).statistics()
        else {
            panic!("no statistics of doubles");
        };
        assert_eq!(found.min_opt(), Some(&-2.0));
        assert_eq!(found.max_opt(), Some(&3.5));
        assert_eq!(found.null_count_opt(), Some(1));
    }
}
