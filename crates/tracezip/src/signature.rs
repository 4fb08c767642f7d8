//! The signature of a message: everything that stands on the wire except what varies, written as bytes.
//!
//! It names the fields in their order, their wire types and what is constant in them, so that the values put back into
//! their places give the very bytes. What cannot be written so (a length in more bytes than it needs, a group, bytes that are
//! no fields) makes a message opaque: it travels as it is.

use millrace_wire::field::{DELIMITED, FIXED32, FIXED64, Fields, RawField, VARINT, Value};
use millrace_wire::varint;

use crate::schema::{Message, Role};
use crate::times::{TIMES_MAX, Times};

/// A whole field as it stands: its length, its bytes.
pub(crate) const CONSTANT: u8 = 0;
/// A field whose content is a value: number and wire type as a tag.
pub(crate) const VALUE: u8 = 1;
/// A time: the tag.
pub(crate) const TIME: u8 = 2;
/// Ids: the tag.
pub(crate) const TRACE_ID: u8 = 3;
/// ... of the span itself.
pub(crate) const SPAN_ID: u8 = 4;
/// ... of its parent.
pub(crate) const PARENT_ID: u8 = 5;
/// A key and a value: the tag, the tag inside the value or 0, the key's length, the key.
pub(crate) const ATTRIBUTE: u8 = 6;
/// One or more messages under one number, in a row: the tag.
pub(crate) const CHILDREN: u8 = 7;
/// A message whose fields follow: the tag.
pub(crate) const OPEN: u8 = 8;
/// Its end.
pub(crate) const CLOSE: u8 = 9;
/// The whole message is one text.
pub(crate) const OPAQUE: u8 = 10;

/// No operation: keys of words in texts begin with it.
pub(crate) const WORD: u8 = 11;

/// Longest signature; a message that needs more is opaque.
pub(crate) const LENGTH_MAX: usize = 16 << 10;
/// Values of one message; one that has more is opaque.
pub(crate) const VALUES_MAX: usize = 1024;
/// Longest field that is a part of a signature; a longer one is a value.
const CONSTANT_MAX: usize = 255;

/// A message taken apart: its signature and what goes into the places that the signature leaves open.
#[derive(Debug, Default)]
pub(crate) struct Parsed<'a> {
    pub(crate) signature: Vec<u8>,
    pub(crate) values: Vec<&'a [u8]>,
    pub(crate) times: Times,
    pub(crate) trace_id: Option<&'a [u8; 16]>,
    pub(crate) span_id: Option<u64>,
    pub(crate) parent_id: Option<u64>,
    pub(crate) children: Vec<&'a [u8]>,
    /// The path of its shape, if that has it; only the values beside it are among the values then.
    pub(crate) path: Option<usize>,
    /// How many of the children stand in each place.
    pub(crate) runs: Vec<usize>,
    /// The number under which the last field was a child: another one continues its place.
    open_run: u32,
}

impl<'a> Parsed<'a> {
    /// Takes a message apart. Names are values instead of constants where shapes have become scarce.
    pub(crate) fn read(&mut self, message: Message, bytes: &'a [u8], names_vary: bool) {
        self.clear(message);
        let is_whole = self.fields(message, bytes, names_vary);
        let is_small = self.signature.len() <= LENGTH_MAX
            && self.values.len() + self.times.all().len() <= VALUES_MAX;
        if !(is_whole && is_small) {
            self.give_up(message, bytes);
        }
    }

    /// Takes the message as it is instead.
    pub(crate) fn give_up(&mut self, message: Message, bytes: &'a [u8]) {
        self.clear(message);
        self.signature.push(OPAQUE);
        self.values.push(bytes);
    }

    fn clear(&mut self, message: Message) {
        self.empty();
        self.signature.push(message as u8);
    }

    pub(crate) fn empty(&mut self) {
        self.signature.clear();
        self.values.clear();
        self.times = Times::default();
        (self.trace_id, self.span_id, self.parent_id) = (None, None, None);
        self.children.clear();
        self.path = None;
        self.runs.clear();
        self.open_run = 0;
    }

    fn fields(&mut self, message: Message, bytes: &'a [u8], names_vary: bool) -> bool {
        let mut fields = Fields::new(bytes);
        for field in fields.by_ref() {
            if !self.field(message, field, names_vary) {
                return false;
            }
        }
        fields.rest().is_empty()
    }

