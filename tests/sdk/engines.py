"""Engines for the tests: their settings, what is recorded into them, and what their books must satisfy."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal, TypeAlias

from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from millrace import _native
from millrace.gateway.config import load
from tests.conformance.messages import NOW, TRACE_ID

Recorded: TypeAlias = Literal["traces", "logs"]
Protocol: TypeAlias = Literal["http/protobuf", "http/json", "grpc"]
Settings: TypeAlias = dict[str, Any]

RETRY_SOON = {"initial_interval": "20ms", "max_interval": "100ms"}


def exporter(url: str, protocol: Protocol = "http/protobuf", **settings: object) -> Settings:
    """An exporter as the engine reads it: resolved by the gateway's configuration."""
    kind = "otlp" if protocol == "grpc" else "otlphttp"
    encoding = {"encoding": "json"} if protocol == "http/json" else {}
    settings = {"endpoint": url, "compression": "none", "tls": {"insecure": True}} | encoding | settings
    document = {
        "receivers": {"otlp": {"protocols": {"http": {}}}},
        "exporters": {kind: settings},
        "service": {"pipelines": {"traces": {"receivers": ["otlp"], "exporters": [kind]}}},
    }
    resolved: Settings = load(document).resolved["exporters"][kind]
    return resolved


def recorded(to: Settings, **settings: object) -> Settings:
    """Settings of traces or logs; what waits leaves soon, so that few tests need a flush."""
    return {
        "exporters": [to],
        "schedule_delay_ms": 50,
        "export_timeout_ms": 30_000,
        "max_export_batch_size": None,
        "max_queue_size": None,
        "max_queue_bytes": 64 << 20,
    } | settings


def engine_settings(**signals: Settings) -> Settings:
    """The settings as the engine takes them; signals that are not given are not exported."""
    metrics = [signals.pop("metrics")] if "metrics" in signals else []
    return {"traces": None, "logs": None, "metrics": metrics} | signals


@contextmanager
def running(**signals: Settings) -> Iterator[_native.Engine]:
    """An engine that is shut down after the test, with little patience; its books add up then."""
    engine = _native.Engine(engine_settings(**signals))
    try:
        yield engine
    finally:
        engine.shutdown(0.2)
        assert_the_books_add_up(engine)


class Scope:
    """Records spans or log records by name into one scope of an engine's buffer."""

    def __init__(self, engine: _native.Engine, signal: Recorded = "traces", name: str = "tests") -> None:
        buffer = engine.buffer(signal)
        assert buffer is not None
        self.signal = signal
        self.buffer = buffer
        self.handle = buffer.scope(name)

    def record(self, *names: str) -> list[bool]:
        """Record an item of each name; tells which of them fitted."""
        return [self.buffer.append(self.handle, item(self.signal, name)) for name in names]


def item(signal: Recorded, name: str) -> bytes:
    """The encoded content of a span or log record, made by the oracle."""
    if signal == "logs":
        record = LogRecord(time_unix_nano=NOW)
        record.body.string_value = name
        return record.SerializeToString()
    span = Span(trace_id=TRACE_ID, span_id=b"\1" * 8, name=name, start_time_unix_nano=NOW, end_time_unix_nano=NOW + 1)
    return span.SerializeToString()


def books(engine: _native.Engine, signal: str = "traces") -> Mapping[str, Any]:
    """The books of one signal."""
    found: Mapping[str, Any] = json.loads(engine.stats())[signal]
    return found


def assert_the_books_add_up(engine: _native.Engine) -> None:
    """Every item is exported, dropped with a reason, or queued."""
    for found in json.loads(engine.stats()).values():
        assert found["recorded"] == found["exported"] + sum(found["dropped"].values()) + found["queued"]
