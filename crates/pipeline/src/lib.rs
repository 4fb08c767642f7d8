//! The engine that moves OTLP from receivers through processors to exporters.
//!
//! # Layout
//! `batch` is what moves, `component` how one step hands it to the next and answers, `ledger` and
//! `budget` keep count of items and of bytes. `receivers`, `processors` and `exporters` hold one
//! component per file; `graph` connects them as the configuration says and `run` keeps them alive.
//! `self_metrics` and `status_server` tell the outside how it goes. `engine` runs receivers of this process's own telemetry
//! and their exporters in one thread, which a fork leaves usable.
pub mod allocator;
pub mod batch;
pub mod budget;
pub mod component;
pub mod config;
pub mod engine;
pub mod exporters;
mod graph;
pub mod ledger;
pub mod load;
pub mod log;
pub mod net;
mod processors;
mod receivers;
pub mod retry;
mod run;
mod self_metrics;
mod status_server;

pub use run::{Gateway, StopReport};
