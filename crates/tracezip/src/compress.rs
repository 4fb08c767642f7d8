//! The sender's side of a session: requests in, frames out.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use millrace_wire::field::{DELIMITED, Fields, Value};
use millrace_wire::{Signal, count};
use zstd::zstd_safe::{self, CCtx, CParameter};

use crate::coder::Writer;
use crate::dictionary::Lookup;
use crate::family::Family;
use crate::frame::{Header, Mode, Parts};
use crate::hash::{quick, xxh64};
use crate::ids::MessageIds;
use crate::limits::{DEPTH, Limits};
use crate::memory::{allocated, of_vec};
use crate::model::Model;
use crate::rebuild::write_step;
use crate::schema::{Message, Role};
use crate::shape::Shape;
use crate::signature::{OPAQUE, Parsed};
use crate::tables::{Before, Tables};
use crate::text::{Deflater, TEXT, WHOLE};
use crate::values::{self, Given, Means, Places};

/// Level of plain frames.
const PLAIN_LEVEL: i32 = 3;
/// A frame may be this much larger than plain zstd: what a first frame defines pays later.
const LARGER_BYTES_MAX: usize = 48;
/// Every so many frames the size of a plain frame is found out, to know what there is to be better than.
const SAMPLE_FRAMES: u64 = 64;
/// ... by so many bytes of a request, which tell enough.
const SAMPLE_BYTES: usize = 32 << 10;
/// Frames that shapes may lose in a row before they rest.
const LOST_FRAMES_MAX: u32 = 16;
/// Frames that they rest then.
const REST_FRAMES: u64 = 4096;

/// A request that was so many times as long as its frame says little that is new.
const REPEATED_RATE: usize = 64;
/// Of so many bytes of random ids fewer than one is zero: one of 256 is.
const RANDOM_ZEROS: usize = 32;
/// ... if there are as many that chance has no say.
const RAW_SPARE: usize = 256;
/// Four times the spans of a frame that may be known already, as parents of others in frames before.
const SPANS_SPARE: u64 = 64;

/// Shapes that are tried after the likeliest: the last ones of messages with the same sketch.
const SKETCHED_SHAPES: usize = 4;
/// Sketches of messages that are told apart.
const SKETCHES: usize = 1 << 10;
/// Fields in front of a message among which a name is looked for.
const SKETCHED_FIELDS: usize = 6;

/// What the session carries by shapes; anything else goes into its zstd stream.
const BY_SHAPES: [Signal; 2] = [Signal::Traces, Signal::Logs];

/// Makes frames of requests.
#[derive(Debug)]
pub struct Compressor {
    limits: Limits,
    session: u64,
    sequence: u64,
    chain: u32,
    sender: Sender,
    whole: Deflater,
    /// Bytes of a plain frame for each 1024 bytes of a request, as last seen.
    plain_rate: u64,
    sampled: u64,
    lost: u32,
    rest_until: u64,
    frames: u64,
    by_shapes: [bool; 4],
}

/// What has no part in what both sides remember.
#[derive(Debug)]
struct Sender {
    tables: Tables,
    shapes: ByContent,
    lookup: Lookup,
    writer: Writer,
    raw: Vec<u8>,
    text: Vec<u8>,
    deflater: Deflater,
    places: Places,
}

impl Compressor {
    /// A session of this number, which its sender draws at random and never uses again.
    #[must_use]
    pub fn new(limits: Limits, session: u64) -> Self {
        let limits = limits.clamped();
        Self {
            limits,
            session,
            sequence: 0,
            chain: 0,
            sender: Sender::new(limits),
            whole: Deflater::new(WHOLE),
            plain_rate: 0,
            sampled: 0,
            lost: 0,
            rest_until: 0,
            frames: 0,
            by_shapes: Signal::ALL.map(|signal| BY_SHAPES.contains(&signal)),
        }
    }

    /// The number of the session.
    #[must_use]
    pub fn session(&self) -> u64 {
        self.session
    }

