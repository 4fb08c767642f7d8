//! Frames of `otz1` sessions, whichever protocol brings them: each becomes the request that its sender made it of.
use millrace_tracezip::{Header, Mode};
use millrace_wire::Signal;

use super::intake::{Intake, Limits, Plain, ReadError, Visit};
use super::sessions::Reset;

/// The highest bit of a frame is set.
const MARK: u8 = 0x80;

/// Why a frame did not become a request. Its session is over for the sender, who has heard of no acknowledgement.
#[derive(Debug)]
pub(super) enum Unbuilt {
    /// The sender is to begin a new session, or to do without one.
    Reset(Reset),
    /// There is no memory for the request now.
    Read(ReadError),
}

/// The signal that the first byte of a frame names.
pub(super) fn signal_of(first: u8) -> Option<Signal> {
    Signal::ALL
        .get(usize::from(first >> 4 & 3))
        .filter(|_| first >= MARK)
        .copied()
}

/// The session that a frame belongs to, if it does.
pub(super) fn session_of(frame: &[u8]) -> Option<u64> {
    let (header, _) = Header::read(frame).ok()?;
    (header.mode != Mode::Plain).then_some(header.session)
}

impl Intake {
    /// Rebuilds the request of a frame, whose session may begin with it; and what the frame is acknowledged by.
    pub(super) fn rebuild(
        &self,
        visit: &mut Visit<'_>,
        mut frame: Plain,
        otz_limits: Option<&str>,
        limits: &Limits,
    ) -> Result<(Plain, u64), Unbuilt> {
        // What the header declares is paid for before it is made; the session checks that it is not too much.
        let declared = Header::read(frame.bytes()).map_or(0, |(header, _)| header.request_length);
        let declared = declared.min(limits.request_bytes);
        visit.note(frame.grow_to(declared)).map_err(Unbuilt::Read)?;
        let mut acknowledged = 0;
        let request = frame
            .translate(|frame| {
                let sessions = &self.sessions;
                let (request, sequence) =
                    sessions.rebuild(frame, otz_limits, limits.request_bytes)?;
                acknowledged = sequence;
                Ok(request)
            })
            .map_err(|reset| {
                visit.is_reset(reset);
                Unbuilt::Reset(reset)
            })?;
        let request = visit.note(request).map_err(Unbuilt::Read)?;
        Ok((request, acknowledged))
    }
}
