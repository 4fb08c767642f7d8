//! The wire below OTLP: HTTP, gRPC framing, compression and TLS.
pub mod compression;
mod connector;
pub mod grpc;
pub mod http;
mod proxy;
pub mod reload;
pub mod tls;
