//! Metrics: what is measured is counted exactly once, in the right bucket, and says so in valid bytes.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod bytes;
mod counting;
mod exemplars;
mod exponential;
mod streams;
