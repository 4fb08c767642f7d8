//! Edits the attributes of profiles, which are indices into a table that the whole request shares.

use super::attributes::{Change, Edit, STRING_TABLE};
use crate::envelope::Envelope;
use crate::field::{Fields, RawField, Value, children, push_delimited, push_varint};
use crate::splice::Splice;
use crate::varint;

/// Number of the field of a profile that refers to its attributes.
const ATTRIBUTE_INDICES: u32 = 11;
/// Number of the attribute table in a dictionary.
const ATTRIBUTE_TABLE: u32 = 6;
/// Number of the field of an entry of that table that refers to its key.
const KEY_STRINDEX: u32 = 1;

/// From a request down to its profiles.
const PATH: [u32; 3] = [
    Envelope::RESOURCES >> 3,
    Envelope::SCOPES >> 3,
    Envelope::ITEMS >> 3,
];

/// Copies a request for profiles with the attribute of every profile edited.
///
/// The new attribute is one more entry of the attribute table. It stands in a second dictionary at the end of the request,
/// which continues the tables of the first: so no byte of the dictionary has to move.
pub(super) fn copy_edited(request: &[u8], edit: &Edit<'_>) -> Vec<u8> {
    let entry = Entry::find(request, edit);
    let mut out = edit.splice();
    let mut is_used = false;
    copy_with(&mut out, request, &PATH, &mut |out, profile| {
        is_used |= entry.copy_profile(out, profile, edit);
    });
    if is_used {
        entry.add_to_dictionary(&mut out, edit);
    }
    out.finish()
}

/// Copies a message, with `copy` called for every field that the path of field numbers leads to.
fn copy_with<'a>(
    out: &mut Splice<'a>,
    message: &'a [u8],
    path: &[u32],
    copy: &mut impl FnMut(&mut Splice<'a>, &RawField<'a>),
) {
    let Some((number, below)) = path.split_first() else {
        return;
    };
    for field in Fields::new(message) {
        match field.value {
            Value::Delimited(content) if field.number == *number && !below.is_empty() => {
                out.open(field.number, content.len());
                copy_with(out, content, below, copy);
                out.close();
            }
            Value::Delimited(_) if field.number == *number => copy(out, &field),
            _ => out.copy(field.bytes),
        }
    }
}

/// The attribute in the tables of the dictionary: where it stands, and where the new one is going to.
struct Entry {
    present: Vec<u64>,
    strings: u64,
    attributes: u64,
}

impl Entry {
    fn find(request: &[u8], edit: &Edit<'_>) -> Self {
        let mut entry = Self {
            present: Vec::new(),
            strings: 0,
            attributes: 0,
        };
        for field in children(request, Envelope::DICTIONARY).flat_map(Fields::new) {
            match field.number {
                STRING_TABLE => entry.strings += 1,
                ATTRIBUTE_TABLE => {
                    if edit.is_key_index(key_index(field.value.delimited())) {
                        entry.present.push(entry.attributes);
                    }
                    entry.attributes += 1;
                }
                _ => {}
            }
        }
        entry
    }

    /// Where the new attribute goes. Entry 0 of a table is a zero value that means nothing, so it is never this one.
    fn new_index(&self) -> u64 {
        self.attributes.max(1)
    }

    /// Copies a profile; whether it refers to the new attribute.
    fn copy_profile(&self, out: &mut Splice<'_>, profile: &RawField<'_>, edit: &Edit<'_>) -> bool {
        let content = profile.value.delimited();
        let mut indices: Vec<u64> = attribute_indices(content);
        let change = edit.change(indices.iter().any(|index| self.present.contains(index)));
        if change == Change::Nothing {
            out.copy(profile.bytes);
            return false;
        }
        indices.retain(|index| !self.present.contains(index));
        if change != Change::Remove {
            indices.push(self.new_index());
        }
        out.open(profile.number, content.len());
        Fields::new(content)
            .filter(|field| field.number != ATTRIBUTE_INDICES)
            .for_each(|field| out.copy(field.bytes));
        if !indices.is_empty() {
            out.open(ATTRIBUTE_INDICES, indices.len());
            out.add_with(|added| indices.iter().for_each(|index| varint::push(added, *index)));
            out.close();
        }
        out.close();
        change != Change::Remove
    }

    fn add_to_dictionary(&self, out: &mut Splice<'_>, edit: &Edit<'_>) {
        out.open(Envelope::DICTIONARY, edit.key.len() + edit.value.len());
        out.add_with(|added| {
            if self.strings == 0 {
                push_delimited(added, STRING_TABLE, &[]);
            }
            push_delimited(added, STRING_TABLE, edit.key);
            if self.attributes == 0 {
                push_delimited(added, ATTRIBUTE_TABLE, &[]);
            }
        });
        out.open(ATTRIBUTE_TABLE, edit.value.len());
        out.add_with(|added| push_varint(added, KEY_STRINDEX, self.strings.max(1)));
        // A `KeyValueAndUnit` has its value under the same number as a `KeyValue`.
        out.add(&edit.value);
        out.close();
        out.close();
    }
}

fn key_index(attribute: &[u8]) -> u64 {
    Fields::new(attribute)
        .filter(|field| field.number == KEY_STRINDEX)
        .last()
        .map_or(0, |field| field.value.bits())
}

fn attribute_indices(profile: &[u8]) -> Vec<u64> {
    let mut indices = Vec::new();
    for field in Fields::new(profile).filter(|field| field.number == ATTRIBUTE_INDICES) {
        match field.value {
            Value::Delimited(mut packed) => {
                while let Some((index, rest)) = varint::read(packed) {
                    indices.push(index);
                    packed = rest;
                }
            }
            value => indices.push(value.bits()),
        }
    }
    indices
}
