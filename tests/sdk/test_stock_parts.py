"""Stock parts over our SDK: processors, exporters and instrumentations that were written for upstream's."""

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpanExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpanExporter
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SimpleSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, SpanContext, SpanKind, StatusCode, TraceFlags

from millrace.sdk.resources import Resource
from millrace.sdk.trace import ReadableSpan, TracerProvider
from tests.conformance.messages import Signal
from tests.conformance.sink import Sink
from tests.sdk.programs import run_program

REMOTE = SpanContext(0xABC, 0xDEF, is_remote=True, trace_flags=TraceFlags(1))
SHOP = Path(__file__).with_name("instrumented_shop.py")


def record(processor: SpanProcessor) -> None:
    """Record a trace with everything in it, through one processor, and shut it down."""
    provider = TracerProvider(resource=Resource({"service.name": "shop"}), shutdown_on_exit=False)
    provider.add_span_processor(processor)  # type: ignore[arg-type] # upstream's class serves as well
    tracer = provider.get_tracer("library", "1.0")
    with tracer.start_as_current_span("outer", kind=SpanKind.SERVER, links=[Link(REMOTE, {"why": "batch"})]) as outer:
        outer.add_event("found", {"price": 30})
        with tracer.start_as_current_span("inner", attributes={"size": 7}) as inner:
            inner.set_status(StatusCode.ERROR, "out of stock")
    assert provider.force_flush()
    provider.shutdown()


@pytest.mark.parametrize("processor", [BatchSpanProcessor, SimpleSpanProcessor])
def test_stock_processors_hand_spans_to_stock_exporters(processor: type[SpanProcessor]) -> None:
    exporter = InMemorySpanExporter()
    record(processor(exporter))  # type: ignore[call-arg] # both take an exporter

    inner, outer = exporter.get_finished_spans()
    assert (inner.name, outer.name) == ("inner", "outer")
    assert inner.parent == outer.context
    assert issubclass(type(outer), ReadableSpan)


def test_the_stock_console_exporter_prints_spans() -> None:
    out = io.StringIO()
    record(SimpleSpanProcessor(ConsoleSpanExporter(out=out, formatter=lambda span: span.to_json(indent=None) + "\n")))

    inner, outer = [json.loads(line) for line in out.getvalue().splitlines()]
    assert inner["attributes"] == {"size": 7}
    assert inner["status"] == {"status_code": "ERROR", "description": "out of stock"}
    assert outer["events"][0]["attributes"] == {"price": 30}


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_the_stock_otlp_exporters_send_spans(protocol: str, sink: Sink) -> None:
    exporter: SpanExporter
    if protocol == "http":
        exporter = HttpSpanExporter(endpoint=f"{sink.http_url}/v1/traces")
    else:
        exporter = GrpcSpanExporter(endpoint=sink.grpc_url, insecure=True)
    record(BatchSpanProcessor(exporter))

    (message,) = sink.messages("traces")
    (resource,) = message.resource_spans
    assert {attribute.key: attribute.value.string_value for attribute in resource.resource.attributes} == {
        "service.name": "shop"
    }
    inner, outer = resource.scope_spans[0].spans
    assert inner.parent_span_id == outer.span_id
    assert outer.links[0].attributes[0].value.string_value == "batch"
    assert outer.events[0].name == "found"


STOCK_FIRST = "import opentelemetry.sdk.trace as stock, millrace.sdk.trace as ours"
OURS_FIRST = "import millrace.sdk.trace as ours; p = ours.TracerProvider(); import opentelemetry.sdk.trace as stock"


@pytest.mark.parametrize("imports", [STOCK_FIRST, OURS_FIRST, OURS_FIRST.replace("; p = ours.TracerProvider()", "")])
def test_a_provider_is_one_of_upstreams_whichever_was_imported_first(imports: str) -> None:
    ask = "print(isinstance(ours.TracerProvider(), stock.TracerProvider))"
    run = run_program(sys.executable, "-c", f"{imports}\n{ask}")

    assert (run.stdout, run.stderr) == ("True\n", "")


@pytest.fixture(scope="module")
def telemetry(_sink: Sink) -> dict[str, dict[Signal, list[Any]]]:
    """What the same service sends through each SDK."""
    return {sdk: _sent_through(sdk, _sink) for sdk in ("stock", "millrace")}


