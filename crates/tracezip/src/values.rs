//! The values of one message, coded: by a path, by its slot's model, by its key's dictionary, or as they are.

use millrace_wire::varint;

use crate::coder::Code;
use crate::dictionary::{Dictionary, Key, Lookup};
use crate::ids::Raw;
use crate::path::Budget;
use crate::shape::{Kind, Shape, Slot};

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
    pub(super) const BITS: u32 = 3;
}

/// Slots that are surprised more often than this do not learn what comes only once.
const SURPRISES_LEARNED: u32 = 16;

/// What the coding of values works with, beside the shape.
pub(crate) struct Means<'s, C, R, T> {
    pub(crate) coder: &'s mut C,
    pub(crate) raw: &'s mut R,
    pub(crate) text: &'s mut T,
    pub(crate) dictionary: &'s mut Dictionary,
    pub(crate) budget: &'s mut Budget,
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

/// The values of a message as the receiver learns them, each under the number of its slot.
#[derive(Debug, Default)]
pub(crate) struct Found {
    bytes: Vec<u8>,
    ranges: Vec<(u32, u32)>,
}

impl Found {
    pub(crate) fn clear(&mut self, slots: usize) {
        self.bytes.clear();
        self.ranges.clear();
        self.ranges.resize(slots, (0, 0));
    }

    pub(crate) fn get(&self, slot: u16) -> &[u8] {
        let (start, end) = self
            .ranges
            .get(usize::from(slot))
            .copied()
            .unwrap_or_default();
        self.bytes
            .get(start as usize..end as usize)
            .unwrap_or_default()
    }

    #[inline]
    fn put(&mut self, slot: usize, value: &[u8]) {
        let start = self.bytes.len() as u32;
        self.bytes.extend_from_slice(value);
        if let Some(range) = self.ranges.get_mut(slot) {
            *range = (start, self.bytes.len() as u32);
        }
    }
}

/// Codes all values of a message: `values` for the sender, with its places as far as they are known; into `found` for the
/// receiver. `None` if what is read makes no sense.
pub(crate) fn code<C: Code, R: Raw, T: Text>(
    means: &mut Means<'_, C, R, T>,
    shape: &mut Shape,
    values: &[&[u8]],
    lookup: Option<&mut Lookup>,
    found: &mut Found,
    places: &mut Places,
) -> Option<()> {
    let Shape { slots, paths, .. } = shape;
    let mut lookup = lookup;
    let mut path = None;
    if paths.is_used() {
        if C::SENDS {
            places.look(
                slots,
                &paths.slots,
                values,
                means.dictionary,
                lookup.as_deref()?,
            );
            path = (places.all_known)
                .then(|| paths.find(&places.of_path))
                .flatten();
        }
        path = paths
            .model
            .code(means.coder, path.map(|path| path as u16))
            .map(usize::from);
    }
    // The values of a path are taken before any other is remembered: a place could be overwritten.
    if let Some(path) = path {
        for (index, place) in paths.slots.iter().zip(paths.get(path)?) {
            let index = usize::from(*index);
            let slot = slots.get_mut(index)?;
            if C::SENDS {
                slot.last = *place;
            } else {
                found.put(index, means.dictionary.key(slot.key)?.value(*place)?);
            }
        }
    }
    let is_new = paths.is_used() && path.is_none();
    let mut on_path = paths.slots.iter().copied().peekable();
    places.of_path.clear();
    for (index, slot) in slots.iter_mut().enumerate() {
        let takes_part = on_path.next_if_eq(&(index as u16)).is_some();
        if takes_part && path.is_some() {
            continue;
        }
        let value = values.get(index).copied().unwrap_or_default();
        let mut put = |value: &[u8]| {
            if !C::SENDS {
                found.put(index, value);
            }
        };
        let place = one(means, slot, value, lookup.as_deref_mut(), &mut put)?;
        if takes_part {
            // What cannot be remembered crowds its slot out.
            match place {
                Some(place) => places.of_path.push(place),
                None => slot.surprises = u32::MAX,
            }
        }
    }
    if is_new {
        let surprises = |slot: u16| {
            slots
                .get(usize::from(slot))
                .map_or(0, |slot| slot.surprises)
        };
        paths.learn(&places.of_path, surprises, means.budget);
    }
    Some(())
}

