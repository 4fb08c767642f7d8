//! Tracezip through its public doors: every input comes back byte for byte, and nothing else ever does.
mod bounds;
mod faults;
mod recorded;
mod requests;
mod round_trip;
