//! Processors: one file each, and the list that puts them into a pipeline.
mod batch;

use std::sync::Arc;

use millrace_wire::Signal;

use crate::component::Consumer;
use crate::config::Processor;

/// Puts the processor before `next`; one that does its work elsewhere adds no step.
pub(crate) fn build(
    config: &Processor,
    signal: Signal,
    next: Arc<dyn Consumer>,
) -> Arc<dyn Consumer> {
    match config {
        // Profiles refer to a dictionary by index, so they cannot be joined as they stand (P6).
        Processor::Batch { .. } if !signal.merges_by_concatenation() => next,
        // Without limits of its own, batching happens in the exporters' queues, where it costs no waiting.
        Processor::Batch { timeout_ms: None, send_batch_size: None, send_batch_max_size: 0 }
        // The budget is enforced before a request is read; see `run`.
        | Processor::MemoryLimiter { .. } => next,
        Processor::Batch { timeout_ms, send_batch_size, send_batch_max_size } => {
            let limits = batch::Limits::new(*timeout_ms, *send_batch_size, *send_batch_max_size);
            Arc::new(batch::Batcher::new(signal, limits, next))
        }
    }
}
