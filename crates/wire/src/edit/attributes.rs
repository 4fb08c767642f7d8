//! Edits the attributes of one message: finds the key, and copies what has to stay.

use super::Action;
use super::occurrences::Occurrences;
use crate::encode::{AttributeValue, EncodeValue};
use crate::envelope::Envelope;
use crate::field::{DELIMITED, Fields, RawField, Value, children, push_delimited, push_tag};
use crate::key_value::{self, KEY, VALUE, key_then_value};
use crate::splice::Splice;
use crate::varint;

/// One edit, prepared: the attribute is encoded once, however often it is written.
#[derive(Debug)]
pub(super) struct Edit<'a> {
    request: &'a [u8],
    pub(super) action: Action,
    pub(super) key: &'a [u8],
    /// The field `value` of the new `KeyValue`.
    pub(super) value: Vec<u8>,
    /// The new `KeyValue`, its length in front.
    attribute: Vec<u8>,
    /// Where the key stands in the string table of a dictionary of profiles.
    key_indices: Vec<u64>,
    occurrences: Occurrences<'a>,
}

/// What becomes of the attributes of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Nothing,
    Add,
    Replace,
    Remove,
}

/// Number of the string table in a dictionary of profiles.
pub(super) const STRING_TABLE: u32 = 5;

impl<'a> Edit<'a> {
    pub(super) fn new(
        request: &'a [u8],
        action: Action,
        key: &'a str,
        value: Option<&AttributeValue>,
    ) -> Self {
        let mut content = Vec::new();
        value
            .unwrap_or(&AttributeValue::Empty)
            .encode_value(&mut content);
        let mut value = Vec::new();
        push_delimited(&mut value, VALUE, &content);
        let mut pair = Vec::new();
        push_delimited(&mut pair, KEY, key.as_bytes());
        pair.extend_from_slice(&value);
        let mut attribute = Vec::new();
        varint::push(&mut attribute, pair.len() as u64);
        attribute.extend_from_slice(&pair);
        Self {
            request,
            action,
            key: key.as_bytes(),
            value,
            attribute,
            key_indices: Vec::new(),
            occurrences: Occurrences::new(request, key.as_bytes()),
        }
    }

