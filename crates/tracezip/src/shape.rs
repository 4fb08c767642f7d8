//! A shape: the steps by which a message of this signature is rebuilt, and what was learned about its places.

use millrace_wire::field::{DELIMITED, FIXED32, FIXED64, VARINT};
use millrace_wire::varint;

use crate::dictionary::Dictionary;
use crate::family::Families;
use crate::head::Head;
use crate::ids::MessageIds;
use crate::memory::allocated;
use crate::model::Model;
use crate::path::Paths;
use crate::schema::{Message, Role};
use crate::signature as sig;
use crate::times::TIMES_MAX;

/// Messages inside messages without a shape of their own: one level exists in OTLP.
const OPEN_MAX: usize = 2;

/// A piece of the literals of a shape.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    // A signature is so short that its literals are below 64 KiB.
    start: u16,
    end: u16,
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
        kind: Kind,
        slot: u16,
    },
    /// A key and the value of the next slot: what stands before the value, with every length that varies 0.
    Attribute {
        header: Span,
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
        place: u16,
    },
    Open(u8),
    Close,
    /// All of the value of the first slot.
    Opaque,
}

impl Step {
    /// The slot whose value it writes.
    pub(crate) fn slot(self) -> Option<u16> {
        match self {
            Self::Value { slot, .. } | Self::Attribute { slot, .. } => Some(slot),
            Self::Opaque => Some(0),
            _ => None,
        }
    }
}

/// A place for a value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    /// The slot of its family that it belongs to.
    pub(crate) slot: u16,
    /// Whether it takes part in the paths of its shape.
    pub(crate) on_path: bool,
}

/// A place for messages inside of a message.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) message: Message,
    /// How many there are.
    pub(crate) count: Model,
    /// The shape of the first.
    pub(crate) first: Model,
}

/// What is known of all messages with one signature.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says which of the ids a message has"
)]
pub(crate) struct Shape {
    pub(crate) message: Message,
    pub(crate) family: u16,
    /// What follows the head.
    pub(crate) steps: Box<[Step]>,
    pub(crate) literals: Literals,
    pub(crate) parts: Box<[Part]>,
    /// The first part that stands behind or inside of a message in this one.
    pub(crate) late: u16,
    pub(crate) times: u8,
    pub(crate) has_ids: bool,
    pub(crate) has_trace_id: bool,
    pub(crate) has_span_id: bool,
    pub(crate) has_parent_id: bool,
    pub(crate) places: Box<[Place]>,
    /// The shape of the next message.
    pub(crate) next: Model,
    pub(crate) paths: Paths,
    /// How many bytes the length of such a message took last.
    pub(crate) width: u8,
}

/// The constant bytes of a shape.
#[derive(Debug, Default)]
pub(crate) struct Literals(Box<[u8]>);

impl Literals {
    #[inline]
    pub(crate) fn get(&self, span: Span) -> &[u8] {
        self.0
            .get(usize::from(span.start)..usize::from(span.end))
            .unwrap_or_default()
    }
}

impl Literals {
    /// Drops what stands before the literals of these steps.
    fn without_front(&self, steps: &mut [Step]) -> Self {
        let mut front = None;
        for step in steps {
            if let Step::Literal(span)
            | Step::Value { tag: span, .. }
            | Step::Attribute { header: span, .. } = step
            {
                let front = *front.get_or_insert(span.start);
                (span.start, span.end) = (span.start - front, span.end - front);
            }
        }
        let own = front.and_then(|front| self.0.get(usize::from(front)..));
        Self(own.unwrap_or_default().into())
    }
}

impl Shape {
    /// Whether a message of this shape travels as it is.
    pub(crate) fn is_opaque(&self) -> bool {
        matches!(*self.steps, [Step::Opaque])
    }

    /// The ids that a message of this shape has, none of them known yet.
    pub(crate) fn empty_ids(&self) -> MessageIds {
        MessageIds {
            trace: self.has_trace_id.then_some([0; 16]),
            span: self.has_span_id.then_some(0),
            parent: self.has_parent_id.then_some(0),
        }
    }

    /// Bytes held, about.
    pub(crate) fn held(&self) -> usize {
        let places = self
            .places
            .iter()
            .flat_map(|place| [&place.count, &place.first]);
        let models: usize = places.chain([&self.next]).map(Model::held).sum();
        size_of::<Self>()
            + allocated(size_of_val(&*self.steps))
            + allocated(size_of_val(&*self.parts))
            + allocated(size_of_val(&*self.places))
            + allocated(self.literals.0.len())
            + models
            + self.paths.held()
    }
}

