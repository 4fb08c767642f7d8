"""Every environment variable that the SDK honours, as a constant; `scripts/document_variables.py` writes them down.

A comment over a constant is its documentation: the default in brackets, then the sentence. A constant without one is
the variable above it for one signal.
"""

# == General
# [false] `true` leaves the API without an SDK; propagators still work.
OTEL_SDK_DISABLED = "OTEL_SDK_DISABLED"
# [] A declarative configuration (YAML or JSON, file format 1.0); set, no other `OTEL_` variable counts unless the
#   file refers to it.
OTEL_CONFIG_FILE = "OTEL_CONFIG_FILE"
# [`unknown_service:` and the interpreter] `service.name` of the resource; wins over OTEL_RESOURCE_ATTRIBUTES.
OTEL_SERVICE_NAME = "OTEL_SERVICE_NAME"
# [] Attributes of the resource as `key=value,key=value`, values percent-encoded.
OTEL_RESOURCE_ATTRIBUTES = "OTEL_RESOURCE_ATTRIBUTES"
# [] Detectors to ask, the last one wins: `host`, `os`, `process`, `service_instance`, `otel`, those of installed
#   packages, or `*` for all.
OTEL_EXPERIMENTAL_RESOURCE_DETECTORS = "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS"
# [tracecontext,baggage] How context travels between services, in this order and each once; `none` for not at all.
#   Others than the default two come from installed packages.
OTEL_PROPAGATORS = "OTEL_PROPAGATORS"
# [false] `true` counts what the SDK itself does, as `otel.sdk.*` metrics; each span and log record then costs a call
#   into Python.
OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED = "OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED"

# == What is exported, and when
# [otlp] `otlp`, `console`, `none`, or the name of an installed exporter; several with commas between them.
OTEL_TRACES_EXPORTER = "OTEL_TRACES_EXPORTER"
# [otlp] The same for metrics; and `prometheus`, which serves them at /metrics.
OTEL_METRICS_EXPORTER = "OTEL_METRICS_EXPORTER"
# [otlp] The same for logs.
OTEL_LOGS_EXPORTER = "OTEL_LOGS_EXPORTER"
# [5000] Longest wait of a finished span for more, in milliseconds.
OTEL_BSP_SCHEDULE_DELAY = "OTEL_BSP_SCHEDULE_DELAY"
# [30000] Longest time for one export of spans, in milliseconds.
OTEL_BSP_EXPORT_TIMEOUT = "OTEL_BSP_EXPORT_TIMEOUT"
# [bounded by bytes] Spans that may wait; those beyond are dropped and counted. Without it 64 MiB of spans may wait.
OTEL_BSP_MAX_QUEUE_SIZE = "OTEL_BSP_MAX_QUEUE_SIZE"
# [as many as fit a request] Spans in one request.
OTEL_BSP_MAX_EXPORT_BATCH_SIZE = "OTEL_BSP_MAX_EXPORT_BATCH_SIZE"
# [1000] The same for log records.
OTEL_BLRP_SCHEDULE_DELAY = "OTEL_BLRP_SCHEDULE_DELAY"
# [30000] The same for log records.
OTEL_BLRP_EXPORT_TIMEOUT = "OTEL_BLRP_EXPORT_TIMEOUT"
# [bounded by bytes] The same for log records.
OTEL_BLRP_MAX_QUEUE_SIZE = "OTEL_BLRP_MAX_QUEUE_SIZE"
# [as many as fit a request] The same for log records.
OTEL_BLRP_MAX_EXPORT_BATCH_SIZE = "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE"
# [60000] Time between two collections of metrics, in milliseconds.
OTEL_METRIC_EXPORT_INTERVAL = "OTEL_METRIC_EXPORT_INTERVAL"
# [30000] Longest time for one export of metrics, in milliseconds.
OTEL_METRIC_EXPORT_TIMEOUT = "OTEL_METRIC_EXPORT_TIMEOUT"
# [localhost] Where metrics are served for Prometheus.
OTEL_EXPORTER_PROMETHEUS_HOST = "OTEL_EXPORTER_PROMETHEUS_HOST"
# [9464] The same.
OTEL_EXPORTER_PROMETHEUS_PORT = "OTEL_EXPORTER_PROMETHEUS_PORT"

