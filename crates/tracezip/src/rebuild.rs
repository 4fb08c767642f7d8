//! The receiver's half of the codec: from the parts of a body to the request, message by message.

use millrace_wire::field::DELIMITED;
use millrace_wire::varint;

use crate::coder::Reader;
use crate::family::Family;
use crate::frame::{Header, Parts};
use crate::ids::MessageIds;
use crate::limits::{DEPTH, Limits};
use crate::memory::of_vec;
use crate::model::Model;
use crate::out::{Out, copy};
use crate::path::Paths;
use crate::schema::Message;
use crate::shape::{Kind, Literals, Shape, Step, lengths_behind_key};
use crate::tables::{Before, Tables};
use crate::text::{Inflater, TEXT};
use crate::times::Times;
use crate::values::{self, Kept, Means, Places, Sink};

/// Memory that is given before it is proved to be needed, for each byte of the frame.
const PLAUSIBLE_RATIO: usize = 64;
/// Bytes of literal text beyond those of the request: signatures say a little more than what they stand for.
const TEXT_SPARE: usize = 64 << 10;

/// Memory for a request of this length out of a frame of that, before it is known whether it tells the truth.
pub(crate) fn plausible(length: usize, frame: usize) -> usize {
    length.min(frame.saturating_mul(PLAUSIBLE_RATIO).saturating_add(4096))
}

/// What the receiver remembers, and what it works with.
#[derive(Debug)]
pub(crate) struct Receiver {
    pub(crate) tables: Tables,
    inflater: Inflater,
    text: Vec<u8>,
    places: Places,
    levels: Vec<Level>,
}

/// What is read from while a frame is rebuilt, and what is written.
struct Work<'a> {
    reader: Reader<'a>,
    raw: &'a [u8],
    text: &'a [u8],
    out: Out,
}

/// What is known of one open message before it can be written.
#[derive(Debug, Default)]
struct Level {
    times: Times,
    ids: MessageIds,
    /// Values that stand behind other messages, with the number of the first.
    late: Vec<u8>,
    ranges: Vec<Kept>,
    first_late: usize,
    path: Option<usize>,
    /// The next step, and the next run of the path.
    next: usize,
    run: usize,
    /// Where the length of the message inside goes.
    open: Option<usize>,
}

