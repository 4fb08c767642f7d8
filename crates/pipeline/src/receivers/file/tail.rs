//! One file that is followed: its requests as they are complete, however it grows.
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use millrace_wire::Signal;

use super::form::Form;

/// What is read at once.
const CHUNK_BYTES: usize = 256 << 10;
/// Requests that are handed on at once, and their bytes, before other files have their turn.
const ROUND_REQUESTS: usize = 16;
const ROUND_BYTES: usize = 1 << 20;

/// Where reading begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    Beginning,
    End,
}

/// What stood in the file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A request.
    Request(Signal, Vec<u8>),
    /// Something that is none, of this signal if that can be told; and what to say of it.
    Damage(Option<Signal>, String),
}

/// A file, and how far it is read.
pub(super) struct Tail {
    path: PathBuf,
    file: File,
    form: Form,
    /// Where the first request begins that was not handed on.
    offset: u64,
    /// Requests before this are only read to know what those after it refer to.
    quiet_until: u64,
    /// Nothing that follows can be understood.
    is_given_up: bool,
}

/// What the file system knows a file by, if it is one.
pub(super) fn identity(path: &Path) -> Option<(u64, u64)> {
    let metadata = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    Some((metadata.dev(), metadata.ino()))
}

impl Tail {
    pub(super) fn open(path: &Path, form: Form, start: Start) -> io::Result<Self> {
        let mut tail = Self {
            path: path.to_owned(),
            file: File::open(path)?,
            form,
            offset: 0,
            quiet_until: 0,
            is_given_up: false,
        };
        if start == Start::End {
            tail.skip()?;
        }
        Ok(tail)
    }

    /// How far it is read.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Whether nothing is left to read now.
    pub(super) fn is_read(&self) -> bool {
        let length = self.file.metadata().map(|metadata| metadata.len());
        self.is_given_up || length.is_ok_and(|length| length <= self.offset)
    }

    /// Passes over what is there: up to the end, or to where that session begins which is the last.
    fn skip(&mut self) -> io::Result<()> {
        let length = self.file.metadata()?.len();
        if let Form::Json = self.form {
            self.offset = length;
            return Ok(());
        }
        let (mut at, mut beginning) = (0, 0);
        let mut head = [0; 64];
        loop {
            self.file.seek(SeekFrom::Start(at))?;
            let filled = read_up_to(&mut self.file, &mut head)?;
            let (prefix, first) = head.split_at(4);
            let Ok(prefix) = <[u8; 4]>::try_from(prefix) else {
                break;
            };
            let end = at + 4 + u64::from(u32::from_be_bytes(prefix));
            if filled < 4 || end > length {
                break;
            }
            if self.form.is_beginning(first) {
                beginning = at;
            }
            at = end;
        }
        self.quiet_until = at;
        self.offset = match self.form {
            Form::Tracezip(_) => beginning,
            _ => at,
        };
        Ok(())
    }

    /// Reads a few requests, if there are any.
    pub(super) fn read(&mut self) -> Vec<Found> {
        let mut found = Vec::new();
        if self.is_given_up {
            return found;
        }
        if let Err(error) = self.read_round(&mut found) {
            let path = self.path.display();
            self.is_given_up = true;
            found.push(Found::Damage(
                None,
                format!("{path} cannot be read any more: {error}"),
            ));
        }
        found
    }

    fn read_round(&mut self, found: &mut Vec<Found>) -> io::Result<()> {
        if self.file.metadata()?.len() < self.offset {
            // It was emptied, and is written anew.
            (self.offset, self.quiet_until) = (0, 0);
        }
        self.file.seek(SeekFrom::Start(self.offset))?;
        let mut unread = Vec::new();
        let (mut requests, mut bytes, mut searched) = (0, 0, 0);
        while requests < ROUND_REQUESTS && bytes < ROUND_BYTES {
            match self.form.measure(&unread, searched) {
                Ok(Some((whole, around))) => {
                    let content = unread.get(around..whole).unwrap_or_default();
                    let rebuilt = self.form.rebuild(content);
                    let is_quiet = self.offset < self.quiet_until;
                    let at = self.offset;
                    self.offset += whole as u64;
                    unread.drain(..whole);
                    searched = 0;
                    requests += usize::from(!is_quiet);
                    bytes += whole;
                    match rebuilt {
                        Some(Ok((signal, request))) if !is_quiet => {
                            bytes += request.len();
                            found.push(Found::Request(signal, request));
                        }
                        Some(Err((signal, problem))) if !is_quiet => {
                            let path = self.path.display();
                            let problem =
                                format!("{path}, byte {at}: {problem}; it is passed over");
                            found.push(Found::Damage(signal, problem));
                        }
                        _ => {}
                    }
                }
                Ok(None) => {
                    searched = unread.len();
                    let chunk = (&self.file)
                        .take(CHUNK_BYTES as u64)
                        .read_to_end(&mut unread)?;
                    if chunk == 0 {
                        break; // the rest of the request is not written yet
                    }
                }
                Err(problem) => {
                    let (path, at) = (self.path.display(), self.offset);
                    self.is_given_up = true;
                    let problem = format!("{path}, byte {at}: {problem}; it is not read any more");
                    found.push(Found::Damage(None, problem));
                    break;
                }
            }
        }
        Ok(())
    }
}

fn read_up_to(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read(rest)? {
            0 => break,
            read => filled += read,
        }
    }
    Ok(filled)
}
