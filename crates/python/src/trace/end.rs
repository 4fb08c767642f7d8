//! The end of a span: it becomes bytes in the buffer, and whoever wants to see it is called.
use millrace_wire::encode::SpanEncoder;
use pyo3::prelude::*;

use super::span::STATUS_UNSET;
use super::state::{Content, Extra};
use super::tracer::time_or_now;
use super::{Span, SpanIds};
use crate::{scratch, text};

/// OTLP span flags: bits 8 and 9 say whether the parent is remote (trace.proto, `SpanFlags`).
const HAS_IS_REMOTE: u32 = 0x100;
const IS_REMOTE: u32 = 0x200;

/// Ends a span: its bytes go to the buffer, and whoever wants to see it is called.
#[inline]
pub(crate) fn end(span: &Bound<'_, Span>, end_time: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
    let py = span.py();
    let this = span.get();
    let tracer = this.tracer.get();
    let destination = &tracer.recorder.get().destination;
    let end = time_or_now(end_time);
    let trace_state = match &this.trace_state {
        Some(state) => Some(state.bind(py).call_method0("to_header")?),
        None => None,
    };
    let trace_state = match &trace_state {
        Some(header) => header.extract::<&str>()?,
        None => "",
    };
    let processor = destination.processor(py);
    let Some(mut state) = this.open_state(py, "end")? else {
        return Ok(());
    };
    state.end = Some(end);
    let (Some(buffer), Some(place), true) =
        (&destination.buffer, &tracer.place, this.ids.is_sampled())
    else {
        drop(state);
        return tell(span, processor);
    };
    let content = state.take(py);
    drop(state);
    scratch::append(buffer, place, |out| {
        encode(py, this, &content, end, trace_state, out);
    });
    if processor.is_some() {
        this.state(py).restore(content);
    } else {
        content.release(py);
    }
    tell(span, processor)
}

/// Calls the processor of a span that has ended.
#[inline]
fn tell(span: &Bound<'_, Span>, processor: Option<Bound<'_, PyAny>>) -> PyResult<()> {
    if let Some(processor) = processor {
        if let Some(ending) = processor.getattr_opt("_on_ending")? {
            ending.call1((span,))?;
        }
        processor.call_method1("on_end", (span,))?;
    }
    Ok(())
}

fn encode(
    py: Python<'_>,
    this: &Span,
    content: &Content<'_>,
    end: u64,
    trace_state: &str,
    out: &mut Vec<u8>,
) {
    let parent = this.parent.as_ref();
    let mut span = SpanEncoder::new(out);
    span.ids(
        &this.ids.trace_id,
        &this.ids.span_id,
        parent.map(|parent| &parent.ids.span_id),
    )
    .trace_state(trace_state)
    .name(&text::lossy(&content.name), i32::from(this.kind) + 1)
    .times(this.start, end);
    content.attributes.each(py, |key, value| {
        span.attribute(key, value);
    });
    let extra = content.extra.as_deref();
    let (dropped_events, dropped_links) =
        extra.map_or((0, 0), |extra| (extra.dropped_events, extra.dropped_links));
    span.dropped(content.attributes.dropped(), dropped_events, dropped_links);
    if let Some(extra) = extra {
        encode_extra(py, extra, &mut span);
    }
    if content.status_code != STATUS_UNSET {
        let description = content.status_description.as_ref().map(text::lossy);
        span.status(
            i32::from(content.status_code),
            description.as_deref().unwrap_or_default(),
        );
    }
    let remote = parent.is_some_and(|parent| parent.is_remote);
    span.flags(flags(this.ids, remote));
}

fn encode_extra(py: Python<'_>, extra: &Extra, span: &mut SpanEncoder<'_>) {
    for event in &extra.events {
        span.event(event.time, &text::lossy(event.name.bind(py)), |encoder| {
            event.attributes.each(py, |key, value| {
                encoder.attribute(key, value);
            });
            if event.attributes.dropped() > 0 {
                encoder.dropped_attributes(event.attributes.dropped());
            }
        });
    }
    for link in &extra.links {
        let state = link
            .trace_state
            .as_ref()
            .and_then(|state| state.extract::<String>(py).ok());
        let flags = flags(link.ids, link.is_remote);
        span.link(
            &link.ids.trace_id,
            &link.ids.span_id,
            state.as_deref().unwrap_or_default(),
            flags,
            |encoder| {
                link.attributes.each(py, |key, value| {
                    encoder.attribute(key, value);
                });
                if link.attributes.dropped() > 0 {
                    encoder.dropped_attributes(link.attributes.dropped());
                }
            },
        );
    }
}

fn flags(ids: SpanIds, is_remote: bool) -> u32 {
    u32::from(ids.flags) | HAS_IS_REMOTE | if is_remote { IS_REMOTE } else { 0 }
}
