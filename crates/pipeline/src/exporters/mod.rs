//! Exporters: one file each, and the list that knows them.
//!
//! `otlp_http` and `otlp_grpc` are two transports under one sending machine: `sender` decides who sends when,
//! `backlog` holds what waits, `parcel` keeps each batch's promise, `delivery` repeats and splits.
use std::sync::Arc;

use crate::component::Consumer;
use crate::config::{Exporter, StartError};
use crate::ledger::Ledger;
use crate::log::Log;
use crate::net::compression::Coding;

mod backlog;
mod debug;
mod delivery;
mod file;
mod nop;
mod otlp_grpc;
mod otlp_http;
mod otz;
mod otz_stream;
mod parcel;
pub mod sender;
mod store;
pub mod transport;

/// What every exporter is given.
#[derive(Clone)]
pub struct Context {
    /// Its id, as in the configuration.
    pub id: String,
    /// Its books, shared with the same exporter of other workers.
    pub ledger: Arc<Ledger>,
    /// Where it warns.
    pub log: Arc<Log>,
}

/// Builds an exporter from its settings; runs inside the runtime that will do its work.
pub fn build(settings: &Exporter, context: Context) -> Result<Arc<dyn Consumer>, StartError> {
    Ok(match settings {
        Exporter::Otlp(settings) => Arc::new(otlp_grpc::build(settings, context)?),
        Exporter::OtlpHttp(settings) => Arc::new(otlp_http::build(settings, context)?),
        Exporter::File(settings) => Arc::new(file::build(settings, context)?),
        Exporter::Store(settings) => Arc::new(store::build(settings, context)?),
        Exporter::Debug(settings) => Arc::new(debug::build(settings, context)?),
        Exporter::Nop(_) => Arc::new(nop::build(context)),
    })
}

/// Reads a `compression` setting.
fn coding(setting: &str, name: &str) -> Result<Coding, StartError> {
    match name {
        "none" => Ok(Coding::Identity),
        "gzip" => Ok(Coding::Gzip),
        // zstd is also what travels until a destination has offered otz1.
        "zstd" | "otz1" => Ok(Coding::Zstd),
        other => {
            let problem =
                format!("expected \"none\", \"gzip\", \"zstd\" or \"otz1\", got {other:?}");
            Err(StartError::of(&format!("{setting}.compression"), problem))
        }
    }
}
