//! Whether a message has a shape that is expected: compared where it stands, field by field, with what the shape would write.
//!
//! What passes is rebuilt byte for byte, for every byte was either equal to the shape's or went into one of its places. It
//! saves the way by the signature, which must be written and looked up.

use millrace_wire::field::{DELIMITED, VARINT};
use millrace_wire::varint;

use crate::head::Head;
use crate::shape::{Kind, Literals, Shape, Span, Step, lengths_behind_key};
use crate::signature::{Parsed, delimited, typed};

impl<'a> Parsed<'a> {
    /// Takes a message apart by a shape, if it has that. What an opaque shape has, any message has: those do not count.
    pub(crate) fn has(&mut self, shape: &Shape, head: &Head, bytes: &'a [u8]) -> bool {
        if shape.is_opaque() {
            return false;
        }
        if shape.paths.has_any() {
            let mut is_other_path = false;
            let path = Some(shape.paths.last());
            if self
                .steps(shape, head, bytes, path, &mut is_other_path)
                .is_some()
            {
                return true;
            }
            if !is_other_path {
                return false;
            }
        }
        self.steps(shape, head, bytes, None, &mut false).is_some()
    }

    /// Takes a message that has a shape apart again, with all its values.
    pub(crate) fn without_path(
        &mut self,
        shape: &Shape,
        head: &Head,
        bytes: &'a [u8],
    ) -> Option<()> {
        self.steps(shape, head, bytes, None, &mut false)
    }

    fn steps(
        &mut self,
        shape: &Shape,
        head: &Head,
        bytes: &'a [u8],
        path: Option<usize>,
        is_other_path: &mut bool,
    ) -> Option<()> {
        self.empty();
        self.path = path;
        let mut rest = head.read(bytes, self)?;
        // What stands behind the message that is open.
        let mut outside = None;
        let (mut next, mut run) = (0, 0);
        while let Some(step) = shape.steps.get(next) {
            if let Some(path) = self.path
                && let Some(steps) = shape.paths.run_at(run, next)
            {
                let mut own = shape.paths.bytes(path, run)?;
                if !rest.starts_with(own) {
                    let Some(path) = shape.paths.fork(path, run, rest) else {
                        if run == 0 {
                            // Nothing was passed over yet, so that it can go on value by value.
                            self.path = None;
                            continue;
                        }
                        *is_other_path = true;
                        return None;
                    };
                    own = shape.paths.bytes(path, run)?;
                    self.path = Some(path);
                }
                rest = rest.get(own.len()..)?;
                next = usize::from(steps.to);
                run += 1;
                continue;
            }
            next += 1;
            match *step {
                Step::Attribute {
                    header, inner_tag, ..
                } => {
                    let (value, after) = attribute(shape.literals.get(header), inner_tag, rest)?;
                    self.values.push(value);
                    rest = after;
                }
                Step::Literal(span) => rest = rest.strip_prefix(shape.literals.get(span))?,
                Step::Time { tag, .. } => {
                    let (time, after) = tagged(rest, tag)?.split_first_chunk()?;
                    self.times.push(u64::from_le_bytes(*time));
                    rest = after;
                }
                Step::TraceId(tag) => {
                    let (id, after) = tagged(tagged(rest, tag)?, 16)?.split_first_chunk()?;
                    self.trace_id = Some(id);
                    rest = after;
                }
                Step::SpanId(tag) => (self.span_id, rest) = eight(rest, tag)?,
                Step::ParentId(tag) => (self.parent_id, rest) = eight(rest, tag)?,
                Step::Value { tag, kind, .. } => {
                    let (value, after) = value(&shape.literals, (tag, kind), rest)?;
                    self.values.push(value);
                    rest = after;
                }
                Step::Children { tag, .. } => rest = self.children(rest, tag)?,
                Step::Open(tag) => {
                    let (content, after) = delimited(rest, tag)?;
                    outside = Some(after);
                    rest = content;
                }
                Step::Close => {
                    if !rest.is_empty() {
                        return None;
                    }
                    rest = outside.take()?;
                }
                Step::Opaque => return None,
            }
        }
        rest.is_empty().then_some(())
    }

    /// The messages in a row under this tag: at least one.
    fn children(&mut self, bytes: &'a [u8], tag: u8) -> Option<&'a [u8]> {
        let (content, mut rest) = delimited(bytes, tag)?;
        self.children.push(content);
        let mut count = 1;
        while rest.first() == Some(&tag) {
            let (content, after) = delimited(rest, tag)?;
            self.children.push(content);
            rest = after;
            count += 1;
        }
        self.runs.push(count);
        Some(rest)
    }
}

#[inline]
fn tagged(bytes: &[u8], tag: u8) -> Option<&[u8]> {
    match bytes {
        [first, rest @ ..] if *first == tag => Some(rest),
        _ => None,
    }
}

#[inline]
fn eight(bytes: &[u8], tag: u8) -> Option<(Option<u64>, &[u8])> {
    let (id, rest) = tagged(tagged(bytes, tag)?, 8)?.split_first_chunk()?;
    Some((Some(u64::from_le_bytes(*id)), rest))
}

/// The value of an attribute with this header, and what follows.
#[inline]
fn attribute<'a>(header: &[u8], inner_tag: u8, bytes: &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
    let (tag, key) = header.split_first()?;
    let key = key.get(1..key.len().checked_sub(lengths_behind_key(inner_tag))?)?;
    let after_tag = tagged(bytes, *tag)?;
    if let [length @ ..0x80, after @ ..] = after_tag {
        // Nearly all: every length takes a byte.
        let (content, rest) = after.split_at_checked(usize::from(*length))?;
        let [inner, any @ ..] = content.strip_prefix(key)? else {
            return None;
        };
        if usize::from(*inner) != any.len() {
            return None;
        }
        let value = match any {
            [first, length, value @ ..]
                if *first == inner_tag
                    && inner_tag & 7 == DELIMITED
                    && usize::from(*length) == value.len() =>
            {
                value
            }
            [first, ..0x80] if *first == inner_tag && inner_tag & 7 == VARINT => any.get(1..)?,
            _ => typed_as(inner_tag, any)?,
        };
        return Some((value, rest));
    }
    let (content, rest) = delimited(bytes, *tag)?;
    let after_key = content.strip_prefix(key)?;
    let (length, any) = varint::read(after_key)?;
    let is_shortest = after_key.len() - any.len() == varint::length(length);
    if !is_shortest || any.len() as u64 != length {
        return None;
    }
    Some((typed_as(inner_tag, any)?, rest))
}

fn typed_as(inner_tag: u8, any: &[u8]) -> Option<&[u8]> {
    let (tag, value) = typed(any);
    (tag == inner_tag).then_some(value)
}

/// The value of a field with this tag, and what follows.
fn value<'a>(
    literals: &Literals,
    (tag, kind): (Span, Kind),
    bytes: &'a [u8],
) -> Option<(&'a [u8], &'a [u8])> {
    let after = bytes.strip_prefix(literals.get(tag))?;
    let length = match kind {
        Kind::Fixed64 => 8,
        Kind::Fixed32 => 4,
        Kind::Varint => {
            let (number, rest) = varint::read(after)?;
            let length = after.len() - rest.len();
            if length != varint::length(number) {
                return None;
            }
            length
        }
        Kind::Text => {
            let (length, rest) = varint::read(after)?;
            if after.len() - rest.len() != varint::length(length) {
                return None;
            }
            return rest.split_at_checked(usize::try_from(length).ok()?);
        }
    };
    after.split_at_checked(length)
}
