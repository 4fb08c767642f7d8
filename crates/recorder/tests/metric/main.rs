//! Metrics: what is measured is counted exactly once, in the right bucket, and says so in valid bytes.
mod bytes;
mod counting;
mod exemplars;
mod exponential;
mod streams;
