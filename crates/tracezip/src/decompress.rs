//! The receiver's side of a session: frames in, requests out, never more than the header says.

use millrace_wire::field::DELIMITED;
use millrace_wire::varint;
use zstd::zstd_safe::{DCtx, DParameter, InBuffer, OutBuffer, get_frame_content_size};

use crate::coder::Reader;
use crate::compress::next_chain;
use crate::error::Error;
use crate::frame::{Header, Mode, Parts};
use crate::hash::xxh64;
use crate::ids::MessageIds;
use crate::limits::{DEPTH, Limits};
use crate::schema::Message;
use crate::shape::{Kind, Shape, Step};
use crate::tables::{Before, Tables};
use crate::text::{Inflater, TEXT, WHOLE};
use crate::values::{self, Found, Means, Places};

/// Memory that is given before it is proved to be needed, for each byte of the frame.
const PLAUSIBLE_RATIO: usize = 64;
/// Bytes of literal text beyond those of the request: signatures say a little more than what they stand for.
const TEXT_SPARE: usize = 64 << 10;
/// Bytes that lengths of messages that are still open may have too many.
const OPEN_SPARE: usize = DEPTH * varint::MAX_LENGTH;
/// Largest window of a plain frame: 8 MiB.
const PLAIN_WINDOW_LOG_MAX: u32 = 23;

/// Makes requests of frames.
#[derive(Debug)]
pub struct Decompressor {
    session: u64,
    sequence: u64,
    chain: u32,
    broken: bool,
    receiver: Receiver,
    whole: Inflater,
}

#[derive(Debug)]
struct Receiver {
    tables: Tables,
    inflater: Inflater,
    text: Vec<u8>,
    places: Places,
    levels: Vec<Found>,
    /// How many bytes the length of a message of each kind last took.
    widths: [u8; 32],
}

/// What is read from while a frame is rebuilt, and what is written.
struct Work<'a> {
    reader: Reader<'a>,
    raw: &'a [u8],
    text: &'a [u8],
    out: Vec<u8>,
    length: usize,
}

/// Children: their tag, what they are, the number of their place.
type Place = (u8, Message, u16);

/// How far a message was written.
enum Written {
    Whole,
    /// Up to a step, whose children come next.
    UntilChildren(usize, Place),
}

impl Decompressor {
    /// The receiving end of the session of this number.
    #[must_use]
    pub fn new(limits: Limits, session: u64) -> Self {
        let limits = limits.clamped();
        Self {
            session,
            sequence: 0,
            chain: 0,
            broken: false,
            receiver: Receiver {
                tables: Tables::new(limits, false),
                inflater: Inflater::new(TEXT),
                text: Vec::new(),
                places: Places::default(),
                levels: std::iter::repeat_with(Found::default).take(DEPTH).collect(),
                widths: [2; 32],
            },
            whole: Inflater::new(WHOLE),
        }
    }

    /// Rebuilds the request of a frame.
    pub fn decompress(&mut self, frame: &[u8]) -> Result<Vec<u8>, Error> {
        let (header, body) = Header::read(frame)?;
        if header.request_length > self.receiver.tables.limits.request_bytes {
            return Err(Error::TooLong);
        }
        if header.mode == Mode::Plain {
            return plain(body, header.request_length);
        }
        if header.session != self.session {
            return Err(Error::OtherSession);
        }
        if self.broken {
            return Err(Error::Broken);
        }
        if (header.sequence, header.chain) != (self.sequence, self.chain) {
            return Err(Error::OutOfOrder);
        }
        self.broken = true;
        let request = match header.mode {
            Mode::Shapes => self.receiver.rebuild(&header, body),
            _ => self.inflate(&header, body),
        };
        let request = request
            .filter(|request| xxh64(request, 0) == header.hash)
            .ok_or(Error::Damaged)?;
        self.broken = false;
        self.sequence += 1;
        self.chain = next_chain(self.chain, header.hash);
        Ok(request)
    }

    /// The number of the session.
    #[must_use]
    pub fn session(&self) -> u64 {
        self.session
    }