@pytest.mark.parametrize("signal", ["traces", "metrics", "logs"])
def test_an_instrumented_service_sends_the_same_through_either_sdk(
    signal: Signal, telemetry: dict[str, dict[Signal, list[Any]]]
) -> None:
    assert telemetry["stock"][signal]
    assert telemetry["millrace"][signal] == telemetry["stock"][signal]


def test_the_service_was_instrumented_throughout(telemetry: dict[str, dict[Signal, list[Any]]]) -> None:
    scopes = {scope["name"].rpartition(".")[2] for (_, scope, _), *_ in telemetry["millrace"]["traces"]}
    assert scopes == {"fastapi", "httpx", "sqlalchemy", "sqlite3", "shop"}


def _sent_through(sdk: str, sink: Sink) -> dict[Signal, list[Any]]:
    sink.reset()
    run = run_program(
        sys.executable, SHOP, sdk,
        PYTHONWARNINGS="default",
        OTEL_SERVICE_NAME="shop",
        OTEL_TRACES_EXPORTER="otlp", OTEL_METRICS_EXPORTER="otlp", OTEL_LOGS_EXPORTER="otlp",
        OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf", OTEL_EXPORTER_OTLP_ENDPOINT=sink.http_url,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    messages = {signal: [MessageToDict(message) for message in sink.messages(signal)] for signal in SIGNALS}
    names = {
        span["spanId"]: span["name"] for _, span in _items(messages["traces"], "resourceSpans", "scopeSpans", "spans")
    }
    return {
        "traces": _sorted(_span(scope, span, names) for scope, span in _items(messages["traces"], *PATHS["traces"])),
        "metrics": _sorted(_metric(scope, metric) for scope, metric in _items(messages["metrics"], *PATHS["metrics"])),
        "logs": _sorted(_log(scope, log, names) for scope, log in _items(messages["logs"], *PATHS["logs"])),
    }


SIGNALS: tuple[Signal, ...] = ("traces", "metrics", "logs")
PATHS: dict[Signal, tuple[str, str, str]] = {
    "traces": ("resourceSpans", "scopeSpans", "spans"),
    "metrics": ("resourceMetrics", "scopeMetrics", "metrics"),
    "logs": ("resourceLogs", "scopeLogs", "logRecords"),
}
_OF_THIS_PROCESS = {"telemetry.sdk.name", "telemetry.sdk.version", "service.instance.id"}
_DIFFERS = {"exception.stacktrace", "code.line.number", "code.lineno", "thread.id"}


def _sorted(items: Iterator[Any]) -> list[Any]:
    return sorted(items, key=repr)


def _items(messages: list[Any], resources: str, scopes: str, items: str) -> Iterator[tuple[Any, Any]]:
    for message in messages:
        for resource in message[resources]:
            whose = {
                key: value for key, value in _attributes(resource["resource"]).items() if key not in _OF_THIS_PROCESS
            }
            for scope in resource[scopes]:
                yield from (((whose, scope["scope"], scope.get("schemaUrl")), item) for item in scope[items])


def _attributes(holder: Any) -> dict[str, Any]:
    found = {attribute["key"]: attribute.get("value") for attribute in holder.get("attributes", [])}
    return {key: value for key, value in sorted(found.items()) if key not in _DIFFERS}


def _span(scope: Any, span: Any, names: dict[str, str]) -> Any:
    events = [(event["name"], _attributes(event)) for event in span.get("events", [])]
    parent = names.get(span.get("parentSpanId", ""))
    return scope, span["name"], span["kind"], parent, _attributes(span), span.get("status") or None, events


def _metric(scope: Any, metric: Any) -> Any:
    described = {key: metric.get(key) for key in ("name", "unit", "description")}
    ((kind, data),) = [(key, value) for key, value in metric.items() if key not in described]
    points = [
        (_attributes(point), point.get("count"), point.get("explicitBounds"), point.get("asInt"))
        for point in data["dataPoints"]
    ]
    traits = {key: value for key, value in data.items() if key != "dataPoints"}
    return scope, described, kind, traits, sorted(points, key=repr)


def _log(scope: Any, log: Any, names: dict[str, str]) -> Any:
    said = {key: log.get(key) for key in ("body", "severityText", "severityNumber", "eventName")}
    return scope, said, _attributes(log), names.get(log.get("spanId", ""))
