//! A shape: the steps by which a message of this signature is rebuilt, and what was learned about its places.

use millrace_wire::field::{DELIMITED, FIXED32, FIXED64, VARINT};
use millrace_wire::varint;

use crate::dictionary::Dictionary;
use crate::ids::IdModels;
use crate::model::Model;
use crate::path::Paths;
use crate::schema::{Message, Role};
use crate::signature as sig;
use crate::times::TimeModels;

/// Messages inside messages without a shape of their own: one level exists in OTLP.
const OPEN_MAX: usize = 2;

/// A piece of the literals of a shape.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    start: u32,
    end: u32,
}

/// How the content of a value is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Varint,
    Fixed64,
    Fixed32,
    Text,
}

/// One step of rebuilding a message.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// These bytes.
    Literal(Span),
    /// The tag, then the value of the next slot.
    Value {
        tag: Span,
        slot: u16,
    },
    /// A key and the value of the next slot.
    Attribute {
        tag: u8,
        key: Span,
        inner_tag: u8,
        slot: u16,
    },
    Time {
        tag: u8,
        index: u16,
    },
    TraceId(u8),
    SpanId(u8),
    ParentId(u8),
    Children {
        tag: u8,
        message: Message,
        run: u16,
    },
    Open(u8),
    Close,
    /// All of the value of the first slot.
    Opaque,
}

/// A place for a value: what it is, and what stood there.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) key: u16,
    pub(crate) kind: Kind,
    /// Places in the key's dictionary.
    pub(crate) model: Model,
    /// Values that came as something new in this slot.
    pub(crate) surprises: u32,
    /// The last place, which the sender tries first.
    pub(crate) last: u16,
    /// The last number.
    pub(crate) number: u64,
}

/// What is known of all messages with one signature.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says which of the ids a message has"
)]
pub(crate) struct Shape {
    pub(crate) message: Message,
    pub(crate) steps: Vec<Step>,
    literals: Vec<u8>,
    pub(crate) slots: Vec<Slot>,
    pub(crate) times: Vec<TimeModels>,
    pub(crate) ids: IdModels,
    pub(crate) has_ids: bool,
    pub(crate) has_trace_id: bool,
    pub(crate) has_span_id: bool,
    pub(crate) has_parent_id: bool,
    pub(crate) runs: Vec<Model>,
    /// The shape of the first child in each place.
    pub(crate) first: Vec<Model>,
    /// The shape of the next message.
    pub(crate) next: Model,
    pub(crate) paths: Paths,
}

impl Shape {
    pub(crate) fn literal(&self, span: Span) -> &[u8] {
        self.literals
            .get(span.start as usize..span.end as usize)
            .unwrap_or_default()
    }

    /// Bytes held, about.
    pub(crate) fn held(&self) -> usize {
        let models: usize = self
            .runs
            .iter()
            .chain(&self.first)
            .chain([&self.next])
            .chain(self.slots.iter().map(|slot| &slot.model))
            .map(Model::held)
            .sum();
        let times: usize = self.times.iter().map(TimeModels::held).sum();
        size_of::<Self>()
            + self.steps.capacity() * size_of::<Step>()
            + self.slots.capacity() * size_of::<Slot>()
            + self.literals.capacity()
            + models
            + times
            + self.ids.held()
            + self.paths.held()
    }
}

/// Reads a signature. `None` if it is none, for it may come from the network.
pub(crate) fn compile(
    signature: &[u8],
    message: Message,
    keys: &mut Dictionary,
    path_values: usize,
) -> Option<Shape> {
    let (kind, mut rest) = signature.split_first()?;
    if *kind != message as u8 || signature.len() > sig::LENGTH_MAX {
        return None;
    }
    let mut compiler = Compiler {
        steps: Vec::new(),
        literals: Vec::new(),
        slots: Vec::new(),
        times: 0,
        runs: 0,
        open: vec![message],
        seen: [false; 3],
        keys,
    };
    while let Some((operation, after)) = rest.split_first() {
        rest = compiler.step(*operation, after)?;
    }
    let [has_trace_id, has_span_id, has_parent_id] = compiler.seen;
    let Compiler {
        steps,
        literals,
        slots,
        times,
        runs,
        open,
        ..
    } = compiler;
    if open.len() != 1 || slots.len() + times > sig::VALUES_MAX {
        return None;
    }
    Some(Shape {
        message,
        steps,
        literals,
        paths: Paths::new(slots.len(), path_values),
        slots,
        times: std::iter::repeat_with(TimeModels::default)
            .take(times)
            .collect(),
        ids: IdModels::default(),
        has_ids: has_trace_id || has_span_id || has_parent_id,
        has_trace_id,
        has_span_id,
        has_parent_id,
        runs: vec![Model::default(); runs],
        first: vec![Model::default(); runs],
        next: Model::default(),
    })
}

struct Compiler<'k> {
    steps: Vec<Step>,
    literals: Vec<u8>,
    slots: Vec<Slot>,
    times: usize,
    runs: usize,
    open: Vec<Message>,
    seen: [bool; 3],
    keys: &'k mut Dictionary,
}

