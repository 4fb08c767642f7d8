//! OTLP/JSON to protobuf: objects and arrays, in one pass over the text that appends as it goes.

mod scalar;
mod syntax;

use jiter::{Jiter, Peek};

pub(crate) use syntax::sentence;
use syntax::syntax;

use super::assembly::Assembly;
use crate::Error;
use crate::field::{DELIMITED, push_tag};
use crate::schema::{self, Field, Kind, Message};
use crate::validate::value::DEPTH_LIMIT;

/// Translates one JSON object, the whole text, to the bytes of a message.
pub(super) fn read(message: &'static Message, json: &[u8]) -> Result<Vec<u8>, Error> {
    if json.starts_with(b"\xef\xbb\xbf") {
        let reason = "expected `{`, got a byte order mark; write the text as UTF-8 without one";
        return Err(Error::json(reason, 0));
    }
    // The iterator does not look at the bytes of strings that it passes over.
    if let Err(error) = simdutf8::compat::from_utf8(json) {
        let reason = "expected UTF-8, as JSON must be, got other bytes";
        return Err(Error::json(reason, error.valid_up_to()));
    }
    let mut reader = Reader {
        json: Jiter::new(json),
        // Recorded traffic shrinks to about half; what is too much is given back in the end.
        out: Assembly::with_capacity(json.len() / 8 * 5),
        written: Vec::new(),
        values_left: DEPTH_LIMIT,
    };
    let peek = reader.json.peek().map_err(syntax)?;
    reader.object(message, peek)?;
    reader.json.finish().map_err(syntax)?;
    Ok(reader.out.finish())
}

struct Reader<'j> {
    json: Jiter<'j>,
    out: Assembly,
    /// The fields of all open messages that have been written, innermost message last.
    written: Vec<Written>,
    /// How many more `AnyValue` messages may open one inside the other.
    values_left: usize,
}

/// A field that has been written: its place in the schema, and where its bytes begin. They end where the next begin.
#[derive(Clone, Copy)]
struct Written {
    place: usize,
    start: usize,
}

/// The state of one message that is open.
struct Open {
    message: &'static Message,
    /// Where its fields begin in `Reader::written`.
    first: usize,
    /// One bit for each place in the schema whose field has been written; no OTLP message has more than 16.
    seen: u32,
    /// Whether an arm of its oneof has been written.
    chosen: bool,
}

