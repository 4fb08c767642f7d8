//! The classes whose methods applications call. Python's instruments are subclasses of these and of the API's.
use std::sync::Arc;

use pyo3::prelude::*;

use super::amount::{amount, is_negative};
use super::fault::Fault;
use super::instrument::Instrument;
use super::storage::InstrumentCore;

/// Counts what is not negative, or refuses it.
#[inline]
fn measure(
    instrument: &Instrument,
    is_monotonic: bool,
    given: &Bound<'_, PyAny>,
    attributes: Option<&Bound<'_, PyAny>>,
    context: Option<&Bound<'_, PyAny>>,
) {
    match amount(given) {
        Ok(value) if is_monotonic && is_negative(value) => instrument.say(Fault::Negative, given),
        Ok(value) => instrument.measure(value, given, attributes, context, None),
        Err(fault) => instrument.say(fault, given),
    }
}

/// What a counter and an up-down counter are.
#[pyclass(frozen, subclass, module = "millrace._native")]
pub(crate) struct Adder {
    instrument: Arc<Instrument>,
    is_monotonic: bool,
}

#[pymethods]
impl Adder {
    #[new]
    fn new(core: &Bound<'_, InstrumentCore>, is_monotonic: bool) -> Self {
        Self {
            instrument: Arc::clone(&core.get().instrument),
            is_monotonic,
        }
    }

    /// Adds an amount.
    #[pyo3(signature = (amount, attributes = None, context = None))]
    fn add(
        &self,
        amount: &Bound<'_, PyAny>,
        attributes: Option<&Bound<'_, PyAny>>,
        context: Option<&Bound<'_, PyAny>>,
    ) {
        measure(
            &self.instrument,
            self.is_monotonic,
            amount,
            attributes,
            context,
        );
    }
}

/// What a histogram is.
#[pyclass(frozen, subclass, module = "millrace._native")]
pub(crate) struct Recorder {
    instrument: Arc<Instrument>,
}

#[pymethods]
impl Recorder {
    #[new]
    fn new(core: &Bound<'_, InstrumentCore>) -> Self {
        Self {
            instrument: Arc::clone(&core.get().instrument),
        }
    }

    /// Records an amount.
    #[pyo3(signature = (amount, attributes = None, context = None))]
    fn record(
        &self,
        amount: &Bound<'_, PyAny>,
        attributes: Option<&Bound<'_, PyAny>>,
        context: Option<&Bound<'_, PyAny>>,
    ) {
        measure(&self.instrument, true, amount, attributes, context);
    }
}

/// What a gauge is.
#[pyclass(frozen, subclass, module = "millrace._native")]
pub(crate) struct Setter {
    instrument: Arc<Instrument>,
}

#[pymethods]
impl Setter {
    #[new]
    fn new(core: &Bound<'_, InstrumentCore>) -> Self {
        Self {
            instrument: Arc::clone(&core.get().instrument),
        }
    }

    /// Sets the amount.
    #[pyo3(signature = (amount, attributes = None, context = None))]
    fn set(
        &self,
        amount: &Bound<'_, PyAny>,
        attributes: Option<&Bound<'_, PyAny>>,
        context: Option<&Bound<'_, PyAny>>,
    ) {
        measure(&self.instrument, false, amount, attributes, context);
    }
}
