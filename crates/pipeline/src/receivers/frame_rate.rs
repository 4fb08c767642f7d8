//! Counts the frames of an HTTP/2 client that bring nothing, and says when there are too many of them (G8, S4).
//!
//! h2 bounds resets, CONTINUATION frames and small DATA frames by itself. It answers PING and SETTINGS frames for as
//! long as a client sends them, and reads past the others, so a client could keep a worker busy without one request.
use tokio::time::Instant;

/// What a client says before its first frame.
pub(super) const PREFACE_BYTES: usize = 24;
/// Length, type, flags and stream of a frame.
const HEAD_BYTES: usize = 9;
/// Frames that bring nothing and are taken without a request between them. gRPC clients send one ping in ten seconds
/// at most, and a few more when they measure the bandwidth; a thousand cancelled calls at once are allowed, too.
const FRAMES_MAX: u32 = 2_000;
/// What time gives back of them.
const FRAMES_PER_SECOND: u32 = 100;
/// What the head of a request gives back: the windows and resets that belong to it.
const FRAMES_PER_REQUEST: u32 = 10;
/// A DATA frame of this size gives one back; smaller ones are h2's to count.
const DATA_BYTES_MIN: usize = 64;

/// Follows the borders between frames.
#[derive(Debug)]
pub(super) struct FrameBorders {
    head: [u8; HEAD_BYTES],
    filled: usize,
    skip: usize,
}

/// The head of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FrameHead {
    pub(super) length: usize,
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
}

/// The types of frames that are told apart.
pub(super) mod kind {
    pub(crate) const DATA: u8 = 0;
    pub(crate) const HEADERS: u8 = 1;
    pub(crate) const PING: u8 = 6;
    pub(crate) const GOAWAY: u8 = 7;
}

const END_STREAM: u8 = 1;

impl FrameBorders {
    /// Begins after `preface` bytes that are no frame.
    pub(super) fn after(preface: usize) -> Self {
        Self {
            head: [0; HEAD_BYTES],
            filled: 0,
            skip: preface,
        }
    }

    /// Whether nothing is missing of the last frame.
    pub(super) fn is_at_border(&self) -> bool {
        self.filled == 0 && self.skip == 0
    }

    /// Follows these bytes and shows the head of each frame that begins in them.
    pub(super) fn follow(&mut self, mut bytes: &[u8], mut see: impl FnMut(FrameHead)) {
        loop {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = bytes.get(skipped..).unwrap_or_default();
            if bytes.is_empty() {
                return;
            }
            let free = self.head.get_mut(self.filled..).unwrap_or_default();
            let taken = free.len().min(bytes.len());
            let (now, rest) = bytes.split_at(taken);
            free.iter_mut().zip(now).for_each(|(to, from)| *to = *from);
            bytes = rest;
            self.filled += taken;
            if self.filled == HEAD_BYTES {
                let [a, b, c, kind, flags, stream @ ..] = self.head;
                let length = u32::from_be_bytes([0, a, b, c]) as usize;
                self.filled = 0;
                self.skip = length;
                see(FrameHead {
                    length,
                    kind,
                    flags,
                    stream: u32::from_be_bytes(stream) & (u32::MAX >> 1),
                });
            }
        }
    }
}

/// What is left of the frames that a client may send for nothing.
#[derive(Debug)]
pub(super) struct FrameRate {
    left: u32,
    renewed: Instant,
    last_stream: u32,
}

impl Default for FrameRate {
    fn default() -> Self {
        Self {
            left: FRAMES_MAX,
            renewed: Instant::now(),
            last_stream: 0,
        }
    }
}

impl FrameRate {
    /// The last stream that the client opened.
    pub(super) fn last_stream(&self) -> u32 {
        self.last_stream
    }

    /// Counts a frame; false when it is one too many.
    pub(super) fn allows(&mut self, frame: FrameHead) -> bool {
        match frame.kind {
            kind::HEADERS => {
                self.last_stream = self.last_stream.max(frame.stream);
                self.give_back(FRAMES_PER_REQUEST);
                true
            }
            kind::DATA if frame.length >= DATA_BYTES_MIN => {
                self.give_back(1);
                true
            }
            kind::DATA if frame.length > 0 || frame.flags & END_STREAM != 0 => true,
            _ => self.take_one(),
        }
    }

    fn give_back(&mut self, frames: u32) {
        self.left = self.left.saturating_add(frames).min(FRAMES_MAX);
    }

    fn take_one(&mut self) -> bool {
        if self.left == 0 {
            // The clock is read only here: who behaves never pays for it.
            let now = Instant::now();
            let passed = now - self.renewed;
            let back = passed.as_millis() * u128::from(FRAMES_PER_SECOND) / 1_000;
            self.give_back(u32::try_from(back).unwrap_or(FRAMES_MAX));
            self.renewed = now;
        }
        let allowed = self.left > 0;
        self.left = self.left.saturating_sub(1);
        allowed
    }
}
