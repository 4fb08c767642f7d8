//! The values of one message, coded: by a path, by its slot's model, by its key's dictionary, or as they are.

use millrace_wire::varint;

use crate::coder::Code;
use crate::dictionary::{Dictionary, Key, Lookup};
use crate::ids::Raw;
use crate::shape::{Kind, Slot};
use crate::template::{GAP, Split};

/// How a value that its slot does not expect is told.
mod way {
    /// As it is.
    pub(super) const PLAIN: u16 = 0;
    /// By its age in the key's dictionary.
    pub(super) const KNOWN: u16 = 1;
    /// A number by its difference from the last of the slot.
    pub(super) const LARGER: u16 = 2;
    pub(super) const SMALLER: u16 = 3;
    /// Text that is a UUID in lower case: 16 bytes.
    pub(super) const UUID: u16 = 4;
    /// Text that is a decimal number without a leading zero.
    pub(super) const DECIMAL: u16 = 5;
    /// Text that is 16 or 32 hexadecimal digits in lower case.
    pub(super) const HEX8: u16 = 6;
    pub(super) const HEX16: u16 = 7;
    /// Text by its template and its words.
    pub(super) const TEMPLATE: u16 = 8;
    pub(super) const BITS: u32 = 4;
}

/// Slots that are surprised more often than this do not learn what comes only once.
const SURPRISES_LEARNED: u32 = 16;

/// What the coding of values works with, beside the shape.
pub(crate) struct Means<'s, C, R, T> {
    pub(crate) coder: &'s mut C,
    pub(crate) raw: &'s mut R,
    pub(crate) text: &'s mut T,
    pub(crate) dictionary: &'s mut Dictionary,
}

/// Literal text, appended by the sender and taken from the front by the receiver.
pub(crate) trait Text {
    /// The piece: for the sender `piece`, for the receiver the next `length` bytes.
    fn piece<'t>(&'t mut self, piece: &'t [u8], length: u64) -> Option<&'t [u8]>;
}

impl Text for Vec<u8> {
    fn piece<'t>(&'t mut self, piece: &'t [u8], _: u64) -> Option<&'t [u8]> {
        self.extend_from_slice(piece);
        Some(piece)
    }
}

impl Text for &[u8] {
    fn piece<'t>(&'t mut self, _: &'t [u8], length: u64) -> Option<&'t [u8]> {
        let (piece, rest) = self.split_at_checked(usize::try_from(length).ok()?)?;
        *self = rest;
        Some(piece)
    }
}

/// Where values go, slot by slot: to the receiver's message. The sender has them already.
pub(crate) trait Sink {
    /// Takes the value of the next slot; where it is kept until the message is whole.
    fn put(&mut self, slot: usize, value: &[u8]) -> Option<Kept>;
    /// The value that is kept there.
    fn kept(&self, slot: usize, kept: Kept) -> &[u8];
}

/// Where a sink keeps a value: from, to.
pub(crate) type Kept = (u32, u32);

/// The sender's values.
pub(crate) struct Given<'v>(pub(crate) &'v [&'v [u8]]);

impl Sink for Given<'_> {
    #[inline]
    fn put(&mut self, _: usize, _: &[u8]) -> Option<Kept> {
        Some((0, 0))
    }

    fn kept(&self, slot: usize, _: Kept) -> &[u8] {
        self.0.get(slot).copied().unwrap_or_default()
    }
}

/// What is found out about the values of one message before anything of it is remembered.
#[derive(Debug, Default)]
pub(crate) struct Places {
    fresh: Vec<(usize, Kept)>,
    /// Where the values are that a path would have, if they came one by one.
    on_path: Vec<(usize, Kept)>,
    words: Words,
}

/// What texts are taken apart in, and put together.
#[derive(Debug, Default)]
struct Words {
    split: Split,
    text: Vec<u8>,
}

/// Codes the values of a message that are not on its path: `values` for the sender; into `sink` for the receiver. Nothing is
/// remembered before all are coded, so that what a place stands for cannot change meanwhile. `None` if what is read makes no
/// sense.
pub(crate) fn code<C: Code, R: Raw, T: Text>(
    means: &mut Means<'_, C, R, T>,
    slots: &mut [Slot],
    has_path: bool,
    values: &[&[u8]],
    mut lookup: Option<&mut Lookup>,
    sink: &mut impl Sink,
    places: &mut Places,
) -> Option<()> {
    places.fresh.clear();
    places.on_path.clear();
    for (index, slot) in slots.iter_mut().enumerate() {
        if has_path && slot.on_path {
            continue;
        }
        let value = values.get(index).copied().unwrap_or_default();
        let words = Some(&mut places.words);
        let lookup = lookup.as_deref_mut();
        let (kept, is_fresh) = one(means, (index, slot), value, lookup, sink, words)?;
        if slot.on_path {
            places.on_path.push((index, kept));
        }
        if is_fresh {
            places.fresh.push((index, kept));
        }
    }
    for (index, kept) in &places.fresh {
        let slot = slots.get_mut(*index)?;
        let value = sink.kept(*index, *kept);
        let is_kept = remember(slot, value, means.dictionary, lookup.as_deref_mut());
        if !is_kept && slot.on_path {
            // What cannot be remembered crowds its slot out of the paths.
            slot.surprises = u32::MAX;
        }
    }
    Some(())
}

