//! What can be wrong with a measurement, said once for each instrument.
use std::sync::atomic::{AtomicU8, Ordering};

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

/// Why a measurement was left out, or is not quite what the caller meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Fault {
    /// The amount is not a number.
    NotANumber = 1,
    /// The amount is infinite or not a number.
    NotFinite = 2,
    /// The amount is negative, and the instrument only goes up.
    Negative = 4,
    /// The attributes are not a mapping.
    Attributes = 8,
    /// Code of the user failed: an exemplar filter or reservoir.
    Exemplar = 16,
    /// The stream tells no more attribute sets apart.
    Overflow = 32,
}

impl Fault {
    const fn name(self) -> &'static str {
        match self {
            Self::NotANumber => "not_a_number",
            Self::NotFinite => "not_finite",
            Self::Negative => "negative",
            Self::Attributes => "attributes",
            Self::Exemplar => "exemplar",
            Self::Overflow => "overflow",
        }
    }
}

/// Which faults of an instrument were already said.
#[derive(Debug, Default)]
pub(super) struct Said(AtomicU8);

static REPORT: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

impl Said {
    /// Logs the fault with what was given, unless that was done before.
    #[cold]
    pub(super) fn once(&self, fault: Fault, instrument: &str, given: &Bound<'_, PyAny>) {
        let bit = fault as u8;
        if self.0.fetch_or(bit, Ordering::Relaxed) & bit != 0 {
            return;
        }
        let py = given.py();
        let report = REPORT.get_or_try_init(py, || {
            let module = py.import("millrace.sdk.metrics._faults")?;
            module.getattr("report").map(Bound::unbind)
        });
        // A log handler of the user that fails must not fail the measurement.
        let _ = report.and_then(|report| report.call1(py, (fault.name(), instrument, given)));
    }
}
