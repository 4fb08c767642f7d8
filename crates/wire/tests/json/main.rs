//! OTLP/JSON, responses and statuses against serde, prost, tonic's types and hand-made text.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says why it is skipped"
)]

mod bad_input;
mod check;
mod default_values;
mod duplicates;
mod enums;
mod examples;
mod ids;
mod merge;
mod names;
mod numbers;
mod recorded;
mod response;
mod round_trip;
mod status;
mod strings;
mod values;

#[path = "../core/generate.rs"]
mod generate;
