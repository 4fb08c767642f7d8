"""Traces of both SDKs in one form: what a program recorded, decoded with upstream's classes, without ids and times."""

from collections.abc import Callable, Iterator
from typing import Any

from google.protobuf.json_format import MessageToDict
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource as StockResource
from opentelemetry.sdk.trace import TracerProvider as StockTracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Tracer

from millrace import _native
from millrace.sdk.resources import Resource
from millrace.sdk.trace import TracerProvider

__all__ = ["drained", "native_spans", "recorded", "spans_of", "stock_spans"]

Program = Callable[[Tracer], object]

_RANDOM = ("traceId", "spanId", "parentSpanId", "startTimeUnixNano", "endTimeUnixNano", "timeUnixNano")
_TRACE_FLAGS = 0xFF
"""Upstream leaves the W3C flags out of the flags of OTLP, although trace.proto asks for them."""


def recorded(**settings: Any) -> tuple[Tracer, _native.Buffer]:
    """A native tracer and the buffer its spans go to."""
    buffer = _native.Buffer()
    settings.setdefault("resource", Resource({"service.name": "shop"}))
    provider = TracerProvider(shutdown_on_exit=False, _buffer=buffer, **settings)
    return provider.get_tracer("library", "1.0", "https://example.org/schema", {"scope": True}), buffer


def drained(buffer: _native.Buffer) -> list[ExportTraceServiceRequest]:
    """What waits in the buffer, decoded."""
    requests = iter(buffer.drain, None)
    return [ExportTraceServiceRequest.FromString(request) for request in requests]


def spans_of(buffer: _native.Buffer) -> list[Any]:
    """The spans that wait in the buffer, as messages."""
    return [
        span
        for request in drained(buffer)
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def native_spans(program: Program, **settings: Any) -> list[dict[str, Any]]:
    """What our SDK sends for a program."""
    tracer, buffer = recorded(**settings)
    program(tracer)
    return _comparable(drained(buffer))


def stock_spans(program: Program, **settings: Any) -> list[dict[str, Any]]:
    """What the stock SDK sends for the same program."""
    exporter = InMemorySpanExporter()
    settings.setdefault("resource", StockResource({"service.name": "shop"}))
    provider = StockTracerProvider(shutdown_on_exit=False, **settings)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    program(provider.get_tracer("library", "1.0", "https://example.org/schema", {"scope": True}))
    spans = exporter.get_finished_spans()
    return _comparable([encode_spans(spans)] if spans else [])


def _comparable(requests: list[ExportTraceServiceRequest]) -> list[dict[str, Any]]:
    """Resources with their spans, ids numbered in the order of their appearance, times left out."""
    seen: dict[str, int] = {}
    return [
        _plain(resource, seen) for request in requests for resource in MessageToDict(request).get("resourceSpans", [])
    ]


def _plain(value: Any, seen: dict[str, int]) -> Any:
    if isinstance(value, list):
        items = [_plain(item, seen) for item in value]
        # A new value moves a known key to the end upstream, and not here: the order of attributes means nothing.
        return sorted(items, key=lambda item: item["key"]) if items and _is_attribute(items[0]) else items
    if not isinstance(value, dict):
        return value
    return dict(_fields(value, seen))


def _fields(message: dict[str, Any], seen: dict[str, int]) -> Iterator[tuple[str, Any]]:
    for name, value in sorted(message.items()):
        if name in {"traceId", "spanId", "parentSpanId"}:
            yield name, seen.setdefault(value, len(seen))
        elif name == "flags":
            yield name, value & ~_TRACE_FLAGS
        elif name == "links":
            # Upstream leaves out the trace state of links, which trace.proto has.
            yield (
                name,
                [
                    {key: _plain(part, seen) for key, part in link.items() if key != "traceState"}
                    for link in _plain(value, seen)
                ],
            )
        elif name not in _RANDOM and not (name == "status" and not value):
            yield name, _plain(value, seen)


def _is_attribute(value: object) -> bool:
    return isinstance(value, dict) and "key" in value
