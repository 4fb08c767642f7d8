//! How the `file` exporter writes requests: JSON lines or lengths and protobuf, compressed or not, or tracezip.
use std::io;

use bytes::Bytes;
use millrace_tracezip::{Compressor, Limits};

use crate::config::{FileExporter as Settings, StartError};
use crate::exporters::otz::random;
use crate::exporters::parcel::Part;
use crate::net::compression::{Coding, compress};

/// A session of a file ends after this many bytes of requests, so that damage costs no more, and who begins to read in
/// the middle finds a beginning.
const SESSION_BYTES_MAX: usize = 64 << 20;

/// The form of a file.
pub(super) enum Encoding {
    Json(Coding),
    Proto(Coding),
    Tracezip(Box<Session>),
}

/// What the file's last frames have taught whoever reads it.
pub(super) struct Session {
    compressor: Compressor,
    bytes: usize,
}

impl Encoding {
    /// The form that the settings name.
    pub(super) fn of(setting: &str, settings: &Settings) -> Result<Self, StartError> {
        let is_json = match settings.format.as_str() {
            "json" => true,
            "proto" => false,
            other => {
                let problem = format!("expected \"json\" or \"proto\", got {other:?}");
                return Err(StartError::of(&format!("{setting}.format"), problem));
            }
        };
        let is_otz1 = settings.compression == "otz1";
        if is_json && is_otz1 {
            let problem = "otz1 holds requests as protobuf: set format to proto";
            return Err(StartError::of(&format!("{setting}.compression"), problem));
        }
        let coding = crate::exporters::coding(setting, &settings.compression)?;
        Ok(match (is_json, is_otz1) {
            (true, _) => Self::Json(coding),
            (false, false) => Self::Proto(coding),
            (false, true) => Self::Tracezip(Box::new(Session {
                compressor: Compressor::new(Limits::default(), random()),
                bytes: 0,
            })),
        })
    }

    /// Appends what stands for the requests in the file.
    pub(super) fn append(&mut self, parts: &[Part], out: &mut Vec<u8>) -> io::Result<()> {
        for part in parts {
            match self {
                Self::Json(_) => {
                    let request = part.payload.to_contiguous();
                    out.extend_from_slice(&millrace_wire::json_from_request(part.signal, &request));
                    out.push(b'\n');
                }
                Self::Proto(_) => {
                    length(part.payload.len(), out)?;
                    let chunks = part.payload.chunks().iter();
                    chunks.for_each(|chunk| out.extend_from_slice(chunk));
                }
                Self::Tracezip(session) => session.append(part, out)?,
            }
        }
        if let Self::Json(coding) | Self::Proto(coding) = self
            && *coding != Coding::Identity
        {
            let plain = Bytes::from(std::mem::take(out));
            *out = compress(*coding, None, &[plain]).map_err(io::Error::other)?;
        }
        Ok(())
    }

    /// Forgets what earlier frames have taught, because they are in another file or in none; false where nothing is
    /// remembered.
    pub(super) fn begin_anew(&mut self) -> bool {
        let Self::Tracezip(session) = self else {
            return false;
        };
        session.compressor.reset(random());
        session.bytes = 0;
        true
    }
}

impl Session {
    fn append(&mut self, part: &Part, out: &mut Vec<u8>) -> io::Result<()> {
        self.bytes += part.payload.len();
        if self.bytes > SESSION_BYTES_MAX {
            self.compressor.reset(random());
            self.bytes = part.payload.len();
        }
        let request = part.payload.to_contiguous();
        let frame = self.compressor.compress(part.signal, &request);
        let frame = frame.ok_or(io::ErrorKind::OutOfMemory)?;
        length(frame.len(), out)?;
        out.extend_from_slice(&frame);
        Ok(())
    }
}

fn length(bytes: usize, out: &mut Vec<u8>) -> io::Result<()> {
    let length = u32::try_from(bytes).map_err(io::Error::other)?;
    out.extend_from_slice(&length.to_be_bytes());
    Ok(())
}
