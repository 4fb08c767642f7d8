//! The border between Rust and Python: the module `millrace._native`.
//!
//! Only plain values cross it: bytes, numbers, text, and JSON or dicts for what has a structure. `door` is the one place that releases
//! the GIL, `error` the one map from errors to exceptions; every other file is one group of functions or classes.
#![allow(
    clippy::needless_pass_by_value,
    reason = "arguments that PyO3 extracts belong to the function"
)]
mod activity;
mod allocator;
mod api;
mod attribute;
mod attributes;
mod buffer;
mod clean;
mod clock;
mod codec;
mod complaint;
mod context;
mod context_variable;
mod destination;
mod direct;
mod door;
mod engine;
mod entries;
mod error;
mod gateway;
mod held;
mod load;
mod log;
mod metric;
mod otlp;
#[cfg_attr(Py_GIL_DISABLED, path = "unrecycled.rs")]
mod recycled;
mod resource;
mod scratch;
mod send;
mod settings;
mod store;
mod text;
mod trace;
mod tracezip;
mod value;

/// The native part of millrace. Use the public modules instead: this one may change with every version.
#[pyo3::pymodule(gil_used = false)]
mod _native {
    #[pymodule_export]
    use crate::activity::{Activity, count_activity};
    #[pymodule_export]
    use crate::allocator::keep_freed_memory;
    #[pymodule_export]
    use crate::buffer::{Buffer, BufferScope};
    #[pymodule_export]
    use crate::codec::{ZstdCompressor, ZstdDecompressor};
    #[pymodule_export]
    use crate::complaint::set_strict;
    #[pymodule_export]
    use crate::context::RuntimeContext;
    #[pymodule_export]
    use crate::engine::{Engine, after_fork_in_child};
    #[pymodule_export]
    use crate::gateway::Gateway;
    #[pymodule_export]
    use crate::load::{LoadRun, LoadSink, LoadTemplate};
    #[pymodule_export]
    use crate::log::{LogRecorder, Logger, LoggingBridge};
    #[pymodule_export]
    use crate::metric::{Adder, InstrumentCore, MetricStorage, Recorder, Setter};
    #[pymodule_export]
    use crate::otlp::{
        count, detect, edit_attribute, from_json, merge, reject_invalid, split_by_bytes,
        split_by_count, to_json, validate,
    };

    #[pymodule_export]
    use crate::send::Sender;
    #[pymodule_export]
    use crate::store::{
        TraceIndex, check_store_file, concatenate_store_files, describe_store_file, read_store_file,
    };
    #[pymodule_export]
    use crate::trace::{NonRecordingSpan, Span, SpanRecorder, SpanScope, Tracer};

    #[pymodule_export]
    use crate::tracezip::{TracezipCompressor, TracezipDecompressor};

    #[pymodule_export]
    #[expect(
        non_upper_case_globals,
        reason = "the name that Python gives to a version"
    )]
    const __version__: &str = env!("CARGO_PKG_VERSION");

    #[pymodule_init]
    fn init(module: &pyo3::Bound<'_, pyo3::types::PyModule>) -> pyo3::PyResult<()> {
        crate::trace::install_direct_methods(module.py())?;
        crate::log::install_direct_method(module.py())
    }
}
