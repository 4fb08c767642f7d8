//! Makes requests out of random bytes, by the schema: every field in every order, and the forms that no SDK writes.
//!
//! The bytes decide everything and zeros end everything, so that shrinking them shrinks the request.

use millrace_wire::field::{
    DELIMITED, push_delimited, push_fixed32, push_fixed64, push_tag, push_varint,
};
use millrace_wire::schema::{Field, Kind, Message, request_schema};
use millrace_wire::{Signal, varint};

/// Bytes that decide.
pub(crate) struct Seed<'a> {
    bytes: std::slice::Iter<'a, u8>,
    /// Whether fields that protobuf would merge may stand twice, and unknown fields between the known.
    wild: bool,
}

/// How deep generated values nest: below the 100 messages that prost reads.
const DEPTH: usize = 12;

/// A request as an SDK could write it, but with any field set or not, in any order.
pub(crate) fn request(signal: Signal, seed: &[u8]) -> Vec<u8> {
    let mut seed = Seed {
        bytes: seed.iter(),
        wild: false,
    };
    seed.message(request_schema(signal), DEPTH)
}

/// A request with unknown fields, repeated singular fields, and several arms of a oneof.
pub(crate) fn wild_request(signal: Signal, seed: &[u8]) -> Vec<u8> {
    let mut seed = Seed {
        bytes: seed.iter(),
        wild: true,
    };
    seed.message(request_schema(signal), DEPTH)
}

impl Seed<'_> {
    fn byte(&mut self) -> u8 {
        self.bytes.next().copied().unwrap_or_default()
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::from(self.byte()) % bound
    }

    fn message(&mut self, schema: &'static Message, depth: usize) -> Vec<u8> {
        let mut out = Vec::new();
        let mut used = Vec::new();
        let mut has_arm = false;
        for _ in 0..self.below(16) {
            if self.wild && self.below(12) == 1 {
                self.unknown(&mut out);
                continue;
            }
            let Some(field) = schema.fields.get(self.below(schema.fields.len().max(1))) else {
                break;
            };
            let is_taken =
                !field.repeated && used.contains(&field.number) || field.oneof && has_arm;
            if is_taken && !self.wild || depth == 0 && matches!(field.kind, Kind::Message(_)) {
                continue;
            }
            used.push(field.number);
            has_arm |= field.oneof;
            self.field(field, depth, &mut out);
        }
        out
    }

    fn field(&mut self, field: &'static Field, depth: usize, out: &mut Vec<u8>) {
        match field.kind {
            Kind::Message(inner) => push_delimited(
                out,
                field.number,
                &self.message(inner, depth.saturating_sub(1)),
            ),
            Kind::String => push_delimited(out, field.number, self.text().as_bytes()),
            Kind::Bytes => {
                let length = self.below(20);
                push_delimited(out, field.number, &self.some_bytes(length));
            }
            Kind::Id | Kind::ProfileId => {
                let length = if field.name.ends_with("span_id") {
                    8
                } else {
                    16
                };
                let length = [length, length, length, 0, 3][self.below(5)];
                push_delimited(out, field.number, &self.some_bytes(length));
            }
            _ if field.repeated && self.below(3) > 0 => self.packed(field, out),
            _ => {
                push_tag(out, field.number, field.kind.wire_type());
                self.element(field.kind, out);
            }
        }
    }

    fn packed(&mut self, field: &Field, out: &mut Vec<u8>) {
        let mut elements = Vec::new();
        for _ in 0..self.below(8) {
            self.element(field.kind, &mut elements);
        }
        push_delimited(out, field.number, &elements);
    }

    fn element(&mut self, kind: Kind, out: &mut Vec<u8>) {
        match kind {
            Kind::Double | Kind::Fixed64 | Kind::Sfixed64 => {
                out.extend(self.number().to_le_bytes());
            }
            Kind::Fixed32 => out.extend((self.number() as u32).to_le_bytes()),
            Kind::Int32 | Kind::Enum(_) => {
                varint::push(out, i64::from(self.number() as i32).cast_unsigned());
            }
            Kind::Uint32 | Kind::Sint32 => varint::push(out, self.number() & 0xffff_ffff),
            Kind::Bool => varint::push(out, self.number() & 1),
            _ => varint::push(out, self.number()),
        }
    }

    /// Mostly small numbers, sometimes doubles, sometimes any bits.
    fn number(&mut self) -> u64 {
        match self.below(8) {
            0 => 0,
            1 => u64::from(self.byte()).wrapping_neg(),
            2 => (f64::from(self.byte()) / 4.0).to_bits(),
            3 => u64::from_le_bytes(std::array::from_fn(|_| self.byte())),
            _ => u64::from(self.byte()),
        }
    }

    fn some_bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.byte()).collect()
    }

    fn text(&mut self) -> String {
        const PIECES: [&str; 10] = [
            "",
            "a",
            "key",
            "http.request.method",
            "/",
            " ",
            "ä",
            "日本",
            "🦀",
            "deployment.environment.name",
        ];
        let mut text = String::new();
        for _ in 0..self.below(8) {
            text.push_str(PIECES[self.below(PIECES.len())]);
        }
        text
    }

    fn unknown(&mut self, out: &mut Vec<u8>) {
        let number = [100, 19, 15_000, 536_870_911][self.below(4)];
        match self.below(5) {
            0 => push_varint(out, number, self.number()),
            1 => push_fixed64(out, number, self.number()),
            2 => push_fixed32(out, number, self.number() as u32),
            3 => push_delimited(out, number, &self.some_bytes(5)),
            _ => {
                push_tag(out, number, DELIMITED + 1);
                push_varint(out, 3, self.number());
                push_tag(out, number, DELIMITED + 2);
            }
        }
    }
}
