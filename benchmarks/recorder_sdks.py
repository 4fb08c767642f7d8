"""The SDKs that are measured, each set up in its own way: in this process alone, or sending to a sink.

Runs inside the measured process, so that it imports nothing before it is asked to.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

QUEUE_BYTES = 64 << 20
SERVICE = "benchmark"
EVENT = {"exception.type": "ValueError", "retry": 1}


class AbsentError(Exception):
    """An SDK, or a part of it, is not there; the message says which."""


class Sdk:
    """One SDK. What it cannot do raises `AbsentError`."""

    name: str
    reader: Any
    """Of the meter provider, once there is one."""
    spans_between_drains = 1_000
    """So many are recorded before `drain` is called, which is not timed: none is dropped for want of space."""

    def tracer(self, *, sampled: bool = True) -> Any:  # noqa: ARG002 # of those who can
        """Return a tracer whose spans are recorded, batched, and then thrown away."""
        raise AbsentError(f"{self.name} is not measured here")

    def tracer_provider(self) -> Any:
        """Return the provider of such tracers."""
        raise AbsentError(f"{self.name} is not measured here")

    def drain(self) -> int:
        """Have what is recorded thrown away; return how much that was, in whatever unit."""
        raise AbsentError(f"{self.name} is not measured here")

    def meter_provider(self) -> Any:
        """Return a meter provider with a reader that nobody asks."""
        raise AbsentError(f"{self.name} has no metrics")

    def logging_handler(self) -> logging.Handler:
        """Return the handler of `logging` whose records are batched and then thrown away."""
        raise AbsentError(f"{self.name} has no handler of logging")

    def send_to(self, endpoint: str, queue_items: int | None = None) -> Any:  # noqa: ARG002 # as above
        """Send spans to `endpoint` over OTLP/HTTP, holding up to `queue_items`; return a tracer."""
        raise AbsentError(f"{self.name} does not send")

    def loop_of_0a(self, tracer: Any) -> Callable[[int], None]:
        """Return what records three nested current spans of five attributes and an event, so many times."""
        start = tracer.start_as_current_span

        def fill(span: Any) -> None:
            span.set_attribute("http.request.method", "GET")
            span.set_attribute("http.route", "/orders/{id}")
            span.set_attribute("server.address", "shop.example.com")
            span.set_attribute("http.response.status_code", 200)
            span.set_attribute("cache.hit", True)  # noqa: FBT003 # the API's own
            span.add_event("retry", EVENT)

        def loop(traces: int) -> None:
            for _ in range(traces):
                with start("GET /orders/{id}") as one:
                    fill(one)
                    with start("load order") as two:
                        fill(two)
                        with start("SELECT orders") as three:
                            fill(three)

        return loop

    def flush(self) -> bool:
        """Deliver what `send_to` has recorded."""
        raise AbsentError(f"{self.name} does not send")

    def dropped(self) -> int | None:
        """Return how many spans it says that it has dropped; `None` where it does not count them."""
        return None


class Millrace(Sdk):
    """This project: the buffer is drained as its engine does it."""

    name = "millrace"
    spans_between_drains = 5_000
    """About as many as its engine takes at once from a thread that records as fast as it can."""

    def __init__(self) -> None:
        from millrace import _native

        self._buffer = _native.Buffer(QUEUE_BYTES)

    def tracer_provider(self) -> Any:
        from millrace.sdk.trace import TracerProvider

        return TracerProvider(_buffer=self._buffer, shutdown_on_exit=False)

    def tracer(self, *, sampled: bool = True) -> Any:
        from millrace.sdk.trace import TracerProvider, sampling

        sampler = sampling.ALWAYS_ON if sampled else sampling.ALWAYS_OFF
        return TracerProvider(sampler, _buffer=self._buffer, shutdown_on_exit=False).get_tracer(SERVICE)

    def drain(self) -> int:
        size = 0
        while request := self._buffer.drain():
            size += len(request)
        return size

    def meter_provider(self) -> Any:
        from millrace.sdk.metrics import MeterProvider
        from millrace.sdk.metrics.export import InMemoryMetricReader

        self.reader = InMemoryMetricReader()
        return MeterProvider([self.reader], shutdown_on_exit=False)

    def logging_handler(self) -> logging.Handler:
        if find_spec("millrace.sdk.logs") is None:
            raise AbsentError("millrace.sdk.logs does not exist in this version")
        from importlib import import_module

        logs = import_module("millrace.sdk.logs")
        provider = logs.LoggerProvider(_buffer=self._buffer, shutdown_on_exit=False)
        handler: logging.Handler = logs.LoggingHandler(logger_provider=provider)
        return handler

    def send_to(self, endpoint: str, queue_items: int | None = None) -> Any:  # noqa: ARG002 # its bytes are bounded
        import millrace

        self._telemetry = millrace.configure(service_name=SERVICE, endpoint=endpoint, metrics=False, logs=False)
        provider = self._telemetry.tracer_provider
        if provider is None:
            raise AbsentError("millrace.configure recorded no traces; what it logged says why")
        return provider.get_tracer(SERVICE)

    def flush(self) -> bool:
        return self._telemetry.force_flush()

    def dropped(self) -> int:
        dropped: dict[str, int] = self._telemetry.stats()["traces"]["dropped"]
        return sum(dropped.values())


class Stock(Sdk):
    """The SDK of OpenTelemetry: batch processors with exporters that take all and do nothing."""

    name = "opentelemetry-sdk"

    def __init__(self) -> None:
        if find_spec("opentelemetry.sdk") is None:
            raise AbsentError("opentelemetry-sdk is not installed")
        self._flush: Callable[[], bool] = lambda: True
        self._drained = 0

    def _null_processor(self) -> Any:
        from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

        outer = self

        class Null(SpanExporter):
            def export(self, spans: Any) -> SpanExportResult:
                outer._drained += len(spans)
                return SpanExportResult.SUCCESS

        processor = BatchSpanProcessor(Null())
        self._flush = processor.force_flush
        return processor

    def tracer_provider(self) -> Any:
        from opentelemetry.sdk.trace import TracerProvider

        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(self._null_processor())
        return provider

    def tracer(self, *, sampled: bool = True) -> Any:
        from opentelemetry.sdk.trace import TracerProvider, sampling

        provider = TracerProvider(sampling.ALWAYS_ON if sampled else sampling.ALWAYS_OFF, shutdown_on_exit=False)
        provider.add_span_processor(self._null_processor())
        return provider.get_tracer(SERVICE)

    def drain(self) -> int:
        before = self._drained
        self._flush()
        return self._drained - before

    def meter_provider(self) -> Any:
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import InMemoryMetricReader

        self.reader = InMemoryMetricReader()
        return MeterProvider([self.reader], shutdown_on_exit=False)

    def logging_handler(self) -> logging.Handler:
        from opentelemetry.instrumentation.logging.handler import LoggingHandler
        from opentelemetry.sdk._logs import LoggerProvider
        from opentelemetry.sdk._logs.export import (
            BatchLogRecordProcessor,
            LogRecordExporter,
            LogRecordExportResult,
        )

        outer = self

        class Null(LogRecordExporter):
            def export(self, batch: Any) -> LogRecordExportResult:
                outer._drained += len(batch)
                return LogRecordExportResult.SUCCESS

            def shutdown(self) -> None:
                pass

            def force_flush(self, timeout_millis: int = 0) -> bool:  # noqa: ARG002
                return True

        processor = BatchLogRecordProcessor(Null())
        self._flush = processor.force_flush
        provider = LoggerProvider(shutdown_on_exit=False)
        provider.add_log_record_processor(processor)
        return LoggingHandler(logger_provider=provider)

    def send_to(self, endpoint: str, queue_items: int | None = None) -> Any:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        provider = TracerProvider(resource=Resource.create({"service.name": SERVICE}), shutdown_on_exit=False)
        exporter = OTLPSpanExporter(f"{endpoint}/v1/traces")
        processor = BatchSpanProcessor(exporter, max_queue_size=queue_items)
        self._flush = processor.force_flush
        provider.add_span_processor(processor)
        return provider.get_tracer(SERVICE)

    def flush(self) -> bool:
        return self._flush()


class Bare(Sdk):
    """No SDK: what the program costs without one."""

    name = "none"

    def logging_handler(self) -> logging.Handler:
        import logging

        return logging.NullHandler()

    def drain(self) -> int:
        return 1


def versions() -> dict[str, str]:
    """Return the versions of those that are installed."""
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for name in (Millrace.name, Stock.name, "opentelemetry-instrumentation-fastapi", "fastapi"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def leave() -> None:
    """End this process at once: what exit handlers would do for an endpoint that hangs is not measured."""
    os._exit(0)
