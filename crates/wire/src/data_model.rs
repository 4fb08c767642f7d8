//! Takes the items out of a request that break the data model, so that the rest can be accepted (partial success, C5).

use std::collections::BTreeMap;

use crate::Signal;
use crate::field::{Fields, RawField, Value};
use crate::splice::{Mark, Splice};
use crate::validate::broken::Broken;
use crate::validate::metric::Arm;
use crate::validate::{profile, span};
use crate::walk::{Node, Visitor, is_resource, walk};

/// How many different reasons a message names.
const REASONS_NAMED: usize = 3;

/// A request without the items that nobody downstream could use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// The items that are left, under what they stood under; empty if there are none.
    pub request: Vec<u8>,
    /// How many items were taken out: what `validate` counted as `invalid`.
    pub rejected: usize,
    /// Why, for the `error_message` of the partial success; empty if nothing was taken out. Nothing in it was written by the
    /// sender (C8).
    pub message: String,
}

/// Takes the invalid items out of a validated request. All other bytes stay as they are, unknown fields included; envelopes
/// that have no item left go.
#[must_use]
pub fn reject_invalid(signal: Signal, request: &[u8]) -> Rejected {
    let mut sieve = Sieve {
        signal,
        dictionary: match signal {
            Signal::Profiles => profile::Dictionary::of(request),
            _ => profile::Dictionary::default(),
        },
        kept: Splice::new(request, request.len()),
        envelopes: Vec::new(),
        has_temporality: true,
        items: 0,
        reasons: BTreeMap::new(),
    };
    for field in Fields::new(request).filter(|field| !is_resource(field)) {
        sieve.kept.copy(field.bytes);
    }
    walk(signal, request, &mut sieve);
    let rejected = sieve.reasons.values().sum();
    let is_bare = rejected > 0 && sieve.items == 0;
    let request = if is_bare {
        Vec::new()
    } else {
        sieve.kept.finish()
    };
    Rejected {
        request,
        rejected,
        message: message(signal, &sieve.reasons),
    }
}

fn message(signal: Signal, reasons: &BTreeMap<Broken, usize>) -> String {
    let mut clauses: Vec<String> = reasons
        .iter()
        .map(|(broken, items)| format!("{items} {}: {}", signal.item_name(), broken.reason()))
        .collect();
    let unnamed = clauses.len().saturating_sub(REASONS_NAMED);
    clauses.truncate(REASONS_NAMED);
    if unnamed > 0 {
        clauses.push(format!("and {unnamed} more reasons"));
    }
    clauses.join("; ")
}

struct Sieve<'a> {
    signal: Signal,
    dictionary: profile::Dictionary,
    kept: Splice<'a>,
    envelopes: Vec<Open>,
    /// Whether the metric that is being walked states an aggregation temporality.
    has_temporality: bool,
    items: usize,
    reasons: BTreeMap<Broken, usize>,
}

/// An envelope that is open: where it began, and what became of its items so far.
struct Open {
    node: Node,
    begin: Mark,
    kept: usize,
    rejected: usize,
}

impl Sieve<'_> {
    fn broken(&self, item: &[u8]) -> Option<Broken> {
        match (self.signal, self.envelopes.last().map(|open| open.node)) {
            (Signal::Traces, _) => span::broken(item),
            (Signal::Metrics, Some(Node::Points(arm)))
                if arm.is_temporal() && !self.has_temporality =>
            {
                Some(Broken::NoTemporality)
            }
            (Signal::Metrics, Some(Node::Points(arm))) => arm.broken_point(item),
            (Signal::Profiles, _) => profile::broken(item, &self.dictionary),
            _ => None,
        }
    }
}

impl<'a> Visitor<'a> for Sieve<'a> {
    fn enter(&mut self, node: Node, field: &RawField<'a>, content: &'a [u8]) {
        if node == Node::Metric {
            self.has_temporality = has_temporality(content);
        }
        self.envelopes.push(Open {
            node,
            begin: self.kept.mark(),
            kept: 0,
            rejected: 0,
        });
        self.kept.open(field.number, content.len());
        for inner in Fields::new(content).filter(|inner| !node.is_inner(inner)) {
            self.kept.copy(inner.bytes);
        }
    }

    fn item(&mut self, field: &RawField<'a>, item: &'a [u8]) {
        let broken = self.broken(item);
        let Some(open) = self.envelopes.last_mut() else {
            return;
        };
        if let Some(broken) = broken {
            open.rejected += 1;
            *self.reasons.entry(broken).or_default() += 1;
        } else {
            open.kept += 1;
            self.items += 1;
            self.kept.copy(field.bytes);
        }
    }

    fn leave(&mut self) {
        let Some(open) = self.envelopes.pop() else {
            return;
        };
        if open.kept == 0 && open.rejected > 0 {
            self.kept.rewind(open.begin);
        } else {
            self.kept.close();
        }
        if let Some(outer) = self.envelopes.last_mut() {
            outer.kept += open.kept;
            outer.rejected += open.rejected;
        }
    }
}

/// Whether a metric states its aggregation temporality, in any of the places where protobuf's merging would find it.
fn has_temporality(metric: &[u8]) -> bool {
    let mut temporality = 0;
    for data in Fields::new(metric)
        .filter(|field| Arm::from_number(field.number).is_some_and(Arm::is_temporal))
    {
        for field in Fields::new(data.value.delimited()) {
            if let Value::Varint(value) = field.value
                && field.number == Arm::TEMPORALITY
            {
                temporality = value as u32;
            }
        }
    }
    temporality != 0
}
