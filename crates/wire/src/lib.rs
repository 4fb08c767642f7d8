//! OTLP as bytes: validate, view, encode, edit, merge, split and translate requests without decoding them into objects.
//!
//! [`validate()`] looks at untrusted bytes once. Everything else takes bytes that it has accepted and cannot fail.

mod data_model;
mod edit;
pub mod encode;
mod envelope;
pub mod error;
pub mod field;
mod key_value;
mod request;
pub mod schema;
mod signal;
mod splice;
mod validate;
pub mod varint;
pub mod view;
mod walk;

pub use data_model::{Rejected, reject_invalid};
pub use edit::{Action, Level, edit_attribute};
pub use encode::AttributeValue;
pub use error::Error;
pub use request::{ItemTooLarge, count, merge, split_by_bytes, split_by_count};
pub use signal::Signal;
pub use validate::{Summary, validate};
