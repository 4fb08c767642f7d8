//! Sampling decisions: native for the specification's own samplers, by a call for everybody else's.
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::parent::{Parent, kept_state};
use crate::api::Api;

/// What a sampler decided about one span.
pub(crate) struct Sampled<'py> {
    pub(crate) decision: Decision,
    /// The attributes that a Python sampler wants the span to begin with, instead of those it was given.
    pub(crate) attributes: Option<Bound<'py, PyAny>>,
    pub(crate) trace_state: TraceState,
}

/// Whose trace state a span has.
pub(crate) enum TraceState {
    /// That of its parent.
    Parents,
    /// One that a Python sampler chose; `None` is the empty one.
    Chosen(Option<Py<PyAny>>),
}

/// The specification's three outcomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    Drop,
    RecordOnly,
    RecordAndSample,
}

/// A sampler.
pub(crate) enum Sampler {
    AlwaysOn,
    AlwaysOff,
    /// By the lower 64 bits of the trace id.
    TraceIdRatio {
        bound: u128,
    },
    /// By the parent: local and sampled, local and not, remote and sampled, remote and not; or by the root's sampler.
    ParentBased(Box<ParentBased>),
    /// Anything with `should_sample`.
    Python(Py<PyAny>),
}

pub(crate) struct ParentBased {
    root: Sampler,
    local_sampled: Sampler,
    local_not_sampled: Sampler,
    remote_sampled: Sampler,
    remote_not_sampled: Sampler,
}

/// What a Python sampler is told about a span that is about to start.
pub(crate) struct Candidate<'a, 'py> {
    pub(crate) context: Option<&'a Bound<'py, PyAny>>,
    pub(crate) trace_id: [u8; 16],
    pub(crate) name: &'a Bound<'py, PyAny>,
    pub(crate) kind: u8,
    pub(crate) attributes: Option<&'a Bound<'py, PyAny>>,
    pub(crate) links: Option<&'a Bound<'py, PyAny>>,
}

impl Sampler {
    /// Reads a Python sampler: those of the specification, ours and upstream's, by what they are made of. `None` is the default of
    /// the specification, for which nothing of Python's has to be imported.
    pub(crate) fn from_object(sampler: &Bound<'_, PyAny>) -> PyResult<Self> {
        if sampler.is_none() {
            return Ok(Self::ParentBased(Box::new(ParentBased {
                root: Self::AlwaysOn,
                local_sampled: Self::AlwaysOn,
                local_not_sampled: Self::AlwaysOff,
                remote_sampled: Self::AlwaysOn,
                remote_not_sampled: Self::AlwaysOff,
            })));
        }
        let class = sampler.get_type();
        let module = class.module()?;
        let known = matches!(
            module.to_str()?,
            "opentelemetry.sdk.trace.sampling" | "millrace.sdk.trace.sampling"
        );
        if !known {
            return Ok(Self::Python(sampler.clone().unbind()));
        }
        let delegate = |name: &str| Self::from_object(&sampler.getattr(name)?);
        Ok(match class.name()?.to_str()? {
            "StaticSampler" | "_AlwaysOn" | "_AlwaysOff" => {
                match decision(&sampler.getattr("_decision")?)? {
                    Decision::RecordAndSample => Self::AlwaysOn,
                    Decision::Drop => Self::AlwaysOff,
                    Decision::RecordOnly => Self::Python(sampler.clone().unbind()),
                }
            }
            "TraceIdRatioBased" => Self::TraceIdRatio {
                bound: sampler.getattr("bound")?.extract()?,
            },
            "ParentBased"
            | "ParentBasedTraceIdRatio"
            | "_ParentBasedAlwaysOn"
            | "_ParentBasedAlwaysOff" => Self::ParentBased(Box::new(ParentBased {
                root: delegate("_root")?,
                local_sampled: delegate("_local_parent_sampled")?,
                local_not_sampled: delegate("_local_parent_not_sampled")?,
                remote_sampled: delegate("_remote_parent_sampled")?,
                remote_not_sampled: delegate("_remote_parent_not_sampled")?,
            })),
            _ => Self::Python(sampler.clone().unbind()),
        })
    }

    /// Decides about a span.
    #[inline]
    pub(crate) fn decide<'py>(
        &self,
        py: Python<'py>,
        parent: Option<&Parent>,
        candidate: &Candidate<'_, 'py>,
    ) -> PyResult<Sampled<'py>> {
        let decision = match self {
            Self::AlwaysOn => Decision::RecordAndSample,
            Self::AlwaysOff => Decision::Drop,
            Self::TraceIdRatio { bound } => {
                let low = u128::from_be_bytes(candidate.trace_id) & u128::from(u64::MAX);
                if low < *bound {
                    Decision::RecordAndSample
                } else {
                    Decision::Drop
                }
            }
            Self::ParentBased(delegates) => {
                return delegates.of(parent).decide(py, parent, candidate);
            }
            Self::Python(sampler) => return ask(sampler.bind(py), candidate),
        };
        Ok(Sampled {
            decision,
            attributes: None,
            trace_state: TraceState::Parents,
        })
    }
}

impl ParentBased {
    fn of(&self, parent: Option<&Parent>) -> &Sampler {
        match parent.map(|parent| (parent.is_remote, parent.ids.is_sampled())) {
            None => &self.root,
            Some((false, true)) => &self.local_sampled,
            Some((false, false)) => &self.local_not_sampled,
            Some((true, true)) => &self.remote_sampled,
            Some((true, false)) => &self.remote_not_sampled,
        }
    }
}

fn ask<'py>(sampler: &Bound<'py, PyAny>, candidate: &Candidate<'_, 'py>) -> PyResult<Sampled<'py>> {
    let py = sampler.py();
    let kind = Api::get(py)?.kinds.get(usize::from(candidate.kind));
    let positional = (
        candidate.context,
        u128::from_be_bytes(candidate.trace_id),
        candidate.name,
    );
    let named = PyDict::new(py);
    named.set_item("kind", kind)?;
    named.set_item("attributes", candidate.attributes)?;
    match candidate.links {
        Some(links) if !links.is_none() => named.set_item("links", links)?,
        _ => named.set_item("links", ())?,
    }
    let result = sampler.call_method("should_sample", positional, Some(&named))?;
    let state = result.getattr("trace_state")?;
    Ok(Sampled {
        decision: decision(&result.getattr("decision")?)?,
        attributes: Some(result.getattr("attributes")?),
        trace_state: TraceState::Chosen(kept_state(&state)?),
    })
}

/// The decision that a member of upstream's or our `Decision` stands for.
fn decision(decision: &Bound<'_, PyAny>) -> PyResult<Decision> {
    Ok(match decision.getattr("value")?.extract()? {
        0 => Decision::Drop,
        1 => Decision::RecordOnly,
        _ => Decision::RecordAndSample,
    })
}
