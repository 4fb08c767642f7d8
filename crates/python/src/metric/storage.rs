//! Every instrument of a provider, and what a reader collects of them: an export request, or points as Python knows them.
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use millrace_recorder::metric::{
    Aggregation, CARDINALITY_LIMIT, Point, ReservoirKind, StreamOptions, encode_points,
};
use millrace_wire::AttributeValue;
use millrace_wire::encode::{RequestEncoder, Temporality};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString};

use super::amount::amount;
use super::attributes::{AttributeSet, AttributesKey, KeptKeys};
use super::fault::Fault;
use super::instrument::{ExemplarFilter, Instrument};
use super::objects;
use crate::attribute::attribute_value;
use crate::clock::now_unix_nano;

/// The attribute of the series that counts what lies beyond the limit.
const OVERFLOW_ATTRIBUTE: &str = "otel.metric.overflow";

type Attributes = Vec<(String, AttributeValue)>;

/// An instrument as readers, views and callbacks see it.
#[pyclass(frozen, module = "millrace._native")]
pub(crate) struct InstrumentCore {
    pub(super) instrument: Arc<Instrument>,
}

/// How a stream is described from Python.
#[derive(FromPyObject)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "a description as Python writes it, not a state"
)]
struct StreamDescription<'py> {
    name: String,
    description: String,
    unit: String,
    aggregation: String,
    is_monotonic: bool,
    bounds: Vec<f64>,
    size_max: usize,
    scale_max: i32,
    record_sum: bool,
    record_min_max: bool,
    is_delta: bool,
    is_observable: bool,
    kept_keys: Option<Vec<Bound<'py, PyString>>>,
    reservoir_factory: Option<Py<PyAny>>,
    reservoir_size: usize,
}

impl StreamDescription<'_> {
    fn options(&self) -> PyResult<StreamOptions> {
        let aggregation = match self.aggregation.as_str() {
            "sum" => Aggregation::Sum {
                is_monotonic: self.is_monotonic,
            },
            "last_value" => Aggregation::LastValue,
            "explicit" => Aggregation::ExplicitHistogram {
                bounds: self.bounds.clone().into(),
            },
            "exponential" => Aggregation::ExponentialHistogram {
                size_max: self.size_max,
                scale_max: self.scale_max,
            },
            other => {
                return Err(PyValueError::new_err(format!(
                    "expected sum, last_value, explicit or exponential as the aggregation, got {other:?}"
                )));
            }
        };
        let reservoir = match (&self.reservoir_factory, &aggregation) {
            (Some(_), _) => ReservoirKind::Elsewhere,
            (None, Aggregation::ExplicitHistogram { .. }) => ReservoirKind::AlignedHistogramBucket,
            (None, _) => ReservoirKind::SimpleFixedSize(self.reservoir_size),
        };
        Ok(StreamOptions {
            name: self.name.clone(),
            description: self.description.clone(),
            unit: self.unit.clone(),
            aggregation,
            temporality: if self.is_delta {
                Temporality::Delta
            } else {
                Temporality::Cumulative
            },
            is_observable: self.is_observable,
            record_sum: self.record_sum,
            record_min_max: self.record_min_max,
            reservoir,
            cardinality_limit: CARDINALITY_LIMIT,
        })
    }
}

#[pymethods]
impl InstrumentCore {
    #[new]
    fn new(name: String) -> Self {
        Self {
            instrument: Arc::new(Instrument::new(name)),
        }
    }

    /// Adds what a view makes of the instrument for a reader.
    fn add_stream(
        &self,
        py: Python<'_>,
        reader: u64,
        description: StreamDescription<'_>,
    ) -> PyResult<()> {
        let options = description.options()?;
        let overflow = PyDict::new(py);
        overflow.set_item(OVERFLOW_ATTRIBUTE, true)?;
        let overflow_key = AttributeSet::read_cleaned(&overflow)?.to_key(None);
        let kept = description.kept_keys.as_deref().map(KeptKeys::new);
        let factory = description.reservoir_factory;
        self.instrument
            .add_stream(reader, options, overflow_key, kept, factory);
        Ok(())
    }

    /// Takes the streams of a reader away.
    fn remove_streams(&self, reader: u64) {
        self.instrument.remove_streams(reader);
    }

    /// Switches the instrument on or off.
    fn enable(&self, is_enabled: bool) {
        self.instrument.enable(is_enabled);
    }

    /// Counts what a callback observed for a reader.
    fn observe(
        &self,
        reader: u64,
        value: &Bound<'_, PyAny>,
        attributes: Option<&Bound<'_, PyAny>>,
        context: Option<&Bound<'_, PyAny>>,
    ) {
        match amount(value) {
            Ok(number) => {
                self.instrument
                    .measure(number, value, attributes, context, Some(reader));
            }
            Err(fault) => self.instrument.say(fault, value),
        }
    }
}

/// The instruments of one instrumentation scope.
struct Scope {
    name: String,
    version: String,
    attributes: Attributes,
    schema_url: String,
    instruments: Vec<Arc<Instrument>>,
}

struct Resource {
    attributes: Attributes,
    schema_url: String,
}

/// The points of one stream, on their way out.
pub(super) struct Collected {
    pub(super) options: StreamOptions,
    pub(super) points: Vec<Point<AttributesKey>>,
}

/// Every instrument of a provider, by scope.
#[pyclass(frozen, module = "millrace._native")]
pub(crate) struct MetricStorage {
    filter: String,
    custom_filter: Option<Py<PyAny>>,
    resource: Mutex<Resource>,
    scopes: Mutex<Vec<Scope>>,
}

