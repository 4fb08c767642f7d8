//! Metrics at the border: instruments that record without a Python object in between, and what a reader collects of them.
//!
//! # Layout
//! `attributes` reads a dict of attributes as it is, and is the key of a series. `amount` reads numbers,
//! `fault` says once what was wrong with a measurement. `instrument` is one instrument with its streams; `synchronous` the classes
//! whose methods applications call; `storage` every instrument of a provider, collected for a reader; `objects` what a collection
//! looks like to Python.
//!
//! A measurement never runs Python code while the lock of its instrument is held, not even a garbage collection: what could is
//! done before or after.
mod amount;
mod attributes;
mod fault;
mod instrument;
mod objects;
mod storage;
mod synchronous;

pub(crate) use storage::{InstrumentCore, MetricStorage};
pub(crate) use synchronous::{Adder, Recorder, Setter};