/// Remembers a value that came as something new; whether there is a place for it.
fn remember(
    slot: &mut Slot,
    value: &[u8],
    dictionary: &mut Dictionary,
    lookup: Option<&mut Lookup>,
) -> bool {
    let Some(place) = dictionary.add(slot.key, value) else {
        return false;
    };
    if slot.surprises <= SURPRISES_LEARNED {
        slot.model.learn(place);
    }
    slot.last = place;
    if let Some(lookup) = lookup {
        lookup.note(slot.key, value, place);
    }
    true
}

impl Places {
    /// Where the value of a slot is kept that would be on the path.
    pub(crate) fn kept(&self, slot: u16) -> Option<Kept> {
        let index = usize::from(slot);
        self.on_path
            .iter()
            .find(|(slot, _)| *slot == index)
            .map(|(_, kept)| *kept)
    }
}

#[inline]
fn place_of(slot: &Slot, value: &[u8], dictionary: &Dictionary, lookup: &Lookup) -> Option<u16> {
    if dictionary.key(slot.key)?.value(slot.last) == Some(value) {
        return Some(slot.last);
    }
    lookup.find(dictionary, slot.key, value)
}

/// Codes one value by itself: where it is kept, and whether it is new. `None` if it makes no sense.
fn one<C: Code, R: Raw, T: Text>(
    means: &mut Means<'_, C, R, T>,
    (index, slot): (usize, &mut Slot),
    value: &[u8],
    lookup: Option<&mut Lookup>,
    sink: &mut impl Sink,
    mut words: Option<&mut Words>,
) -> Option<(Kept, bool)> {
    let mut place = None;
    if C::SENDS {
        place = place_of(slot, value, means.dictionary, lookup.as_deref()?);
    }
    if let Some(place) = slot.model.code(means.coder, place) {
        let value = means.dictionary.key(slot.key)?.value(place)?;
        return Some((known(index, slot, place, value, sink)?, false));
    }
    slot.surprises = slot.surprises.saturating_add(1);
    let key = means.dictionary.key_mut(slot.key)?;
    let mut chosen = way::PLAIN;
    let mut template = 0;
    if C::SENDS {
        chosen = choose(slot, value, place.is_some());
        if let Some(words) = &mut words
            && (slot.kind, chosen) == (Kind::Text, way::PLAIN)
            && words.split.cut(value)
            && let Some(known) = key.templates.find(&words.split)
        {
            (chosen, template) = (way::TEMPLATE, known);
        }
    }
    chosen = key.way.code_of(means.coder, chosen, way::BITS);
    if chosen == way::KNOWN {
        let age = place.map_or(0, |place| key.age_of(place));
        let age = key.age.code_number(means.coder, age);
        let place = key.place_of(age)?;
        slot.model.learn(place);
        return Some((known(index, slot, place, key.value(place)?, sink)?, false));
    }
    if chosen == way::TEMPLATE {
        let words = words?;
        let mut text = std::mem::take(&mut words.text);
        by_words(
            means,
            slot.key,
            (template, value),
            lookup,
            &words.split,
            &mut text,
        )?;
        let kept = sink.put(index, &text)?;
        words.text = text;
        return Some((kept, true));
    }
    let mut short = Short::default();
    let value = spell(
        means.coder,
        means.raw,
        means.text,
        key,
        slot,
        (value, chosen),
        &mut short,
    )?;
    let kept = sink.put(index, value)?;
    if let Some(words) = words
        && (slot.kind, chosen) == (Kind::Text, way::PLAIN)
    {
        means
            .dictionary
            .learn_template(slot.key, value, &mut words.split);
    }
    Some((kept, true))
}

