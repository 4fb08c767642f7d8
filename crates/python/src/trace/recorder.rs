//! What all tracers of one provider share: the sampler, the limits, and where ended spans go.
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use millrace_recorder::ids;
use millrace_wire::encode::push_attribute;
use millrace_wire::field::push_delimited;
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::Tracer;
use super::sampling::Sampler;
use crate::attributes::AttributeLimits;
use crate::buffer::Buffer;
use crate::clean::ValueLimits;
use crate::held::Held;
use crate::resource;

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
    pub(crate) buffer: Option<Arc<millrace_recorder::Buffer>>,
    is_open: AtomicBool,
    processor: Held<Option<Py<PyAny>>>,
    resource: Held<Py<PyAny>>,
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
        let limit = |name: &str| limits.getattr(name)?.extract::<Option<usize>>();
        let count = |name: &str| {
            let count = limit(name)?.and_then(|count| u32::try_from(count).ok());
            Ok::<_, PyErr>(count.unwrap_or(u32::MAX))
        };
        let value = |name: &str| {
            Ok::<_, PyErr>(ValueLimits {
                length: limit(name)?,
            })
        };
        let limits = SpanLimits {
            attributes: AttributeLimits {
                count: count("max_span_attributes")?,
                value: value("max_span_attribute_length")?,
            },
            event_attributes: AttributeLimits {
                count: count("max_event_attributes")?,
                value: value("max_attribute_length")?,
            },
            link_attributes: AttributeLimits {
                count: count("max_link_attributes")?,
                value: value("max_attribute_length")?,
            },
            events: limit("max_events")?.unwrap_or(usize::MAX),
            links: limit("max_links")?.unwrap_or(usize::MAX),
        };
        Ok(Self {
            sampler: Sampler::from_object(sampler)?,
            id_generator,
            limits,
            buffer: buffer.map(|buffer| buffer.shared()),
            is_open: AtomicBool::new(true),
            processor: Held::new(None),
            resource: Held::new(resource),
        })
    }

    /// A tracer for an `InstrumentationScope`.
    fn tracer(slf: Py<Self>, py: Python<'_>, scope: &Bound<'_, PyAny>) -> PyResult<Tracer> {
        let place = match &slf.get().buffer {
            Some(buffer) => {
                let schema_url: Option<String> = scope.getattr("schema_url")?.extract()?;
                Some(buffer.scope(
                    &encoded_scope(scope)?,
                    schema_url.as_deref().unwrap_or_default(),
                ))
            }
            None => None,
        };
        Ok(Tracer::new(
            slf.clone_ref(py),
            place,
            scope.clone().unbind(),
        ))
    }

    /// Has `processor` called when spans start and end; `None` for nobody.
    fn set_processor(&self, py: Python<'_>, processor: Option<Py<PyAny>>) {
        drop(self.processor.replace(py, processor));
    }

    /// Says whose spans these are from now on.
    fn set_resource(&self, py: Python<'_>, resource: Py<PyAny>) {
        drop(self.resource.replace(py, resource));
    }

    /// After this, spans are started for their context alone; nothing is recorded.
    fn close(&self) {
        self.is_open.store(false, Ordering::Relaxed);
    }
}

impl SpanRecorder {
    pub(crate) fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Relaxed)
    }

    /// The Python processor, if there is one.
    #[inline]
    pub(crate) fn processor<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        let processor = self.processor.hold(py);
        processor
            .as_ref()
            .map(|processor| processor.bind(py).clone())
    }

    pub(crate) fn resource(&self, py: Python<'_>) -> Py<PyAny> {
        self.resource.hold(py).clone_ref(py)
    }

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

/// The content of the wire's `InstrumentationScope`.
pub(crate) fn encoded_scope(scope: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    let py = scope.py();
    let mut out = Vec::new();
    for (number, name) in [(1, "name"), (2, "version")] {
        if let Ok(text) = scope.getattr(name)?.cast_into::<PyString>() {
            let text = text.to_string_lossy();
            if !text.is_empty() {
                push_delimited(&mut out, number, text.as_bytes());
            }
        }
    }
    let attributes = scope.getattr("attributes")?;
    if !attributes.is_none() {
        resource::unlimited(&attributes)?.each(py, |key, value| {
            push_attribute(&mut out, 3, key, value);
        });
    }
    Ok(out)
}
