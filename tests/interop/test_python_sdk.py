"""The stock opentelemetry-python SDK as a client, over every protocol that it has; what it encodes is what arrives."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import pytest
from google.protobuf.message import Message  # noqa: TC002 - pytest reads annotations
from opentelemetry.exporter.otlp.json.http._log_exporter import OTLPLogExporter as JsonLogs
from opentelemetry.exporter.otlp.json.http.metric_exporter import OTLPMetricExporter as JsonMetrics
from opentelemetry.exporter.otlp.json.http.trace_exporter import OTLPSpanExporter as JsonSpans
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogs
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcMetrics
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpans
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogs
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpMetrics
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpans
from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, LogRecordExporter, LogRecordExportResult
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    MetricExporter,
    MetricExportResult,
    MetricsData,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Link, SpanKind, Status, StatusCode, set_span_in_context

from millrace.gateway import Gateway
from tests.conformance.gateways import url
from tests.conformance.sink import Sink

SPANS = 600
"""More than one batch of the SDK."""

RECORDS = 600
RESOURCE = Resource(
    {"service.name": "python-client", "list": ["a", "b"], "ratio": 0.5, "umlaut": "\u00e4\u20ac\U0001f600"}
)


class Exporters(NamedTuple):
    """The exporters of one protocol."""

    spans: Callable[[Gateway], Any]
    metrics: Callable[[Gateway], Any]
    logs: Callable[[Gateway], Any]


def _grpc(exporter: Callable[..., Any]) -> Callable[[Gateway], Any]:
    return lambda gateway: exporter(endpoint=url(gateway, "grpc"), insecure=True)


def _http(exporter: Callable[..., Any], path: str, **settings: object) -> Callable[[Gateway], Any]:
    return lambda gateway: exporter(endpoint=f"{url(gateway, 'http')}/v1/{path}", **settings)


PROTOCOLS = {
    "grpc": Exporters(_grpc(GrpcSpans), _grpc(GrpcMetrics), _grpc(GrpcLogs)),
    "http/protobuf": Exporters(_http(HttpSpans, "traces"), _http(HttpMetrics, "metrics"), _http(HttpLogs, "logs")),
    "http/protobuf gzip": Exporters(
        _http(HttpSpans, "traces", compression=Compression.Gzip),
        _http(HttpMetrics, "metrics", compression=Compression.Gzip),
        _http(HttpLogs, "logs", compression=Compression.Gzip),
    ),
    "http/json": Exporters(_http(JsonSpans, "traces"), _http(JsonMetrics, "metrics"), _http(JsonLogs, "logs")),
}

protocols = pytest.mark.parametrize("protocol", PROTOCOLS)


class SpansWatched(SpanExporter):
    """An exporter that also keeps what it exports, in the encoding of the SDK's own."""

    def __init__(self, exporter: SpanExporter) -> None:
        self.exporter = exporter
        self.sent: list[Message] = []
        self.results: set[SpanExportResult] = set()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.sent.append(encode_spans(spans))
        result = self.exporter.export(spans)
        self.results.add(result)
        return result

    def shutdown(self) -> None:
        self.exporter.shutdown()


class MetricsWatched(MetricExporter):
    """The same for metrics."""

    def __init__(self, exporter: MetricExporter) -> None:
        super().__init__()
        self.exporter = exporter
        self.sent: list[Message] = []
        self.results: set[MetricExportResult] = set()

    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **_: object) -> MetricExportResult:
        self.sent.append(encode_metrics(metrics_data))
        result = self.exporter.export(metrics_data, timeout_millis)
        self.results.add(result)
        return result

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        return self.exporter.force_flush(timeout_millis)

    def shutdown(self, timeout_millis: float = 30_000, **_: object) -> None:
        self.exporter.shutdown(timeout_millis)


