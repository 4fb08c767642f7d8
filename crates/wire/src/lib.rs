//! OTLP as bytes: validate, view, encode, edit, merge, split and translate requests without decoding them into objects.
//!
//! [`validate()`] looks at untrusted bytes once. Everything else takes bytes that it has accepted and cannot fail.

mod envelope;
pub mod error;
pub mod field;
pub mod schema;
mod signal;
mod validate;
pub mod varint;

pub use error::Error;
pub use signal::Signal;
pub use validate::{Summary, validate};