    /// Whether a frame was damaged, so that no other will be taken.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.broken
    }

    /// Rebuilds the request of a frame that may be the first of another session: for what is read once, from its beginning.
    pub fn follow(&mut self, frame: &[u8]) -> Result<Vec<u8>, Error> {
        let (header, _) = Header::read(frame)?;
        let is_first = header.mode != Mode::Plain && header.sequence == 0;
        if is_first {
            *self = Self::new(self.receiver.tables.limits, header.session);
        }
        self.decompress(frame)
    }

    fn inflate(&mut self, header: &Header, body: &[u8]) -> Option<Vec<u8>> {
        let mut request = Vec::with_capacity(plausible(header.request_length, body.len()));
        self.whole.pull(body, header.request_length, &mut request)?;
        Some(request)
    }

    /// Bytes held, about: tables, models and the windows of zstd.
    #[must_use]
    pub fn held(&self) -> usize {
        self.receiver.tables.held()
            + self.receiver.text.capacity()
            + self.receiver.inflater.held()
            + self.whole.held()
    }

    /// A hash of what the session remembers; that of the sender is the same after the same frames.
    #[must_use]
    pub fn digest(&self) -> u64 {
        self.receiver.tables.digest()
    }
}

/// The request of a frame that needs no session, whatever session it came in.
pub fn decompress_plain(frame: &[u8], limits: Limits) -> Result<Vec<u8>, Error> {
    let (header, body) = Header::read(frame)?;
    if header.request_length > limits.request_bytes {
        return Err(Error::TooLong);
    }
    if header.mode != Mode::Plain {
        return Err(Error::OtherSession);
    }
    plain(body, header.request_length)
}

fn plausible(length: usize, frame: usize) -> usize {
    length.min(frame.saturating_mul(PLAUSIBLE_RATIO).saturating_add(4096))
}

fn plain(body: &[u8], length: usize) -> Result<Vec<u8>, Error> {
    if !matches!(get_frame_content_size(body), Ok(Some(told)) if told == length as u64) {
        return Err(Error::Damaged);
    }
    unzstd(body, length).ok_or(Error::Damaged)
}

fn unzstd(body: &[u8], length: usize) -> Option<Vec<u8>> {
    let mut context = DCtx::try_create()?;
    context
        .set_parameter(DParameter::WindowLogMax(PLAIN_WINDOW_LOG_MAX))
        .ok()?;
    let mut out = Vec::with_capacity(plausible(length, body.len()) + 1);
    let mut source = InBuffer::around(body);
    loop {
        if out.len() == out.capacity() {
            out.reserve((length + 1 - out.len()).min(out.len()));
        }
        let (read, written) = (source.pos(), out.len());
        let missing = context
            .decompress_stream(&mut OutBuffer::around_pos(&mut out, written), &mut source)
            .ok()?;
        if missing == 0 {
            return (source.pos() == body.len() && out.len() == length).then_some(out);
        }
        if out.len() > length || (source.pos() == read && out.len() == written) {
            return None;
        }
    }
}

impl Receiver {
    fn rebuild(&mut self, header: &Header, body: &[u8]) -> Option<Vec<u8>> {
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
        let mut work = Work {
            reader: Reader::new(parts.symbols, parts.bits)?,
            raw: parts.raw,
            text: &text,
            out: Vec::with_capacity(plausible(header.request_length, body.len())),
            length: header.request_length,
        };
        let root = Message::of_signal(header.signal)?;
        let mut levels = std::mem::take(&mut self.levels);
        self.message(&mut work, root, Before::Nothing, 0, &mut levels)?;
        self.levels = levels;
        let is_all = work.reader.is_finished() && work.raw.is_empty() && work.text.is_empty();
        let out = (is_all && work.out.len() == work.length).then_some(work.out);
        text.shrink_to(TEXT_SPARE);
        self.text = text;
        out
    }

