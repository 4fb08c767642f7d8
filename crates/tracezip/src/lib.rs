//! OTLP requests to fewer bytes and exactly back.
//!
//! A [`Compressor`] and a [`Decompressor`] share a session: both remember the shapes of messages, the values of keys, ids and
//! how likely each thing is where, and what is known costs next to nothing. [`compress`](Compressor::compress) gives a frame for
//! every input; [`decompress`](Decompressor::decompress) gives the same bytes back, or an error. No I/O, no clock, bounded by
//! [`Limits`]. `docs/formats/tracezip.md` describes the format.

mod coder;
mod compress;
mod decompress;
mod dictionary;
mod error;
mod family;
mod frame;
mod hash;
mod head;
mod ids;
mod limits;
mod matching;
mod memory;
mod model;
mod out;
mod path;
mod rebuild;
mod schema;
mod shape;
mod signature;
mod spelling;
mod tables;
mod template;
mod text;
mod times;
mod values;

pub use compress::Compressor;
pub use decompress::{Decompressor, decompress_plain};
pub use error::Error;
pub use frame::{Header, Mode};
pub use limits::Limits;
