//! The frame: what a session's bytes look like from outside, the same for every way of carrying a request.
//!
//! ```text
//! mode and signal   1 byte     mode in the low four bits, signal in the next two, 0x80 is the mark of the format
//! request length    varint
//! request hash      8 bytes    XXH64 of the request, seed 0; of a plain frame there is none: zstd has its own
//! session           8 bytes    ┐
//! sequence          varint     │ of frames that belong to a session
//! chain             4 bytes    ┘
//! body              the rest
//! ```

use millrace_wire::{Signal, varint};

use crate::error::Error;

/// The mark of the first byte: version 1 of the format.
const MARK: u8 = 0x80;

/// How a request is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// As a zstd frame of its own: no session is needed, none is changed.
    Plain,
    /// In the session's zstd stream.
    Stream,
    /// Taken apart by shapes.
    Shapes,
}

/// What stands before the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// How the request is carried.
    pub mode: Mode,
    /// What kind of request it is.
    pub signal: Signal,
    /// Its length.
    pub request_length: usize,
    /// Its XXH64; 0 in a plain frame.
    pub hash: u64,
    /// The session that the frame belongs to; 0 in a plain frame.
    pub session: u64,
    /// How many frames of the session came before; 0 in a plain frame.
    pub sequence: u64,
    /// A hash of all of them; 0 in a plain frame.
    pub chain: u32,
}

impl Header {
    /// Reads a header; what follows it is the body.
    pub fn read(frame: &[u8]) -> Result<(Self, &[u8]), Error> {
        Self::parse(frame).ok_or(Error::NoFrame)
    }

    fn parse(frame: &[u8]) -> Option<(Self, &[u8])> {
        let (first, rest) = frame.split_first()?;
        let mode = match first & 0xcf {
            MARK => Mode::Plain,
            0x81 => Mode::Stream,
            0x83 => Mode::Shapes,
            _ => return None,
        };
        let signal = *Signal::ALL.get(usize::from(first >> 4 & 3))?;
        let (length, rest) = varint::read(rest)?;
        let mut header = Self {
            mode,
            signal,
            request_length: usize::try_from(length).ok()?,
            hash: 0,
            session: 0,
            sequence: 0,
            chain: 0,
        };
        if mode == Mode::Plain {
            return Some((header, rest));
        }
        let (hash, rest) = rest.split_first_chunk()?;
        let (session, rest) = rest.split_first_chunk()?;
        let (sequence, rest) = varint::read(rest)?;
        let (chain, rest) = rest.split_first_chunk()?;
        header.hash = u64::from_le_bytes(*hash);
        header.session = u64::from_le_bytes(*session);
        header.sequence = sequence;
        header.chain = u32::from_le_bytes(*chain);
        Some((header, rest))
    }

    /// Appends the header.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let mode = match self.mode {
            Mode::Plain => 0,
            Mode::Stream => 1,
            // 2 were those of an earlier draft, which nobody reads any more.
            Mode::Shapes => 3,
        };
        out.push(MARK | (self.signal as u8) << 4 | mode);
        varint::push(out, self.request_length as u64);
        if self.mode == Mode::Plain {
            return;
        }
        out.extend(self.hash.to_le_bytes());
        out.extend(self.session.to_le_bytes());
        varint::push(out, self.sequence);
        out.extend(self.chain.to_le_bytes());
    }
}

/// The four parts of a body that is taken apart by shapes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parts<'a> {
    pub(crate) symbols: &'a [u8],
    pub(crate) bits: &'a [u8],
    pub(crate) raw: &'a [u8],
    pub(crate) text_length: usize,
    pub(crate) text: &'a [u8],
}

impl<'a> Parts<'a> {
    pub(crate) fn read(body: &'a [u8]) -> Option<Self> {
        let (symbols, rest) = varint::read(body)?;
        let (bits, rest) = varint::read(rest)?;
        let (raw, rest) = varint::read(rest)?;
        let (text_length, rest) = varint::read(rest)?;
        let (symbols, rest) = rest.split_at_checked(usize::try_from(symbols).ok()?)?;
        let (bits, rest) = rest.split_at_checked(usize::try_from(bits).ok()?)?;
        let (raw, text) = rest.split_at_checked(usize::try_from(raw).ok()?)?;
        Some(Self {
            symbols,
            bits,
            raw,
            text_length: usize::try_from(text_length).ok()?,
            text,
        })
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        for length in [
            self.symbols.len(),
            self.bits.len(),
            self.raw.len(),
            self.text_length,
        ] {
            varint::push(out, length as u64);
        }
        for part in [self.symbols, self.bits, self.raw, self.text] {
            out.extend_from_slice(part);
        }
    }
}
