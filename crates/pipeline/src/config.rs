//! The resolved configuration: what Python made of the user's file, every default filled in.
use std::collections::BTreeMap;

use millrace_wire::Signal;
use serde::Deserialize;

/// A whole gateway.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Receivers by id.
    pub receivers: BTreeMap<String, Receiver>,
    /// Processors by id.
    pub processors: BTreeMap<String, Processor>,
    /// Exporters by id.
    pub exporters: BTreeMap<String, Exporter>,
    /// Extensions by id.
    pub extensions: BTreeMap<String, Extension>,
    /// What is connected to what.
    pub pipelines: Vec<Pipeline>,
    /// What the gateway tells about itself.
    pub telemetry: Telemetry,
    /// Threads, each with its own listeners, pipelines and connections.
    pub workers: usize,
    /// Telemetry held in memory at once, over all workers.
    pub budget_bytes: usize,
    /// How long a request may wait for the budget before it is refused.
    pub admission_timeout_ms: u64,
    /// How long a stop may take to deliver what is held.
    pub shutdown_timeout_ms: u64,
}

/// One pipeline of `service.pipelines`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pipeline {
    /// `traces` or `traces/name`.
    pub id: String,
    /// `traces`, `metrics`, `logs` or `profiles`.
    pub signal: String,
    /// Ids of its receivers.
    pub receivers: Vec<String>,
    /// Ids of its processors, in order.
    pub processors: Vec<String>,
    /// Ids of its exporters; each gets everything.
    pub exporters: Vec<String>,
}

/// A source of telemetry.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Receiver {
    /// OTLP over gRPC and HTTP.
    Otlp(Box<OtlpReceiver>),
    /// Files of requests.
    File(FileReceiver),
}

/// The `file` receiver.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileReceiver {
    /// Files to read, with `*`, `?` and `**`.
    pub include: Vec<String>,
    /// Those among them that are not read.
    pub exclude: Vec<String>,
    /// `beginning` or `end`: what is read of files that are there at the start.
    pub start_at: String,
    /// Wait before looking again whether something has come.
    pub poll_interval_ms: u64,
}

/// The `otlp` receiver.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OtlpReceiver {
    /// OTLP/gRPC, unless absent.
    pub grpc: Option<GrpcServer>,
    /// OTLP/HTTP, unless absent.
    pub http: Option<HttpServer>,
    /// Longest time from the first to the last byte of a body.
    pub body_timeout_ms: u64,
    /// Requests that are read or answered at once.
    pub max_concurrent_requests: usize,
    /// Open connections, over both protocols.
    pub max_connections: usize,
}

/// `protocols.grpc`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrpcServer {
    /// `host:port`; port 0 lets the system choose.
    pub endpoint: String,
    /// Largest message after decompression.
    pub max_request_bytes: usize,
    /// Requests in flight on one connection.
    pub max_concurrent_streams: u32,
    /// Connections are closed gracefully at this age, so that clients spread anew over servers.
    pub max_connection_age_ms: Option<u64>,
    /// TLS, unless absent.
    pub tls: Option<ServerTls>,
}

/// `protocols.http`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpServer {
    /// `host:port`; port 0 lets the system choose.
    pub endpoint: String,
    /// Largest body after decompression.
    pub max_request_bytes: usize,
    /// The path of each signal.
    pub paths: SignalMap,
    /// Longest time for the head of a request.
    pub header_timeout_ms: u64,
    /// Longest silence between two requests of a connection.
    pub idle_timeout_ms: u64,
    /// TLS, unless absent.
    pub tls: Option<ServerTls>,
}

/// One text for each signal.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the names are the signals'")]
pub struct SignalMap {
    pub traces: String,
    pub metrics: String,
    pub logs: String,
    pub profiles: String,
}

impl SignalMap {
    /// The paths of the OTLP specification.
    #[must_use]
    pub fn default_paths() -> Self {
        let path = |signal: Signal| signal.http_path().to_owned();
        Self {
            traces: path(Signal::Traces),
            metrics: path(Signal::Metrics),
            logs: path(Signal::Logs),
            profiles: path(Signal::Profiles),
        }
    }

