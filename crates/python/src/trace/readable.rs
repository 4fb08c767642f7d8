//! A span as processors and exporters written in Python read it: upstream's `ReadableSpan`, over the same state.
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyMappingProxy, PyTuple};

use super::Span;
use crate::api::Api;

static EVENT: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
static TO_JSON: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

#[pymethods]
impl Span {
    fn get_span_context<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.ids
            .to_span_context(py, false, self.trace_state.as_ref())
    }

    #[getter]
    fn context<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.get_span_context(py)
    }

    #[getter]
    fn parent<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.parent
            .as_ref()
            .map(|parent| parent.to_span_context(py))
            .transpose()
    }

    #[getter]
    fn name(&self, py: Python<'_>) -> Py<PyAny> {
        self.state(py).name.clone_ref(py).into_any()
    }

    #[getter]
    fn kind(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        Ok(Api::get(py)?
            .kinds
            .get(usize::from(self.kind))
            .map(|kind| kind.clone_ref(py)))
    }

    #[getter]
    fn start_time(&self) -> u64 {
        self.start
    }

    #[getter]
    fn end_time(&self, py: Python<'_>) -> Option<u64> {
        self.state(py).end
    }

    #[getter]
    fn status<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let (code, description) = {
            let state = self.state(py);
            let description = state
                .status_description
                .as_ref()
                .map(|description| description.clone_ref(py));
            (state.status_code, description)
        };
        let api = Api::get(py)?;
        api.status
            .bind(py)
            .call1((api.status_codes.get(usize::from(code)), description))
    }

    #[getter]
    fn attributes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyMappingProxy>> {
        let attributes = self.state(py).attributes.to_dict(py)?;
        Ok(PyMappingProxy::new(py, attributes.as_mapping()))
    }

    #[getter]
    fn dropped_attributes(&self, py: Python<'_>) -> u32 {
        self.state(py).attributes.dropped()
    }

    #[getter]
    fn events<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let class = EVENT.import(py, "millrace.sdk.trace.event", "Event")?;
        let parts: Vec<_> = {
            let state = self.state(py);
            let events = state.extra.iter().flat_map(|extra| &extra.events);
            events
                .map(|event| {
                    Ok((
                        event.name.clone_ref(py),
                        event.attributes.to_dict(py)?,
                        event.time,
                        event.attributes.dropped(),
                    ))
                })
                .collect::<PyResult<_>>()?
        };
        let events: Vec<_> = parts
            .into_iter()
            .map(|parts| class.call1(parts))
            .collect::<PyResult<_>>()?;
        PyTuple::new(py, events)
    }

    #[getter]
    fn dropped_events(&self, py: Python<'_>) -> u32 {
        self.state(py)
            .extra
            .as_ref()
            .map_or(0, |extra| extra.dropped_events)
    }

    #[getter]
    fn links<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let api = Api::get(py)?;
        let parts: Vec<_> = {
            let state = self.state(py);
            let links = state.extra.iter().flat_map(|extra| &extra.links);
            links
                .map(|link| {
                    let attributes = link.attributes.to_dict(py)?;
                    Ok((
                        link.context.clone_ref(py),
                        attributes,
                        link.attributes.dropped(),
                    ))
                })
                .collect::<PyResult<_>>()?
        };
        let links: Vec<_> = parts
            .into_iter()
            .map(|(context, attributes, dropped)| {
                // The API's link reads the count of dropped attributes off this class of its own.
                let bounded = api
                    .bounded_attributes
                    .bind(py)
                    .call1((py.None(), attributes))?;
                bounded.setattr("dropped", dropped)?;
                api.link.bind(py).call1((context, bounded))
            })
            .collect::<PyResult<_>>()?;
        PyTuple::new(py, links)
    }

    #[getter]
    fn dropped_links(&self, py: Python<'_>) -> u32 {
        self.state(py)
            .extra
            .as_ref()
            .map_or(0, |extra| extra.dropped_links)
    }

    #[getter]
    fn resource(&self, py: Python<'_>) -> Py<PyAny> {
        self.tracer.get().recorder.get().destination.resource(py)
    }

    #[getter]
    fn instrumentation_scope(&self, py: Python<'_>) -> Py<PyAny> {
        self.tracer.get().instrumentation_scope.clone_ref(py)
    }

    #[getter]
    fn instrumentation_info(&self, py: Python<'_>) -> Py<PyAny> {
        self.instrumentation_scope(py)
    }

    /// Upstream's snapshot of a span that has ended; ours does not change any more.
    fn _readable_span(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (indent=4))]
    fn to_json<'py>(slf: &Bound<'py, Self>, indent: Option<usize>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        TO_JSON
            .import(py, "millrace.sdk.trace.printing", "span_json")?
            .call1((slf, indent))
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let name = self.state(py).name.clone_ref(py);
        let context = self.get_span_context(py)?;
        Ok(format!(
            "Span(name={}, context={})",
            name.bind(py).repr()?.to_string_lossy(),
            context.repr()?.to_string_lossy()
        ))
    }
}
