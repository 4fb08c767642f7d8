//! Compresses pages.

use parquet::basic::{Compression, ZstdLevel};
use zstd::bulk::Compressor;

use crate::error::Error;

/// Random ids as text: zstd packs each digit into half a byte, and every level that looks for more finds less.
const ID_LEVEL: i32 = 1;

/// zstd at one level, and at another one for ids.
pub(crate) struct Packer {
    compressor: Compressor<'static>,
    level: i32,
    /// What the compressor is set to.
    set: i32,
}

impl Packer {
    pub(crate) fn new(level: i32) -> Result<Self, Error> {
        Ok(Self {
            compressor: Compressor::new(level)?,
            level,
            set: level,
        })
    }

    pub(crate) fn pack(&mut self, content: &[u8], is_of_ids: bool) -> Result<Vec<u8>, Error> {
        let level = if is_of_ids { ID_LEVEL } else { self.level };
        if self.set != level {
            self.compressor.set_compression_level(level)?;
            self.set = level;
        }
        let mut packed = self.compressor.compress(content)?;
        packed.shrink_to_fit();
        Ok(packed)
    }

    /// What files say of it.
    pub(crate) fn compression(&self) -> Result<Compression, Error> {
        Ok(Compression::ZSTD(ZstdLevel::try_new(self.level)?))
    }
}
