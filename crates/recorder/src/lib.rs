//! This process's own telemetry: spans, metrics and log records, held in their final bytes until the pipeline takes them.
//!
//! # Layout
//! `buffer` holds what has ended, bounded, and hands out whole requests. `ids` makes trace and span ids. `fork` keeps both
//! usable in a child process. `metric` aggregates measurements. Nothing here knows Python, reads a clock or does I/O.

mod buffer;
pub mod fork;
pub mod ids;
pub mod metric;

pub use buffer::{Buffer, Limits, Request, Scope, Tally};
