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
