//! Tracezip through its public doors: every input comes back byte for byte, and nothing else ever does.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::cast_possible_wrap,
    clippy::option_option,
    clippy::too_many_lines,
    reason = "a test fails by panicking, and says why it is skipped"
)]

mod bounds;
mod faults;
mod recorded;
mod requests;
mod round_trip;