    /// Whether requests of a signal are taken apart by shapes, where that is possible.
    pub fn use_shapes(&mut self, signal: Signal, yes: bool) {
        if let Some(slot) = self.by_shapes.get_mut(signal as usize) {
            *slot = yes;
        }
    }

    /// Begins a new session under a new number.
    pub fn reset(&mut self, session: u64) {
        self.session = session;
        (self.sequence, self.chain) = (0, 0);
        self.sender = Sender::new(self.limits);
        self.whole = Deflater::new(WHOLE);
    }

    /// Makes a frame of a request. `None` only if zstd gets no memory.
    pub fn compress(&mut self, signal: Signal, request: &[u8]) -> Option<Vec<u8>> {
        self.frames += 1;
        if request.len() > self.limits.request_bytes {
            return plain_frame(signal, request);
        }
        let mode = if self.frames > self.rest_until && self.fits(signal, request) {
            Mode::Shapes
        } else {
            Mode::Stream
        };
        let header = Header {
            mode,
            signal,
            request_length: request.len(),
            hash: xxh64(request, 0),
            session: self.session,
            sequence: self.sequence,
            chain: self.chain,
        };
        let mut frame = Vec::with_capacity(request.len() / 8 + 256);
        header.write(&mut frame);
        let ids = self.sender.tables.ids.spans_added();
        let body = match mode {
            Mode::Shapes => self.sender.body(signal, request, &mut frame),
            _ => self.whole.push(request, &mut frame),
        };
        if body.is_none() {
            self.renew();
            return plain_frame(signal, request);
        }
        self.sequence += 1;
        self.chain = next_chain(self.chain, header.hash);
        let new_ids = self.sender.tables.ids.spans_added() - ids;
        let may_repeat =
            mode == Mode::Shapes && self.sender.may_repeat(signal, request, &frame, new_ids);
        self.compared(signal, request, frame, may_repeat)
    }

    /// Whether shapes exist for the signal, and the request is made of fields as every writer makes them.
    fn fits(&self, signal: Signal, request: &[u8]) -> bool {
        let Some(root) = Message::of_signal(signal) else {
            return false;
        };
        let mut parsed = Parsed::default();
        parsed.read(root, request, false);
        self.by_shapes.get(signal as usize) == Some(&true)
            && parsed.signature.get(1) != Some(&OPAQUE)
    }

    /// The frame, or a plain one in its place if that is much smaller; the session then begins anew, for its memory holds
    /// what the receiver will never see.
    fn compared(
        &mut self,
        signal: Signal,
        request: &[u8],
        frame: Vec<u8>,
        may_repeat: bool,
    ) -> Option<Vec<u8>> {
        let is_doubtful = |rate: u64| {
            let expected = (request.len() as u64 * rate) >> 10;
            may_repeat || frame.len() as u64 * 4 > expected * 3 && frame.len() > 64
        };
        if !is_doubtful(self.plain_rate) {
            if self.frames < self.sampled + SAMPLE_FRAMES {
                return Some(frame);
            }
            let sample = request.get(..SAMPLE_BYTES).unwrap_or(request);
            self.sample(sample.len(), plain_frame(signal, sample)?.len());
            if !is_doubtful(self.plain_rate) {
                return Some(frame);
            }
        }
        let plain = plain_frame(signal, request)?;
        self.sample(request.len(), plain.len());
        if frame.len() <= plain.len() + LARGER_BYTES_MAX {
            self.lost = 0;
            return Some(frame);
        }
        self.lost += 1;
        if self.lost >= LOST_FRAMES_MAX {
            self.lost = 0;
            self.rest_until = self.frames + REST_FRAMES;
        }
        self.renew();
        Some(plain)
    }

    /// Takes note of what zstd makes of some bytes.
    fn sample(&mut self, length: usize, plain_length: usize) {
        self.sampled = self.frames;
        self.plain_rate = ((plain_length as u64) << 10) / (length as u64).max(1);
    }