    /// The text of one signal.
    #[must_use]
    pub fn get(&self, signal: Signal) -> &str {
        match signal {
            Signal::Traces => &self.traces,
            Signal::Metrics => &self.metrics,
            Signal::Logs => &self.logs,
            Signal::Profiles => &self.profiles,
        }
    }
}

/// TLS of a listener.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerTls {
    /// PEM file of the certificate chain.
    pub cert_file: String,
    /// PEM file of the private key.
    pub key_file: String,
    /// PEM file of the authorities whose client certificates are demanded (mTLS).
    pub client_ca_file: Option<String>,
    /// `1.2` or `1.3`.
    pub min_version: String,
    /// How long the files are believed; for ever where it is absent.
    pub reload_interval_ms: Option<u64>,
}

/// A step between receiver and exporters.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Processor {
    /// Joins small requests.
    Batch {
        /// Longest wait for more; `None` leaves batching to the exporters' queues.
        timeout_ms: Option<u64>,
        /// Items at which a batch is sent on.
        send_batch_size: Option<usize>,
        /// Items that a batch may have at most; 0 is no limit.
        send_batch_max_size: usize,
    },
    /// Lowers the process's byte budget.
    MemoryLimiter {
        /// The budget in bytes.
        limit_bytes: usize,
    },
}

/// A destination.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Exporter {
    /// OTLP/gRPC.
    Otlp(OtlpGrpcExporter),
    /// OTLP/HTTP.
    #[serde(rename = "otlphttp")]
    OtlpHttp(OtlpHttpExporter),
    /// A file.
    File(FileExporter),
    /// A directory of Parquet files.
    Store(StoreExporter),
    /// Standard error.
    Debug(DebugExporter),
    /// Nowhere.
    Nop(NopExporter),
}

/// The `otlp` exporter.
#[derive(Clone, Debug, Deserialize)]
pub struct OtlpGrpcExporter {
    /// `http://host:port` or `https://host:port`.
    pub endpoint: String,
    /// What it shares with `otlphttp`.
    #[serde(flatten)]
    pub sending: Sending,
}

/// The `otlphttp` exporter.
#[derive(Clone, Debug, Deserialize)]
pub struct OtlpHttpExporter {
    /// The base, for messages.
    pub endpoint: String,
    /// The whole URL of each signal.
    pub urls: SignalMap,
    /// `proto` or `json`.
    pub encoding: String,
    /// What it shares with `otlp`.
    #[serde(flatten)]
    pub sending: Sending,
}

/// How a network exporter sends.
#[derive(Clone, Debug, Deserialize)]
pub struct Sending {
    /// Added to each request; may hold secrets, never logged.
    pub headers: BTreeMap<String, String>,
    /// One attempt, from connecting to the last byte of the answer.
    pub timeout_ms: u64,
    /// All attempts for one request together, where somebody has set such a limit.
    #[serde(default)]
    pub export_timeout_ms: Option<u64>,
    /// `none`, `gzip`, `zstd` or `otz1`.
    pub compression: String,
    /// The coding's own level.
    pub compression_level: Option<i32>,
    /// Larger requests are split (X7).
    pub max_request_bytes: usize,
    /// Larger answers are failures (X8).
    pub max_response_bytes: usize,
    /// TLS settings; the URL's scheme decides whether TLS is used.
    pub tls: Option<ClientTls>,
    /// Repetition after retryable failures.
    pub retry_on_failure: Retry,
    /// What waits, and how many are sent at once.
    pub sending_queue: Queue,
}

/// TLS of a client.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientTls {
    /// PEM file of authorities, instead of the machine's own.
    pub ca_file: Option<String>,
    /// PEM file of the client's certificate chain (mTLS).
    pub cert_file: Option<String>,
    /// PEM file of the client's key.
    pub key_file: Option<String>,
    /// The name expected in the server's certificate.
    pub server_name_override: Option<String>,
    /// Takes any certificate: for tests only.
    pub insecure_skip_verify: bool,
    /// `1.2` or `1.3`.
    pub min_version: String,
    /// How long the files are believed; for ever where it is absent.
    pub reload_interval_ms: Option<u64>,
}

