//! The `nop` exporter: takes everything and keeps nothing.
use super::Context;
use crate::batch::Batch;
use crate::component::{Ack, Consumer};

/// A destination that is always there and never full.
pub(crate) struct Nop(Context);

/// Builds the exporter.
pub(crate) fn build(context: Context) -> Nop {
    Nop(context)
}

impl Consumer for Nop {
    fn consume(&self, batch: Batch) -> Ack {
        self.0.ledger.receive(batch.signal, batch.items);
        self.0.ledger.deliver(batch.signal, batch.items);
        Ack::ready(Ok(()))
    }
}