# == OTLP exporters
# [http://localhost:4318, for grpc http://localhost:4317] Where to send. The general one gets `/v1/traces` and so on
#   appended; that of a signal is used as it is.
OTEL_EXPORTER_OTLP_ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
OTEL_EXPORTER_OTLP_TRACES_ENDPOINT = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
OTEL_EXPORTER_OTLP_METRICS_ENDPOINT = "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"
OTEL_EXPORTER_OTLP_LOGS_ENDPOINT = "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"
# [http/protobuf] `http/protobuf`, `http/json` or `grpc`.
OTEL_EXPORTER_OTLP_PROTOCOL = "OTEL_EXPORTER_OTLP_PROTOCOL"
OTEL_EXPORTER_OTLP_TRACES_PROTOCOL = "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"
OTEL_EXPORTER_OTLP_METRICS_PROTOCOL = "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL"
OTEL_EXPORTER_OTLP_LOGS_PROTOCOL = "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL"
# [] Added to each request, as `name=value,name=value`, percent-encoded. Values are never shown.
OTEL_EXPORTER_OTLP_HEADERS = "OTEL_EXPORTER_OTLP_HEADERS"
OTEL_EXPORTER_OTLP_TRACES_HEADERS = "OTEL_EXPORTER_OTLP_TRACES_HEADERS"
OTEL_EXPORTER_OTLP_METRICS_HEADERS = "OTEL_EXPORTER_OTLP_METRICS_HEADERS"
OTEL_EXPORTER_OTLP_LOGS_HEADERS = "OTEL_EXPORTER_OTLP_LOGS_HEADERS"
# [none] `gzip`, `zstd` or `none`.
OTEL_EXPORTER_OTLP_COMPRESSION = "OTEL_EXPORTER_OTLP_COMPRESSION"
OTEL_EXPORTER_OTLP_TRACES_COMPRESSION = "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION"
OTEL_EXPORTER_OTLP_METRICS_COMPRESSION = "OTEL_EXPORTER_OTLP_METRICS_COMPRESSION"
OTEL_EXPORTER_OTLP_LOGS_COMPRESSION = "OTEL_EXPORTER_OTLP_LOGS_COMPRESSION"
# [10000] Longest time for one attempt, in milliseconds. A value below 100 is taken for seconds, as the stock SDK for
#   Python reads it.
OTEL_EXPORTER_OTLP_TIMEOUT = "OTEL_EXPORTER_OTLP_TIMEOUT"
OTEL_EXPORTER_OTLP_TRACES_TIMEOUT = "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT"
OTEL_EXPORTER_OTLP_METRICS_TIMEOUT = "OTEL_EXPORTER_OTLP_METRICS_TIMEOUT"
OTEL_EXPORTER_OTLP_LOGS_TIMEOUT = "OTEL_EXPORTER_OTLP_LOGS_TIMEOUT"
# [false] `true` sends without TLS to a gRPC endpoint that has no scheme; a scheme decides by itself.
OTEL_EXPORTER_OTLP_INSECURE = "OTEL_EXPORTER_OTLP_INSECURE"
OTEL_EXPORTER_OTLP_TRACES_INSECURE = "OTEL_EXPORTER_OTLP_TRACES_INSECURE"
OTEL_EXPORTER_OTLP_METRICS_INSECURE = "OTEL_EXPORTER_OTLP_METRICS_INSECURE"
OTEL_EXPORTER_OTLP_LOGS_INSECURE = "OTEL_EXPORTER_OTLP_LOGS_INSECURE"
# [the machine's authorities] PEM file of the authorities that are trusted.
OTEL_EXPORTER_OTLP_CERTIFICATE = "OTEL_EXPORTER_OTLP_CERTIFICATE"
OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE = "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE"
OTEL_EXPORTER_OTLP_METRICS_CERTIFICATE = "OTEL_EXPORTER_OTLP_METRICS_CERTIFICATE"
OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE = "OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE"
# [] PEM file of the client's private key (mTLS).
OTEL_EXPORTER_OTLP_CLIENT_KEY = "OTEL_EXPORTER_OTLP_CLIENT_KEY"
OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY = "OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY"
OTEL_EXPORTER_OTLP_METRICS_CLIENT_KEY = "OTEL_EXPORTER_OTLP_METRICS_CLIENT_KEY"
OTEL_EXPORTER_OTLP_LOGS_CLIENT_KEY = "OTEL_EXPORTER_OTLP_LOGS_CLIENT_KEY"
# [] PEM file of the client's certificate chain (mTLS).
OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE = "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"
OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE = "OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE"
OTEL_EXPORTER_OTLP_METRICS_CLIENT_CERTIFICATE = "OTEL_EXPORTER_OTLP_METRICS_CLIENT_CERTIFICATE"
OTEL_EXPORTER_OTLP_LOGS_CLIENT_CERTIFICATE = "OTEL_EXPORTER_OTLP_LOGS_CLIENT_CERTIFICATE"
# [] The obsolete name of OTEL_EXPORTER_OTLP_TRACES_INSECURE.
OTEL_EXPORTER_OTLP_SPAN_INSECURE = "OTEL_EXPORTER_OTLP_SPAN_INSECURE"
# [] The obsolete name of OTEL_EXPORTER_OTLP_METRICS_INSECURE.
OTEL_EXPORTER_OTLP_METRIC_INSECURE = "OTEL_EXPORTER_OTLP_METRIC_INSECURE"
# [cumulative] `cumulative`, `delta` or `lowmemory`.
OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"
# [explicit_bucket_histogram] `explicit_bucket_histogram` or `base2_exponential_bucket_histogram`.
OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION = "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION"

