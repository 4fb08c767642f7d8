//! Literal text: a zstd stream that lives as long as the session, one flushed piece a frame.

use zstd::zstd_safe::{
    CCtx, CParameter, DCtx, DParameter, InBuffer, OutBuffer, zstd_sys::ZSTD_EndDirective,
};

/// How a stream compresses and what it may hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    level: i32,
    window_log: u32,
    table_log: u32,
}

/// For the text that no dictionary has: little, so a small window and small tables.
pub(crate) const TEXT: Setting = Setting {
    level: 5,
    window_log: 15,
    table_log: 12,
};
/// For whole requests that no shape fits.
pub(crate) const WHOLE: Setting = Setting {
    level: 3,
    window_log: 21,
    table_log: 17,
};

/// The sender's end.
pub(crate) struct Deflater(Option<CCtx<'static>>, Setting);

impl std::fmt::Debug for Deflater {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Deflater").field(&self.1).finish()
    }
}

impl Deflater {
    pub(crate) const fn new(setting: Setting) -> Self {
        Self(None, setting)
    }

    /// Appends the piece to `out`. `None` if there is no memory.
    pub(crate) fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Option<()> {
        let context = match &mut self.0 {
            Some(context) => context,
            empty => empty.insert(started(self.1)?),
        };
        let mut source = InBuffer::around(piece);
        loop {
            let written = out.len();
            if out.capacity() - written < 64 {
                out.reserve(piece.len() / 4 + 256);
            }
            let held = context
                .compress_stream2(
                    &mut OutBuffer::around_pos(out, written),
                    &mut source,
                    ZSTD_EndDirective::ZSTD_e_flush,
                )
                .ok()?;
            if held == 0 && source.pos() == piece.len() {
                return Some(());
            }
        }
    }

    pub(crate) fn held(&self) -> usize {
        self.0.as_ref().map_or(0, CCtx::sizeof)
    }
}

fn started(setting: Setting) -> Option<CCtx<'static>> {
    let mut context = CCtx::try_create()?;
    for parameter in [
        CParameter::CompressionLevel(setting.level),
        CParameter::WindowLog(setting.window_log),
        CParameter::HashLog(setting.table_log),
        CParameter::ChainLog(setting.table_log),
        CParameter::ContentSizeFlag(false),
    ] {
        context.set_parameter(parameter).ok()?;
    }
    Some(context)
}

/// The receiver's end.
pub(crate) struct Inflater(Option<DCtx<'static>>, Setting);

impl std::fmt::Debug for Inflater {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Inflater").field(&self.1).finish()
    }
}

impl Inflater {
    pub(crate) const fn new(setting: Setting) -> Self {
        Self(None, setting)
    }

    /// Appends exactly `length` bytes, which must be what the piece holds. `None` if they are not.
    pub(crate) fn pull(&mut self, piece: &[u8], length: usize, out: &mut Vec<u8>) -> Option<()> {
        let context = match &mut self.0 {
            Some(context) => context,
            empty => {
                let mut context = DCtx::try_create()?;
                context
                    .set_parameter(DParameter::WindowLogMax(self.1.window_log))
                    .ok()?;
                empty.insert(context)
            }
        };
        let end = out.len() + length;
        let mut source = InBuffer::around(piece);
        loop {
            // One byte more than is expected tells a piece that holds too much.
            let room = (end + 1 - out.len()).min(out.len().max(4096));
            out.reserve(room);
            let (read, written) = (source.pos(), out.len());
            context
                .decompress_stream(&mut OutBuffer::around_pos(out, written), &mut source)
                .ok()?;
            if out.len() > end {
                return None;
            }
            if source.pos() == piece.len() && out.len() < out.capacity() {
                return (out.len() == end).then_some(());
            }
            if source.pos() == read && out.len() == written {
                return None;
            }
        }
    }

    pub(crate) fn held(&self) -> usize {
        self.0.as_ref().map_or(0, DCtx::sizeof)
    }
}