impl Receiver {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            tables: Tables::new(limits, false),
            inflater: Inflater::new(TEXT),
            text: Vec::new(),
            places: Places::default(),
            levels: std::iter::repeat_with(Level::default).take(DEPTH).collect(),
        }
    }

    /// Bytes held, about.
    pub(crate) fn held(&self) -> usize {
        self.tables.held() + of_vec(&self.text) + self.inflater.held()
    }

    /// The request of a body. `None` if it makes no sense.
    pub(crate) fn rebuild(&mut self, header: &Header, body: &[u8]) -> Option<Vec<u8>> {
        let parts = Parts::read(body)?;
        if parts.text_length > header.request_length.saturating_mul(2) + TEXT_SPARE {
            return None;
        }
        let mut text = std::mem::take(&mut self.text);
        text.clear();
        if parts.text_length > 0 {
            self.inflater
                .pull(parts.text, parts.text_length, &mut text)?;
        } else if !parts.text.is_empty() {
            return None;
        }
        let length = header.request_length;
        let mut work = Work {
            reader: Reader::new(parts.symbols, parts.bits)?,
            raw: parts.raw,
            text: &text,
            out: Out::new(length, plausible(length, body.len())),
        };
        let root = Message::of_signal(header.signal)?;
        let mut levels = std::mem::take(&mut self.levels);
        let number = self.shape(&mut work, root, Before::Nothing)?;
        self.message(&mut work, number, 0, &mut levels)?;
        self.levels = levels;
        let is_all = work.reader.is_finished() && work.raw.is_empty() && work.text.is_empty();
        let out = work.out;
        text.shrink_to(TEXT_SPARE);
        self.text = text;
        is_all.then(|| out.finish()).flatten()
    }

    /// Rebuilds a message of a shape and all that is in it; its last time.
    fn message(
        &mut self,
        work: &mut Work<'_>,
        number: usize,
        known_time: u64,
        levels: &mut [Level],
    ) -> Option<u64> {
        let (level, inner) = levels.split_first_mut()?;
        self.own(work, number, known_time, level)?;
        if work.reader.is_overrun() {
            return None;
        }
        let last_time = level.times.all().last().copied().unwrap_or(known_time);
        let first_time = level.times.all().first().copied().unwrap_or(known_time);
        while let Some((tag, place)) =
            level.until_children(self.tables.shapes.get(number)?, &mut work.out)?
        {
            let children = self.tables.shapes.get_mut(number)?.places.get_mut(place)?;
            let message = children.message;
            let count = children.count.code_number(&mut work.reader, 0);
            if count == 0 {
                return None;
            }
            let mut before = Before::Parent(number, place);
            let mut time = first_time;
            for _ in 0..count {
                let shape = self.shape(work, message, before)?;
                let width = usize::from(self.tables.shapes.get(shape)?.width);
                let start = work.out.open(tag, width)?;
                time = self.message(work, shape, time, inner)?;
                let needed = work.out.close(start, width)?;
                if needed != width {
                    self.tables.shapes.get_mut(shape)?.width = needed as u8;
                }
                before = Before::Sibling(shape);
            }
        }
        Some(last_time)
    }

    fn shape(&mut self, work: &mut Work<'_>, kind: Message, before: Before) -> Option<usize> {
        let known = self.tables.code_shape(&mut work.reader, before, None)?;
        if let Some(number) = known {
            return (self.tables.shapes.get(number)?.message == kind).then_some(number);
        }
        let length = self
            .tables
            .signature_length
            .code_number(&mut work.reader, 0);
        let (signature, rest) = work.text.split_at_checked(usize::try_from(length).ok()?)?;
        work.text = rest;
        self.tables.add_shape(kind, signature, before)
    }

    /// Reads ids, times and values of a message, and writes up to the last value that stands before other messages.
    fn own(
        &mut self,
        work: &mut Work<'_>,
        number: usize,
        known_time: u64,
        level: &mut Level,
    ) -> Option<()> {
        level.begin(self.tables.shapes.get(number)?);
        self.tables.code_own(
            &mut work.reader,
            &mut work.raw,
            number,
            &mut level.ids,
            known_time,
            &mut level.times,
        )?;
        let Tables {
            shapes,
            families,
            dictionary,
            budget,
            ..
        } = &mut self.tables;
        let Shape {
            family,
            parts,
            paths,
            steps,
            literals,
            ..
        } = shapes.get_mut(number)?;
        let Family { head, slots, .. } = families.get_mut(*family)?;
        head.write(&level.ids, &level.times, work.out.room(head.length())?)?;
        if parts.is_empty() {
            return Some(());
        }
        let path = paths
            .model
            .code(&mut work.reader, Model::OTHER)
            .map(usize::from);
        if path.is_some_and(|path| paths.bytes(path, 0).is_none()) {
            return None;
        }
        level.path = path;
        let mut means = Means {
            coder: &mut work.reader,
            raw: &mut work.raw,
            text: &mut work.text,
            dictionary,
        };
        let beside_path = path.map(|_| &*paths.others);
        let mut sink = Filling {
            level,
            steps,
            literals,
            paths,
            out: &mut work.out,
        };
        let places = &mut self.places;
        values::code(
            &mut means,
            (parts, slots),
            beside_path,
            &[],
            None,
            &mut sink,
            places,
        )?;
        let out = &work.out;
        if path.is_none() && paths.is_used() {
            paths.learn(steps, (parts, slots), budget, |step, path| {
                let kept = step.slot().map_or(Some((0, 0)), |slot| places.kept(slot))?;
                let value = out.get(kept.0 as usize, kept.1 as usize);
                write_step(step, value, literals, path)
            })?;
        }
        Some(())
    }
}

/// The tag and the place of messages, or `None` if none come; outside of it, `None` is for what makes no sense.
type Children = Option<Option<(u8, usize)>>;

impl Level {
    fn begin(&mut self, shape: &Shape) {
        self.times = Times::unknown(usize::from(shape.times));
        self.ids = shape.empty_ids();
        self.late.clear();
        self.ranges.clear();
        self.first_late = usize::from(shape.late);
        self.path = None;
        (self.next, self.run) = (0, 0);
        self.open = None;
    }

    /// Writes what comes before the next messages inside: their tag and their place, or `None` if there are no more.
    fn until_children(&mut self, shape: &Shape, out: &mut Out) -> Children {
        while let Some(step) = shape.steps.get(self.next).copied() {
            if self.write_run(&shape.paths, out)? {
                continue;
            }
            self.next += 1;
            match step {
                Step::Children { tag, place } => return Some(Some((tag, usize::from(place)))),
                Step::Attribute { slot, .. } | Step::Value { slot, .. } => {
                    let late = usize::from(slot).checked_sub(self.first_late)?;
                    let value = piece(&self.late, *self.ranges.get(late)?);
                    write_value(step, value, &shape.literals, out)?;
                }
                _ => self.write(step, &shape.literals, out)?,
            }
        }
        self.open.is_none().then_some(None)
    }

    /// Writes the next run of the path, if that comes next.
    #[inline]
    fn write_run(&mut self, paths: &Paths, out: &mut Out) -> Option<bool> {
        let Some(path) = self.path else {
            return Some(false);
        };
        let Some(run) = paths.run_at(self.run, self.next) else {
            return Some(false);
        };
        out.push(paths.bytes(path, self.run)?)?;
        self.next = usize::from(run.to);
        self.run += 1;
        Some(true)
    }

