//! The front of a message that always takes the same room: constants, ids and times, up to the first value or message.
//!
//! It is compared and copied as a whole, whatever it consists of.

use crate::ids::MessageIds;
use crate::memory::allocated;
use crate::shape::{Literals, Step};
use crate::signature::Parsed;
use crate::times::Times;

/// The front of all messages of a shape.
#[derive(Debug, Default)]
pub(crate) struct Head {
    /// What stands there, with zeros for ids and times.
    bytes: Box<[u8]>,
    /// 0 where ids and times stand, else 255.
    same: Box<[u8]>,
    trace_id: Option<u16>,
    span_id: Option<u16>,
    parent_id: Option<u16>,
    times: Box<[u16]>,
}

impl Head {
    /// Takes as many steps as belong to it from the front.
    pub(crate) fn take(steps: &mut Vec<Step>, literals: &Literals) -> Self {
        let mut head = Self::default();
        let (mut bytes, mut same, mut times) = (Vec::new(), Vec::new(), Vec::new());
        let mut open = |front: &[u8], room: usize| {
            bytes.extend_from_slice(front);
            same.resize(bytes.len(), 255);
            let at = bytes.len();
            bytes.resize(at + room, 0);
            same.resize(at + room, 0);
            at as u16
        };
        let mut taken = 0;
        for step in steps.iter() {
            match *step {
                Step::Literal(span) => _ = open(literals.get(span), 0),
                Step::Time { tag, .. } => times.push(open(&[tag], 8)),
                Step::TraceId(tag) => head.trace_id = Some(open(&[tag, 16], 16)),
                Step::SpanId(tag) => head.span_id = Some(open(&[tag, 8], 8)),
                Step::ParentId(tag) => head.parent_id = Some(open(&[tag, 8], 8)),
                _ => break,
            }
            taken += 1;
        }
        steps.drain(..taken);
        (head.bytes, head.same, head.times) = (bytes.into(), same.into(), times.into());
        head
    }

    /// Takes the front of a message, if it is like this one; what follows it.
    #[inline]
    pub(crate) fn read<'a>(&self, bytes: &'a [u8], parsed: &mut Parsed<'a>) -> Option<&'a [u8]> {
        let (own, rest) = bytes.split_at_checked(self.bytes.len())?;
        if !self.is_like(own) {
            return None;
        }
        let eight = |at: u16| own.get(usize::from(at)..)?.first_chunk().copied();
        if let Some(at) = self.trace_id {
            parsed.trace_id = own.get(usize::from(at)..)?.first_chunk();
        }
        if let Some(at) = self.span_id {
            parsed.span_id = Some(u64::from_le_bytes(eight(at)?));
        }
        if let Some(at) = self.parent_id {
            parsed.parent_id = Some(u64::from_le_bytes(eight(at)?));
        }
        for at in &self.times {
            parsed.times.push(u64::from_le_bytes(eight(*at)?));
        }
        Some(rest)
    }

    #[inline]
    fn is_like(&self, own: &[u8]) -> bool {
        let (words, tail) = own.as_chunks::<8>();
        let (mine, my_tail) = self.bytes.as_chunks::<8>();
        let (same, same_tail) = self.same.as_chunks::<8>();
        let word = |bytes: &[u8; 8]| u64::from_le_bytes(*bytes);
        let differs = words.iter().zip(mine).zip(same);
        let differs = differs.fold(0, |all, ((own, mine), same)| {
            all | (word(own) ^ word(mine)) & word(same)
        });
        let last = tail.iter().zip(my_tail).zip(same_tail);
        differs == 0 && last.fold(0, |all, ((own, mine), same)| all | (own ^ mine) & same) == 0
    }

    /// How many bytes it has.
    pub(crate) fn length(&self) -> usize {
        self.bytes.len()
    }

    /// Writes it over all of `room`.
    #[inline]
    pub(crate) fn write(&self, ids: &MessageIds, times: &Times, room: &mut [u8]) -> Option<()> {
        room.copy_from_slice(self.bytes.get(..room.len())?);
        if let Some(at) = self.trace_id {
            *room.get_mut(usize::from(at)..)?.first_chunk_mut()? = ids.trace?;
        }
        for (at, id) in [(self.span_id, ids.span), (self.parent_id, ids.parent)] {
            if let Some(at) = at {
                *room.get_mut(usize::from(at)..)?.first_chunk_mut()? = id?.to_le_bytes();
            }
        }
        for (at, time) in self.times.iter().zip(times.all()) {
            *room.get_mut(usize::from(*at)..)?.first_chunk_mut()? = time.to_le_bytes();
        }
        Some(())
    }

    /// Bytes held beside itself.
    pub(crate) fn held(&self) -> usize {
        2 * allocated(self.bytes.len()) + allocated(size_of_val(&*self.times))
    }
}
