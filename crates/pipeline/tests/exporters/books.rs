//! What the books of an exporter say, checked to add up each time they are read.
use std::sync::Arc;

use millrace_pipeline::component::Reason;
use millrace_pipeline::exporters::Context;
use millrace_pipeline::ledger::{Ledger, Tally};
use millrace_pipeline::log::{Level, Log};
use millrace_wire::Signal;

/// What an exporter named `out` is given.
pub(crate) fn context(ledger: &Arc<Ledger>) -> Context {
    Context {
        id: "out".to_owned(),
        ledger: Arc::clone(ledger),
        log: Arc::new(Log::new(Level::Error)),
    }
}

/// The tally of one signal.
pub(crate) fn tally(ledger: &Ledger, signal: Signal) -> Tally {
    let tally = ledger.snapshot()[signal as usize].1.clone();
    assert!(tally.adds_up(), "{tally:?}");
    tally
}

/// Delivered, dropped and held spans.
pub(crate) fn spans(ledger: &Ledger) -> (u64, u64, u64) {
    let tally = tally(ledger, Signal::Traces);
    (tally.delivered, tally.dropped_items(), tally.held)
}

/// Spans dropped for one reason.
pub(crate) fn dropped(ledger: &Ledger, reason: Reason) -> u64 {
    tally(ledger, Signal::Traces)
        .dropped
        .get(&reason)
        .copied()
        .unwrap_or_default()
}
