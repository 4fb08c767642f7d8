//! Finds the message and field that a byte belongs to, for the sentence of an error.

use crate::field::{Fields, Value};
use crate::schema::{Field, Kind, Message};
use crate::varint;

/// The innermost message that holds the byte at `offset`, and the field of it if the schema knows that.
///
/// The hot code keeps no record of where it is; this walks down again from the top, once, after an error.
#[cold]
pub(super) fn find(
    request: &'static Message,
    bytes: &[u8],
    offset: usize,
) -> (&'static str, Option<&'static str>) {
    let mut message = request;
    let mut content = bytes;
    let mut start = 0;
    loop {
        match field_at(message, content, offset - start) {
            Step::Into(inner, inside, at) => {
                message = inner;
                content = inside;
                start += at;
            }
            Step::Here(field) => return (message.name, field.map(|field| field.name)),
        }
    }
}

enum Step<'a> {
    Into(&'static Message, &'a [u8], usize),
    Here(Option<&'static Field>),
}

fn field_at<'a>(message: &'static Message, content: &'a [u8], offset: usize) -> Step<'a> {
    let mut fields = Fields::new(content);
    let mut start = 0;
    while let Some(raw) = fields.next() {
        let end = content.len() - fields.rest().len();
        if (start..end).contains(&offset) {
            let field = message.field(raw.number);
            if let Some(&Field {
                kind: Kind::Message(inner),
                ..
            }) = field
                && let Value::Delimited(inside) = raw.value
                && offset >= end - inside.len()
            {
                return Step::Into(inner, inside, end - inside.len());
            }
            return Step::Here(field);
        }
        start = end;
    }
    let number = varint::read(fields.rest()).and_then(|(tag, _)| u32::try_from(tag >> 3).ok());
    Step::Here(number.and_then(|number| message.field(number)))
}
