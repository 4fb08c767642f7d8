//! The receiver's side of a session: frames in, requests out, never more than the header says.

use zstd::zstd_safe::{DCtx, DParameter, InBuffer, OutBuffer, get_frame_content_size};

use crate::compress::next_chain;
use crate::error::Error;
use crate::frame::{Header, Mode};
use crate::hash::xxh64;
use crate::limits::Limits;
use crate::rebuild::{Receiver, plausible};
use crate::text::{Inflater, WHOLE};

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
            receiver: Receiver::new(limits),
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
            // Whoever means harm knows the hash of what comes out; a fuzzer would never guess it.
            .filter(|request| cfg!(fuzzing) || xxh64(request, 0) == header.hash)
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
        self.receiver.held() + self.whole.held()
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
