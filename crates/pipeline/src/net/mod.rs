//! The wire below OTLP: HTTP, gRPC framing, compression and TLS.