impl Reader<'_> {
    fn object(&mut self, message: &'static Message, peek: Peek) -> Result<(), Error> {
        if peek != Peek::Object {
            return Err(self.unexpected("an object", peek));
        }
        let mut open = Open {
            message,
            first: self.written.len(),
            seen: 0,
            chosen: false,
        };
        let mut guess = 0;
        let mut key = self.json.known_object();
        while let Some(name) = key.map_err(syntax)? {
            if let Some((place, field)) = find(message, name, guess) {
                guess = place + 1;
                self.field(&mut open, place, field)
                    .map_err(|error| error.within(message.name, Some(field.json_name)))?;
            } else {
                self.json.next_skip().map_err(syntax)?;
            }
            key = self.json.next_key();
        }
        self.written.truncate(open.first);
        Ok(())
    }

    #[inline]
    fn field(&mut self, open: &mut Open, place: usize, field: &'static Field) -> Result<(), Error> {
        let peek = self.json.peek().map_err(syntax)?;
        let bit = 1 << place;
        let rival = field.oneof && open.chosen && peek != Peek::Null;
        if rival || open.seen & bit != 0 {
            self.forget(open, place, rival);
        }
        if peek == Peek::Null {
            return self.json.known_null().map_err(syntax);
        }
        open.seen |= bit;
        open.chosen |= field.oneof;
        let start = self.out.bytes.len();
        self.written.push(Written { place, start });
        if field.repeated {
            self.array(field, peek)
        } else {
            self.value(field, peek)
        }
    }

    /// Takes back what this field has written before, or the arm of the oneof that was chosen before.
    ///
    /// It costs a move of the bytes written since. The field then stands last, so nobody can make us move the same bytes
    /// more often than their message has fields.
    #[cold]
    #[inline(never)]
    fn forget(&mut self, open: &mut Open, place: usize, rival: bool) {
        let fields = open.message.fields;
        let in_oneof = |place: usize| fields.get(place).is_some_and(|field| field.oneof);
        let replaced =
            |written: &Written| written.place == place || rival && in_oneof(written.place);
        let Some(index) = (self.written.iter().enumerate().skip(open.first))
            .find_map(|(index, written)| replaced(written).then_some(index))
        else {
            return;
        };
        let Written { place, start } = self.written.remove(index);
        let later = self.written.get_mut(index..).unwrap_or_default();
        let end = later
            .first()
            .map_or(self.out.bytes.len(), |next| next.start);
        for written in later {
            written.start -= end - start;
        }
        self.out.remove(start..end);
        open.seen &= !(1 << place);
        open.chosen &= !in_oneof(place);
    }

    fn array(&mut self, field: &'static Field, peek: Peek) -> Result<(), Error> {
        if peek != Peek::Array {
            return Err(self.unexpected("an array", peek));
        }
        let mut element = self.json.known_array().map_err(syntax)?;
        if field.packed && element.is_some() {
            push_tag(&mut self.out.bytes, field.number, DELIMITED);
            let packed = self.out.open();
            while let Some(peek) = element {
                let bits = self.number(field.kind, peek)?;
                self.push_bits(field.kind, bits);
                element = self.json.array_step().map_err(syntax)?;
            }
            self.out.close(packed);
            return Ok(());
        }
        while let Some(peek) = element {
            self.value(field, peek)?;
            element = self.json.array_step().map_err(syntax)?;
        }
        Ok(())
    }

    /// Reads a singular value, or an element of an array that is not packed, and writes it with its tag.
    #[inline]
    fn value(&mut self, field: &'static Field, peek: Peek) -> Result<(), Error> {
        match field.kind {
            Kind::Message(message) => self.message(field, message, peek),
            Kind::String => self.string(field, peek),
            Kind::Bytes => self.base64(field, peek),
            Kind::Id => self.id(field, peek),
            Kind::ProfileId => self.profile_id(field, peek),
            kind => {
                let bits = self.number(kind, peek)?;
                if bits != 0 || keeps_default(field) {
                    push_tag(&mut self.out.bytes, field.number, kind.wire_type());
                    self.push_bits(kind, bits);
                }
                Ok(())
            }
        }
    }

    #[cold]
    fn too_deep(&self) -> Error {
        let reason = format!(
            "values nested deeper than the {DEPTH_LIMIT} levels that are accepted; flatten the value"
        );
        Error::json(reason, self.json.current_index())
    }

    fn message(
        &mut self,
        field: &Field,
        message: &'static Message,
        peek: Peek,
    ) -> Result<(), Error> {
        let is_value = std::ptr::eq(message, &raw const schema::ANY_VALUE);
        if is_value {
            let Some(left) = self.values_left.checked_sub(1) else {
                return Err(self.too_deep());
            };
            self.values_left = left;
        }
        push_tag(&mut self.out.bytes, field.number, DELIMITED);
        let open = self.out.open();
        self.object(message, peek)?;
        self.out.close(open);
        self.values_left += usize::from(is_value);
        Ok(())
    }
}

/// The field with this name. Writers keep an order, so the field after the last one is tried first.
#[inline]
fn find(message: &'static Message, name: &str, guess: usize) -> Option<(usize, &'static Field)> {
    let mut fields = message.fields.iter().enumerate();
    let mut later = fields.clone().skip(guess);
    later
        .find(|(_, field)| field.json_name == name)
        .or_else(|| fields.find(|(_, field)| field.json_name == name))
}

/// Whether the default value of a field differs from its absence.
#[inline]
fn keeps_default(field: &Field) -> bool {
    field.presence || field.repeated
}
