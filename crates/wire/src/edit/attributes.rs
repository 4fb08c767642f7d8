//! Edits the attributes of one message: finds the key, and copies what has to stay.

use super::Action;
use crate::encode::{AttributeValue, EncodeValue};
use crate::envelope::Envelope;
use crate::field::{Fields, RawField, Value, children, push_delimited};
use crate::key_value::{self, KEY, VALUE, key_then_value};
use crate::splice::Splice;

/// One edit, prepared: the attribute is encoded once, however often it is written.
#[derive(Debug)]
pub(super) struct Edit<'a> {
    pub(super) action: Action,
    pub(super) key: &'a [u8],
    /// The field `value` of the new `KeyValue`.
    pub(super) value: Vec<u8>,
    /// The new `KeyValue`.
    attribute: Vec<u8>,
    /// Where the key stands in the string table of a dictionary of profiles.
    key_indices: Vec<u64>,
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
    pub(super) fn new(action: Action, key: &'a str, value: Option<&AttributeValue>) -> Self {
        let mut content = Vec::new();
        value
            .unwrap_or(&AttributeValue::Empty)
            .encode_value(&mut content);
        let mut value = Vec::new();
        push_delimited(&mut value, VALUE, &content);
        let mut attribute = Vec::new();
        push_delimited(&mut attribute, KEY, key.as_bytes());
        attribute.extend_from_slice(&value);
        Self {
            action,
            key: key.as_bytes(),
            value,
            attribute,
            key_indices: Vec::new(),
        }
    }

    /// Learns where the key stands in the dictionary of a request for profiles, whose attributes may refer to it there.
    pub(super) fn find_in_dictionary(&mut self, request: &[u8]) {
        let strings = children(request, Envelope::DICTIONARY)
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
        let is_present =
            children(message, Envelope::DESCRIPTION).any(|content| self.is_in(content, attributes));
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
            out.open(Envelope::DESCRIPTION);
            self.add(out, attributes);
            out.close();
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
        out.open(holder.number);
        if change == Change::Add {
            out.copy(content);
            self.add(out, attributes);
        } else {
            for field in Fields::new(content) {
                match field.value {
                    Value::Delimited(pair)
                        if field.number == attributes && self.is_key_of(pair) =>
                    {
                        if change == Change::Replace {
                            self.copy_replaced(out, pair, attributes);
                        }
                    }
                    _ => out.copy(field.bytes),
                }
            }
        }
        out.close();
    }

    /// Copies an attribute with the new value. What else stands in it stays.
    fn copy_replaced(&self, out: &mut Splice<'_>, pair: &[u8], attributes: u32) {
        if key_then_value(pair).is_some() {
            return self.add(out, attributes);
        }
        out.open(attributes);
        Fields::new(pair)
            .filter(|field| field.number != VALUE)
            .for_each(|field| out.copy(field.bytes));
        out.add(&self.value);
        out.close();
    }

    #[inline]
    fn add(&self, out: &mut Splice<'_>, attributes: u32) {
        out.add_with(|added| push_delimited(added, attributes, &self.attribute));
    }

    fn is_in(&self, content: &[u8], attributes: u32) -> bool {
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
