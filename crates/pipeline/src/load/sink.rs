//! A counting sink: an OTLP server that says yes, or no on purpose, and knows what it has not received.
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::LoadError;
use super::process;
use super::sink_server;
use super::sink_tally::{SinkReport, Tally};

/// Where a sink listens and how it behaves at first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SinkOptions {
    /// `host:port` of OTLP/HTTP; port 0 takes a free one.
    pub http: Option<String>,
    /// `host:port` of OTLP/gRPC; port 0 takes a free one.
    pub grpc: Option<String>,
    /// The largest request after decompression.
    pub max_request_bytes: usize,
    /// How it answers; may be changed while it runs.
    pub behaviour: Behaviour,
}

impl Default for SinkOptions {
    fn default() -> Self {
        Self {
            http: Some("127.0.0.1:4318".to_owned()),
            grpc: Some("127.0.0.1:4317".to_owned()),
            max_request_bytes: 256 << 20,
            behaviour: Behaviour::default(),
        }
    }
}

/// How a sink answers. By default at once and with OK.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Behaviour {
    /// Time that every answer waits.
    pub delay_ms: u64,
    /// Items that are answered for in each second: a server that is too slow.
    pub items_per_second: Option<f64>,
    /// Refuses instead of accepting.
    pub refuse: Option<Refuse>,
    /// Never answers.
    pub hang: Option<Hang>,
}

/// A refusal on purpose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Refuse {
    /// The HTTP status; gRPC clients get the code that OTLP puts beside it.
    pub status: u16,
    /// How many requests are refused before the sink accepts again; all where it is absent.
    pub requests: Option<u64>,
    /// The delay that the client is asked for.
    pub retry_after_s: Option<u64>,
}

impl Default for Refuse {
    fn default() -> Self {
        Self {
            status: 503,
            requests: None,
            retry_after_s: None,
        }
    }
}

/// Where a sink gets stuck.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hang {
    /// It reads the head of a request and no more, so that the client's writes stall.
    BeforeReading,
    /// It reads the whole request and does not count it.
    AfterReading,
}

/// A running sink. Dropping it closes its ports.
#[derive(Debug)]
pub struct Sink {
    shared: Arc<Shared>,
    http: Option<SocketAddr>,
    grpc: Option<SocketAddr>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    cpu_s_before: Option<f64>,
}

/// What the connections of a sink share.
#[derive(Debug)]
pub(super) struct Shared {
    pub max_request_bytes: usize,
    state: Mutex<State>,
    progressed: Condvar,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub tally: Tally,
    pub behaviour: Behaviour,
    /// When a sink of limited rate has worked off what it has taken.
    pub free_at: Option<Instant>,
}

impl Shared {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes those who wait for items.
    pub(super) fn notify(&self) {
        self.progressed.notify_all();
    }
}

impl Sink {
    /// Binds the ports and serves them from a thread of its own.
    ///
    /// # Errors
    /// [`LoadError::Network`] when a port is taken, [`LoadError::Options`] when there is none.
    pub fn start(options: &SinkOptions) -> Result<Self, LoadError> {
        if options.http.is_none() && options.grpc.is_none() {
            let sentence =
                "expected an address in `http` or `grpc` for the sink to listen on, got none";
            return Err(LoadError::Options(sentence.to_owned()));
        }
        let cpu_s_before = process::cpu_seconds();
        let network =
            |what: &str, error: std::io::Error| LoadError::Network(format!("{what}: {error}"));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| network("no event loop for the sink", error))?;
        let bind = |address: &Option<String>| match address {
            None => Ok(None),
            Some(address) => runtime
                .block_on(TcpListener::bind(address))
                .map(Some)
                .map_err(|error| network(&format!("the sink cannot listen on {address}"), error)),
        };
        let (http, grpc) = (bind(&options.http)?, bind(&options.grpc)?);
        let address =
            |listener: &Option<TcpListener>| listener.as_ref().and_then(|it| it.local_addr().ok());
        let (http_address, grpc_address) = (address(&http), address(&grpc));
        let shared = Arc::new(Shared {
            max_request_bytes: options.max_request_bytes,
            state: Mutex::new(State {
                behaviour: options.behaviour.clone(),
                ..State::default()
            }),
            progressed: Condvar::new(),
        });
        let (stop, stopped) = oneshot::channel();
        let served = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            runtime.block_on(async {
                sink_server::serve(served, http, grpc, stopped).await;
            });
        });
        Ok(Self {
            shared,
            http: http_address,
            grpc: grpc_address,
            stop: Some(stop),
            thread: Some(thread),
            cpu_s_before,
        })
    }

    /// Where OTLP/HTTP is served.
    #[must_use]
    pub fn http_address(&self) -> Option<SocketAddr> {
        self.http
    }

    /// Where OTLP/gRPC is served.
    #[must_use]
    pub fn grpc_address(&self) -> Option<SocketAddr> {
        self.grpc
    }

    /// Answers in another way from now on.
    pub fn behave(&self, behaviour: Behaviour) {
        let mut state = self.shared.state();
        state.behaviour = behaviour;
        state.free_at = None;
    }

    /// All figures so far.
    #[must_use]
    pub fn report(&self) -> SinkReport {
        let cpu_s = process::cpu_seconds()
            .zip(self.cpu_s_before)
            .map(|(now, before)| now - before);
        self.shared.state().tally.report(cpu_s)
    }

    /// Forgets all figures, so that one sink can serve several measurements.
    pub fn reset(&self) {
        self.shared.state().tally = Tally::default();
    }

    /// Waits until this many items have arrived; false when the time is over first.
    #[must_use]
    pub fn wait_for_items(&self, items: u64, timeout: Duration) -> bool {
        let (_state, waited) = self
            .shared
            .progressed
            .wait_timeout_while(self.shared.state(), timeout, |state| {
                state.tally.items() < items
            })
            .unwrap_or_else(PoisonError::into_inner);
        !waited.timed_out()
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
