//! How each column is encoded and compressed.

use std::collections::HashSet;

use arrow_array::cast::AsArray as _;
use arrow_array::{Array as _, RecordBatch};
use millrace_wire::Signal;
use parquet::basic::{Compression, Encoding, Type, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::schema::types::{ColumnPath, SchemaDescriptor};

use crate::error::Error;
use crate::survey::Survey;

/// Rows of a page: what a search for one trace has to decode of a column for one span.
const PAGE_ROWS: usize = 8_192;
/// The same of columns that hold little: passing over what a dictionary or nulls say is quick, and each page has a header.
const LIGHT_PAGE_ROWS: usize = 65_536;
/// Dictionaries of trace ids are larger than Parquet's usual limit, and worth it.
const DICTIONARY_BYTES_MAX: usize = 4 << 20;

/// Columns whose values hardly repeat, with what suits them better than a dictionary.
const ENCODINGS: &[(&str, Encoding)] = &[
    ("start_time_unix_nano", Encoding::DELTA_BINARY_PACKED),
    ("time_unix_nano", Encoding::DELTA_BINARY_PACKED),
    ("observed_time_unix_nano", Encoding::DELTA_BINARY_PACKED),
    ("duration_ns", Encoding::BYTE_STREAM_SPLIT),
    ("events.list.element.offset_ns", Encoding::BYTE_STREAM_SPLIT),
];

/// Random ids as text: zstd packs each digit into half a byte, and every level that looks for more finds less.
const IDS: &[&str] = &["span_id", "parent_span_id"];
const ID_LEVEL: i32 = 1;
/// An attribute with text that hardly repeats is such an id, too: so many of so many values differ.
const SAMPLE: usize = 1_024;
const SAMPLE_DISTINCT: usize = 960;

/// Ids that people look for.
const BLOOM_FILTERED: &str = "trace_id";
/// How often a filter may be wrong: each time, a search for one trace reads the ids of a whole row group in vain.
const BLOOM_WRONG: f64 = 0.001;
/// Texts and bytes whose least and greatest value lets a search pass over a row group. For all others, comparing each value
/// with both would be for nothing.
const COMPARED: &[&str] = &["service_name", "name"];

/// The properties of a file with these columns.
pub(crate) fn of(
    signal: Signal,
    level: i32,
    schema: &SchemaDescriptor,
    first: &RecordBatch,
    (rows_max, survey): (usize, Option<&Survey>),
) -> Result<WriterProperties, Error> {
    let mut builder = WriterProperties::builder()
        .set_created_by("millrace".to_owned())
        // Pages of version 2 leave the levels of lists and nulls uncompressed, about 4 % of a file.
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(level)?))
        .set_data_page_row_count_limit(LIGHT_PAGE_ROWS)
        .set_write_batch_size(PAGE_ROWS)
        .set_dictionary_page_size_limit(DICTIONARY_BYTES_MAX)
        .set_max_row_group_row_count(None)
        .set_statistics_enabled(EnabledStatistics::Chunk);
    for (name, encoding) in ENCODINGS {
        let path = ColumnPath::new(name.split('.').map(str::to_owned).collect());
        if !schema.columns().iter().any(|column| column.path() == &path) {
            continue;
        }
        builder = builder
            .set_column_dictionary_enabled(path.clone(), false)
            .set_column_data_page_row_count_limit(path.clone(), PAGE_ROWS)
            .set_column_encoding(path, *encoding);
    }
    for column in schema.columns() {
        let path = column.path();
        let is_compared = COMPARED.contains(&path.string().as_str());
        if column.physical_type() == Type::BYTE_ARRAY && !is_compared {
            builder = builder.set_column_statistics_enabled(path.clone(), EnabledStatistics::None);
        }
    }
    let id_level = Compression::ZSTD(ZstdLevel::try_new(ID_LEVEL)?);
    let ids = IDS.iter().map(|name| ColumnPath::from((*name).to_owned()));
    let keys = survey.map_or_else(|| ids_among_attributes(first), Survey::hardly_repeating);
    for path in ids.chain(keys.into_iter().map(path_of)) {
        builder = builder
            .set_column_dictionary_enabled(path.clone(), false)
            .set_column_encoding(path.clone(), Encoding::DELTA_LENGTH_BYTE_ARRAY)
            .set_column_data_page_row_count_limit(path.clone(), PAGE_ROWS)
            .set_column_compression(path, id_level);
    }
    if signal != Signal::Metrics {
        let path = ColumnPath::from(BLOOM_FILTERED.to_owned());
        builder = builder
            .set_column_compression(path.clone(), id_level)
            .set_column_bloom_filter_enabled(path.clone(), true)
            .set_column_bloom_filter_fpp(path.clone(), BLOOM_WRONG)
            .set_column_bloom_filter_max_ndv(path, rows_max.max(1) as u64);
    }
    Ok(builder.build())
}

/// The typed column of a key.
fn path_of(key: &str) -> ColumnPath {
    let parts = ["attributes", "typed_value", key, "typed_value"];
    ColumnPath::new(parts.map(str::to_owned).to_vec())
}

/// The keys of attributes whose values are text that hardly repeats, judged by the first of them.
fn ids_among_attributes(batch: &RecordBatch) -> Vec<&str> {
    let typed = batch
        .column_by_name("attributes")
        .and_then(|attributes| attributes.as_struct_opt()?.column_by_name("typed_value"))
        .and_then(|typed| typed.as_struct_opt());
    let Some(typed) = typed else {
        return Vec::new();
    };
    let keys = typed.fields().iter().zip(typed.columns());
    keys.filter(|(_, column)| hardly_repeats(column).unwrap_or_default())
        .map(|(field, _)| field.name().as_str())
        .collect()
}

fn hardly_repeats(column: &arrow_array::ArrayRef) -> Option<bool> {
    let column = column.as_struct_opt()?.column_by_name("typed_value")?;
    let texts = column.as_string_opt::<i32>()?;
    if texts.len() - texts.null_count() < SAMPLE {
        return None;
    }
    let sample: HashSet<&str> = texts.iter().flatten().take(SAMPLE).collect();
    Some(sample.len() >= SAMPLE_DISTINCT)
}
