"""What the SDK counts of itself is what upstream's SDK counts of itself, and what the engine does belongs to it."""

import json
import sys
from types import ModuleType
from typing import Any

import opentelemetry.sdk._logs
import opentelemetry.sdk._logs.export
import opentelemetry.sdk.metrics
import opentelemetry.sdk.metrics.export
import opentelemetry.sdk.trace
import opentelemetry.sdk.trace.export
import opentelemetry.sdk.trace.sampling
import pytest
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import NonRecordingSpan, SpanContext, set_span_in_context

import millrace.sdk.logs
import millrace.sdk.logs.export
import millrace.sdk.metrics
import millrace.sdk.metrics.export
import millrace.sdk.trace
import millrace.sdk.trace.export
import millrace.sdk.trace.sampling
from tests.conformance.sink import Sink
from tests.sdk.programs import run_program

ASKED = "OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED"

OURS = (millrace.sdk.trace, millrace.sdk.metrics, millrace.sdk.logs)
STOCK = (opentelemetry.sdk.trace, opentelemetry.sdk.metrics, opentelemetry.sdk._logs)  # noqa: SLF001 - its name


def counted(trace: Any, metrics: Any, logs: Any) -> list[Any]:
    """Use an SDK, and return what it has counted of that, without the numbers of components and the times."""
    reader = metrics.export.InMemoryMetricReader()
    meters = metrics.MeterProvider([reader], shutdown_on_exit=False)
    tracers = trace.TracerProvider(
        trace.sampling.ParentBased(trace.sampling.ALWAYS_ON), shutdown_on_exit=False, meter_provider=meters
    )
    batch = trace.export.BatchSpanProcessor(InMemorySpanExporter(), 10, 60_000, 5, meter_provider=meters)
    simple = trace.export.SimpleSpanProcessor(InMemorySpanExporter(), meter_provider=meters)
    for processor in (batch, simple):
        tracers.add_span_processor(processor)
    loggers = logs.LoggerProvider(shutdown_on_exit=False, meter_provider=meters)
    for kind in (logs.export.BatchLogRecordProcessor, logs.export.SimpleLogRecordProcessor):
        loggers.add_log_record_processor(kind(InMemoryLogRecordExporter(), meter_provider=meters))  # type: ignore[no-untyped-call] # upstream's

    tracer, logger = tracers.get_tracer("shop"), loggers.get_logger("shop")
    with tracer.start_as_current_span("order"), tracer.start_as_current_span("line"):
        logger.emit(body="sold")
    for is_remote in (True, False):
        parent = set_span_in_context(NonRecordingSpan(SpanContext(1, 2, is_remote)))
        tracer.start_span("not sampled", context=parent).end()
    live = tracer.start_span("live")
    tracers.force_flush()
    loggers.force_flush()
    simple.shutdown()
    batch.shutdown()
    live.end()
    tracer.start_span("live").end()
    reader.collect()  # its time is known to the next one
    data = reader.get_metrics_data()
    loggers.shutdown()
    return sorted(
        (
            metric.name,
            metric.unit,
            metric.description,
            type(metric.data).__name__,
            sorted(
                (
                    sorted((key, value) for key, value in point.attributes.items() if key != "otel.component.name"),
                    getattr(point, "value", None),
                )
                for point in metric.data.data_points
            ),
        )
        for metric in data.resource_metrics[0].scope_metrics[0].metrics
    )


def test_the_sdk_counts_of_itself_what_upstream_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ASKED, "true")

    ours = counted(*OURS)
    assert {name for name, *_ in ours} >= {
        "otel.sdk.span.started",
        "otel.sdk.span.live",
        "otel.sdk.log.created",
        "otel.sdk.processor.span.queue.size",
        "otel.sdk.metric_reader.collection.duration",
    }
    assert ours == counted(*STOCK)


@pytest.mark.parametrize("sdk", [OURS, STOCK], ids=["ours", "upstream's"])
def test_nothing_is_counted_unless_somebody_asks(sdk: tuple[ModuleType, ...]) -> None:
    with pytest.raises(AttributeError, match="resource_metrics"):
        counted(*sdk)


def test_the_engine_counts_like_a_batching_processor(sink: Sink) -> None:
    program = """
import json, millrace
from millrace.sdk.metrics.export import InMemoryMetricReader
telemetry = millrace.configure()
reader = InMemoryMetricReader()
telemetry.meter_provider.add_metric_reader(reader)
tracer = telemetry.tracer_provider.get_tracer("t")
for _ in range(3):
    tracer.start_span("one").end()
telemetry.force_flush()
tracer.start_span("two").end()
for _ in range(2):
    scopes = reader.get_metrics_data().resource_metrics[0].scope_metrics
print(json.dumps({
    metric.name: [[point.attributes["otel.component.type"], point.value] for point in metric.data.data_points]
    for scope in scopes for metric in scope.metrics if "processor.span" in metric.name
}))
"""
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": sink.http_url, "OTEL_BSP_SCHEDULE_DELAY": "3600000", ASKED: "true"}
    run = run_program(sys.executable, "-c", program, **variables)

    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout) == {
        "otel.sdk.processor.span.processed": [["batching_span_processor", 3]],
        "otel.sdk.processor.span.queue.size": [["batching_span_processor", 1]],
    }
