//! Content codings of both directions: gzip and zstd, bounded while they run.
//!
//! Contexts live in the thread that uses them: a worker compresses thousands of requests a second, and
//! making a context costs more than using it on a small one.
use std::cell::RefCell;
use std::fmt;

use bytes::Bytes;
use flate2::{Compress, Compression, Crc, Decompress, FlushCompress, FlushDecompress, Status};
use zstd::zstd_safe::{
    self, CCtx, CParameter, DCtx, DParameter, InBuffer, OutBuffer, ResetDirective,
    zstd_sys::ZSTD_EndDirective,
};

/// Largest zstd window that is allocated: 8 MiB, which RFC 8878 asks every decoder to support and RFC 9659
/// makes the limit of HTTP. A frame may ask for 2 GiB in ten bytes (S1).
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// How much larger than its input a result may be believed to be before it is seen. Telemetry shrinks ten-
/// to fortyfold; what claims more is given memory as it proves it (S6).
const PLAUSIBLE_RATIO: usize = 64;

/// Speed comes first where the user says nothing: zstd 1 and gzip 4 keep most of the ratio of the slower levels.
const ZSTD_DEFAULT_LEVEL: i32 = 1;
const GZIP_DEFAULT_LEVEL: u32 = 4;

/// A `Content-Encoding` or `grpc-encoding` that both sides speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Coding {
    /// The bytes as they are.
    #[default]
    Identity,
    /// RFC 1952, any number of members.
    Gzip,
    /// RFC 8878, any number of frames.
    Zstd,
}

impl Coding {
    /// The coding of a header value, in any case; `None` for one that is not supported.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let name = name.trim();
        if name.is_empty()
            || name.eq_ignore_ascii_case("identity")
            || name.eq_ignore_ascii_case("none")
        {
            Some(Self::Identity)
        } else if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") {
            Some(Self::Gzip)
        } else if name.eq_ignore_ascii_case("zstd") {
            Some(Self::Zstd)
        } else {
            None
        }
    }

    /// The name in headers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

/// Why compressed bytes were refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DecompressError {
    /// They hold more than the limit allows.
    TooLarge,
    /// They are not a whole, undamaged stream of the coding, or something else follows it.
    Corrupt(String),
}

impl DecompressError {
    #[cold]
    fn corrupt(problem: &str) -> Self {
        Self::Corrupt(problem.to_owned())
    }
}

impl fmt::Display for DecompressError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::TooLarge => "the body is larger than the limit after decompression",
            Self::Corrupt(problem) => problem,
        })
    }
}

impl std::error::Error for DecompressError {}

/// The compressor gave up, which only a machine without memory makes it do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompressError;

impl fmt::Display for CompressError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the compressor could not get the memory it needs")
    }
}

impl std::error::Error for CompressError {}

/// Undoes `coding`, giving up as soon as the result exceeds `limit`.
pub fn decompress(coding: Coding, input: &[u8], limit: usize) -> Result<Vec<u8>, DecompressError> {
    let output = match coding {
        Coding::Identity => input.to_vec(),
        Coding::Gzip => gunzip(input, limit)?,
        Coding::Zstd => unzstd(input, limit)?,
    };
    if output.len() > limit {
        Err(DecompressError::TooLarge)
    } else {
        Ok(output)
    }
}

/// Applies `coding` to the concatenation of `chunks`; without a level, one that favours speed.
pub fn compress(
    coding: Coding,
    level: Option<i32>,
    chunks: &[Bytes],
) -> Result<Vec<u8>, CompressError> {
    match coding {
        Coding::Identity => Ok(chunks.concat()),
        Coding::Gzip => {
            let level = level
                .and_then(|level| u32::try_from(level).ok())
                .unwrap_or(GZIP_DEFAULT_LEVEL);
            gzip(level.min(9), chunks)
        }
        Coding::Zstd => zstd_frame(level.unwrap_or(ZSTD_DEFAULT_LEVEL), chunks),
    }
}

/// Makes room for more output, or says that the limit is passed. Doubling bounds both copies and waste.
fn make_room(output: &mut Vec<u8>, limit: usize) -> Result<(), DecompressError> {
    if output.len() > limit {
        return Err(DecompressError::TooLarge);
    }
    if output.len() == output.capacity() {
        // One byte beyond the limit is how a result that is too large is told from one that fits exactly.
        let more = output.capacity().max(4096).min(limit - output.len() + 1);
        output.reserve_exact(more);
    }
    Ok(())
}

/// Memory to start with: what is declared, as far as the input makes it plausible.
fn first_capacity(declared: usize, input: usize, limit: usize) -> usize {
    declared
        .min(input.saturating_mul(PLAUSIBLE_RATIO))
        .min(limit)
        .saturating_add(64)
}

