//! The resource of this process, encoded once.
use millrace_wire::encode::push_attribute;
use pyo3::prelude::*;

use crate::attributes::{AttributeLimits, Attributes};

/// Attributes of a resource or an instrumentation scope, which have no limits (specification: common/attribute-limits).
pub(crate) fn unlimited(attributes: &Bound<'_, PyAny>) -> PyResult<Attributes> {
    Attributes::from_mapping(Some(attributes), &AttributeLimits::NONE)
}

/// The content of the wire's `Resource` with these attributes.
pub(crate) fn encoded(attributes: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    let mut out = Vec::new();
    unlimited(attributes)?.each(attributes.py(), |key, value| {
        push_attribute(&mut out, 1, key, value);
    });
    Ok(out)
}