/// Bytes behind the key in the header of an attribute: lengths, and the tag in the value if it has one.
#[inline]
pub(crate) const fn lengths_behind_key(inner_tag: u8) -> usize {
    match inner_tag {
        0 => 1,
        tag if tag & 7 == DELIMITED => 3,
        _ => 2,
    }
}

/// Reads a signature. `None` if it is none, for it may come from the network.
pub(crate) fn compile(
    signature: &[u8],
    message: Message,
    keys: &mut Dictionary,
    families: &mut Families,
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
        late: None,
        times: 0,
        places: Vec::new(),
        open: vec![message],
        seen: [false; 3],
        keys,
    };
    // What comes before the first attribute or message.
    let mut front = signature;
    while let Some((operation, after)) = rest.split_first() {
        if *operation >= sig::ATTRIBUTE && front.len() == signature.len() {
            front = signature.get(..signature.len() - rest.len())?;
        }
        rest = compiler.step(*operation, after)?;
    }
    let is_whole =
        compiler.open.len() == 1 && compiler.slots.len() + compiler.times <= sig::VALUES_MAX;
    is_whole.then(|| compiler.finish(message, (families, front), path_values))?
}

struct Compiler<'k> {
    steps: Vec<Step>,
    literals: Vec<u8>,
    slots: Vec<(u16, Kind)>,
    late: Option<usize>,
    times: usize,
    places: Vec<Place>,
    open: Vec<Message>,
    seen: [bool; 3],
    keys: &'k mut Dictionary,
}

impl Compiler<'_> {
    fn finish(
        self,
        message: Message,
        (families, front): (&mut Families, &[u8]),
        path_values: usize,
    ) -> Option<Shape> {
        let [has_trace_id, has_span_id, has_parent_id] = self.seen;
        let (mut steps, literals) = (self.steps, Literals(self.literals.into()));
        let number = families.of(front, Head::take(&mut steps, &literals));
        let literals = literals.without_front(&mut steps);
        let family = families.get_mut(number)?;
        family.take_times(self.times);
        let parts = self.slots.iter().map(|(key, kind)| Part {
            slot: family.slot(*key, *kind),
            on_path: false,
        });
        let mut parts: Vec<Part> = parts.collect();
        let late = self.late.unwrap_or(parts.len());
        let is_opaque = matches!(steps.as_slice(), [Step::Opaque]);
        let early = if is_opaque { 0 } else { late };
        Some(Shape {
            message,
            family: number,
            paths: Paths::new(&steps, &mut parts, early, path_values),
            steps: steps.into(),
            literals,
            late: late as u16,
            parts: parts.into(),
            times: self.times as u8,
            has_ids: has_trace_id || has_span_id || has_parent_id,
            has_trace_id,
            has_span_id,
            has_parent_id,
            places: self.places.into(),
            next: Model::default(),
            width: 1,
        })
    }

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
            (sig::TIME, Role::Time) if self.times < TIMES_MAX => {
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
                self.late.get_or_insert(self.slots.len());
                self.places.push(Place {
                    message,
                    count: Model::default(),
                    first: Model::default(),
                });
                Step::Children {
                    tag: *tag,
                    place: self.places.len() as u16 - 1,
                }
            }
            (sig::OPEN, Role::Inline(message)) => {
                self.late.get_or_insert(self.slots.len());
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
        let span = self.literal(bytes);
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
        let tag = self.literal(written);
        self.steps.push(Step::Value { tag, kind, slot });
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
        let mut header = vec![*tag, 0, 0x0a];
        varint::push(&mut header, length);
        header.extend_from_slice(name);
        header.extend([0x12, 0]);
        if *inner_tag != 0 {
            header.push(*inner_tag);
        }
        if inner_tag & 7 == DELIMITED {
            header.push(0);
        }
        let header = self.literal(&header);
        self.steps.push(Step::Attribute {
            header,
            inner_tag: *inner_tag,
            slot,
        });
        Some(rest)
    }

    fn literal(&mut self, bytes: &[u8]) -> Span {
        let start = self.literals.len() as u16;
        self.literals.extend_from_slice(bytes);
        Span {
            start,
            end: self.literals.len() as u16,
        }
    }

    fn slot(&mut self, key: u16, kind: Kind) -> u16 {
        self.slots.push((key, kind));
        self.slots.len() as u16 - 1
    }
}
