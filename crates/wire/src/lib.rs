//! OTLP as bytes: validate, view, encode, edit, merge, split and translate requests without decoding them into objects.
//!
//! [`validate()`] looks at untrusted bytes once. Everything else takes bytes that it has accepted and cannot fail.

mod data_model;
mod edit;
pub mod encode;
mod envelope;
pub mod error;
pub mod field;
mod json;
mod key_value;
mod nested;
mod request;
mod response;
pub mod schema;
mod signal;
mod splice;
mod status;
mod validate;
pub mod varint;
pub mod view;
mod walk;

pub use data_model::{Rejected, reject_invalid};
pub use edit::{Action, Level, edit_attribute};
pub use encode::AttributeValue;
pub use error::Error;
pub use json::{json_from_request, request_from_json};
pub use request::{ItemTooLarge, count, merge, split_by_bytes, split_by_count};
pub use response::{
    PartialSuccess, decode_response, encode_response, response_from_json, response_to_json,
};
pub use signal::Signal;
pub use status::Status;
pub use validate::{Summary, detect, validate};
