//! The wire below OTLP: HTTP, gRPC framing, compression and TLS.
pub(crate) mod call;
pub mod compression;
mod connector;
pub mod grpc;
pub mod http;
pub(crate) mod otz_answer;
mod proxy;
pub mod reload;
pub mod tls;
