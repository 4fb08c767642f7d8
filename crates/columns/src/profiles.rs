//! Requests of profiles as rows of a file, each whole: profiles refer to a dictionary beside them, so none stands by itself.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::builder::{
    BinaryBuilder, ListBuilder, StringBuilder, StructBuilder, UInt64Builder,
};
use arrow_array::types::UInt64Type;
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Fields as Columns, Schema};
use bytes::Bytes;
use millrace_wire::Signal;
use millrace_wire::field::{Fields, children};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use crate::decode::{Named as _, bytes_of, value_of};
use crate::error::Error;
use crate::hex;
use crate::merge::MergeError;
use crate::read::FileReader;
use crate::write::Summary;

const FIRST: &str = "time_unix_nano";
const LAST: &str = "last_time_unix_nano";
const PROFILES: &str = "profiles";
const PAYLOAD_BYTES: &str = "payload_bytes";
const PAYLOAD: &str = "payload";
/// A row group ends when so much waits for it.
const GROUP_BYTES: usize = 16 << 20;

/// What is known of a profile without looking into its samples.
#[derive(Debug, PartialEq, Eq)]
struct Known {
    id: String,
    service: String,
    time: u64,
    duration: u64,
}

/// The profiles of a request, in their order.
fn profiles_of(request: &[u8]) -> Vec<Known> {
    let strings: Vec<&[u8]> = children(request, 2)
        .flat_map(|dictionary| children(dictionary, 5))
        .collect();
    let mut found = Vec::new();
    for resource in children(request, 1) {
        let service = service_of(resource, &strings);
        for profile in children(resource, 2).flat_map(|scope| children(scope, 2)) {
            let mut known = Known {
                id: String::new(),
                service: service.clone(),
                time: 0,
                duration: 0,
            };
            for field in Fields::new(profile) {
                match field.number {
                    3 => known.time = field.value.bits(),
                    4 => known.duration = field.value.bits(),
                    7 => {
                        known.id.clear();
                        hex::push(&mut known.id, field.value.delimited());
                    }
                    _ => {}
                }
            }
            found.push(known);
        }
    }
    found
}

/// `service.name` of a resource, of which key and value may be numbers of texts in the dictionary.
fn service_of(resource_profiles: &[u8], strings: &[&[u8]]) -> String {
    let text = |message: &[u8], own: u32, number: u32| -> Vec<u8> {
        let mut found = Vec::new();
        for field in Fields::new(message) {
            if field.number == own {
                found = field.value.delimited().to_vec();
            } else if field.number == number && field.value.bits() > 0 {
                let at = usize::try_from(field.value.bits()).ok();
                let named = at.and_then(|at| strings.get(at));
                found = named.map(|text| text.to_vec()).unwrap_or_default();
            }
        }
        found
    };
    let pairs = children(resource_profiles, 1).flat_map(|resource| children(resource, 1));
    let service = pairs
        .filter(|pair| text(pair, 1, 3) == b"service.name")
        .filter_map(|pair| children(pair, 2).last())
        .last();
    let name = service.map(|value| text(value, 1, 8)).unwrap_or_default();
    String::from_utf8_lossy(&name).into_owned()
}

fn known_fields() -> Columns {
    Columns::from(vec![
        Field::new("profile_id", DataType::Utf8, false),
        Field::new("service_name", DataType::Utf8, false),
        Field::new(FIRST, DataType::UInt64, false),
        Field::new("duration_ns", DataType::UInt64, false),
    ])
}

fn schema() -> Arc<Schema> {
    let known = Field::new("item", DataType::Struct(known_fields()), false);
    Arc::new(Schema::new(vec![
        Field::new(FIRST, DataType::UInt64, false),
        Field::new(LAST, DataType::UInt64, false),
        Field::new(PROFILES, DataType::List(Arc::new(known)), false),
        Field::new(PAYLOAD_BYTES, DataType::UInt64, false),
        Field::new(PAYLOAD, DataType::Binary, false),
    ]))
}

/// The columns of some requests.
fn batch(rows: &[(Vec<Known>, &Bytes)]) -> Result<RecordBatch, Error> {
    let item = Field::new("item", DataType::Struct(known_fields()), false);
    let known = StructBuilder::from_fields(known_fields(), rows.len());
    let mut profiles = ListBuilder::new(known).with_field(item);
    let (mut starts, mut ends) = (UInt64Builder::new(), UInt64Builder::new());
    let (mut length, mut payload) = (UInt64Builder::new(), BinaryBuilder::new());
    for (known, request) in rows {
        let (first, last) = times(known).unwrap_or_default();
        starts.append_value(first);
        ends.append_value(last);
        for profile in known {
            let values = profiles.values();
            for (place, text) in [&profile.id, &profile.service].into_iter().enumerate() {
                if let Some(column) = values.field_builder::<StringBuilder>(place) {
                    column.append_value(text);
                }
            }
            for (place, number) in [(2, profile.time), (3, profile.duration)] {
                if let Some(column) = values.field_builder::<UInt64Builder>(place) {
                    column.append_value(number);
                }
            }
            values.append(true);
        }
        profiles.append(true);
        length.append_value(request.len() as u64);
        payload.append_value(request);
    }
    let columns: Vec<ArrayRef> = vec![
        Arc::new(starts.finish()),
        Arc::new(ends.finish()),
        Arc::new(profiles.finish()),
        Arc::new(length.finish()),
        Arc::new(payload.finish()),
    ];
    Ok(RecordBatch::try_new(schema(), columns)?)
}

