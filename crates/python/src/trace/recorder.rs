//! What all tracers of one provider share: the sampler, the limits, and where ended spans go.
use millrace_recorder::ids;
use pyo3::prelude::*;

use super::Tracer;
use super::sampling::Sampler;
use crate::attributes::{AttributeLimits, limit};
use crate::buffer::Buffer;
use crate::destination::Destination;

/// The limits of spans (specification: `SpanLimits`).
pub(crate) struct SpanLimits {
    pub(crate) attributes: AttributeLimits,
    pub(crate) event_attributes: AttributeLimits,
    pub(crate) link_attributes: AttributeLimits,
    pub(crate) events: usize,
    pub(crate) links: usize,
}

/// Ids for a span that is about to start.
pub(crate) struct Drawn {
    pub(crate) trace_id: [u8; 16],
    /// Whether the trace id is random.
    pub(crate) random: bool,
    pub(crate) span_id: Option<[u8; 8]>,
}

/// The native half of a `TracerProvider`.
#[pyclass(frozen, module = "millrace._native")]
pub(crate) struct SpanRecorder {
    pub(crate) sampler: Sampler,
    id_generator: Option<Py<PyAny>>,
    pub(crate) limits: SpanLimits,
    pub(crate) destination: Destination,
}

#[pymethods]
impl SpanRecorder {
    /// `limits` are those of upstream's `SpanLimits`, `None` for no limit; `id_generator` is `None` for native random ids.
    #[new]
    fn new(
        sampler: &Bound<'_, PyAny>,
        id_generator: Option<Py<PyAny>>,
        limits: &Bound<'_, PyAny>,
        buffer: Option<PyRef<'_, Buffer>>,
        resource: Py<PyAny>,
    ) -> PyResult<Self> {
        let named = |count, length| AttributeLimits::named(limits, count, length);
        let limits = SpanLimits {
            attributes: named("max_span_attributes", "max_span_attribute_length")?,
            event_attributes: named("max_event_attributes", "max_attribute_length")?,
            link_attributes: named("max_link_attributes", "max_attribute_length")?,
            events: limit(limits, "max_events")?.unwrap_or(usize::MAX),
            links: limit(limits, "max_links")?.unwrap_or(usize::MAX),
        };
        Ok(Self {
            sampler: Sampler::from_object(sampler)?,
            id_generator,
            limits,
            destination: Destination::new(buffer, resource),
        })
    }

    /// A tracer for an `InstrumentationScope`.
    fn tracer(slf: Py<Self>, py: Python<'_>, scope: &Bound<'_, PyAny>) -> PyResult<Tracer> {
        let place = slf.get().destination.place(scope)?;
        Ok(Tracer::new(
            slf.clone_ref(py),
            place,
            scope.clone().unbind(),
        ))
    }

    /// Has `processor` called when spans start and end; `None` for nobody.
    fn set_processor(&self, py: Python<'_>, processor: Option<Py<PyAny>>) {
        self.destination.set_processor(py, processor);
    }

    /// Says whose spans these are from now on.
    fn set_resource(&self, py: Python<'_>, resource: Py<PyAny>) {
        self.destination.set_resource(py, resource);
    }

    /// After this, spans are started for their context alone; nothing is recorded.
    fn close(&self) {
        self.destination.close();
    }
}

impl SpanRecorder {
    /// Ids for the root of a new trace.
    #[inline]
    pub(crate) fn draw_root_ids(&self, py: Python<'_>) -> PyResult<Drawn> {
        let Some(generator) = &self.id_generator else {
            let (trace_id, span_id) = ids::root_ids();
            return Ok(Drawn {
                trace_id,
                random: true,
                span_id: Some(span_id),
            });
        };
        let generator = generator.bind(py);
        let id: u128 = generator.call_method0("generate_trace_id")?.extract()?;
        let random = match generator.getattr_opt("is_trace_id_random")? {
            Some(random) => random.call0()?.is_truthy()?,
            None => false,
        };
        Ok(Drawn {
            trace_id: id.to_be_bytes(),
            random,
            // Asked for when the sampler has decided.
            span_id: None,
        })
    }

    #[inline]
    pub(crate) fn draw_span_id(&self, py: Python<'_>) -> PyResult<[u8; 8]> {
        let Some(generator) = &self.id_generator else {
            return Ok(ids::span_id());
        };
        let id: u64 = generator
            .bind(py)
            .call_method0("generate_span_id")?
            .extract()?;
        Ok(id.to_be_bytes())
    }
}
