//! A shape: the steps by which a message of this signature is rebuilt, and what was learned about its places.

use millrace_wire::field::{DELIMITED, FIXED32, FIXED64, VARINT};
use millrace_wire::varint;

use crate::coder::Code;
use crate::dictionary::Dictionary;
use crate::head::Head;
use crate::ids::{IdModel, MessageIds};
use crate::memory::of_vec;
use crate::model::Model;
use crate::path::Paths;
use crate::schema::{Message, Role};
use crate::signature as sig;
use crate::times::{Anchor, Rule, TIMES_MAX, TimeModel, Times};

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
    pub(crate) fn slot(&self) -> Option<u16> {
        match self {
            Self::Value { slot, .. } | Self::Attribute { slot, .. } => Some(*slot),
            Self::Opaque => Some(0),
            _ => None,
        }
    }
}

/// A place for a value: what it is, and what stood there.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) key: u16,
    pub(crate) kind: Kind,
    /// Whether it takes part in the paths of its shape.
    pub(crate) on_path: bool,
    /// Places in the key's dictionary, and ways to tell others.
    pub(crate) model: Model,
    /// Values that came as something new in this slot.
    pub(crate) surprises: u32,
    /// The last place, which the sender tries first.
    pub(crate) last: u16,
    /// The last number.
    pub(crate) number: u64,
}

impl Slot {
    pub(crate) fn new(key: u16, kind: Kind) -> Self {
        Self {
            key,
            kind,
            on_path: false,
            model: Model::default(),
            surprises: 0,
            last: 0,
            number: 0,
        }
    }
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
    pub(crate) head: Head,
    /// What follows the head.
    pub(crate) steps: Vec<Step>,
    pub(crate) literals: Literals,
    pub(crate) slots: Vec<Slot>,
    /// The first slot that stands behind or inside of a message in this one.
    pub(crate) late: usize,
    pub(crate) times: Vec<TimeModel>,
    /// The model of the first time, where it is told by the trace's.
    pub(crate) since_trace: TimeModel,
    pub(crate) anchor: Anchor,
    pub(crate) ids: IdModel,
    pub(crate) has_ids: bool,
    pub(crate) has_trace_id: bool,
    pub(crate) has_span_id: bool,
    pub(crate) has_parent_id: bool,
    pub(crate) places: Vec<Place>,
    /// The shape of the next message.
    pub(crate) next: Model,
    pub(crate) paths: Paths,
    /// How many bytes the length of such a message took last.
    pub(crate) width: u8,
}

/// The constant bytes of a shape.
#[derive(Debug, Default)]
pub(crate) struct Literals(Vec<u8>);

impl Literals {
    #[inline]
    pub(crate) fn get(&self, span: Span) -> &[u8] {
        self.0
            .get(span.start as usize..span.end as usize)
            .unwrap_or_default()
    }

    fn push(&mut self, bytes: &[u8]) -> Span {
        let start = self.0.len() as u32;
        self.0.extend_from_slice(bytes);
        Span {
            start,
            end: self.0.len() as u32,
        }
    }
}

impl Shape {
    /// Whether a message of this shape travels as it is.
    pub(crate) fn is_opaque(&self) -> bool {
        matches!(self.steps.as_slice(), [Step::Opaque])
    }

    /// The ids that a message of this shape has, none of them known yet.
    pub(crate) fn empty_ids(&self) -> MessageIds {
        MessageIds {
            trace: self.has_trace_id.then_some([0; 16]),
            span: self.has_span_id.then_some(0),
            parent: self.has_parent_id.then_some(0),
        }
    }

