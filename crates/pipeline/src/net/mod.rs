//! The wire below OTLP: HTTP, gRPC framing, compression and TLS.
pub mod compression;
pub mod grpc;
pub mod http;
pub mod tls;