    /// An empty request, to be filled with an edited one.
    pub(super) fn splice(&self) -> Splice<'a> {
        Splice::new(
            self.request,
            self.expected_length(self.request) + self.request.len() / 2,
        )
    }

    /// How long a message probably gets that holds one thing with attributes.
    #[inline]
    pub(super) fn expected_length(&self, message: &[u8]) -> usize {
        message.len() + self.added_length(KEY)
    }

    /// Learns where the key stands in the dictionary of a request for profiles, whose attributes may refer to it there.
    pub(super) fn find_in_dictionary(&mut self) {
        let strings = children(self.request, Envelope::DICTIONARY)
            .flat_map(|dictionary| children(dictionary, STRING_TABLE));
        let found = strings.zip(0..).filter(|(string, _)| *string == self.key);
        self.key_indices = found.map(|(_, index)| index).collect();
    }

    /// Whether this index into the string table means the key. Index 0 means no string.
    pub(super) fn is_key_index(&self, index: u64) -> bool {
        index != 0 && self.key_indices.contains(&index)
    }

    /// What becomes of a message that has the attribute, or has not.
    pub(super) const fn change(&self, is_present: bool) -> Change {
        match (self.action, is_present) {
            (Action::Insert | Action::Upsert, false) => Change::Add,
            (Action::Update | Action::Upsert, true) => Change::Replace,
            (Action::Delete, true) => Change::Remove,
            (Action::Insert, true) | (Action::Update | Action::Delete, false) => Change::Nothing,
        }
    }

    /// Copies a field whose submessage holds attributes, in its own field `attributes`.
    #[inline]
    pub(super) fn copy_holder(&self, out: &mut Splice<'_>, holder: &RawField<'_>, attributes: u32) {
        let content = holder.value.delimited();
        self.copy_changed(
            out,
            holder,
            attributes,
            self.change(self.is_in(content, attributes)),
        );
    }

    /// Copies a message whose resource or scope, in the field [`Envelope::DESCRIPTION`], holds attributes.
    pub(super) fn copy_description(&self, out: &mut Splice<'_>, message: &[u8], attributes: u32) {
        // Few and short, in front of everything else: searching all of the request for the key would take longer.
        let is_present = children(message, Envelope::DESCRIPTION)
            .any(|content| self.is_among(content, attributes));
        let change = self.change(is_present);
        // A field that stands several times is one message to protobuf, so one addition is enough.
        let mut wanting = change == Change::Add;
        for field in Fields::new(message) {
            if field.number == Envelope::DESCRIPTION && matches!(field.value, Value::Delimited(_)) {
                let change = if change == Change::Add && !wanting {
                    Change::Nothing
                } else {
                    change
                };
                self.copy_changed(out, &field, attributes, change);
                wanting = false;
            } else {
                out.copy(field.bytes);
            }
        }
        if wanting {
            out.begin(Envelope::DESCRIPTION, self.added_length(attributes));
            self.add(out, attributes);
        }
    }

    #[inline]
    fn copy_changed(
        &self,
        out: &mut Splice<'_>,
        holder: &RawField<'_>,
        attributes: u32,
        change: Change,
    ) {
        let content = holder.value.delimited();
        if change == Change::Nothing {
            return out.copy(holder.bytes);
        }
        if change == Change::Add {
            return out.add_with(|added| {
                let length = content.len() + self.added_length(attributes);
                push_tag(added, holder.number, DELIMITED);
                varint::push(added, length as u64);
                added.extend_from_slice(content);
                self.push(added, attributes);
            });
        }
        out.open(holder.number, content.len());
        for field in Fields::new(content) {
            match field.value {
                Value::Delimited(pair) if field.number == attributes && self.is_key_of(pair) => {
                    if change == Change::Replace {
                        self.copy_replaced(out, pair, attributes);
                    }
                }
                _ => out.copy(field.bytes),
            }
        }
        out.close();
    }

    /// Copies an attribute with the new value. What else stands in it stays.
    fn copy_replaced(&self, out: &mut Splice<'_>, pair: &[u8], attributes: u32) {
        if key_then_value(pair).is_some() {
            return self.add(out, attributes);
        }
        out.open(attributes, pair.len());
        Fields::new(pair)
            .filter(|field| field.number != VALUE)
            .for_each(|field| out.copy(field.bytes));
        out.add(&self.value);
        out.close();
    }

    #[inline]
    fn add(&self, out: &mut Splice<'_>, attributes: u32) {
        out.add_with(|added| self.push(added, attributes));
    }

    /// How many bytes [`push`](Self::push) appends.
    #[inline]
    const fn added_length(&self, attributes: u32) -> usize {
        varint::length((attributes << 3) as u64) + self.attribute.len()
    }

    #[inline]
    fn push(&self, out: &mut Vec<u8>, attributes: u32) {
        push_tag(out, attributes, DELIMITED);
        out.extend_from_slice(&self.attribute);
    }

    #[inline]
    fn is_in(&self, content: &[u8], attributes: u32) -> bool {
        let may_be_in = self.occurrences.begin_in(content) || !self.key_indices.is_empty();
        may_be_in && self.is_among(content, attributes)
    }

    fn is_among(&self, content: &[u8], attributes: u32) -> bool {
        let mut fields = Fields::new(content);
        loop {
            // Attributes stand in a row: this takes them without looking at each as any field of any kind.
            while let Some(pair) = fields.next_short(attributes) {
                if self.is_key_of(pair) {
                    return true;
                }
            }
            match fields.next() {
                Some(RawField {
                    number,
                    value: Value::Delimited(pair),
                    ..
                }) if number == attributes => {
                    if self.is_key_of(pair) {
                        return true;
                    }
                }
                Some(_) => {}
                None => return false,
            }
        }
    }

    #[inline]
    fn is_key_of(&self, pair: &[u8]) -> bool {
        match key_then_value(pair) {
            Some((key, _)) => key == self.key,
            None => self.is_key_of_any(pair),
        }
    }

    #[inline(never)]
    fn is_key_of_any(&self, pair: &[u8]) -> bool {
        let (key, index) = key_value::key(pair);
        if key.is_empty() && index != 0 {
            self.is_key_index(index)
        } else {
            key == self.key
        }
    }
}