    #[inline]
    fn field(&mut self, message: Message, field: RawField<'a>, names_vary: bool) -> bool {
        let (wire_type, length) = match field.value {
            Value::Varint(value) => (VARINT, varint::length(value)),
            Value::Fixed64(_) => (FIXED64, 8),
            Value::Fixed32(_) => (FIXED32, 4),
            Value::Delimited(content) => (
                DELIMITED,
                varint::length(content.len() as u64) + content.len(),
            ),
            Value::Group(_) => return false,
        };
        let tag = u64::from(field.number) << 3 | u64::from(wire_type);
        let tag_length = varint::length(tag);
        if field.bytes.len() != tag_length + length {
            return false;
        }
        let is_continued = self.open_run == field.number;
        self.open_run = 0;
        match (message.role(field.number, wire_type), field.value) {
            (Role::Attribute, Value::Delimited(content)) => {
                self.attribute(tag as u8, content, field);
            }
            (Role::Time, Value::Fixed64(time)) if self.times.all().len() < TIMES_MAX => {
                self.signature.extend([TIME, tag as u8]);
                self.times.push(time);
            }
            (Role::TraceId, Value::Delimited(id)) if self.trace_id.is_none() && id.len() == 16 => {
                self.signature.extend([TRACE_ID, tag as u8]);
                self.trace_id = id.first_chunk();
            }
            (Role::SpanId, Value::Delimited(id)) if self.span_id.is_none() && id.len() == 8 => {
                self.signature.extend([SPAN_ID, tag as u8]);
                self.span_id = id.first_chunk().map(|id| u64::from_le_bytes(*id));
            }
            (Role::ParentId, Value::Delimited(id)) if self.parent_id.is_none() && id.len() == 8 => {
                self.signature.extend([PARENT_ID, tag as u8]);
                self.parent_id = id.first_chunk().map(|id| u64::from_le_bytes(*id));
            }
            (Role::Children(_), Value::Delimited(content)) => {
                self.open_run = field.number;
                self.children.push(content);
                if is_continued && let Some(run) = self.runs.last_mut() {
                    *run += 1;
                } else {
                    self.signature.extend([CHILDREN, tag as u8]);
                    self.runs.push(1);
                }
            }
            (Role::Inline(inner), Value::Delimited(content)) if !content.is_empty() => {
                self.signature.extend([OPEN, tag as u8]);
                let is_whole = self.fields(inner, content, names_vary);
                self.signature.push(CLOSE);
                self.open_run = 0;
                return is_whole;
            }
            (role, _) => self.plain_field(role, field, wire_type, tag_length, names_vary),
        }
        true
    }

    /// A field that is a constant or a value.
    #[inline]
    fn plain_field(
        &mut self,
        role: Role,
        field: RawField<'a>,
        wire_type: u8,
        tag_length: usize,
        names_vary: bool,
    ) {
        let is_empty = field.value == Value::Delimited(&[]);
        let is_name = role == Role::Constant && !(names_vary && wire_type == DELIMITED);
        if (is_empty || is_name) && field.bytes.len() <= CONSTANT_MAX {
            self.constant(field.bytes);
            return;
        }
        let content = match field.value {
            Value::Delimited(content) => Some(content),
            _ => field.bytes.get(tag_length..),
        };
        self.signature.push(VALUE);
        let tag = u64::from(field.number) << 3 | u64::from(wire_type);
        varint::push(&mut self.signature, tag);
        self.values.push(content.unwrap_or_default());
    }

    #[inline]
    fn constant(&mut self, bytes: &[u8]) {
        self.signature.extend([CONSTANT, bytes.len() as u8]);
        self.signature.extend_from_slice(bytes);
    }

    #[inline]
    fn attribute(&mut self, tag: u8, content: &'a [u8], field: RawField<'a>) {
        let Some((key, any)) = key_and_value(content) else {
            // A key alone is the same each time; everything else that is no key with a value is taken as it is.
            if content.len() <= CONSTANT_MAX / 2 && !content.contains(&0x12) {
                self.constant(field.bytes);
            } else {
                self.signature.extend([VALUE, tag]);
                self.values.push(content);
            }
            return;
        };
        let (inner_tag, value) = typed(any);
        self.signature.extend([ATTRIBUTE, tag, inner_tag]);
        varint::push(&mut self.signature, key.len() as u64);
        self.signature.extend_from_slice(key);
        self.values.push(value);
    }
}

/// The two fields of a key and its value, if it has both, in order, and nothing else.
#[inline]
fn key_and_value(content: &[u8]) -> Option<(&[u8], &[u8])> {
    let (key, rest) = delimited(content, 0x0a)?;
    let (value, rest) = delimited(rest, 0x12)?;
    rest.is_empty().then_some((key, value))
}

/// A delimited field with this tag and the shortest length.
#[inline]
pub(crate) fn delimited(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (first, rest) = bytes.split_first()?;
    if *first != tag {
        return None;
    }
    let (length, after) = varint::read(rest)?;
    if rest.len() - after.len() != varint::length(length) {
        return None;
    }
    after.split_at_checked(usize::try_from(length).ok()?)
}

/// The tag inside a value and what follows it; tag 0 and all of it if it is anything else than one field.
#[inline]
pub(crate) fn typed(any: &[u8]) -> (u8, &[u8]) {
    let whole = (0, any);
    let Some((tag, content)) = any.split_first() else {
        return whole;
    };
    let is_one = match *tag {
        0x0a | 0x2a | 0x32 | 0x3a => {
            return match delimited(any, *tag) {
                Some((content, [])) => (*tag, content),
                _ => whole,
            };
        }
        0x10 | 0x18 => varint::read(content)
            .is_some_and(|(value, rest)| rest.is_empty() && content.len() == varint::length(value)),
        0x21 => content.len() == 8,
        _ => false,
    };
    if is_one { (*tag, content) } else { whole }
}
