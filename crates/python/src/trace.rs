//! Traces: tracers, spans, and the samplers that decide about them.
mod end;
mod ids;
mod non_recording;
mod parent;
mod readable;
mod recorder;
mod sampling;
mod scope;
mod span;
mod state;
mod tracer;

pub(crate) use ids::SpanIds;
pub(crate) use non_recording::NonRecordingSpan;
pub(crate) use recorder::{SpanRecorder, encoded_scope};
pub(crate) use scope::SpanScope;
pub(crate) use span::Span;
pub(crate) use tracer::{Tracer, now_unix_nano};