#[pymethods]
impl MetricStorage {
    #[new]
    fn new(exemplar_filter: String, custom_filter: Option<Py<PyAny>>) -> Self {
        Self {
            filter: exemplar_filter,
            custom_filter,
            resource: Mutex::new(Resource {
                attributes: Vec::new(),
                schema_url: String::new(),
            }),
            scopes: Mutex::new(Vec::new()),
        }
    }

    /// Says what the metrics are about.
    fn set_resource(&self, attributes: &Bound<'_, PyDict>, schema_url: String) {
        let attributes = listed(attributes);
        *lock(&self.resource) = Resource {
            attributes,
            schema_url,
        };
    }

    /// Adds an instrumentation scope; returns its number.
    fn add_scope(
        &self,
        name: String,
        version: String,
        schema_url: String,
        attributes: &Bound<'_, PyDict>,
    ) -> usize {
        let attributes = listed(attributes);
        let mut scopes = lock(&self.scopes);
        scopes.push(Scope {
            name,
            version,
            attributes,
            schema_url,
            instruments: Vec::new(),
        });
        scopes.len() - 1
    }

    /// Adds an instrument to a scope.
    fn add_instrument(&self, scope: usize, core: &Bound<'_, InstrumentCore>) {
        let filter = match (self.filter.as_str(), &self.custom_filter) {
            (_, Some(filter)) => ExemplarFilter::Custom(filter.clone_ref(core.py())),
            ("always_on", None) => ExemplarFilter::AlwaysOn,
            ("always_off", None) => ExemplarFilter::AlwaysOff,
            _ => ExemplarFilter::TraceBased,
        };
        let instrument = &core.get().instrument;
        instrument.filter_exemplars(filter);
        if let Some(scope) = lock(&self.scopes).get_mut(scope) {
            scope.instruments.push(Arc::clone(instrument));
        }
    }

    /// An export request with the points of a reader, and how many; none where there is no point.
    fn collect_request<'py>(&self, py: Python<'py>, reader: u64) -> Option<Bound<'py, PyBytes>> {
        let mut request = RequestEncoder::new();
        let mut is_empty = true;
        self.describe_resource(&mut request);
        for (index, collected) in self.collect(py, reader) {
            is_empty = false;
            self.describe_scope(index, &mut request);
            for metric in &collected {
                request.item(|out| encode_points(&metric.options, &metric.points, out));
            }
        }
        (!is_empty).then(|| PyBytes::new(py, &request.finish()))
    }

    /// The points of a reader as tuples, which `millrace.sdk.metrics._collected` makes objects of.
    fn collect_points<'py>(&self, py: Python<'py>, reader: u64) -> PyResult<Bound<'py, PyList>> {
        let scopes = PyList::empty(py);
        for (index, collected) in self.collect(py, reader) {
            let metrics = collected
                .iter()
                .map(|metric| objects::metric(py, metric))
                .collect::<PyResult<Vec<_>>>()?;
            scopes.append((index, metrics))?;
        }
        Ok(scopes)
    }
}

impl MetricStorage {
    /// Takes the points of a reader out of every stream, scope by scope; scopes without any are not among them.
    fn collect(&self, py: Python<'_>, reader: u64) -> Vec<(usize, Vec<Collected>)> {
        let now = now_unix_nano();
        let scopes: Vec<Vec<Arc<Instrument>>> = lock(&self.scopes)
            .iter()
            .map(|scope| scope.instruments.clone())
            .collect();
        let mut found = Vec::new();
        for (index, instruments) in scopes.into_iter().enumerate() {
            let mut metrics = Vec::new();
            for instrument in instruments {
                collect_instrument(py, &instrument, reader, now, &mut metrics);
            }
            if !metrics.is_empty() {
                found.push((index, metrics));
            }
        }
        found
    }

    fn describe_resource(&self, request: &mut RequestEncoder) {
        let resource = lock(&self.resource);
        request.resource(&borrowed(&resource.attributes), &resource.schema_url);
    }

    fn describe_scope(&self, index: usize, request: &mut RequestEncoder) {
        if let Some(scope) = lock(&self.scopes).get(index) {
            let attributes = borrowed(&scope.attributes);
            request.scope(&scope.name, &scope.version, &attributes, &scope.schema_url);
        }
    }
}

fn collect_instrument(
    py: Python<'_>,
    instrument: &Instrument,
    reader: u64,
    now_unix_nano: u64,
    metrics: &mut Vec<Collected>,
) {
    let first = metrics.len();
    let mut is_overflowing = false;
    let mut streams = instrument.streams.lock();
    for one in streams.0.iter_mut().filter(|one| one.reader == reader) {
        is_overflowing |= one.stream.is_overflowing();
        let points = one.stream.collect(now_unix_nano);
        if !points.is_empty() {
            let options = one.stream.options().clone();
            metrics.push(Collected { options, points });
        }
    }
    drop(streams);
    if is_overflowing {
        instrument.say(Fault::Overflow, py.None().bind(py));
    }
    for metric in metrics.iter_mut().skip(first) {
        for point in &mut metric.points {
            objects::complete_exemplars(py, instrument, point);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Attributes that are valid already; others are left out.
fn listed(attributes: &Bound<'_, PyDict>) -> Attributes {
    attributes
        .iter()
        .filter_map(|(key, value)| {
            let key = key.cast::<PyString>().ok()?.to_string_lossy().into_owned();
            Some((key, attribute_value(&value).ok()?))
        })
        .collect()
}

fn borrowed(attributes: &Attributes) -> Vec<(&str, AttributeValue)> {
    attributes
        .iter()
        .map(|(key, value)| (key.as_str(), value.clone()))
        .collect()
}
