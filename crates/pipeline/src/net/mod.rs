//! The wire below OTLP: HTTP, gRPC framing, compression and TLS.
pub mod compression;
mod connector;
pub mod grpc;
pub mod http;
pub mod reload;
pub mod tls;
