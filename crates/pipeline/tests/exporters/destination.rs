//! A destination that takes its time and answers as a test says, and the exporter in front of it.
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use millrace_pipeline::batch::Payload;
use millrace_pipeline::component::Reason;
use millrace_pipeline::config::Sending;
use millrace_pipeline::exporters::sender::Sender;
use millrace_pipeline::exporters::transport::{Failure, Transport};
use millrace_pipeline::ledger::Ledger;
use millrace_wire::{PartialSuccess, Signal};
use tokio::time::{Instant, sleep};

use crate::books;

pub(crate) type Verdict = Result<Option<PartialSuccess>, Failure>;
pub(crate) type Script = dyn Fn(usize, &[u8]) -> Verdict + Send + Sync;

/// A destination that takes `latency` for each request and then answers by its script.
#[derive(Clone)]
pub(crate) struct Destination {
    pub(crate) calls: Arc<Mutex<Vec<(Duration, Bytes)>>>,
    pub(crate) began: Instant,
    latency: Duration,
    script: Arc<Script>,
}

impl Destination {
    pub(crate) fn new(
        latency_ms: u64,
        script: impl Fn(usize, &[u8]) -> Verdict + Send + Sync + 'static,
    ) -> Self {
        Self {
            calls: Arc::default(),
            began: Instant::now(),
            latency: Duration::from_millis(latency_ms),
            script: Arc::new(script),
        }
    }

    pub(crate) fn bodies(&self) -> Vec<Bytes> {
        self.calls
            .lock()
            .unwrap()
            .iter()
            .map(|(_, body)| body.clone())
            .collect()
    }

    /// When each request arrived.
    pub(crate) fn times_ms(&self) -> Vec<u128> {
        self.calls
            .lock()
            .unwrap()
            .iter()
            .map(|(at, _)| at.as_millis())
            .collect()
    }
}

impl Transport for Destination {
    fn send(&self, _: Signal, request: &Payload) -> impl Future<Output = Verdict> + Send {
        let body = request.to_contiguous();
        let number = {
            let mut calls = self.calls.lock().unwrap();
            calls.push((self.began.elapsed(), body.clone()));
            calls.len() - 1
        };
        async move {
            sleep(self.latency).await;
            (self.script)(number, &body)
        }
    }
}

pub(crate) fn exporter(
    destination: &Destination,
    settings: &Sending,
) -> (Sender<Destination>, Arc<Ledger>) {
    let ledger = Arc::default();
    let exporter = Sender::new(destination.clone(), settings, books::context(&ledger)).unwrap();
    (exporter, ledger)
}

pub(crate) fn takes_all() -> impl Fn(usize, &[u8]) -> Verdict {
    |_, _| Ok(None)
}

pub(crate) fn unavailable(retry_after: Option<Duration>) -> Verdict {
    Err(Failure::Retryable {
        message: "503".to_owned(),
        retry_after,
        content: false,
    })
}

pub(crate) fn bad_data() -> Verdict {
    Err(Failure::Permanent {
        reason: Reason::DestinationRefused,
        message: "400".to_owned(),
        content: true,
    })
}
