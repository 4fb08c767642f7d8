//! How each column is encoded and compressed.

use millrace_wire::Signal;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::schema::types::{ColumnPath, SchemaDescriptor};

use crate::error::Error;

/// Rows of a page: what a search for one trace has to decode of a column for one span.
const PAGE_ROWS: usize = 8_192;
/// Dictionaries of trace ids are larger than Parquet's usual limit, and worth it.
const DICTIONARY_BYTES_MAX: usize = 4 << 20;

/// Columns whose values hardly repeat, with what suits them better than a dictionary.
const ENCODINGS: &[(&str, Encoding)] = &[
    ("start_time_unix_nano", Encoding::DELTA_BINARY_PACKED),
    ("time_unix_nano", Encoding::DELTA_BINARY_PACKED),
    ("observed_time_unix_nano", Encoding::DELTA_BINARY_PACKED),
    ("duration_ns", Encoding::BYTE_STREAM_SPLIT),
    ("span_id", Encoding::DELTA_LENGTH_BYTE_ARRAY),
    ("parent_span_id", Encoding::DELTA_LENGTH_BYTE_ARRAY),
];

/// Ids that people look for.
const BLOOM_FILTERED: &str = "trace_id";

/// The properties of a file with these columns.
pub(crate) fn of(
    signal: Signal,
    level: i32,
    schema: &SchemaDescriptor,
) -> Result<WriterProperties, Error> {
    let mut builder = WriterProperties::builder()
        .set_created_by("millrace".to_owned())
        .set_writer_version(WriterVersion::PARQUET_2_0)
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(level)?))
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_write_batch_size(PAGE_ROWS)
        .set_dictionary_page_size_limit(DICTIONARY_BYTES_MAX)
        .set_max_row_group_row_count(None)
        .set_statistics_enabled(EnabledStatistics::Chunk);
    for (name, encoding) in ENCODINGS {
        let path = ColumnPath::from((*name).to_owned());
        if !schema.columns().iter().any(|column| column.path() == &path) {
            continue;
        }
        builder = builder
            .set_column_dictionary_enabled(path.clone(), false)
            .set_column_encoding(path, *encoding);
    }
    if signal != Signal::Metrics {
        let path = ColumnPath::from(BLOOM_FILTERED.to_owned());
        builder = builder.set_column_bloom_filter_enabled(path, true);
    }
    Ok(builder.build())
}