    /// Writes what is no value.
    #[inline]
    fn write(&mut self, step: Step, literals: &Literals, out: &mut Out) -> Option<()> {
        match step {
            Step::Literal(span) => out.push(literals.get(span)),
            Step::Time { tag, index } => {
                let mut field = [tag; 9];
                *field.last_chunk_mut()? = self.times.all().get(usize::from(index))?.to_le_bytes();
                out.push(&field)
            }
            Step::TraceId(tag) => {
                let mut field = [tag; 18];
                *field.get_mut(1)? = 16;
                *field.last_chunk_mut()? = self.ids.trace?;
                out.push(&field)
            }
            Step::SpanId(tag) => eight(tag, self.ids.span?, out),
            Step::ParentId(tag) => eight(tag, self.ids.parent?, out),
            Step::Open(tag) => {
                self.open = Some(out.open(tag, 1)?);
                Some(())
            }
            Step::Close => out.close(self.open.take()?, 1).map(|_| ()),
            Step::Attribute { .. } | Step::Value { .. } | Step::Children { .. } | Step::Opaque => {
                None
            }
        }
    }
}

#[inline]
fn eight(tag: u8, id: u64, out: &mut Out) -> Option<()> {
    let mut field = [tag; 10];
    *field.get_mut(1)? = 8;
    *field.last_chunk_mut()? = id.to_le_bytes();
    out.push(&field)
}

fn piece(bytes: &[u8], (start, end): Kept) -> &[u8] {
    bytes.get(start as usize..end as usize).unwrap_or_default()
}

/// Puts values into the message that is open.
struct Filling<'w> {
    level: &'w mut Level,
    steps: &'w [Step],
    literals: &'w Literals,
    paths: &'w Paths,
    out: &'w mut Out,
}

impl Sink for Filling<'_> {
    #[inline]
    fn put(&mut self, slot: usize, value: &[u8]) -> Option<Kept> {
        let level = &mut *self.level;
        if slot >= level.first_late {
            let start = level.late.len() as u32;
            level.late.extend_from_slice(value);
            let kept = (start, level.late.len() as u32);
            level.ranges.push(kept);
            return Some(kept);
        }
        loop {
            if level.write_run(self.paths, self.out)? {
                continue;
            }
            let step = *self.steps.get(level.next)?;
            level.next += 1;
            if let Step::Attribute { .. } | Step::Value { .. } | Step::Opaque = step {
                write_value(step, value, self.literals, self.out)?;
                let end = self.out.position() as u32;
                return Some((end - value.len() as u32, end));
            }
            level.write(step, self.literals, self.out)?;
        }
    }

    fn kept(&self, slot: usize, (start, end): Kept) -> &[u8] {
        if slot >= self.level.first_late {
            piece(&self.level.late, (start, end))
        } else {
            self.out.get(start as usize, end as usize)
        }
    }
}

/// Writes a value and what stands before it.
#[inline]
fn write_value(step: Step, value: &[u8], literals: &Literals, out: &mut Out) -> Option<()> {
    match step {
        Step::Attribute {
            header, inner_tag, ..
        } => {
            let header = literals.get(header);
            let total = header.len() - 2 + value.len();
            if total >= 0x80 {
                return write_long(header, inner_tag, value, out);
            }
            // Nearly all: every length takes a byte.
            let room = out.room(total + 2)?;
            let (head, room) = room.split_at_mut_checked(header.len())?;
            copy(head, header);
            copy(room, value);
            *head.get_mut(1)? = total as u8;
            let behind_key = lengths_behind_key(inner_tag);
            let inner = value.len() + behind_key - 1;
            let at = header.len() - behind_key;
            *head.get_mut(at)? = inner as u8;
            if behind_key == 3 {
                *head.last_mut()? = value.len() as u8;
            }
            Some(())
        }
        Step::Value { tag, kind, .. } => {
            out.push(literals.get(tag))?;
            if kind == Kind::Text {
                out.varint(value.len() as u64)?;
            }
            out.push(value)
        }
        _ => out.push(value),
    }
}

/// Appends what a step of a path writes.
pub(crate) fn write_step(
    step: Step,
    value: &[u8],
    literals: &Literals,
    path: &mut Out,
) -> Option<()> {
    match step {
        Step::Literal(span) => path.push(literals.get(span)),
        _ => write_value(step, value, literals, path),
    }
}

/// An attribute with lengths of any length.
fn write_long(header: &[u8], inner_tag: u8, value: &[u8], out: &mut Out) -> Option<()> {
    let (tag, key) = header.split_first()?;
    let key = key.get(1..key.len().checked_sub(lengths_behind_key(inner_tag))?)?;
    let is_delimited = inner_tag & 7 == DELIMITED;
    let mut inner = value.len();
    if is_delimited {
        inner += varint::length(value.len() as u64);
    }
    inner += usize::from(inner_tag != 0);
    let total = key.len() + varint::length(inner as u64) + inner;
    out.push(&[*tag])?;
    out.varint(total as u64)?;
    out.push(key)?;
    out.varint(inner as u64)?;
    if inner_tag != 0 {
        out.push(&[inner_tag])?;
    }
    if is_delimited {
        out.varint(value.len() as u64)?;
    }
    out.push(value)
}