    /// Begins a new session whose number nobody can guess who does not know the old one.
    fn renew(&mut self) {
        self.reset(xxh64(&self.session.to_le_bytes(), self.sequence));
    }

    /// Bytes held, about: tables, models and the windows of zstd.
    #[must_use]
    pub fn held(&self) -> usize {
        let sender = &self.sender;
        sender.tables.held()
            + sender.lookup.held()
            + sender.shapes.held()
            + sender.deflater.held()
            + self.whole.held()
    }

    /// A hash of what the session remembers; that of the receiver is the same after the same frames.
    #[must_use]
    pub fn digest(&self) -> u64 {
        self.sender.tables.digest()
    }

    /// Shapes, paths' nodes left, and signature bytes: for whoever watches a session grow.
    #[must_use]
    pub fn shape_count(&self) -> usize {
        self.sender.tables.shapes.len()
    }
}

/// The hash of all frames so far.
pub(crate) fn next_chain(chain: u32, hash: u64) -> u32 {
    xxh64(&hash.to_le_bytes(), u64::from(chain)) as u32
}

impl Sender {
    /// Whether a request may say the same over and over, which zstd finds at any distance and models do not: where hardly
    /// anything is left of it, where ids are no random numbers, or where many spans brought none that is new.
    fn may_repeat(&self, signal: Signal, request: &[u8], frame: &[u8], new_ids: u64) -> bool {
        let zeros: usize = self.raw.iter().map(|byte| usize::from(*byte == 0)).sum();
        frame.len() * REPEATED_RATE < request.len()
            || zeros * RANDOM_ZEROS > self.raw.len() + RAW_SPARE
            || signal == Signal::Traces
                && new_ids * 4 + SPANS_SPARE < count(signal, request) as u64 * 3
    }

    fn new(limits: Limits) -> Self {
        Self {
            tables: Tables::new(limits, true),
            shapes: ByContent::default(),
            lookup: Lookup::default(),
            writer: Writer::default(),
            raw: Vec::new(),
            text: Vec::new(),
            deflater: Deflater::new(TEXT),
            places: Places::default(),
        }
    }

    fn body(&mut self, signal: Signal, request: &[u8], frame: &mut Vec<u8>) -> Option<()> {
        self.writer.clear();
        self.raw.clear();
        self.text.clear();
        let mut levels: [Parsed<'_>; DEPTH] = Default::default();
        let root = Message::of_signal(signal)?;
        self.message(root, request, Before::Nothing, 0, &mut levels)?;
        let mut symbols = Vec::new();
        let bits = self.writer.finish(&mut symbols);
        let mut text = Vec::new();
        if !self.text.is_empty() {
            self.deflater.push(&self.text, &mut text)?;
        }
        let parts = Parts {
            symbols: &symbols,
            bits,
            raw: &self.raw,
            text_length: self.text.len(),
            text: &text,
        };
        parts.write(frame);
        Some(())
    }

    /// Codes a message and all that is in it; its shape and its last time.
    fn message<'a>(
        &mut self,
        kind: Message,
        bytes: &'a [u8],
        before: Before,
        known_time: u64,
        levels: &mut [Parsed<'a>],
    ) -> Option<(usize, u64)> {
        let (parsed, inner) = levels.split_first_mut()?;
        let number = self.shape(kind, bytes, before, parsed)?;
        self.own(number, bytes, parsed, known_time)?;
        let first_time = parsed.times.all().first().copied().unwrap_or(known_time);
        let last_time = parsed.times.all().last().copied().unwrap_or(known_time);
        let mut children = parsed.children.iter();
        for (place, count) in parsed.runs.iter().enumerate() {
            let place_of = self.tables.shapes.get_mut(number)?.places.get_mut(place)?;
            let message = place_of.message;
            place_of.count.code_number(&mut self.writer, *count as u64);
            let mut before = Before::Parent(number, place);
            let mut time = first_time;
            for child in children.by_ref().take(*count) {
                let (shape, last) = self.message(message, child, before, time, inner)?;
                (before, time) = (Before::Sibling(shape), last);
            }
        }
        Some((number, last_time))
    }

    /// Takes a message apart and codes which shape it has, with its signature if it is new.
    fn shape<'a>(
        &mut self,
        kind: Message,
        bytes: &'a [u8],
        before: Before,
        parsed: &mut Parsed<'a>,
    ) -> Option<usize> {
        let likely = self.tables.likely(before);
        if let Some(number) = likely.filter(|shape| self.tables.has(parsed, *shape, kind, bytes)) {
            return self
                .tables
                .code_shape(&mut self.writer, before, Some(number))?;
        }
        let sketch = sketch(kind, bytes);
        let likely = self.shapes.by_sketch(sketch);
        let mut known = first_of(likely, &self.tables, kind, bytes, parsed);
        if known.is_none() {
            let names_vary = self.tables.is_crowded();
            parsed.read(kind, bytes, names_vary);
            known = self
                .shapes
                .find(parsed, &self.tables, (kind, bytes, names_vary));
            if known.is_none() && !self.tables.has_room(parsed.signature.len()) {
                parsed.give_up(kind, bytes);
                known = self
                    .shapes
                    .find(parsed, &self.tables, (kind, bytes, names_vary));
            }
        }
        if let Some(shape) = self.tables.code_shape(&mut self.writer, before, known)? {
            self.shapes.sketched(sketch, shape);
            return Some(shape);
        }
        let length = parsed.signature.len() as u64;
        self.tables
            .signature_length
            .code_number(&mut self.writer, length);
        self.text.extend_from_slice(&parsed.signature);
        let number = self.tables.add_shape(kind, &parsed.signature, before)?;
        self.shapes.add(&parsed.signature, number);
        self.shapes.sketched(sketch, number);
        Some(number)
    }

