//! OTLP/JSON to protobuf: numbers, strings, ids and bytes.

use jiter::Peek;

use super::syntax::syntax;
use super::{Reader, keeps_default};
use crate::Error;
use crate::field::{DELIMITED, FIXED64, VARINT, push_delimited, push_tag};
use crate::json::number::{self, Flaw};
use crate::json::text;
use crate::schema::{Enum, Field, Kind};
use crate::varint;

/// How far a type of integer reaches on both sides of zero.
#[derive(Clone, Copy)]
struct Range {
    below: u64,
    above: u64,
    expected: &'static str,
}

const I32: Range = Range {
    below: 1 << 31,
    above: (1 << 31) - 1,
    expected: "an integer from -2147483648 to 2147483647",
};
const U32: Range = Range {
    below: 0,
    above: (1 << 32) - 1,
    expected: "an integer from 0 to 4294967295",
};
const I64: Range = Range {
    below: 1 << 63,
    above: (1 << 63) - 1,
    expected: "an integer from -9223372036854775808 to 9223372036854775807",
};
const U64: Range = Range {
    below: 0,
    above: u64::MAX,
    expected: "an integer from 0 to 18446744073709551615",
};

impl Reader<'_> {
    /// Reads a number, boolean or enum as the bits that go on the wire.
    #[inline]
    pub(super) fn number(&mut self, kind: Kind, peek: Peek) -> Result<u64, Error> {
        match kind {
            Kind::Double => self.double(peek),
            Kind::Bool => self.boolean(peek),
            Kind::Enum(values) => self.enumeration(values, peek),
            Kind::Int32 => self.integer(&I32, peek),
            Kind::Sint32 => {
                let bits = self.integer(&I32, peek)?;
                Ok(varint::zigzag(bits.cast_signed()))
            }
            Kind::Int64 | Kind::Sfixed64 => self.integer(&I64, peek),
            Kind::Uint32 | Kind::Fixed32 => self.integer(&U32, peek),
            Kind::Uint64 | Kind::Fixed64 => self.integer(&U64, peek),
            // These have their own functions; no array of them is packed.
            Kind::String | Kind::Bytes | Kind::Id | Kind::ProfileId | Kind::Message(_) => {
                Err(self.unexpected("a number", peek))
            }
        }
    }

    /// Appends what [`Reader::number`] read, without a tag.
    #[inline]
    pub(super) fn push_bits(&mut self, kind: Kind, bits: u64) {
        let out = &mut self.out.bytes;
        match kind.wire_type() {
            VARINT => varint::push(out, bits),
            FIXED64 => out.extend_from_slice(&bits.to_le_bytes()),
            _ => out.extend_from_slice(&(bits as u32).to_le_bytes()),
        }
    }

    fn integer(&mut self, range: &'static Range, peek: Peek) -> Result<u64, Error> {
        let at = self.json.current_index();
        let number = number::integer(self.number_text(range.expected, peek)?)
            .map_err(|flaw| out_of(range.expected, flaw, at))?;
        let limit = if number.negative {
            range.below
        } else {
            range.above
        };
        if number.magnitude > limit {
            return Err(out_of(range.expected, Flaw::Range, at));
        }
        Ok(if number.negative {
            number.magnitude.wrapping_neg()
        } else {
            number.magnitude
        })
    }

    fn double(&mut self, peek: Peek) -> Result<u64, Error> {
        const EXPECTED: &str = "a number, \"NaN\", \"Infinity\" or \"-Infinity\"";
        let at = self.json.current_index();
        let text = self.number_text(EXPECTED, peek)?;
        number::double(text, peek == Peek::String)
            .map(f64::to_bits)
            .map_err(|flaw| out_of(EXPECTED, flaw, at))
    }

    /// The text of a number, which may stand in quotes.
    #[inline]
    fn number_text(&mut self, expected: &str, peek: Peek) -> Result<&[u8], Error> {
        match peek {
            Peek::String => self.json.known_str().map(str::as_bytes).map_err(syntax),
            Peek::NaN | Peek::Infinity => Err(self.unexpected(expected, peek)),
            peek if peek.is_num() => self.json.known_number_bytes(peek).map_err(syntax),
            _ => Err(self.unexpected(expected, peek)),
        }
    }

    fn boolean(&mut self, peek: Peek) -> Result<u64, Error> {
        match peek {
            Peek::True | Peek::False => self.json.known_bool(peek).map(u64::from).map_err(syntax),
            _ => Err(self.unexpected("true or false", peek)),
        }
    }

    fn enumeration(&mut self, values: &Enum, peek: Peek) -> Result<u64, Error> {
        if peek != Peek::String {
            return self.integer(&I32, peek);
        }
        let at = self.json.current_index();
        let got = self.json.known_str().map_err(syntax)?;
        let reason = match values.values.iter().find(|(_, name)| *name == got) {
            Some((number, name)) => {
                format!(
                    "expected the integer {number}, got its name {name}; OTLP/JSON writes enums as integers"
                )
            }
            None => "expected an integer, got a string; OTLP/JSON writes enums as integers".into(),
        };
        Err(Error::json(reason, at))
    }

    #[inline]
    pub(super) fn string(&mut self, field: &Field, peek: Peek) -> Result<(), Error> {
        if peek != Peek::String {
            return Err(self.unexpected("a string", peek));
        }
        let text = self.json.known_str().map_err(syntax)?;
        if !text.is_empty() || keeps_default(field) {
            push_delimited(&mut self.out.bytes, field.number, text.as_bytes());
        }
        Ok(())
    }

    /// Reads a trace or span id; an empty one is the same as none.
    pub(super) fn id(&mut self, field: &Field, peek: Peek) -> Result<(), Error> {
        if field.name == "trace_id" {
            self.hex::<16>(field, peek, "32 hexadecimal digits")
        } else {
            self.hex::<8>(field, peek, "16 hexadecimal digits")
        }
    }

    #[inline]
    fn hex<const N: usize>(
        &mut self,
        field: &Field,
        peek: Peek,
        expected: &str,
    ) -> Result<(), Error> {
        if peek != Peek::String {
            return Err(self.unexpected(expected, peek));
        }
        let at = self.json.current_index();
        let digits = self.json.known_str().map_err(syntax)?.as_bytes();
        if let Some(id) = text::hex::<N>(digits) {
            push_delimited(&mut self.out.bytes, field.number, &id);
        } else if !digits.is_empty() {
            return Err(wrong_id(expected, digits, N * 2, at));
        }
        Ok(())
    }

    /// Reads the id of a profile: as all other ids are written, or as other bytes are.
    pub(super) fn profile_id(&mut self, field: &Field, peek: Peek) -> Result<(), Error> {
        self.bytes(field, peek, "32 hexadecimal digits, or base64")
    }

    /// Reads bytes in base64.
    pub(super) fn base64(&mut self, field: &Field, peek: Peek) -> Result<(), Error> {
        self.bytes(field, peek, "base64")
    }

    fn bytes(&mut self, field: &Field, peek: Peek, expected: &str) -> Result<(), Error> {
        if peek != Peek::String {
            return Err(self.unexpected(expected, peek));
        }
        let at = self.json.current_index();
        let encoded = self.json.known_str().map_err(syntax)?.as_bytes();
        if encoded.is_empty() && !keeps_default(field) {
            return Ok(());
        }
        if matches!(field.kind, Kind::ProfileId)
            && let Some(id) = text::hex::<16>(encoded)
        {
            push_delimited(&mut self.out.bytes, field.number, &id);
            return Ok(());
        }
        push_tag(&mut self.out.bytes, field.number, DELIMITED);
        let open = self.out.open();
        if !text::base64_into(&mut self.out.bytes, encoded) {
            let reason = "expected base64 in the standard or the URL-safe alphabet, got other text";
            return Err(Error::json(reason, at));
        }
        self.out.close(open);
        Ok(())
    }
}

#[cold]
#[inline(never)]
fn out_of(expected: &str, flaw: Flaw, at: usize) -> Error {
    let got = match flaw {
        Flaw::Malformed => "text that is no number as JSON spells it",
        Flaw::Fraction => "a number with a fraction",
        Flaw::Range => "one out of this range",
        Flaw::Long => "more than a thousand characters",
    };
    Error::json(format!("expected {expected}, got {got}"), at)
}

#[cold]
#[inline(never)]
fn wrong_id(expected: &str, got: &[u8], length: usize, at: usize) -> Error {
    let got = if got.len() == length {
        "other characters".into()
    } else {
        format!("{} characters", got.len())
    };
    Error::json(format!("expected {expected}, got {got}"), at)
}