fn times(known: &[Known]) -> Option<(u64, u64)> {
    let first = known.iter().map(|profile| profile.time).min()?;
    let last = known.iter().map(|profile| profile.time).max()?;
    Some((first, last))
}

/// Puts ranges of time together.
fn join(whole: &mut Option<(u64, u64)>, one: (u64, u64)) {
    let known = whole.unwrap_or(one);
    *whole = Some((known.0.min(one.0), known.1.max(one.1)));
}

fn writer<W: Write + Send>(out: W, level: i32) -> Result<ArrowWriter<W>, Error> {
    let payload = ColumnPath::from(PAYLOAD.to_owned());
    let properties = WriterProperties::builder()
        .set_created_by("millrace".to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(level)?))
        .set_column_dictionary_enabled(payload.clone(), false)
        .set_column_statistics_enabled(payload, EnabledStatistics::None)
        .build();
    Ok(ArrowWriter::try_new(out, schema(), Some(properties))?)
}

/// Writes validated requests as a file and returns its bytes. A request without a profile says nothing, and is left out.
pub fn write_profiles(requests: &[Bytes], level: i32) -> Result<(Vec<u8>, Summary), Error> {
    let mut rows: Vec<(Vec<Known>, &Bytes)> = requests
        .iter()
        .map(|request| (profiles_of(request), request))
        .filter(|(known, _)| !known.is_empty())
        .collect();
    rows.sort_by_key(|(known, _)| times(known));
    let mut writer = writer(Vec::new(), level)?;
    let mut summary = Summary::default();
    for row in rows.chunks(1) {
        writer.write(&batch(row)?)?;
        if writer.in_progress_size() >= GROUP_BYTES {
            writer.flush()?;
        }
    }
    summary.rows = rows.len();
    for one in rows.iter().filter_map(|(known, _)| times(known)) {
        join(&mut summary.times, one);
    }
    Ok((writer.into_inner()?, summary))
}

/// Gives each request of a file as it came.
pub(crate) fn read_profiles(
    batches: ParquetRecordBatchReader,
    mut take: impl FnMut(Vec<u8>),
) -> Result<(), Error> {
    for batch in batches {
        let batch = batch?;
        let payloads = batch.bytes(PAYLOAD)?;
        for row in 0..batch.num_rows() {
            let payload = bytes_of(payloads, row);
            take(
                payload
                    .ok_or_else(|| Error::damaged("a row has no payload"))?
                    .to_vec(),
            );
        }
    }
    Ok(())
}

/// Writes the requests of several files as one, in the order of the files.
pub(crate) fn merge_profiles<W: Write + Send>(
    paths: &[PathBuf],
    out: W,
    level: i32,
    is_to_stop: impl Fn() -> bool,
) -> Result<(W, Summary), MergeError> {
    let mut writer = writer(out, level).map_err(MergeError::Output)?;
    let mut summary = Summary::default();
    for path in paths {
        let input = |error: Error| MergeError::Input(path.clone(), error);
        let reader = FileReader::open(path, Signal::Profiles).map_err(input)?;
        for batch in reader.batches().map_err(input)? {
            if is_to_stop() {
                return Err(MergeError::Stopped);
            }
            let batch = batch.map_err(|error| input(error.into()))?;
            let times = times_of(&batch).map_err(input)?;
            let rows = RecordBatch::try_new(schema(), batch.columns().to_vec());
            let rows = rows.map_err(|error| input(error.into()))?;
            let output = |error: parquet::errors::ParquetError| MergeError::Output(error.into());
            writer.write(&rows).map_err(output)?;
            if writer.in_progress_size() >= GROUP_BYTES {
                writer.flush().map_err(output)?;
            }
            summary.rows += rows.num_rows();
            for one in times {
                join(&mut summary.times, one);
            }
        }
    }
    let out = writer.into_inner();
    Ok((
        out.map_err(|error| MergeError::Output(error.into()))?,
        summary,
    ))
}

fn times_of(batch: &RecordBatch) -> Result<Vec<(u64, u64)>, Error> {
    let first = batch.numbers::<UInt64Type>(FIRST)?;
    let last = batch.numbers::<UInt64Type>(LAST)?;
    let rows = 0..batch.num_rows();
    Ok(rows
        .filter_map(|row| Some((value_of(first, row)?, value_of(last, row)?)))
        .collect())
}