/// Codes a text by its template and its words; puts it together in `text`.
fn by_words<C: Code, R: Raw, T: Text>(
    means: &mut Means<'_, C, R, T>,
    key: u16,
    (template, value): (usize, &[u8]),
    mut lookup: Option<&mut Lookup>,
    split: &Split,
    text: &mut Vec<u8>,
) -> Option<()> {
    let templates = &mut means.dictionary.key_mut(key)?.templates;
    let which = templates.which.code_number(means.coder, template as u64);
    let which = usize::try_from(which).ok()?;
    let mut template = std::mem::take(templates.get_mut(which)?);
    text.clear();
    let mut pieces = template.skeleton.split(|byte| *byte == GAP);
    text.extend_from_slice(pieces.next()?);
    for (index, (slot, piece)) in template.words.iter_mut().zip(pieces).enumerate() {
        let word = split.words.get(index).cloned();
        let word = word.and_then(|word| value.get(word)).unwrap_or_default();
        let mut gathered = Gathered(text);
        let lookup_here = lookup.as_deref_mut();
        let ((start, end), is_fresh) =
            one(means, (index, slot), word, lookup_here, &mut gathered, None)?;
        if is_fresh {
            let word = text.get(start as usize..end as usize)?;
            remember(slot, word, means.dictionary, lookup.as_deref_mut());
        }
        text.extend_from_slice(piece);
    }
    *means.dictionary.key_mut(key)?.templates.get_mut(which)? = template;
    Some(())
}

/// Puts words together to a text, for both sides.
struct Gathered<'t>(&'t mut Vec<u8>);

impl Sink for Gathered<'_> {
    fn put(&mut self, _: usize, value: &[u8]) -> Option<Kept> {
        let start = self.0.len() as u32;
        self.0.extend_from_slice(value);
        Some((start, self.0.len() as u32))
    }

    fn kept(&self, _: usize, (start, end): Kept) -> &[u8] {
        self.0.get(start as usize..end as usize).unwrap_or_default()
    }
}

/// Takes note of a value that came from its place.
#[inline]
fn known(
    index: usize,
    slot: &mut Slot,
    place: u16,
    value: &[u8],
    sink: &mut impl Sink,
) -> Option<Kept> {
    slot.last = place;
    if slot.kind == Kind::Varint {
        slot.number = varint::read(value)?.0;
    }
    sink.put(index, value)
}

/// Codes a value as it is; what it is, spelled out.
fn spell<'v, C: Code, R: Raw, T: Text>(
    coder: &mut C,
    raw: &mut R,
    text: &'v mut T,
    key: &mut Key,
    slot: &mut Slot,
    (value, chosen): (&'v [u8], u16),
    short: &'v mut Short,
) -> Option<&'v [u8]> {
    Some(match (slot.kind, chosen) {
        (Kind::Varint, way::PLAIN | way::LARGER | way::SMALLER) => {
            let sent = varint::read(value).map_or(0, |(value, _)| value);
            let last = slot.number;
            let number = match chosen {
                way::PLAIN => key.number.code_number(coder, sent),
                way::LARGER => {
                    let more = key.difference.code_number(coder, sent.wrapping_sub(last));
                    last.wrapping_add(more)
                }
                _ => {
                    let less = key.difference.code_number(coder, last.wrapping_sub(sent));
                    last.wrapping_sub(less)
                }
            };
            slot.number = number;
            short.varint(number)
        }
        (Kind::Fixed64, way::PLAIN) => {
            let sent = value
                .first_chunk()
                .map_or(0, |bytes| u64::from_le_bytes(*bytes));
            short.bytes(&coder.bits(sent, 64).to_le_bytes())
        }
        (Kind::Fixed32, way::PLAIN) => {
            let sent = value
                .first_chunk()
                .map_or(0, |bytes| u32::from_le_bytes(*bytes));
            short.bytes(&(coder.bits(u64::from(sent), 32) as u32).to_le_bytes())
        }
        (Kind::Text, way::PLAIN) => {
            let length = key.length.code_number(coder, value.len() as u64);
            text.piece(value, length)?
        }
        (Kind::Text, way::DECIMAL) => {
            let sent = decimal(value).unwrap_or_default();
            short.decimal(key.number.code_number(coder, sent))
        }
        (Kind::Text, way::UUID) => short.uuid(raw.sixteen(uuid(value).unwrap_or_default())?),
        (Kind::Text, way::HEX8) => {
            short.hex(&raw.eight(hex8(value).unwrap_or_default())?.to_be_bytes())
        }
        (Kind::Text, way::HEX16) => short.hex(&raw.sixteen(hex16(value).unwrap_or_default())?),
        _ => return None,
    })
}

