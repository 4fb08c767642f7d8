//! What all connections of one run share: the request, its destination, the numbers still to send.
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;

use super::LoadError;
use super::endpoint::Endpoint;
use super::options::{Compression, Protocol, RunOptions};
use super::ranges::Ranges;
use super::schedule::Schedule;
use super::template::Template;
use crate::net::compression::compress;

/// One run, as its senders see it.
#[derive(Debug)]
pub(super) struct Plan {
    pub template: Template,
    pub endpoint: Endpoint,
    pub compression: Compression,
    pub headers: BTreeMap<String, String>,
    pub timeout: Duration,
    pub retry: bool,
    pub ranges: Ranges,
    pub schedule: Schedule,
    pub live: Live,
    ahead: Vec<Vec<u8>>,
    /// Wall-clock time at the start of the schedule.
    start_unix_nano: u64,
}

/// Counts that a progress bar may read while the run lasts.
#[derive(Debug, Default)]
pub(super) struct Live {
    pub accepted_items: AtomicU64,
    pub accepted_requests: AtomicU64,
    pub refused_requests: AtomicU64,
    pub failed_requests: AtomicU64,
    pub sent_bytes: AtomicU64,
}

impl Plan {
    /// Encodes the request, compresses ahead what is asked, reaches the endpoint, and then starts the clock.
    pub(super) fn new(options: &RunOptions) -> Result<Self, LoadError> {
        options.check()?;
        let generator = options.generator.unwrap_or_else(|| fastrand::u64(1..));
        let template = Template::new(&options.shape, generator)?;
        let signal = template.signal();
        let endpoint = match options.protocol {
            Protocol::Http => Endpoint::parse(&options.endpoint, 4318, signal.http_path())?,
            Protocol::Grpc => Endpoint::parse(&options.endpoint, 4317, signal.grpc_path())?,
        };
        let timeout = Duration::from_millis(options.timeout_ms);
        endpoint.connect(timeout).map_err(|error| {
            LoadError::Network(format!(
                "no connection to {}: {error}; is the receiver running there?",
                endpoint.authority
            ))
        })?;
        let ranges = Ranges::new(options.shape.items);
        let ahead = compress_ahead(options, &template, &ranges)?;
        let duration = options.duration_ms.map(Duration::from_millis);
        Ok(Self {
            template,
            endpoint,
            compression: options.compression,
            headers: options.headers.clone(),
            timeout,
            retry: options.retry,
            ranges,
            ahead,
            live: Live::default(),
            start_unix_nano: unix_nano(),
            schedule: Schedule::new(options.interval(), options.requests, duration),
        })
    }

    /// The wall-clock time of an instant of this run.
    pub(super) fn unix_nano_at(&self, instant: Instant) -> u64 {
        let since = instant.saturating_duration_since(self.schedule.start());
        self.start_unix_nano.saturating_add(since.as_nanos() as u64)
    }

    /// Writes the ids of the run at `place` and the time into a copy of the template.
    pub(super) fn stamp(&self, request: &mut [u8], place: u64, time_unix_nano: u64) {
        self.template
            .stamp(request, self.ranges.first(place), time_unix_nano);
    }

    /// The compressed request of the run at `place`; `None` when this run does not compress.
    pub(super) fn compressed(
        &self,
        place: u64,
        time_unix_nano: u64,
    ) -> io::Result<Option<Cow<'_, [u8]>>> {
        if self.compression == Compression::None {
            return Ok(None);
        }
        if let Some(body) = self.ahead.get(place as usize) {
            return Ok(Some(Cow::Borrowed(body)));
        }
        let request = self
            .template
            .request(self.ranges.first(place), time_unix_nano);
        let body = compress(self.compression.coding(), None, &[Bytes::from(request)])
            .map_err(io::Error::other)?;
        Ok(Some(Cow::Owned(body)))
    }

    /// Counts the bytes of one body as they went over the wire.
    pub(super) fn count_sent(&self, bytes: usize) {
        self.live
            .sent_bytes
            .fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

fn compress_ahead(
    options: &RunOptions,
    template: &Template,
    ranges: &Ranges,
) -> Result<Vec<Vec<u8>>, LoadError> {
    if options.compression == Compression::None {
        return Ok(Vec::new());
    }
    let coding = options.compression.coding();
    let requests = options
        .compress_ahead
        .min(options.requests.unwrap_or(u64::MAX));
    let mut compressed = Vec::new();
    for place in 0..requests {
        let request = template.request(ranges.first(place), unix_nano());
        let mut body = compress(coding, None, &[Bytes::from(request)])
            .map_err(|error| LoadError::Options(format!("compressing ahead: {error}")))?;
        body.shrink_to_fit();
        compressed.push(body);
    }
    Ok(compressed)
}

fn unix_nano() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
