//! Walks a validated request down to its items, telling a visitor of every envelope on the way.

use crate::Signal;
use crate::envelope::Envelope;
use crate::field::{Fields, RawField, Value};
use crate::validate::metric::Arm;

/// A message that holds items, or envelopes that do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    /// `ResourceSpans` and its like.
    Resource,
    /// `ScopeSpans` and its like.
    Scope,
    /// `Metric`.
    Metric,
    /// The data of a metric, by its kind.
    Points(Arm),
}

impl Node {
    /// Whether a field of such an envelope holds its items or inner envelopes.
    #[inline]
    pub(crate) const fn is_inner(self, field: &RawField<'_>) -> bool {
        let Value::Delimited(_) = field.value else {
            return false;
        };
        match self {
            Self::Resource => field.number == Envelope::SCOPES >> 3,
            Self::Scope => field.number == Envelope::ITEMS >> 3,
            Self::Metric => Arm::from_number(field.number).is_some(),
            Self::Points(_) => field.number == Arm::DATA_POINTS >> 3,
        }
    }
}

/// What is done along the way.
pub(crate) trait Visitor<'a> {
    /// An envelope begins. It is the field `field`, with `content` in it.
    fn enter(&mut self, node: Node, field: &RawField<'a>, content: &'a [u8]);
    /// An item: the field that holds it, and its own bytes.
    fn item(&mut self, field: &RawField<'a>, item: &'a [u8]);
    /// The innermost envelope ends.
    fn leave(&mut self);
}

/// Visits all envelopes and items of a request, in order.
pub(crate) fn walk<'a>(signal: Signal, request: &'a [u8], visitor: &mut impl Visitor<'a>) {
    for resource in Fields::new(request) {
        if is_resource(&resource) {
            envelope(signal, Node::Resource, &resource, visitor);
        }
    }
}

/// Whether a field of the request is one of its resources.
#[inline]
pub(crate) const fn is_resource(field: &RawField<'_>) -> bool {
    matches!(field.value, Value::Delimited(_)) && field.number == Envelope::RESOURCES >> 3
}

fn envelope<'a>(signal: Signal, node: Node, field: &RawField<'a>, visitor: &mut impl Visitor<'a>) {
    let content = field.value.delimited();
    visitor.enter(node, field, content);
    for inner in Fields::new(content) {
        if !node.is_inner(&inner) {
            continue;
        }
        match (node, Arm::from_number(inner.number)) {
            (Node::Resource, _) => envelope(signal, Node::Scope, &inner, visitor),
            (Node::Scope, _) if signal == Signal::Metrics => {
                envelope(signal, Node::Metric, &inner, visitor);
            }
            (Node::Metric, Some(arm)) => envelope(signal, Node::Points(arm), &inner, visitor),
            _ => visitor.item(&inner, inner.value.delimited()),
        }
    }
    visitor.leave();
}