/// The cheapest way to tell a value.
fn choose(slot: &Slot, value: &[u8], is_known: bool) -> u16 {
    match slot.kind {
        Kind::Varint => {
            let sent = varint::read(value).map_or(0, |(value, _)| value);
            let (up, down) = (
                sent.wrapping_sub(slot.number),
                slot.number.wrapping_sub(sent),
            );
            if up.min(down) < sent / 4 {
                if up <= down {
                    way::LARGER
                } else {
                    way::SMALLER
                }
            } else if is_known && sent > 255 {
                way::KNOWN
            } else {
                way::PLAIN
            }
        }
        _ if is_known => way::KNOWN,
        Kind::Text => text_way(value),
        Kind::Fixed64 | Kind::Fixed32 => way::PLAIN,
    }
}

fn text_way(value: &[u8]) -> u16 {
    match value.len() {
        36 if uuid(value).is_some() => way::UUID,
        16 if hex8(value).is_some() => way::HEX8,
        32 if hex16(value).is_some() => way::HEX16,
        1..=19 if decimal(value).is_some() => way::DECIMAL,
        _ => way::PLAIN,
    }
}

/// The number of a text that is exactly how that number is written.
fn decimal(value: &[u8]) -> Option<u64> {
    let [first, rest @ ..] = value else {
        return None;
    };
    if value.len() > 19 || (*first == b'0' && !rest.is_empty()) {
        return None;
    }
    value.iter().try_fold(0u64, |number, digit| {
        digit
            .is_ascii_digit()
            .then(|| number * 10 + u64::from(digit - b'0'))
    })
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

fn byte([high, low]: [u8; 2]) -> Option<u8> {
    Some(nibble(high)? << 4 | nibble(low)?)
}

fn hex16(value: &[u8]) -> Option<[u8; 16]> {
    let (pairs, []) = value.as_chunks::<2>() else {
        return None;
    };
    let mut bytes = [0; 16];
    if pairs.len() != bytes.len() {
        return None;
    }
    for (out, pair) in bytes.iter_mut().zip(pairs) {
        *out = byte(*pair)?;
    }
    Some(bytes)
}

fn hex8(value: &[u8]) -> Option<u64> {
    let (pairs, []) = value.as_chunks::<2>() else {
        return None;
    };
    if pairs.len() != 8 {
        return None;
    }
    pairs.iter().try_fold(0, |number, pair| {
        Some(number << 8 | u64::from(byte(*pair)?))
    })
}

/// Where the hyphens of a UUID stand.
const HYPHENS: [usize; 4] = [8, 13, 18, 23];

fn uuid(value: &[u8]) -> Option<[u8; 16]> {
    if value.len() != 36 || HYPHENS.iter().any(|at| value.get(*at) != Some(&b'-')) {
        return None;
    }
    let mut digits = [0; 32];
    let plain = value
        .iter()
        .enumerate()
        .filter(|(at, _)| !HYPHENS.contains(at));
    for (out, (_, digit)) in digits.iter_mut().zip(plain) {
        *out = *digit;
    }
    hex16(&digits)
}

/// A value that is written here and not found anywhere.
struct Short {
    bytes: [u8; 36],
    length: usize,
}

impl Default for Short {
    fn default() -> Self {
        Self {
            bytes: [0; 36],
            length: 0,
        }
    }
}

impl Short {
    fn push(&mut self, byte: u8) {
        if let Some(slot) = self.bytes.get_mut(self.length) {
            *slot = byte;
            self.length += 1;
        }
    }

    fn done(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    fn bytes(&mut self, bytes: &[u8]) -> &[u8] {
        for byte in bytes {
            self.push(*byte);
        }
        self.done()
    }

    fn varint(&mut self, mut value: u64) -> &[u8] {
        while value >= 0x80 {
            self.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.push(value as u8);
        self.done()
    }

    fn decimal(&mut self, mut value: u64) -> &[u8] {
        // Written backwards into the end.
        let mut start = self.bytes.len();
        for slot in self.bytes.iter_mut().rev() {
            *slot = b'0' + (value % 10) as u8;
            value /= 10;
            start -= 1;
            if value == 0 {
                break;
            }
        }
        self.bytes.get(start..).unwrap_or_default()
    }

    fn hex(&mut self, bytes: &[u8]) -> &[u8] {
        for byte in bytes {
            self.pair(*byte);
        }
        self.done()
    }

    fn uuid(&mut self, bytes: [u8; 16]) -> &[u8] {
        for (index, byte) in bytes.into_iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                self.push(b'-');
            }
            self.pair(byte);
        }
        self.done()
    }

    fn pair(&mut self, byte: u8) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        for digit in [byte >> 4, byte & 15] {
            self.push(DIGITS.get(usize::from(digit)).copied().unwrap_or(b'0'));
        }
    }
}
