//! Exporters: one file each, and the list that knows them.
use std::sync::Arc;

use crate::component::Consumer;
use crate::config::{Exporter, StartError};
use crate::ledger::Ledger;
use crate::log::Log;

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
