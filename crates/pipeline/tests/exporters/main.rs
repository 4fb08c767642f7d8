//! The exporters seen from both sides: what a destination receives, and what a client and the books are told.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod books;
mod compression;
mod destination;
mod endpoint;
mod files;
mod folder;
mod grpc;
mod http;
mod requests;
mod rotation;
mod sending;
mod settings;
mod tls;
