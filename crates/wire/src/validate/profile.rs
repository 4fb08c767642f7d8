//! Checks profiles against the data model (P2 to P5) and their dictionary (P1, P2, P7), over validated bytes.

use super::{Broken, Summary};
use crate::envelope::Envelope;
use crate::field::{Fields, RawField, Value, children};
use crate::schema::{self, Field, Kind, Message};
use crate::varint;

/// How many entries each table of a request's dictionary has, and whether the tables keep their own rules.
#[derive(Debug, Default)]
pub(crate) struct Dictionary {
    /// By the field number of the table; number 0 is not in use.
    lengths: [usize; 8],
    broken: bool,
}

const FUNCTION_TABLE: u32 = 3;
const FUNCTION_NAME: u32 = 1;
const FUNCTION_SYSTEM_NAME: u32 = 2;

const SAMPLES: u32 = 2;
const PROFILE_ID: u32 = 7;
const ORIGINAL_PAYLOAD_FORMAT: u32 = 9;
const ORIGINAL_PAYLOAD: u32 = 10;

const SAMPLE_VALUES: u32 = 4;
const SAMPLE_TIMESTAMPS: u32 = 5;

/// Counts the profiles of a request and those that break a rule.
pub(super) fn summary(request: &[u8]) -> Summary {
    let dictionary = Dictionary::of(request);
    let mut summary = Summary::default();
    for resource in children(request, Envelope::RESOURCES >> 3) {
        for scope in children(resource, Envelope::SCOPES >> 3) {
            for profile in children(scope, Envelope::ITEMS >> 3) {
                summary.count(broken(profile, &dictionary));
            }
        }
    }
    summary
}

/// The rule that a profile breaks.
pub(crate) fn broken(profile: &[u8], dictionary: &Dictionary) -> Option<Broken> {
    if dictionary.broken {
        return Some(Broken::Dictionary);
    }
    let (mut has_format, mut has_payload) = (false, false);
    let mut broken = None;
    for field in Fields::new(profile) {
        let content = field.value.delimited();
        match field.number {
            SAMPLES if !sample_is_sound(content) => broken = broken.or(Some(Broken::Sample)),
            PROFILE_ID if !(content.is_empty() || content.len() == 16 && content != [0; 16]) => {
                broken = broken.or(Some(Broken::ProfileId));
            }
            ORIGINAL_PAYLOAD_FORMAT => has_format = !content.is_empty(),
            ORIGINAL_PAYLOAD => has_payload = !content.is_empty(),
            _ => {}
        }
    }
    if has_format != has_payload {
        broken = broken.or(Some(Broken::OriginalPayload));
    }
    if broken.is_none() && !dictionary.covers(&schema::PROFILE, profile) {
        broken = Some(Broken::Index);
    }
    broken
}

fn sample_is_sound(sample: &[u8]) -> bool {
    let (mut values, mut timestamps) = (0, 0);
    for field in Fields::new(sample) {
        match (field.number, field.value) {
            // Each varint ends with the one byte of it that is below 128.
            (SAMPLE_VALUES, Value::Delimited(packed)) => {
                values += packed.iter().filter(|byte| **byte < 0x80).count();
            }
            (SAMPLE_VALUES, _) => values += 1,
            (SAMPLE_TIMESTAMPS, Value::Delimited(packed)) => timestamps += packed.len() / 8,
            (SAMPLE_TIMESTAMPS, _) => timestamps += 1,
            _ => {}
        }
    }
    match (values, timestamps) {
        (0, 0) => false,
        (0, _) | (_, 0) => true,
        (values, timestamps) => values == timestamps,
    }
}

impl Dictionary {
    /// Reads the dictionary of a request. Where it stands several times the tables continue, as protobuf demands.
    pub(crate) fn of(request: &[u8]) -> Self {
        let mut dictionary = Self::default();
        for entry in entries(request) {
            let is_first = match dictionary.lengths.get_mut(entry.number as usize) {
                Some(length) => {
                    *length += 1;
                    *length == 1
                }
                None => false,
            };
            let content = entry.value.delimited();
            // Joined requests bring further zero values, each at the start of its own stretch of the table.
            let is_named = entry.number != FUNCTION_TABLE || has_name(content);
            dictionary.broken |= (is_first || !is_named) && !is_zero_value(entry.number, content);
        }
        dictionary.broken = dictionary.broken
            || entries(request).any(|entry| !dictionary.covers_field(schema_of(&entry), &entry));
        dictionary
    }

    /// Whether every index inside a message lies in its table.
    fn covers(&self, schema: &'static Message, message: &[u8]) -> bool {
        Fields::new(message).all(|raw| self.covers_field(schema.field(raw.number), &raw))
    }

    fn covers_field(&self, field: Option<&'static Field>, raw: &RawField<'_>) -> bool {
        match (field, raw.value) {
            (
                Some(&Field {
                    table: Some(table), ..
                }),
                Value::Varint(index),
            ) => self.has(table, index),
            (
                Some(&Field {
                    table: Some(table), ..
                }),
                Value::Delimited(mut packed),
            ) => {
                while let Some((index, rest)) = varint::read(packed) {
                    if !self.has(table, index) {
                        return false;
                    }
                    packed = rest;
                }
                true
            }
            (
                Some(&Field {
                    kind: Kind::Message(inner),
                    ..
                }),
                Value::Delimited(content),
            ) => self.covers(inner, content),
            _ => true,
        }
    }

    /// Index 0 means that nothing is referred to, so a table that nobody uses may be left out.
    fn has(&self, table: u32, index: u64) -> bool {
        // A negative int32 is a varint of ten bytes and huge as an unsigned number.
        index == 0
            || self
                .lengths
                .get(table as usize)
                .is_some_and(|length| index < *length as u64)
    }
}

fn entries(request: &[u8]) -> impl Iterator<Item = RawField<'_>> {
    children(request, Envelope::DICTIONARY).flat_map(Fields::new)
}

fn schema_of(entry: &RawField<'_>) -> Option<&'static Field> {
    schema::PROFILES_DICTIONARY.field(entry.number)
}

fn has_name(function: &[u8]) -> bool {
    Fields::new(function).any(|field| {
        matches!(field.number, FUNCTION_NAME | FUNCTION_SYSTEM_NAME) && field.value.bits() != 0
    })
}

/// Whether an entry says nothing: no text, and every field zero or empty.
fn is_zero_value(table: u32, entry: &[u8]) -> bool {
    match schema::PROFILES_DICTIONARY
        .field(table)
        .map(|field| field.kind)
    {
        Some(Kind::Message(_)) => Fields::new(entry).all(|field| {
            field.value.bits() == 0 && field.value.delimited().iter().all(|byte| *byte == 0)
        }),
        Some(_) => entry.is_empty(),
        None => true,
    }
}
