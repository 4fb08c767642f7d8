//! The values of one message, coded: by a path, by its slot's model, by its key's dictionary, or as they are.

use millrace_wire::varint;

use crate::coder::Code;
use crate::dictionary::{Dictionary, Key, Lookup};
use crate::family::Slot;
use crate::ids::Raw;
use crate::shape::{Kind, Part};
use crate::spelling::{Short, decimal, hex8, hex16, uuid};
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
    /// Added to a way where it is a symbol among the places of a slot: there are no so many.
    pub(super) const FIRST: u16 = 1 << 14;
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

/// The sender's values, in the order in which they are coded.
pub(crate) struct Given<'v> {
    values: &'v [&'v [u8]],
    put: u32,
}

impl<'v> Given<'v> {
    pub(crate) fn new(values: &'v [&'v [u8]]) -> Self {
        Self { values, put: 0 }
    }
}

impl Sink for Given<'_> {
    #[inline]
    fn put(&mut self, _: usize, _: &[u8]) -> Option<Kept> {
        self.put += 1;
        Some((self.put - 1, 0))
    }

    fn kept(&self, _: usize, (index, _): Kept) -> &[u8] {
        self.values.get(index as usize).copied().unwrap_or_default()
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

/// Codes the values of a message: of these slots, or of all: `values` for the sender; into `sink` for the receiver. Nothing is
/// remembered before all are coded, so that what a place stands for cannot change meanwhile. `None` if what is read makes no
/// sense.
pub(crate) fn code<C: Code, R: Raw, T: Text>(
    means: &mut Means<'_, C, R, T>,
    (parts, slots): (&[Part], &mut [Slot]),
    beside_path: Option<&[u16]>,
    values: &[&[u8]],
    mut lookup: Option<&mut Lookup>,
    sink: &mut impl Sink,
    places: &mut Places,
) -> Option<()> {
    places.fresh.clear();
    places.on_path.clear();
    for number in 0..beside_path.map_or(parts.len(), <[u16]>::len) {
        let index = match beside_path {
            Some(others) => usize::from(*others.get(number)?),
            None => number,
        };
        let part = parts.get(index)?;
        let slot = slots.get_mut(usize::from(part.slot))?;
        let value = values.get(number).copied().unwrap_or_default();
        let words = Some(&mut places.words);
        let lookup = lookup.as_deref_mut();
        let (kept, is_fresh) = one(means, (index, slot), value, lookup, sink, words)?;
        if part.on_path {
            places.on_path.push((index, kept));
        }
        if is_fresh {
            places.fresh.push((index, kept));
        }
    }
    for (index, kept) in &places.fresh {
        let part = parts.get(*index)?;
        let slot = slots.get_mut(usize::from(part.slot))?;
        let value = sink.kept(*index, *kept);
        let is_kept = remember(slot, value, means.dictionary, lookup.as_deref_mut());
        if !is_kept && part.on_path {
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
#[inline]
fn one<C: Code, R: Raw, T: Text>(
    means: &mut Means<'_, C, R, T>,
    (index, slot): (usize, &mut Slot),
    value: &[u8],
    lookup: Option<&mut Lookup>,
    sink: &mut impl Sink,
    mut words: Option<&mut Words>,
) -> Option<(Kept, bool)> {
    let mut known_at = None;
    let mut telling = Telling::default();
    if C::SENDS {
        let place = place_of(slot, value, means.dictionary, lookup.as_deref()?);
        known_at = place.and_then(|place| slot.model.find(place));
        if known_at.is_none() {
            telling = tell(slot, value, place, means.dictionary, words.as_deref_mut())?;
            known_at = slot.model.find(way::FIRST | telling.way);
        }
    }
    let known_symbol = slot.model.code_at(means.coder, known_at);
    if let Some(place) = known_symbol.filter(|symbol| *symbol < way::FIRST) {
        let value = means.dictionary.key(slot.key)?.value(place)?;
        return Some((known(index, slot, place, value, sink)?, false));
    }
    by_way(
        means,
        (index, slot),
        (value, known_symbol, telling),
        lookup,
        sink,
        words,
    )
}

/// Codes a value that its slot does not expect.
fn by_way<C: Code, R: Raw, T: Text>(
    means: &mut Means<'_, C, R, T>,
    (index, slot): (usize, &mut Slot),
    (value, known_way, mut telling): (&[u8], Option<u16>, Telling),
    lookup: Option<&mut Lookup>,
    sink: &mut impl Sink,
    words: Option<&mut Words>,
) -> Option<(Kept, bool)> {
    slot.surprises = slot.surprises.saturating_add(1);
    let key = means.dictionary.key_mut(slot.key)?;
    if let Some(symbol) = known_way {
        telling.way = symbol - way::FIRST;
    } else {
        telling.way = key.way.code_of(means.coder, telling.way, way::BITS);
        slot.model.learn(way::FIRST | telling.way);
    }
    if telling.way == way::KNOWN {
        let age = key.age.code_number(means.coder, telling.number);
        let place = key.place_of(age)?;
        slot.model.learn(place);
        return Some((known(index, slot, place, key.value(place)?, sink)?, false));
    }
    if telling.way == way::TEMPLATE {
        let words = words?;
        let mut text = std::mem::take(&mut words.text);
        let template = (telling.number, value);
        by_words(means, slot.key, template, lookup, &words.split, &mut text)?;
        let kept = sink.put(index, &text)?;
        words.text = text;
        return Some((kept, true));
    }
    let mut short = Short::default();
    let spelled = spell(means, slot, (value, telling), &mut short)?;
    let kept = sink.put(index, spelled)?;
    if let Some(words) = words
        && (slot.kind, telling.way) == (Kind::Text, way::PLAIN)
        && (C::SENDS && telling.is_cut || !C::SENDS && words.split.cut(spelled))
    {
        means.dictionary.learn_template(slot.key, &words.split);
    }
    Some((kept, true))
}

/// Codes a text by its template and its words; puts it together in `text`.
fn by_words<C: Code, R: Raw, T: Text>(
    means: &mut Means<'_, C, R, T>,
    key: u16,
    (template, value): (u64, &[u8]),
    mut lookup: Option<&mut Lookup>,
    split: &Split,
    text: &mut Vec<u8>,
) -> Option<()> {
    let templates = &mut means.dictionary.key_mut(key)?.templates;
    let which = templates.which.code_number(means.coder, template);
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
    means: &'v mut Means<'_, C, R, T>,
    slot: &mut Slot,
    (value, telling): (&'v [u8], Telling),
    short: &'v mut Short,
) -> Option<&'v [u8]> {
    let key = means.dictionary.key_mut(slot.key)?;
    let (coder, raw, sent) = (&mut *means.coder, &mut *means.raw, telling.number);
    Some(match (slot.kind, telling.way) {
        (Kind::Varint, way::PLAIN | way::LARGER | way::SMALLER) => {
            let number = match telling.way {
                way::PLAIN => key.number.code_number(coder, sent),
                way::LARGER => {
                    let more = key.difference.code_number(coder, sent);
                    slot.number.wrapping_add(more)
                }
                _ => {
                    let less = key.difference.code_number(coder, sent);
                    slot.number.wrapping_sub(less)
                }
            };
            slot.number = number;
            short.varint(number)
        }
        (Kind::Fixed64, way::PLAIN) => short.bytes(&coder.bits(sent, 64).to_le_bytes()),
        (Kind::Fixed32, way::PLAIN) => short.bytes(&(coder.bits(sent, 32) as u32).to_le_bytes()),
        (Kind::Text, way::PLAIN) => {
            let length = key.length.code_number(coder, value.len() as u64);
            means.text.piece(value, length)?
        }
        (Kind::Text, way::DECIMAL) => short.decimal(key.number.code_number(coder, sent)),
        (Kind::Text, way::UUID) => short.uuid(raw.sixteen(telling.bytes)?),
        (Kind::Text, way::HEX8) => short.hex8(raw.eight(sent)?),
        (Kind::Text, way::HEX16) => short.hex16(raw.sixteen(telling.bytes)?),
        _ => return None,
    })
}

/// How the sender tells a value.
#[derive(Clone, Copy, Debug, Default)]
struct Telling {
    way: u16,
    /// What is told by it: a number, an age, a template.
    number: u64,
    bytes: [u8; 16],
    /// Whether the text is cut into words.
    is_cut: bool,
}

impl Telling {
    fn by(way: u16, number: u64) -> Self {
        Self {
            way,
            number,
            ..Self::default()
        }
    }
}

/// The cheapest way to tell a value that may have a place.
fn tell(
    slot: &Slot,
    value: &[u8],
    place: Option<u16>,
    dictionary: &Dictionary,
    words: Option<&mut Words>,
) -> Option<Telling> {
    let key = dictionary.key(slot.key)?;
    if let Some(place) = place {
        return Some(Telling::by(way::KNOWN, key.age_of(place)));
    }
    Some(match slot.kind {
        Kind::Varint => {
            let sent = varint::read(value).map_or(0, |(value, _)| value);
            let (up, down) = (
                sent.wrapping_sub(slot.number),
                slot.number.wrapping_sub(sent),
            );
            if up.min(down) >= sent / 4 {
                Telling::by(way::PLAIN, sent)
            } else if up <= down {
                Telling::by(way::LARGER, up)
            } else {
                Telling::by(way::SMALLER, down)
            }
        }
        Kind::Text => tell_text(value, key, words),
        Kind::Fixed64 | Kind::Fixed32 => {
            let mut number = [0; 8];
            for (to, from) in number.iter_mut().zip(value) {
                *to = *from;
            }
            Telling::by(way::PLAIN, u64::from_le_bytes(number))
        }
    })
}

fn tell_text(value: &[u8], key: &Key, words: Option<&mut Words>) -> Telling {
    let sixteen = |way, bytes| Telling {
        way,
        bytes,
        ..Telling::default()
    };
    let told = match value.len() {
        36 => uuid(value).map(|bytes| sixteen(way::UUID, bytes)),
        16 => hex8(value).map(|number| Telling::by(way::HEX8, number)),
        32 => hex16(value).map(|bytes| sixteen(way::HEX16, bytes)),
        1..=19 => decimal(value).map(|number| Telling::by(way::DECIMAL, number)),
        _ => None,
    };
    told.unwrap_or_else(|| {
        let Some(words) = words else {
            return Telling::default();
        };
        let is_cut = words.split.cut(value);
        match key.templates.find(&words.split).filter(|_| is_cut) {
            Some(template) => Telling::by(way::TEMPLATE, template as u64),
            None => Telling {
                is_cut,
                ..Telling::default()
            },
        }
    })
}