    /// Rebuilds a message and all that is in it; its shape and its last time.
    fn message(
        &mut self,
        work: &mut Work<'_>,
        kind: Message,
        before: Before,
        known_time: u64,
        levels: &mut [Found],
    ) -> Option<(usize, u64)> {
        let (found, inner) = levels.split_first_mut()?;
        let number = self.shape(work, kind, before)?;
        let known_time = if kind.is_item() {
            self.tables.time
        } else {
            known_time
        };
        let mut times = Times::default();
        let ids = self.own(work, number, known_time, &mut times, found)?;
        let last_time = times.last.unwrap_or(known_time);
        if kind.is_item() {
            self.tables.time = last_time;
        }
        if work.reader.is_overrun() {
            return None;
        }
        let (mut next, mut open) = (0, None);
        loop {
            let shape = self.tables.shapes.get_mut(number)?;
            let (step, (tag, message, run)) =
                match work.write_own(shape, next, &mut open, &ids, &times, found)? {
                    Written::UntilChildren(step, place) => (step, place),
                    Written::Whole => break,
                };
            let count = shape
                .runs
                .get_mut(usize::from(run))?
                .code_number(&mut work.reader, 0);
            let mut before = Before::Parent(number, usize::from(run));
            let mut time = times.first.unwrap_or(known_time);
            if count == 0 {
                return None;
            }
            for _ in 0..count {
                work.out.push(tag);
                let width = self.widths.get(message as usize).copied().unwrap_or(1);
                let start = work.open(usize::from(width));
                let (shape, last) = self.message(work, message, before, time, inner)?;
                let width = work.close(start, usize::from(width))?;
                *self.widths.get_mut(message as usize)? = width as u8;
                (before, time) = (Before::Sibling(shape), last);
            }
            next = step + 1;
        }
        Some((number, last_time))
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

    /// Reads times, ids and values of a message.
    fn own(
        &mut self,
        work: &mut Work<'_>,
        number: usize,
        known_time: u64,
        times: &mut Times,
        found: &mut Found,
    ) -> Option<MessageIds> {
        let Tables {
            shapes,
            dictionary,
            ids,
            budget,
            ..
        } = &mut self.tables;
        let shape = shapes.get_mut(number)?;
        let mut known = known_time;
        for (index, models) in shape.times.iter_mut().enumerate().rev() {
            known = models.code(&mut work.reader, 0, known);
            times.set(index, known);
        }
        let mut own = MessageIds {
            trace: shape.has_trace_id.then_some([0; 16]),
            span: shape.has_span_id.then_some(0),
            parent: shape.has_parent_id.then_some(0),
        };
        if shape.has_ids {
            own = ids.code(&mut work.reader, &mut work.raw, &mut shape.ids, own)?;
        }
        if !shape.slots.is_empty() {
            found.clear(shape.slots.len());
            let mut means = Means {
                coder: &mut work.reader,
                raw: &mut work.raw,
                text: &mut work.text,
                dictionary,
                budget,
            };
            values::code(&mut means, shape, &[], None, found, &mut self.places)?;
        }
        Some(own)
    }
}

/// The times of one message. More than eight occur in no message of OTLP; the others are kept apart.
#[derive(Debug, Default)]
struct Times {
    few: [u64; 8],
    more: Vec<u64>,
    first: Option<u64>,
    last: Option<u64>,
}

impl Times {
    /// Sets a time; they come last to first.
    fn set(&mut self, index: usize, time: u64) {
        self.last.get_or_insert(time);
        self.first = Some(time);
        if let Some(slot) = self.few.get_mut(index) {
            *slot = time;
            return;
        }
        let index = index - self.few.len();
        if self.more.len() <= index {
            self.more.resize(index + 1, 0);
        }
        if let Some(slot) = self.more.get_mut(index) {
            *slot = time;
        }
    }

    fn get(&self, index: u16) -> u64 {
        let index = usize::from(index);
        let time = self
            .few
            .get(index)
            .or_else(|| self.more.get(index - self.few.len()));
        time.copied().unwrap_or_default()
    }
}

impl Work<'_> {
    /// Leaves room for a length; where it is.
    fn open(&mut self, width: usize) -> usize {
        let start = self.out.len();
        self.out.resize(start + width, 0);
        start
    }