class LogsWatched(LogRecordExporter):
    """The same for log records."""

    def __init__(self, exporter: LogRecordExporter) -> None:
        self.exporter = exporter
        self.sent: list[Message] = []
        self.results: set[LogRecordExportResult] = set()

    def force_flush(self, timeout_millis: int = 10_000) -> bool:  # noqa: ARG002 - every export is finished at once
        return True

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        self.sent.append(encode_logs(batch))
        result = self.exporter.export(batch)
        self.results.add(result)
        return result

    def shutdown(self) -> None:
        self.exporter.shutdown()  # type: ignore[no-untyped-call] # the SDK's own lack of a type


@protocols
def test_the_python_sdk_sends_traces(gateway: Gateway, sink: Sink, protocol: str) -> None:
    exporter = SpansWatched(PROTOCOLS[protocol].spans(gateway))
    provider = TracerProvider(resource=RESOURCE, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("interop", "1.0", attributes={"scope": True})
    root = tracer.start_span("root", kind=SpanKind.SERVER)
    for number in range(SPANS - 1):
        attributes: dict[str, Any] = {"text": "\u00e4\u20ac\U0001f600", "int": -number, "float": 0.1, "bool": True}
        attributes |= {"ints": [1, 2], "texts": ["a", "b"], "empty": ""}
        links = [Link(root.get_span_context(), {"linked": True})]
        child = tracer.start_span(f"child {number}", set_span_in_context(root), SpanKind.CLIENT, attributes, links)
        child.add_event("event", {"number": number})
        child.record_exception(ValueError("on purpose"))
        child.set_status(Status(StatusCode.ERROR, "on purpose"))
        child.end()
    root.end()
    provider.shutdown()

    assert exporter.results == {SpanExportResult.SUCCESS}
    assert len(sink.names("traces")) == SPANS
    assert sink.messages("traces") == exporter.sent


@protocols
def test_the_python_sdk_sends_metrics(gateway: Gateway, sink: Sink, protocol: str) -> None:
    exporter = MetricsWatched(PROTOCOLS[protocol].metrics(gateway))
    view = View(instrument_name="exponential", aggregation=ExponentialBucketHistogramAggregation())
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=3_600_000)
    provider = MeterProvider([reader], RESOURCE, shutdown_on_exit=False, views=[view])
    meter = provider.get_meter("interop", "1.0")
    counter, updown = meter.create_counter("counter", "1", "what it counts"), meter.create_up_down_counter("updown")
    gauge = meter.create_gauge("gauge", "By")
    meter.create_observable_gauge("observed", [lambda _: iter(())])
    histograms = [meter.create_histogram(name, "ms") for name in ("histogram", "exponential")]
    for number in range(100):
        counter.add(number, {"number": number})
        updown.add(-number)
        gauge.set(number / 3)
        for histogram in histograms:
            histogram.record(number**2, {"even": number % 2 == 0})
    provider.shutdown()

    assert exporter.results == {MetricExportResult.SUCCESS}
    assert set(sink.names("metrics")) == {"counter", "updown", "gauge", "histogram", "exponential"}
    assert sink.messages("metrics") == exporter.sent


@protocols
def test_the_python_sdk_sends_logs(gateway: Gateway, sink: Sink, protocol: str) -> None:
    exporter = LogsWatched(PROTOCOLS[protocol].logs(gateway))
    provider = LoggerProvider(RESOURCE, shutdown_on_exit=False)
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
    logger = provider.get_logger("interop", "1.0")
    for number, body in enumerate(_bodies()):
        logger.emit(
            timestamp=number + 1,
            observed_timestamp=number + 2,
            severity_text="WARN",
            body=body,
            attributes={"number": number, "nested": {"list": [1, "two", 3.5, None, True]}, "bytes": b"\0\xff"},
            event_name="event",
        )
    provider.shutdown()

    assert exporter.results == {LogRecordExportResult.SUCCESS}
    assert len(sink.names("logs")) == RECORDS
    assert sink.messages("logs") == exporter.sent


def _bodies() -> Iterator[Any]:
    """Bodies of every kind that the API takes."""
    kinds = ["text", "", 7, -0.5, True, b"\x00\xff", ["a", 1], {"map": {"deep": [{}]}}, None, '\u00e4\n"\\']
    for number in range(RECORDS):
        yield kinds[number % len(kinds)]
