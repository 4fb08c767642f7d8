//! Traces: tracers, spans, and the samplers that decide about them.
mod direct_methods;
mod end;
mod ids;
mod non_recording;
mod parent;
mod readable;
mod recorder;
mod sampling;
mod scope;
#[cfg(not(Py_GIL_DISABLED))]
mod scope_calls;
mod span;
mod state;
mod tracer;

pub(crate) use direct_methods::install_direct_methods;
pub(crate) use ids::SpanIds;
pub(crate) use non_recording::NonRecordingSpan;
pub(crate) use recorder::SpanRecorder;
pub(crate) use scope::SpanScope;
pub(crate) use span::Span;
pub(crate) use tracer::Tracer;