    /// Writes the length of what came after the room for it, moving that if the room is not right.
    fn close(&mut self, start: usize, width: usize) -> Option<usize> {
        let content = start + width;
        let length = self.out.len().checked_sub(content)? as u64;
        let needed = varint::length(length);
        if needed > width {
            let end = self.out.len();
            self.out.resize(end + needed - width, 0);
            self.out.copy_within(content..end, start + needed);
        } else if needed < width {
            self.out.copy_within(content.., start + needed);
            self.out.truncate(self.out.len() - (width - needed));
        }
        let mut rest = length;
        for slot in self.out.get_mut(start..start + needed)? {
            *slot = rest as u8 | 0x80;
            rest >>= 7;
        }
        *self.out.get_mut(start + needed - 1)? &= 0x7f;
        Some(needed)
    }

    fn length(&mut self, length: usize) {
        varint::push(&mut self.out, length as u64);
    }

    /// Writes the steps of a message from one on, up to its next children: that step, and what they are.
    #[inline]
    fn write_own(
        &mut self,
        shape: &Shape,
        from: usize,
        open: &mut Option<usize>,
        ids: &MessageIds,
        times: &Times,
        found: &Found,
    ) -> Option<Written> {
        for (index, step) in shape.steps.iter().enumerate().skip(from) {
            match *step {
                Step::Children { tag, message, run } => {
                    return Some(Written::UntilChildren(index, (tag, message, run)));
                }
                Step::Open(tag) => {
                    self.out.push(tag);
                    *open = Some(self.open(1));
                }
                Step::Close => {
                    self.close(open.take()?, 1)?;
                }
                Step::Literal(span) => self.out.extend_from_slice(shape.literal(span)),
                Step::Attribute { .. } | Step::Value { .. } => self.value(*step, shape, found),
                Step::Time { tag, index } => {
                    let mut field = [tag; 9];
                    if let Some(content) = field.last_chunk_mut() {
                        *content = times.get(index).to_le_bytes();
                    }
                    self.out.extend_from_slice(&field);
                }
                Step::TraceId(tag) => {
                    self.out.extend_from_slice(&[tag, 16]);
                    self.out.extend_from_slice(&ids.trace.unwrap_or_default());
                }
                Step::SpanId(tag) => self.eight(tag, ids.span),
                Step::ParentId(tag) => self.eight(tag, ids.parent),
                Step::Opaque => self.out.extend_from_slice(found.get(0)),
            }
            if self.out.len() > self.length + OPEN_SPARE {
                return None;
            }
        }
        open.is_none().then_some(Written::Whole)
    }

    #[inline]
    fn value(&mut self, step: Step, shape: &Shape, found: &Found) {
        match step {
            Step::Attribute {
                tag,
                key,
                inner_tag,
                slot,
            } => {
                let value = found.get(slot);
                let key = shape.literal(key);
                let is_delimited = inner_tag & 7 == DELIMITED;
                let mut inner = value.len();
                if is_delimited {
                    inner += varint::length(value.len() as u64);
                }
                inner += usize::from(inner_tag != 0);
                let total = key.len() + varint::length(inner as u64) + inner;
                if total < 0x80 && is_delimited {
                    // Nearly all: every length takes a byte.
                    self.out.extend_from_slice(&[tag, total as u8]);
                    self.out.extend_from_slice(key);
                    let head = [inner as u8, inner_tag, value.len() as u8];
                    self.out.extend_from_slice(&head);
                    self.out.extend_from_slice(value);
                    return;
                }
                self.out.push(tag);
                self.length(total);
                self.out.extend_from_slice(key);
                self.length(inner);
                if inner_tag != 0 {
                    self.out.push(inner_tag);
                }
                if is_delimited {
                    self.length(value.len());
                }
                self.out.extend_from_slice(value);
            }
            Step::Value { tag, slot } => {
                let value = found.get(slot);
                self.out.extend_from_slice(shape.literal(tag));
                let kind = shape.slots.get(usize::from(slot)).map(|slot| slot.kind);
                if kind == Some(Kind::Text) {
                    self.length(value.len());
                }
                self.out.extend_from_slice(value);
            }
            _ => {}
        }
    }

    fn eight(&mut self, tag: u8, id: Option<u64>) {
        self.out.extend_from_slice(&[tag, 8]);
        self.out
            .extend_from_slice(&id.unwrap_or_default().to_le_bytes());
    }
}
