//! Changes one attribute throughout a request by splicing bytes: nothing is decoded, all else stays as it is.

mod attributes;
mod occurrences;
mod profile;

use attributes::Edit;

use crate::Signal;
use crate::encode::AttributeValue;
use crate::envelope::Envelope;
use crate::field::Fields;
use crate::splice::Splice;
use crate::validate::metric::Arm;

/// Whose attributes are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Level {
    /// The resources.
    Resource,
    /// The instrumentation scopes.
    Scope,
    /// The spans, data points, log records or profiles.
    Item,
    /// The events of spans; other signals have none.
    SpanEvent,
}

/// What is done to the attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Added where it is absent.
    Insert,
    /// Given the new value where it is present.
    Update,
    /// Given the new value, present or not.
    Upsert,
    /// Taken away.
    Delete,
}

/// Changes the attribute `key` on one level of a validated request.
///
/// `value` is the new value; without one it is the empty value, and [`Action::Delete`] does not look at it. Where a key stands
/// twice among the attributes of one thing, both are updated or deleted (D4). A resource or scope that is not described at all
/// gets a description when an attribute is added. Fields that this version does not know survive (C9), inside the attribute
/// too.
#[must_use]
pub fn edit_attribute(
    signal: Signal,
    request: &[u8],
    level: Level,
    action: Action,
    key: &str,
    value: Option<&AttributeValue>,
) -> Vec<u8> {
    let mut edit = Edit::new(request, action, key, value);
    if signal == Signal::Profiles {
        edit.find_in_dictionary();
        if level == Level::Item {
            return profile::copy_edited(request, &edit);
        }
    }
    let path: &[Step] = match (signal, level) {
        (_, Level::Resource) => &[RESOURCES, Step::Description { attributes: 1 }],
        (_, Level::Scope) => &[RESOURCES, SCOPES, Step::Description { attributes: 3 }],
        (Signal::Traces, Level::Item) => &[
            RESOURCES,
            SCOPES,
            Step::Holders {
                number: ITEM,
                attributes: 9,
            },
        ],
        (Signal::Logs, Level::Item) => &[
            RESOURCES,
            SCOPES,
            Step::Holders {
                number: ITEM,
                attributes: 6,
            },
        ],
        (Signal::Metrics, Level::Item) => &[RESOURCES, SCOPES, Step::Into(ITEM), Step::Points],
        (Signal::Traces, Level::SpanEvent) => &[
            RESOURCES,
            SCOPES,
            Step::Into(ITEM),
            Step::Holders {
                number: 11,
                attributes: 3,
            },
        ],
        _ => return request.to_vec(),
    };
    let mut out = edit.splice();
    copy_edited(&mut out, request, path, &edit);
    out.finish()
}

const RESOURCES: Step = Step::Into(Envelope::RESOURCES >> 3);
const SCOPES: Step = Step::Into(Envelope::SCOPES >> 3);
const ITEM: u32 = Envelope::ITEMS >> 3;

/// One step of the way from a request down to the attributes.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Into every submessage in the field with this number.
    Into(u32),
    /// Into the data of a metric and to its points, whose attributes have different numbers for different kinds.
    Points,
    /// Every submessage in the field `number` holds attributes, in its own field `attributes`.
    Holders { number: u32, attributes: u32 },
    /// The one submessage that describes the resource or scope holds attributes.
    Description { attributes: u32 },
}

impl Step {
    /// Whether the way leads into the submessages in the field with this number.
    #[inline]
    const fn leads_into(self, number: u32) -> bool {
        match self {
            Self::Into(into) => number == into,
            Self::Points => Arm::from_number(number).is_some(),
            Self::Holders { number: held, .. } => number == held,
            Self::Description { .. } => number == Envelope::DESCRIPTION,
        }
    }
}

/// Copies a message to `out`, with the attributes edited that the path leads to.
fn copy_edited(out: &mut Splice<'_>, message: &[u8], path: &[Step], edit: &Edit<'_>) {
    let Some((step, below)) = path.split_first() else {
        return;
    };
    if let Step::Description { attributes } = *step {
        return edit.copy_description(out, message, attributes);
    }
    let mut fields = Fields::new(message);
    loop {
        let (passed, field) = fields.next_child(|number| step.leads_into(number));
        out.copy(passed);
        let Some(field) = field else {
            return;
        };
        if let Step::Holders { attributes, .. } = *step {
            edit.copy_holder(out, &field, attributes);
            continue;
        }
        let content = field.value.delimited();
        out.open(field.number, edit.expected_length(content));
        match Arm::from_number(field.number) {
            Some(arm) if matches!(step, Step::Points) => {
                let holders = Step::Holders {
                    number: Arm::DATA_POINTS >> 3,
                    attributes: arm.point_attributes(),
                };
                copy_edited(out, content, &[holders], edit);
            }
            _ => copy_edited(out, content, below, edit),
        }
        out.close();
    }
}