# == Sampling and limits
# [parentbased_always_on] `always_on`, `always_off`, `traceidratio`, each also with `parentbased_` before it, or the
#   name of an installed sampler.
OTEL_TRACES_SAMPLER = "OTEL_TRACES_SAMPLER"
# [] The argument of the sampler: for `traceidratio` the part of traces to keep, from 0 to 1.
OTEL_TRACES_SAMPLER_ARG = "OTEL_TRACES_SAMPLER_ARG"
# [trace_based] `trace_based`, `always_on` or `always_off`.
OTEL_METRICS_EXEMPLAR_FILTER = "OTEL_METRICS_EXEMPLAR_FILTER"
# [128] Attributes of a span, an event, a link or a log record, where no limit below says otherwise.
OTEL_ATTRIBUTE_COUNT_LIMIT = "OTEL_ATTRIBUTE_COUNT_LIMIT"
# [no limit] Characters of a text value, likewise.
OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT = "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"
# [128] Attributes of a span.
OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT = "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT"
# [no limit] Characters of a text value of a span.
OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT = "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT"
# [128] Events of a span.
OTEL_SPAN_EVENT_COUNT_LIMIT = "OTEL_SPAN_EVENT_COUNT_LIMIT"
# [128] Links of a span.
OTEL_SPAN_LINK_COUNT_LIMIT = "OTEL_SPAN_LINK_COUNT_LIMIT"
# [128] Attributes of an event.
OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT = "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT"
# [128] Attributes of a link.
OTEL_LINK_ATTRIBUTE_COUNT_LIMIT = "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT"
# [128] Attributes of a log record.
OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT = "OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT"
# [no limit] Characters of a text value of a log record.
OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT = "OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT"

# == Python
# [] `millrace` makes the API load this SDK for traces by itself.
OTEL_PYTHON_TRACER_PROVIDER = "OTEL_PYTHON_TRACER_PROVIDER"
# [] The same for metrics.
OTEL_PYTHON_METER_PROVIDER = "OTEL_PYTHON_METER_PROVIDER"
# [] The same for logs.
OTEL_PYTHON_LOGGER_PROVIDER = "OTEL_PYTHON_LOGGER_PROVIDER"
# [native] The name of an installed id generator.
OTEL_PYTHON_ID_GENERATOR = "OTEL_PYTHON_ID_GENERATOR"
# [false] `true` adds the logging handler to the root logger.
OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED = "OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED"
# [] Instrumentations that `millrace run` leaves out, with commas between them; `*` for all.
OTEL_PYTHON_DISABLED_INSTRUMENTATIONS = "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"

# == millrace only
# [] A directory in which the processes of a service keep what they have counted, so that the one that serves
#   OTEL_EXPORTER_PROMETHEUS_PORT answers for all. Empty it before the service starts.
MILLRACE_PROMETHEUS_DIRECTORY = "MILLRACE_PROMETHEUS_DIRECTORY"
# [2000] Longest time that the end of the process waits for delivery, in milliseconds.
MILLRACE_EXIT_TIMEOUT = "MILLRACE_EXIT_TIMEOUT"
# [true] `false` leaves SIGTERM alone; else what is queued is delivered before the process ends by it.
MILLRACE_HANDLE_SIGTERM = "MILLRACE_HANDLE_SIGTERM"

# == Known to upstream, without effect here: kept so that an import of them works
OTEL_LOG_LEVEL = "OTEL_LOG_LEVEL"
OTEL_EXPORTER_ZIPKIN_ENDPOINT = "OTEL_EXPORTER_ZIPKIN_ENDPOINT"
OTEL_EXPORTER_ZIPKIN_TIMEOUT = "OTEL_EXPORTER_ZIPKIN_TIMEOUT"
OTEL_PYTHON_TRACER_CONFIGURATOR = "OTEL_PYTHON_TRACER_CONFIGURATOR"
OTEL_PYTHON_METER_CONFIGURATOR = "OTEL_PYTHON_METER_CONFIGURATOR"
OTEL_PYTHON_LOGGER_CONFIGURATOR = "OTEL_PYTHON_LOGGER_CONFIGURATOR"