    /// Codes ids, times and values of a message.
    fn own<'a>(
        &mut self,
        number: usize,
        bytes: &'a [u8],
        parsed: &mut Parsed<'a>,
        known_time: u64,
    ) -> Option<()> {
        let mut given = MessageIds {
            trace: parsed.trace_id.copied(),
            span: parsed.span_id,
            parent: parsed.parent_id,
        };
        self.tables.code_own(
            &mut self.writer,
            &mut self.raw,
            number,
            &mut given,
            known_time,
            &mut parsed.times,
        )?;
        let Tables {
            shapes,
            families,
            dictionary,
            budget,
            ..
        } = &mut self.tables;
        let shape = shapes.get_mut(number)?;
        let Family { head, slots, .. } = families.get_mut(shape.family)?;
        if shape.parts.is_empty() {
            return Some(());
        }
        let path = parsed.path.map_or(Model::OTHER, |path| path as u16);
        let path = shape.paths.model.code(&mut self.writer, path);
        if let Some(path) = path {
            shape.paths.came(path);
        } else if parsed.path.is_some() {
            // It came so rarely that its model has forgotten it.
            parsed.without_path(shape, head, bytes)?;
        }
        let Shape {
            parts,
            paths,
            steps,
            literals,
            ..
        } = shape;
        let mut means = Means {
            coder: &mut self.writer,
            raw: &mut self.raw,
            text: &mut self.text,
            dictionary,
        };
        let values = &parsed.values;
        let mut sink = Given::new(values);
        values::code(
            &mut means,
            (parts, slots),
            path.is_some().then_some(&*paths.others),
            values,
            Some(&mut self.lookup),
            &mut sink,
            &mut self.places,
        )?;
        if path.is_none() && paths.is_used() {
            paths.learn(steps, (parts, slots), budget, |step, path| {
                let value = step.slot().and_then(|slot| values.get(usize::from(slot)));
                write_step(step, value.copied().unwrap_or_default(), literals, path)
            })?;
        }
        Some(())
    }
}

/// From messages to shapes: by their signature, and by what little a sketch sees.
#[derive(Debug)]
struct ByContent {
    by_hash: HashMap<u64, usize, BuildHasherDefault<Hashed>>,
    /// The last shapes of messages with a sketch, counted from 1.
    sketches: Vec<[u16; SKETCHED_SHAPES]>,
}