impl Compiler<'_> {
    fn step<'a>(&mut self, operation: u8, rest: &'a [u8]) -> Option<&'a [u8]> {
        match operation {
            sig::CONSTANT => {
                let (length, rest) = rest.split_first()?;
                let (bytes, rest) = rest.split_at_checked(usize::from(*length))?;
                self.constant(bytes);
                return Some(rest);
            }
            sig::VALUE => return self.value(rest),
            sig::ATTRIBUTE => return self.attribute(rest),
            sig::CLOSE => {
                self.open.pop();
                self.steps.push(Step::Close);
                return (!self.open.is_empty()).then_some(rest);
            }
            sig::OPAQUE => {
                let key = self.keys.key_of(&[sig::OPAQUE]);
                self.slot(key, Kind::Text);
                self.steps.push(Step::Opaque);
                return (self.steps.len() == 1 && rest.is_empty()).then_some(rest);
            }
            _ => {}
        }
        let (tag, rest) = rest.split_first()?;
        if *tag >= 0x80 {
            return None;
        }
        let role = self.open.last()?.role(u32::from(tag >> 3), tag & 7);
        let step = match (operation, role) {
            (sig::TIME, Role::Time) => {
                self.times += 1;
                Step::Time {
                    tag: *tag,
                    index: self.times as u16 - 1,
                }
            }
            (sig::TRACE_ID, Role::TraceId) => self.once(0, Step::TraceId(*tag))?,
            (sig::SPAN_ID, Role::SpanId) => self.once(1, Step::SpanId(*tag))?,
            (sig::PARENT_ID, Role::ParentId) => self.once(2, Step::ParentId(*tag))?,
            (sig::CHILDREN, Role::Children(message)) => {
                self.runs += 1;
                Step::Children {
                    tag: *tag,
                    message,
                    run: self.runs as u16 - 1,
                }
            }
            (sig::OPEN, Role::Inline(message)) => {
                self.open.push(message);
                if self.open.len() > OPEN_MAX {
                    return None;
                }
                Step::Open(*tag)
            }
            _ => return None,
        };
        self.steps.push(step);
        Some(rest)
    }

    fn once(&mut self, index: usize, step: Step) -> Option<Step> {
        let seen = self.seen.get_mut(index)?;
        (!std::mem::replace(seen, true)).then_some(step)
    }

    /// Constants that follow each other are one step.
    fn constant(&mut self, bytes: &[u8]) {
        let span = self.push(bytes);
        if let Some(Step::Literal(last)) = self.steps.last_mut()
            && last.end == span.start
        {
            last.end = span.end;
        } else {
            self.steps.push(Step::Literal(span));
        }
    }

    fn value<'a>(&mut self, rest: &'a [u8]) -> Option<&'a [u8]> {
        let (tag, after) = varint::read(rest)?;
        let written = rest.get(..rest.len() - after.len())?;
        let kind = match tag as u8 & 7 {
            VARINT => Kind::Varint,
            FIXED64 => Kind::Fixed64,
            DELIMITED => Kind::Text,
            FIXED32 => Kind::Fixed32,
            _ => return None,
        };
        let mut name = vec![sig::VALUE, *self.open.last()? as u8];
        name.extend_from_slice(written);
        let key = self.keys.key_of(&name);
        let slot = self.slot(key, kind);
        let tag = self.push(written);
        self.steps.push(Step::Value { tag, slot });
        Some(after)
    }

    fn attribute<'a>(&mut self, rest: &'a [u8]) -> Option<&'a [u8]> {
        let ([tag, inner_tag], rest) = rest.split_first_chunk()?;
        let (length, rest) = varint::read(rest)?;
        let (name, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
        let kind = match inner_tag {
            0 | 0x0a | 0x2a | 0x32 | 0x3a => Kind::Text,
            0x10 | 0x18 => Kind::Varint,
            0x21 => Kind::Fixed64,
            _ => return None,
        };
        if self.open.last()?.role(u32::from(tag >> 3), tag & 7) != Role::Attribute {
            return None;
        }
        let key = self
            .keys
            .key_of(&[&[sig::ATTRIBUTE, *inner_tag], name].concat());
        let slot = self.slot(key, kind);
        let mut key = vec![0x0a];
        varint::push(&mut key, length);
        key.extend_from_slice(name);
        key.push(0x12);
        let key = self.push(&key);
        self.steps.push(Step::Attribute {
            tag: *tag,
            key,
            inner_tag: *inner_tag,
            slot,
        });
        Some(rest)
    }

    fn push(&mut self, bytes: &[u8]) -> Span {
        let start = self.literals.len() as u32;
        self.literals.extend_from_slice(bytes);
        Span {
            start,
            end: self.literals.len() as u32,
        }
    }

    fn slot(&mut self, key: u16, kind: Kind) -> u16 {
        self.slots.push(Slot {
            key,
            kind,
            model: Model::default(),
            surprises: 0,
            last: 0,
            number: 0,
        });
        self.slots.len() as u16 - 1
    }
}
