//! What a run of the load generator is told.
use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::LoadError;
use super::shape::Shape;
use crate::net::compression::Coding;

/// More threads or streams than this measure the machine's scheduler, not a gateway.
const IN_FLIGHT_MAX: usize = 4096;

/// How requests travel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// OTLP/HTTP with protobuf bodies.
    #[default]
    Http,
    /// OTLP/gRPC.
    Grpc,
}

/// How bodies are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
}

impl Compression {
    pub(super) fn coding(self) -> Coding {
        match self {
            Self::None => Coding::Identity,
            Self::Gzip => Coding::Gzip,
            Self::Zstd => Coding::Zstd,
        }
    }

    /// The name in headers; `None` where there is none to send.
    pub(super) fn name(self) -> Option<&'static str> {
        (self != Self::None).then(|| self.coding().name())
    }
}

/// Everything about a run. It ends after `requests` or `duration_ms`, whichever is first, or when it is stopped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RunOptions {
    /// `http://host:port`, with a path where it is not OTLP's own.
    pub endpoint: String,
    /// HTTP or gRPC.
    pub protocol: Protocol,
    /// Of the bodies.
    pub compression: Compression,
    /// What is in each request.
    pub shape: Shape,
    /// Connections that are opened.
    pub connections: usize,
    /// Requests that wait for their answer at once on each connection. HTTP/1.1 has one, so that there `connections`
    /// times as many connections are opened.
    pub in_flight: usize,
    /// Open loop: items due each second, in requests at fixed times; latency counts from those times. Without it
    /// (closed loop) a request is sent as soon as the one before it is answered.
    pub items_per_second: Option<f64>,
    /// Requests to send.
    pub requests: Option<u64>,
    /// How long requests are sent.
    pub duration_ms: Option<u64>,
    /// Whether a request that is refused but may be sent again, or not answered, is sent again until it is taken.
    pub retry: bool,
    /// How long to wait for a connection and for an answer.
    pub timeout_ms: u64,
    /// More headers, for example `authorization`.
    pub headers: BTreeMap<String, String>,
    /// The id that marks the items of this run; drawn where it is absent.
    pub generator: Option<u64>,
    /// Requests to compress before the clock starts, so that compressing does not limit the rate. Their items
    /// carry the time at which they were compressed.
    pub compress_ahead: u64,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            endpoint: String::new(),
            protocol: Protocol::Http,
            compression: Compression::None,
            shape: Shape::default(),
            connections: 1,
            in_flight: 1,
            items_per_second: None,
            requests: None,
            duration_ms: None,
            retry: false,
            timeout_ms: 30_000,
            headers: BTreeMap::new(),
            generator: None,
            compress_ahead: 0,
        }
    }
}

impl RunOptions {
    /// Says which option cannot be meant.
    pub(super) fn check(&self) -> Result<(), LoadError> {
        let wrong = |sentence: String| Err(LoadError::Options(sentence));
        let in_flight = self.connections.saturating_mul(self.in_flight);
        if !(1..=IN_FLIGHT_MAX).contains(&in_flight) {
            return wrong(format!(
                "expected `connections` times `in_flight` from 1 to {IN_FLIGHT_MAX}, got {} times {}",
                self.connections, self.in_flight
            ));
        }
        if let Some(rate) = self.items_per_second
            && !(rate > 0.0 && rate.is_finite())
        {
            return wrong(format!(
                "expected `items_per_second` above 0, got {rate}; leave it out for full speed"
            ));
        }
        if self.timeout_ms == 0 {
            return wrong("expected `timeout_ms` above 0, got 0".to_owned());
        }
        for (name, value) in &self.headers {
            if http::HeaderName::from_bytes(name.as_bytes()).is_err()
                || http::HeaderValue::from_str(value).is_err()
            {
                return wrong(format!(
                    "expected `headers` with names and values of HTTP, got the name `{name}`"
                ));
            }
        }
        Ok(())
    }

    /// Time between two sends; `None` for the closed loop.
    pub(super) fn interval(&self) -> Option<Duration> {
        #[expect(
            clippy::cast_precision_loss,
            reason = "a count of items is far below 2^52"
        )]
        let items = self.shape.items as f64;
        self.items_per_second
            .map(|rate| Duration::try_from_secs_f64(items / rate).unwrap_or(Duration::MAX))
    }
}