/// `retry_on_failure`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// False: one attempt.
    pub enabled: bool,
    /// Wait before the second attempt.
    pub initial_interval_ms: u64,
    /// Longest wait between attempts.
    pub max_interval_ms: u64,
    /// Growth of the wait.
    pub multiplier: f64,
    /// Jitter: 0.5 is a wait between half and one and a half.
    pub randomization_factor: f64,
    /// When to give up; 0 is never.
    pub max_elapsed_time_ms: u64,
}

/// `sending_queue`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Queue {
    /// False: a request is sent at once or refused.
    pub enabled: bool,
    /// Requests in flight.
    pub num_consumers: usize,
    /// Requests that may wait.
    pub queue_size: usize,
    /// True: the ack waits for the destination.
    pub wait_for_result: bool,
    /// True: a full queue delays the receiver instead of refusing.
    pub block_on_overflow: bool,
}

/// The `file` exporter.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileExporter {
    /// Where to write.
    pub path: String,
    /// `json` (lines) or `proto` (each request preceded by its length, 4 bytes big-endian).
    pub format: String,
    /// `none`, `gzip` or `zstd`, over the whole file; or `otz1`, with `proto`.
    pub compression: String,
    /// False: the file is emptied at start, unless it is rotated.
    pub append: bool,
    /// Longest time that written data may stay in this process.
    pub flush_interval_ms: u64,
    /// True: data is acknowledged when it is on the disk, and not only in the system's memory.
    pub fsync: bool,
    /// When a new file begins; absent: never.
    pub rotation: Option<Rotation>,
}

/// How the `file` exporter parts what it writes into files.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rotation {
    /// Size of a file, in MiB.
    pub max_megabytes: u64,
    /// Age at which a full file is removed; 0: never.
    pub max_days: u32,
    /// Full files that are kept; 0: all.
    pub max_backups: usize,
    /// True: the times in names are those of the machine's time zone, instead of UTC.
    pub localtime: bool,
}

/// The `store` exporter.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreExporter {
    /// The directory.
    pub path: String,
    /// Least time between two files of a signal, and so the longest that data waits for its file.
    pub flush_interval_ms: u64,
    /// True: the ack waits for the file.
    pub wait_for_result: bool,
    /// True: the file is on the disk when it is acknowledged, and not only in the system's memory.
    pub fsync: bool,
    /// Data older than this is removed; never where it is absent.
    pub max_age_ms: Option<u64>,
    /// The oldest data is removed when there is more than this; never where it is absent.
    pub max_size_bytes: Option<u64>,
}

/// The `debug` exporter.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DebugExporter {
    /// `basic`, `normal` or `detailed`.
    pub verbosity: String,
}

/// The `nop` exporter.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NopExporter {}

/// Something beside the pipelines.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Extension {
    /// Answers 200 while the gateway runs and 503 while it stops.
    HealthCheck {
        /// `host:port`.
        endpoint: String,
        /// The path that answers.
        path: String,
    },
}

/// `service.telemetry`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Telemetry {
    /// Attributes of the gateway's own resource.
    pub resource: BTreeMap<String, String>,
    /// `debug`, `info`, `warn` or `error`.
    pub logs_level: String,
    /// `none` switches the gateway's own metrics off.
    pub metrics_level: String,
    /// Addresses that serve `/metrics`.
    pub metrics_pull: Vec<PullReader>,
    /// Destinations that get the metrics as OTLP.
    pub metrics_push: Vec<PushReader>,
}

/// A Prometheus endpoint.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PullReader {
    /// `host:port`.
    pub endpoint: String,
}

/// A periodic OTLP push.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PushReader {
    /// Time between two pushes.
    pub interval_ms: u64,
    /// An `otlp` or `otlphttp` exporter.
    pub exporter: Exporter,
}

/// The gateway could not start: a sentence that names the setting and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartError(pub String);

impl StartError {
    /// An error of one setting, for example `receivers.otlp.protocols.grpc.endpoint`.
    #[must_use]
    pub fn of(setting: &str, problem: impl std::fmt::Display) -> Self {
        Self(format!("{setting}: {problem}"))
    }
}

impl std::fmt::Display for StartError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for StartError {}
