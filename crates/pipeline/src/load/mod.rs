//! The load generator and the counting sink: what measures a gateway, and what proves that it lost nothing.
//!
//! A [`Run`] sends pre-encoded requests whose items carry sequence numbers; a [`Sink`] at the other end counts
//! which numbers arrived. Both must cost less than what they measure, so they share no code with the receivers
//! and exporters under test: `http_sender` is a blocking HTTP/1.1 client that writes the same buffer again and
//! again, and `walk` reads no more of a request than its ids.
//!
//! # Layout
//! `shape`, `values`, `draft`, `items`, `template`: what is sent. `options`, `plan`, `schedule`,
//! `ranges`, `run`, `http_sender`, `grpc_sender`, `answer`, `run_report`: when and how. `sink`, `sink_server`, `walk`, `sequences`: what arrives.
mod answer;
mod draft;
mod endpoint;
mod grpc_sender;
mod http_sender;
mod http_wire;
mod items;
mod latency;
mod options;
mod plan;
mod process;
mod ranges;
mod run;
mod run_report;
mod schedule;
mod sequences;
mod shape;
mod sink;
mod sink_server;
mod sink_tally;
mod template;
mod values;
mod walk;

use std::fmt;

pub use latency::{Histogram, Quantiles};
pub use options::{Compression, Protocol, RunOptions};
pub use run::Run;
pub use run_report::{Progress, RunReport};
pub use sequences::Sequences;
pub use shape::Shape;
pub use sink::{Behaviour, Hang, Refuse, Sink, SinkOptions};
pub use sink_tally::{GeneratorReport, SignalReport, SinkReport};
pub use template::Template;

/// Why a run or a sink could not start. The text is a sentence that says what to change.
#[derive(Debug)]
pub enum LoadError {
    /// An option is out of its range or contradicts another.
    Options(String),
    /// The endpoint cannot be reached, or the address not listened on.
    Network(String),
}

impl fmt::Display for LoadError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Options(sentence) | Self::Network(sentence) => formatter.write_str(sentence),
        }
    }
}

impl std::error::Error for LoadError {}