thread_local! {
    static INFLATE: RefCell<Decompress> = RefCell::new(Decompress::new(false));
    static DEFLATE: RefCell<Option<(u32, Compress)>> = const { RefCell::new(None) };
    static UNZSTD: RefCell<Option<DCtx<'static>>> = const { RefCell::new(None) };
    static ZSTD: RefCell<Option<CCtx<'static>>> = const { RefCell::new(None) };
}

const NOT_GZIP: &str = "the body is not gzip where a gzip member must begin: it is not compressed, or other bytes follow its end";
const GZIP_CUT_SHORT: &str = "the gzip body is cut short: its last member does not end";

fn gunzip(input: &[u8], limit: usize) -> Result<Vec<u8>, DecompressError> {
    // The trailer of the last member declares its size modulo 2^32; for the usual single member that is all.
    let declared = input
        .last_chunk()
        .map_or(0, |size| u32::from_le_bytes(*size) as usize);
    let mut output = Vec::with_capacity(first_capacity(declared, input.len(), limit));
    INFLATE.with_borrow_mut(|inflate| {
        let mut rest = input;
        loop {
            rest = gunzip_member(inflate, rest, &mut output, limit)?;
            if rest.is_empty() {
                return Ok(());
            }
        }
    })?;
    Ok(output)
}

/// Appends one member to `output` and returns what follows it.
fn gunzip_member<'a>(
    inflate: &mut Decompress,
    input: &'a [u8],
    output: &mut Vec<u8>,
    limit: usize,
) -> Result<&'a [u8], DecompressError> {
    let mut rest = after_gzip_header(input).ok_or_else(|| DecompressError::corrupt(NOT_GZIP))?;
    let mut checksum = Crc::new();
    inflate.reset(false);
    loop {
        make_room(output, limit)?;
        let (read, written) = (inflate.total_in(), output.len());
        let status = inflate
            .decompress_vec(rest, output, FlushDecompress::None)
            .map_err(|_| {
                DecompressError::corrupt(
                    "the gzip body is damaged: its deflate data does not decode",
                )
            })?;
        let read = (inflate.total_in() - read) as usize;
        let fresh = output.get(written..).unwrap_or_default();
        checksum.update(fresh);
        if read == 0 && fresh.is_empty() && status != Status::StreamEnd {
            return Err(DecompressError::corrupt(GZIP_CUT_SHORT)); // room was there, so input is missing
        }
        rest = rest.get(read..).unwrap_or_default();
        if status == Status::StreamEnd {
            break;
        }
    }
    let (trailer, rest) = rest
        .split_first_chunk::<8>()
        .ok_or_else(|| DecompressError::corrupt(GZIP_CUT_SHORT))?;
    let [c0, c1, c2, c3, s0, s1, s2, s3] = *trailer;
    let intact = u32::from_le_bytes([c0, c1, c2, c3]) == checksum.sum()
        && u32::from_le_bytes([s0, s1, s2, s3]) == inflate.total_out() as u32;
    if intact {
        Ok(rest)
    } else {
        Err(DecompressError::corrupt(
            "the gzip body is damaged: its checksum or length differs",
        ))
    }
}

/// Skips the header of RFC 1952 section 2.3 with all of its optional fields.
fn after_gzip_header(input: &[u8]) -> Option<&[u8]> {
    const HEADER_CRC: u8 = 2;
    const EXTRA: u8 = 4;
    const NAME: u8 = 8;
    const COMMENT: u8 = 16;
    const RESERVED: u8 = 0xe0;

    let ([0x1f, 0x8b, 8, flags, ..], mut rest) = input.split_first_chunk::<10>()? else {
        return None;
    };
    if flags & RESERVED != 0 {
        return None;
    }
    if flags & EXTRA != 0 {
        let (length, after) = rest.split_first_chunk::<2>()?;
        rest = after.get(usize::from(u16::from_le_bytes(*length))..)?;
    }
    for text in [NAME, COMMENT] {
        if flags & text != 0 {
            let end = rest.iter().position(|&byte| byte == 0)?;
            rest = rest.get(end + 1..)?;
        }
    }
    if flags & HEADER_CRC != 0 {
        rest = rest.get(2..)?;
    }
    Some(rest)
}

fn unzstd(input: &[u8], limit: usize) -> Result<Vec<u8>, DecompressError> {
    let declared = zstd_safe::get_frame_content_size(input)
        .ok()
        .flatten()
        .unwrap_or(0);
    if declared > limit as u64 {
        return Err(DecompressError::TooLarge);
    }
    // A frame whose whole content fits is decoded straight into the output, without a window.
    let mut output = Vec::with_capacity(first_capacity(declared as usize, input.len(), limit));
    UNZSTD.with_borrow_mut(|slot| {
        let context = match slot {
            Some(context) => context,
            empty => {
                let mut context = DCtx::try_create().ok_or(DecompressError::TooLarge)?;
                context
                    .set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG_MAX))
                    .map_err(zstd_problem)?;
                empty.insert(context)
            }
        };
        context
            .reset(ResetDirective::SessionOnly)
            .map_err(zstd_problem)?;
        unzstd_frames(context, input, &mut output, limit)
    })?;
    Ok(output)
}

