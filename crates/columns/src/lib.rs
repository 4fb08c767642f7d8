//! OTLP to Parquet columns and back, lossless. No sockets, no clock, no threads.
//!
//! [`Rows`] gathers requests of one signal and sorts what is in them; [`FileWriter`] writes sorted rows to a file;
//! [`FileReader`] reads them back as OTLP, byte for byte where the writer cannot prove that columns say everything.
//! Requests of profiles are kept whole by [`write_profiles`]. [`merge_files`] makes one sorted file of many. [`Activity`] counts what services did in files of spans.

mod activity;
mod attributes;
mod chunk;
mod column;
mod decode;
mod dictionary;
mod envelopes;
mod error;
mod hex;
mod json_text;
mod leaf;
mod logs;
mod merge;
mod metric_points;
mod nested;
mod packer;
mod packing;
mod pairs;
mod profiles;
mod properties;
mod read;
mod request;
mod rows;
mod spans;
mod sparse;
mod tables;
mod trace;
mod value;
mod variant;
mod write;

pub use activity::{Activity, Row as ActivityRow};
pub use error::Error;
pub use merge::{MergeError, concatenate_files, merge_files};
pub use profiles::write_profiles;
pub use read::{FileReader, REPLACED};
pub use rows::Rows;
pub use trace::TraceIndex;
pub use write::{FileWriter, Summary, write_rows};
