//! The four kinds of telemetry and the names that OTLP gives them.

/// One kind of telemetry. Each travels in its own Export request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Signal {
    /// Spans.
    Traces = 0,
    /// Metrics, counted by their data points.
    Metrics = 1,
    /// Log records.
    Logs = 2,
    /// Profiles, in development in OTLP 1.x.
    Profiles = 3,
}

impl Signal {
    /// Every signal, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::Traces, Self::Metrics, Self::Logs, Self::Profiles];

    /// The word that configuration files use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Metrics => "metrics",
            Self::Logs => "logs",
            Self::Profiles => "profiles",
        }
    }

    /// What is counted, in the Collector's words as they stand in its `otelcol_*` metrics.
    #[must_use]
    pub const fn item_name(self) -> &'static str {
        match self {
            Self::Traces => "spans",
            Self::Metrics => "metric_points",
            Self::Logs => "log_records",
            Self::Profiles => "profiles",
        }
    }

    /// The OTLP/JSON name of the count in a partial success.
    #[must_use]
    pub const fn rejected_name(self) -> &'static str {
        match self {
            Self::Traces => "rejectedSpans",
            Self::Metrics => "rejectedDataPoints",
            Self::Logs => "rejectedLogRecords",
            Self::Profiles => "rejectedProfiles",
        }
    }

    /// The default path of OTLP/HTTP.
    #[must_use]
    pub const fn http_path(self) -> &'static str {
        match self {
            Self::Traces => "/v1/traces",
            Self::Metrics => "/v1/metrics",
            Self::Logs => "/v1/logs",
            Self::Profiles => "/v1development/profiles",
        }
    }

    /// The path of the OTLP/gRPC method.
    #[must_use]
    pub const fn grpc_path(self) -> &'static str {
        match self {
            Self::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            Self::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
            Self::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
            Self::Profiles => {
                "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export"
            }
        }
    }

    /// The signal that configuration files call `name`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|signal| signal.name() == name)
    }

    /// The signal that is posted to this path by default.
    #[must_use]
    pub fn from_http_path(path: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|signal| signal.http_path() == path)
    }

    /// The signal that this gRPC method exports.
    #[must_use]
    pub fn from_grpc_path(path: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|signal| signal.grpc_path() == path)
    }

    /// Whether the bytes of two requests, one after the other, are a request with the items of both.
    ///
    /// Profiles refer by index into a dictionary beside them, so joined dictionaries would change what they mean:
    /// merge them with code that counts the indices on.
    #[must_use]
    pub const fn merges_by_concatenation(self) -> bool {
        !matches!(self, Self::Profiles)
    }
}
