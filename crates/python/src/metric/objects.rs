//! What a collection looks like to Python: plain tuples, of which `millrace.sdk.metrics._collected` makes the API's objects.
use millrace_recorder::metric::{
    Aggregation, Exemplar, ExponentialHistogram, Point, PointData, Side, Summary,
};
use millrace_wire::encode::{Number, Temporality};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFloat, PyInt, PyTuple};

use super::amount::amount;
use super::attributes::{AttributeSet, AttributesKey, cleaned};
use super::fault::Fault;
use super::instrument::Instrument;
use super::storage::Collected;

/// `(name, description, unit, kind, is_delta, is_monotonic, explicit bounds, points)`
pub(super) fn metric<'py>(py: Python<'py>, metric: &Collected) -> PyResult<Bound<'py, PyTuple>> {
    let options = &metric.options;
    let (kind, is_monotonic) = match options.aggregation {
        Aggregation::Sum { is_monotonic } => ("sum", is_monotonic),
        Aggregation::LastValue => ("last_value", false),
        Aggregation::ExplicitHistogram { .. } => ("explicit", false),
        Aggregation::ExponentialHistogram { .. } => ("exponential", false),
    };
    let bounds: &[f64] = match &options.aggregation {
        Aggregation::ExplicitHistogram { bounds } => bounds,
        _ => &[],
    };
    let points = metric
        .points
        .iter()
        .map(|one| point(py, options.record_min_max, one))
        .collect::<PyResult<Vec<_>>>()?;
    (
        &options.name,
        &options.description,
        &options.unit,
        kind,
        options.temporality == Temporality::Delta,
        is_monotonic,
        PyTuple::new(py, bounds)?,
        points,
    )
        .into_pyobject(py)
}

/// (attributes, start, time, exemplars, value), with (count, sum, min, max, ...) as the value of a histogram.
fn point<'py>(
    py: Python<'py>,
    record_min_max: bool,
    point: &Point<AttributesKey>,
) -> PyResult<Bound<'py, PyTuple>> {
    let exemplars = point
        .exemplars
        .iter()
        .map(|one| exemplar(py, one))
        .collect::<PyResult<Vec<_>>>()?;
    let value = match &point.data {
        PointData::Number(value) => number(py, *value),
        PointData::Explicit(histogram) => {
            let (count, sum, min, max) = summary(py, record_min_max, &histogram.summary);
            let counts = PyTuple::new(py, &histogram.counts)?;
            (count, sum, min, max, counts).into_pyobject(py)?.into_any()
        }
        PointData::Exponential(histogram) => exponential(py, record_min_max, histogram)?,
    };
    let attributes = point.key.to_dict(py, None)?;
    (
        attributes,
        point.start_time_unix_nano,
        point.time_unix_nano,
        exemplars,
        value,
    )
        .into_pyobject(py)
}

fn exponential<'py>(
    py: Python<'py>,
    record_min_max: bool,
    histogram: &ExponentialHistogram,
) -> PyResult<Bound<'py, PyAny>> {
    let (count, sum, min, max) = summary(py, record_min_max, &histogram.summary);
    // An empty side is one empty bucket, as in the stock SDK's objects.
    let side = |side: &Side| match side.counts.as_slice() {
        [] => (0, vec![0]),
        counts => (side.offset, counts.to_vec()),
    };
    let tuple = (
        count,
        sum,
        min,
        max,
        histogram.scale(),
        histogram.zero_count,
        side(&histogram.positive),
        side(&histogram.negative),
    );
    Ok(tuple.into_pyobject(py)?.into_any())
}

type Told<'py> = (u64, Bound<'py, PyAny>, Bound<'py, PyAny>, Bound<'py, PyAny>);

/// Count, sum, least and greatest value: integers where all values were.
fn summary<'py>(py: Python<'py>, record_min_max: bool, summary: &Summary) -> Told<'py> {
    let (min, max) = if record_min_max {
        (summary.min, summary.max)
    } else {
        (f64::INFINITY, f64::NEG_INFINITY)
    };
    let are_integers = matches!(summary.sum, Number::Int(_));
    let extreme = |value: f64| {
        if are_integers && value.is_finite() {
            number(py, Number::Int(value as i64))
        } else {
            number(py, Number::Double(value))
        }
    };
    (
        summary.count,
        number(py, summary.sum),
        extreme(min),
        extreme(max),
    )
}

fn number(py: Python<'_>, number: Number) -> Bound<'_, PyAny> {
    match number {
        Number::Int(value) => PyInt::new(py, value).into_any(),
        Number::Double(value) => PyFloat::new(py, value).into_any(),
    }
}

/// (filtered attributes, value, time, span id, trace id)
fn exemplar<'py>(
    py: Python<'py>,
    exemplar: &Exemplar<AttributesKey>,
) -> PyResult<Bound<'py, PyTuple>> {
    let attributes = match &exemplar.filtered_attributes {
        Some(key) => key.to_dict(py, None)?,
        None => PyDict::new(py),
    };
    let (trace_id, span_id) = exemplar.span.unzip();
    (
        attributes,
        number(py, exemplar.value),
        exemplar.time_unix_nano,
        span_id.map(u64::from_be_bytes),
        trace_id.map(u128::from_be_bytes),
    )
        .into_pyobject(py)
}

/// Leaves exemplars with the attributes that their point does not have, and asks the reservoir of the user's, if there is one.
pub(super) fn complete_exemplars(
    py: Python<'_>,
    instrument: &Instrument,
    point: &mut Point<AttributesKey>,
) {
    let key = point.key.clone();
    for exemplar in &mut point.exemplars {
        if let Some(all) = exemplar.filtered_attributes.take() {
            exemplar.filtered_attributes = all.without(py, &key).ok();
        }
    }
    if let Some(reservoir) = key.reservoir() {
        match chosen(reservoir.bind(py), &key) {
            Ok(exemplars) => point.exemplars = exemplars,
            Err(_) => instrument.say(Fault::Exemplar, reservoir.bind(py)),
        }
    }
}

/// The exemplars that a reservoir of the user's has chosen.
fn chosen(
    reservoir: &Bound<'_, PyAny>,
    key: &AttributesKey,
) -> PyResult<Vec<Exemplar<AttributesKey>>> {
    let py = reservoir.py();
    let exemplars = reservoir.call_method1("collect", (key.to_dict(py, None)?,))?;
    exemplars
        .try_iter()?
        .map(|exemplar| {
            let exemplar = exemplar?;
            let attributes = exemplar.getattr("filtered_attributes")?;
            let trace_id: Option<u128> = exemplar.getattr("trace_id")?.extract()?;
            let span_id: Option<u64> = exemplar.getattr("span_id")?.extract()?;
            let span = trace_id.zip(span_id);
            Ok(Exemplar {
                filtered_attributes: if attributes.is_none() {
                    None
                } else {
                    let dict = cleaned(&attributes)?;
                    Some(AttributeSet::read_cleaned(&dict)?.to_key(None))
                },
                time_unix_nano: exemplar.getattr("time_unix_nano")?.extract()?,
                value: amount(&exemplar.getattr("value")?)
                    .map_err(|_| pyo3::exceptions::PyValueError::new_err("not a number"))?,
                span: span.map(|(trace, span)| (trace.to_be_bytes(), span.to_be_bytes())),
            })
        })
        .collect()
}