    /// Codes the times of a message, all of `times`: by the time of the item before, or since its trace was seen.
    pub(crate) fn code_times<C: Code>(
        &mut self,
        coder: &mut C,
        times: &mut Times,
        known_time: u64,
        since: Option<u64>,
    ) {
        let times = times.all_mut();
        let by_trace = since.filter(|_| self.anchor.is_trace());
        if let (Some(since), [first, others @ ..]) = (by_trace, &mut *times) {
            *first = self
                .since_trace
                .code(coder, *first, since, Rule::KnownFirst);
            let mut known = *first;
            for (model, time) in self.times.iter_mut().zip(others) {
                *time = model.code(coder, *time, known, Rule::KnownFirst);
                known = *time;
            }
        } else {
            let (mut known, mut rule) = (known_time, Rule::KnownFirst);
            for (model, time) in self.times.iter_mut().zip(&mut *times).rev() {
                *time = model.code(coder, *time, known, rule);
                (known, rule) = (*time, Rule::KnownLast);
            }
        }
        if let (Some(since), [first, ..], [.., last]) = (since, &*times, &*times) {
            self.anchor
                .learn(last.abs_diff(known_time), first.abs_diff(since));
        }
    }

    /// Bytes held, about.
    pub(crate) fn held(&self) -> usize {
        let places = self
            .places
            .iter()
            .flat_map(|place| [&place.count, &place.first]);
        let models: usize = places
            .chain([&self.next])
            .chain(self.slots.iter().map(|slot| &slot.model))
            .map(Model::held)
            .sum();
        let times: usize = self.times.iter().map(TimeModel::held).sum();
        size_of::<Self>()
            + self.head.held()
            + of_vec(&self.steps)
            + of_vec(&self.slots)
            + of_vec(&self.times)
            + of_vec(&self.places)
            + of_vec(&self.literals.0)
            + models
            + times
            + self.since_trace.held()
            + self.ids.held()
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
    path_values: usize,
) -> Option<Shape> {
    let (kind, mut rest) = signature.split_first()?;
    if *kind != message as u8 || signature.len() > sig::LENGTH_MAX {
        return None;
    }
    let mut compiler = Compiler {
        steps: Vec::new(),
        literals: Literals::default(),
        slots: Vec::new(),
        late: None,
        times: 0,
        places: Vec::new(),
        open: vec![message],
        seen: [false; 3],
        keys,
    };
    while let Some((operation, after)) = rest.split_first() {
        rest = compiler.step(*operation, after)?;
    }
    let is_whole =
        compiler.open.len() == 1 && compiler.slots.len() + compiler.times <= sig::VALUES_MAX;
    is_whole.then(|| compiler.finish(message, path_values))
}

struct Compiler<'k> {
    steps: Vec<Step>,
    literals: Literals,
    slots: Vec<Slot>,
    late: Option<usize>,
    times: usize,
    places: Vec<Place>,
    open: Vec<Message>,
    seen: [bool; 3],
    keys: &'k mut Dictionary,
}

impl Compiler<'_> {
    fn finish(self, message: Message, path_values: usize) -> Shape {
        let [has_trace_id, has_span_id, has_parent_id] = self.seen;
        let (mut steps, mut slots, mut places) = (self.steps, self.slots, self.places);
        let mut literals = self.literals;
        let head = Head::take(&mut steps, &literals);
        literals.0.shrink_to_fit();
        steps.shrink_to_fit();
        slots.shrink_to_fit();
        places.shrink_to_fit();
        let late = self.late.unwrap_or(slots.len());
        let is_opaque = matches!(steps.as_slice(), [Step::Opaque]);
        let early = if is_opaque { 0 } else { late };
        Shape {
            message,
            head,
            paths: Paths::new(&steps, &mut slots, early, path_values),
            steps,
            literals,
            late,
            slots,
            times: std::iter::repeat_with(TimeModel::default)
                .take(self.times)
                .collect(),
            since_trace: TimeModel::default(),
            anchor: Anchor::default(),
            ids: IdModel::default(),
            has_ids: has_trace_id || has_span_id || has_parent_id,
            has_trace_id,
            has_span_id,
            has_parent_id,
            places,
            next: Model::default(),
            width: 1,
        }
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
        let span = self.literals.push(bytes);
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
        let tag = self.literals.push(written);
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
        let header = self.literals.push(&header);
        self.steps.push(Step::Attribute {
            header,
            inner_tag: *inner_tag,
            slot,
        });
        Some(rest)
    }

    fn slot(&mut self, key: u16, kind: Kind) -> u16 {
        self.slots.push(Slot::new(key, kind));
        self.slots.len() as u16 - 1
    }
}