impl Default for ByContent {
    fn default() -> Self {
        Self {
            by_hash: HashMap::default(),
            sketches: vec![[0; SKETCHED_SHAPES]; SKETCHES],
        }
    }
}

impl ByContent {
    /// The shape with the signature of a message, which is taken apart again.
    fn find<'a>(
        &self,
        parsed: &mut Parsed<'a>,
        tables: &Tables,
        (kind, bytes, names_vary): (Message, &'a [u8], bool),
    ) -> Option<usize> {
        let number = *self.by_hash.get(&quick(&parsed.signature, 0))?;
        let shape = tables.shapes.get(number)?;
        if parsed.signature.get(1) == Some(&OPAQUE) {
            return (shape.is_opaque() && shape.message == kind).then_some(number);
        }
        if tables.has(parsed, number, kind, bytes) {
            return Some(number);
        }
        // Another signature with the same hash; that one cannot be found any more.
        parsed.read(kind, bytes, names_vary);
        None
    }

    fn add(&mut self, signature: &[u8], shape: usize) {
        self.by_hash.insert(quick(signature, 0), shape);
    }

    fn by_sketch(&self, sketch: usize) -> impl Iterator<Item = usize> {
        let shapes = self.sketches.get(sketch).copied().unwrap_or_default();
        shapes
            .into_iter()
            .filter_map(|shape| usize::from(shape).checked_sub(1))
    }

    fn sketched(&mut self, sketch: usize, shape: usize) {
        let shape = shape as u16 + 1;
        let Some(known) = self.sketches.get_mut(sketch) else {
            return;
        };
        let at = known.iter().position(|known| *known == shape);
        let at = at.unwrap_or(known.len() - 1);
        if let Some(before) = known.get_mut(..=at) {
            before.rotate_right(1);
        }
        if let Some(first) = known.first_mut() {
            *first = shape;
        }
    }

    fn held(&self) -> usize {
        of_vec(&self.sketches)
            + allocated(self.by_hash.capacity() * (size_of::<(u64, usize)>() + 1))
    }
}

/// The first of these shapes that a message has; it is taken apart then.
fn first_of<'a>(
    mut likely: impl Iterator<Item = usize>,
    tables: &Tables,
    kind: Message,
    bytes: &'a [u8],
    parsed: &mut Parsed<'a>,
) -> Option<usize> {
    likely.find(|number| tables.has(parsed, *number, kind, bytes))
}

/// A number below [`SKETCHES`] that messages of one shape often have in common: by the first of their names.
fn sketch(kind: Message, bytes: &[u8]) -> usize {
    let name = Fields::new(bytes).take(SKETCHED_FIELDS).find(|field| {
        matches!(field.value, Value::Delimited(_))
            && kind.role(field.number, DELIMITED) == Role::Constant
    });
    let name = name.map(|field| field.bytes).unwrap_or_default();
    quick(name, kind as u64) as usize & (SKETCHES - 1)
}

/// The hasher of what is a hash already.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = quick(bytes, self.0);
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// A frame that needs no session. Its compressor is not kept: such frames are rare, and it is larger than all else.
fn plain_frame(signal: Signal, request: &[u8]) -> Option<Vec<u8>> {
    let mut context = CCtx::try_create()?;
    context.set_parameter(CParameter::ChecksumFlag(true)).ok()?;
    context
        .set_parameter(CParameter::CompressionLevel(PLAIN_LEVEL))
        .ok()?;
    let header = Header {
        mode: Mode::Plain,
        signal,
        request_length: request.len(),
        hash: 0,
        session: 0,
        sequence: 0,
        chain: 0,
    };
    let mut body = Vec::with_capacity(zstd_safe::compress_bound(request.len()));
    context.compress2(&mut body, request).ok()?;
    let mut frame = Vec::with_capacity(body.len() + 16);
    header.write(&mut frame);
    frame.extend_from_slice(&body);
    Some(frame)
}