fn unzstd_frames(
    context: &mut DCtx<'static>,
    input: &[u8],
    output: &mut Vec<u8>,
    limit: usize,
) -> Result<(), DecompressError> {
    let mut source = InBuffer::around(input);
    loop {
        make_room(output, limit)?;
        let (read, written) = (source.pos(), output.len());
        let missing = context
            .decompress_stream(&mut OutBuffer::around_pos(output, written), &mut source)
            .map_err(zstd_problem)?;
        let all_read = source.pos() == input.len();
        if missing == 0 && all_read {
            return Ok(());
        }
        if all_read && source.pos() == read && output.len() == written {
            // room was there, so input is missing
            return Err(DecompressError::corrupt(
                "the zstd body is cut short: its last frame does not end",
            ));
        }
    }
}

/// The library's own words are fixed texts without a byte of the input.
#[cold]
fn zstd_problem(code: usize) -> DecompressError {
    DecompressError::Corrupt(format!(
        "the zstd body does not decode: {}",
        zstd_safe::get_error_name(code)
    ))
}

fn gzip(level: u32, chunks: &[Bytes]) -> Result<Vec<u8>, CompressError> {
    let length: usize = chunks.iter().map(Bytes::len).sum();
    let mut output = Vec::with_capacity(length / 4 + 256);
    DEFLATE.with_borrow_mut(|slot| {
        let deflate = match slot {
            Some((current, deflate)) if *current == level => deflate,
            other => {
                &mut other
                    .insert((level, Compress::new_gzip(Compression::new(level), 15)))
                    .1
            }
        };
        deflate.reset();
        for chunk in chunks {
            let mut rest = chunk.as_ref();
            while !rest.is_empty() {
                let read = deflate.total_in();
                deflate_step(deflate, rest, &mut output, FlushCompress::None)?;
                rest = rest
                    .get((deflate.total_in() - read) as usize..)
                    .unwrap_or_default();
            }
        }
        while deflate_step(deflate, &[], &mut output, FlushCompress::Finish)? != Status::StreamEnd {
        }
        Ok(output)
    })
}

fn deflate_step(
    deflate: &mut Compress,
    input: &[u8],
    output: &mut Vec<u8>,
    flush: FlushCompress,
) -> Result<Status, CompressError> {
    if output.len() == output.capacity() {
        output.reserve(output.capacity().max(256));
    }
    deflate
        .compress_vec(input, output, flush)
        .map_err(|_| CompressError)
}

fn zstd_frame(level: i32, chunks: &[Bytes]) -> Result<Vec<u8>, CompressError> {
    let length: usize = chunks.iter().map(Bytes::len).sum();
    let mut output = Vec::with_capacity(zstd_safe::compress_bound(length));
    ZSTD.with_borrow_mut(|slot| {
        let context = match slot {
            Some(context) => context,
            empty => empty.insert(CCtx::try_create().ok_or(CompressError)?),
        };
        context
            .reset(ResetDirective::SessionOnly)
            .map_err(|_| CompressError)?;
        context
            .set_parameter(CParameter::CompressionLevel(level))
            .map_err(|_| CompressError)?;
        if let [whole] = chunks {
            context
                .compress2(&mut output, whole)
                .map_err(|_| CompressError)?;
            return Ok(());
        }
        // The size in the frame's header lets the receiver decode without a window.
        context
            .set_pledged_src_size(Some(length as u64))
            .map_err(|_| CompressError)?;
        for chunk in chunks {
            zstd_step(
                context,
                chunk,
                &mut output,
                ZSTD_EndDirective::ZSTD_e_continue,
            )?;
        }
        zstd_step(context, &[], &mut output, ZSTD_EndDirective::ZSTD_e_end)
    })?;
    Ok(output)
}

/// Feeds `input` whole; with `ZSTD_e_end` also writes all that is held back.
fn zstd_step(
    context: &mut CCtx<'static>,
    input: &[u8],
    output: &mut Vec<u8>,
    directive: ZSTD_EndDirective,
) -> Result<(), CompressError> {
    let mut source = InBuffer::around(input);
    loop {
        let written = output.len();
        if written == output.capacity() {
            output.reserve(written.max(256));
        }
        let held_back = context
            .compress_stream2(
                &mut OutBuffer::around_pos(output, written),
                &mut source,
                directive,
            )
            .map_err(|_| CompressError)?;
        let all_read = source.pos() == input.len();
        if all_read && (directive == ZSTD_EndDirective::ZSTD_e_continue || held_back == 0) {
            return Ok(());
        }
    }
}
