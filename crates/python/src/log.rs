//! Logs: loggers, and the bridge from Python's `logging`.
mod bridge;
mod logger;
mod logging_record;
mod record;
mod recorder;
mod severity;

pub(crate) use bridge::{LoggingBridge, install_direct_method};
pub(crate) use logger::Logger;
pub(crate) use recorder::LogRecorder;
