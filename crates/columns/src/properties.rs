//! How the arrays among the columns are encoded and compressed; leaves see to it themselves.

use parquet::basic::{Compression, Encoding, Type, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::schema::types::{ColumnPath, SchemaDescriptor};

use crate::error::Error;

/// Rows of a page: what a search for one trace has to decode of a column for one span.
const PAGE_ROWS: usize = 8_192;
/// The same of columns that hold little: passing over what a dictionary or nulls say is quick, and each page has a header.
const LIGHT_PAGE_ROWS: usize = 65_536;

/// Columns whose values hardly repeat, with what suits them better than a dictionary.
const ENCODINGS: &[(&str, Encoding)] = &[
    ("start_time_unix_nano", Encoding::DELTA_BINARY_PACKED),
    ("time_unix_nano", Encoding::DELTA_BINARY_PACKED),
    ("events.list.element.offset_ns", Encoding::BYTE_STREAM_SPLIT),
];

/// The properties of columns with this schema.
pub(crate) fn of(level: i32, schema: &SchemaDescriptor) -> Result<WriterProperties, Error> {
    let mut builder = WriterProperties::builder()
        .set_created_by("millrace".to_owned())
        // Pages of version 2 leave the levels of lists and nulls uncompressed, about 4 % of a file.
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(level)?))
        .set_data_page_row_count_limit(LIGHT_PAGE_ROWS)
        .set_write_batch_size(PAGE_ROWS)
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
        if column.physical_type() == Type::BYTE_ARRAY && !COMPARED.contains(&path.string().as_str())
        {
            builder = builder.set_column_statistics_enabled(path.clone(), EnabledStatistics::None);
        }
    }
    Ok(builder.build())
}

/// Texts whose least and greatest value lets a search pass over a row group: the names of metrics. For all others, comparing
/// each value with both would be for nothing.
const COMPARED: &[&str] = &["name"];
