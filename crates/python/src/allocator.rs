//! The allocator of the process, for a process that is a gateway.

/// Makes the allocator keep freed memory for the next request. Returns whether it can.
#[pyo3::pyfunction]
pub(crate) fn keep_freed_memory() -> bool {
    millrace_pipeline::allocator::keep_freed_memory()
}