/// The sender's search for the places of the slots of a path.
#[derive(Debug, Default)]
pub(crate) struct Places {
    of_path: Vec<u16>,
    all_known: bool,
}

impl Places {
    fn look(
        &mut self,
        slots: &[Slot],
        on_path: &[u16],
        values: &[&[u8]],
        dictionary: &Dictionary,
        lookup: &Lookup,
    ) {
        self.of_path.clear();
        self.all_known = true;
        for index in on_path {
            let index = usize::from(*index);
            let (Some(slot), Some(value)) = (slots.get(index), values.get(index)) else {
                continue;
            };
            let Some(place) = place_of(slot, value, dictionary, lookup) else {
                self.all_known = false;
                return;
            };
            self.of_path.push(place);
        }
    }
}

#[inline]
fn place_of(slot: &Slot, value: &[u8], dictionary: &Dictionary, lookup: &Lookup) -> Option<u16> {
    if dictionary.key(slot.key)?.value(slot.last) == Some(value) {
        return Some(slot.last);
    }
    lookup.find(dictionary, slot.key, value)
}

/// A place in the dictionary if the value has one; outside of it, `None` is for what makes no sense.
type Placed = Option<Option<u16>>;

/// Codes one value by itself; its place in the dictionary, if it has one.
fn one<C: Code, R: Raw, T: Text>(
    means: &mut Means<'_, C, R, T>,
    slot: &mut Slot,
    value: &[u8],
    lookup: Option<&mut Lookup>,
    put: &mut impl FnMut(&[u8]),
) -> Placed {
    let mut place = None;
    if C::SENDS {
        place = place_of(slot, value, means.dictionary, lookup.as_deref()?);
    }
    if let Some(place) = slot.model.code(means.coder, place) {
        let value = means.dictionary.key(slot.key)?.value(place)?;
        slot.last = place;
        if slot.kind == Kind::Varint {
            slot.number = varint::read(value)?.0;
        }
        put(value);
        return Some(Some(place));
    }
    slot.surprises = slot.surprises.saturating_add(1);
    surprise(means, slot, value, place, lookup, put)
}

/// Codes a value that the slot's model does not know.
fn surprise<C: Code, R: Raw, T: Text>(
    means: &mut Means<'_, C, R, T>,
    slot: &mut Slot,
    value: &[u8],
    place: Option<u16>,
    lookup: Option<&mut Lookup>,
    put: &mut impl FnMut(&[u8]),
) -> Placed {
    let key = means.dictionary.key_mut(slot.key)?;
    let chosen = if C::SENDS {
        choose(slot, value, place.is_some())
    } else {
        way::PLAIN
    };
    let chosen = key.way.code_of(means.coder, chosen, way::BITS);
    if chosen == way::KNOWN {
        let age = place.map_or(0, |place| key.age_of(place));
        let age = key.age.code_number(means.coder, age);
        let place = key.place_of(age)?;
        slot.model.learn(place);
        slot.last = place;
        let value = key.value(place)?;
        if slot.kind == Kind::Varint {
            slot.number = varint::read(value)?.0;
        }
        put(value);
        return Some(Some(place));
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
    let place = means.dictionary.add(slot.key, value);
    if let Some(place) = place {
        if slot.surprises <= SURPRISES_LEARNED {
            slot.model.learn(place);
        }
        slot.last = place;
        if let Some(lookup) = lookup {
            lookup.note(slot.key, value, place);
        }
    }
    put(value);
    Some(place)
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

    fn decimal(&mut self, value: u64) -> &[u8] {
        self.bytes(value.to_string().as_bytes())
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
