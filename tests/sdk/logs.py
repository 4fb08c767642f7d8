"""Logs of both SDKs in one form: what a program emitted, decoded with upstream's classes, without times."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from google.protobuf.json_format import MessageToDict
from opentelemetry._logs import LoggerProvider as ApiLoggerProvider
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.sdk._logs import LoggerProvider as StockLoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource as StockResource

from millrace import _native
from millrace.sdk.logs import LoggerProvider, LoggingHandler
from millrace.sdk.resources import Resource

__all__ = ["attributes_of", "logged", "logs_of", "native_handler", "native_logs", "provider_with_buffer", "stock_logs"]

Program = Callable[[ApiLoggerProvider], object]


def provider_with_buffer(**settings: Any) -> tuple[LoggerProvider, _native.Buffer]:
    """A native provider and the buffer its records go to."""
    buffer = _native.Buffer(64 << 20)
    settings.setdefault("resource", Resource({"service.name": "shop"}))
    return LoggerProvider(shutdown_on_exit=False, _buffer=buffer, **settings), buffer


def logs_of(buffer: _native.Buffer) -> list[Any]:
    """The records that wait in the buffer, as messages."""
    return [
        record
        for request in _drained(buffer)
        for resource in request.resource_logs
        for scope in resource.scope_logs
        for record in scope.log_records
    ]


def attributes_of(record: Any) -> dict[str, Any]:
    """The attributes of a message, as plain values."""
    return {
        pair.key: getattr(pair.value, pair.value.WhichOneof("value") or "string_value") for pair in record.attributes
    }


@contextmanager
def logged(handler: logging.Handler | None = None, name: str = "shop.cart") -> Iterator[logging.Logger]:
    """A logger of `logging` with this handler alone."""
    logger = logging.getLogger(name)
    before = logger.level, logger.propagate
    logger.setLevel(1)
    logger.propagate = False
    if handler is not None:
        logger.addHandler(handler)
    try:
        yield logger
    finally:
        logger.level, logger.propagate = before
        if handler is not None:
            logger.removeHandler(handler)


@contextmanager
def native_handler(**options: Any) -> Iterator[tuple[logging.Logger, _native.Buffer, LoggingHandler]]:
    """A logger of `logging` whose records go to a buffer."""
    provider, buffer = provider_with_buffer()
    handler = LoggingHandler(logger_provider=provider, **options)
    with logged(handler) as logger:
        yield logger, buffer, handler


def native_logs(program: Program, **settings: Any) -> list[dict[str, Any]]:
    """What our SDK sends for a program."""
    provider, buffer = provider_with_buffer(**settings)
    program(provider)
    return _comparable(_drained(buffer))


def stock_logs(program: Program, **settings: Any) -> list[dict[str, Any]]:
    """What the stock SDK sends for the same program."""
    exporter = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
    settings.setdefault("resource", StockResource({"service.name": "shop"}))
    provider = StockLoggerProvider(shutdown_on_exit=False, **settings)
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    program(provider)
    records = exporter.get_finished_logs()
    return _comparable([encode_logs(records)] if records else [])


def _drained(buffer: _native.Buffer) -> list[ExportLogsServiceRequest]:
    return [ExportLogsServiceRequest.FromString(request) for request in iter(buffer.drain, None)]


def _comparable(requests: list[ExportLogsServiceRequest]) -> list[dict[str, Any]]:
    """By scope, in the order of their names, its records with their resource."""
    scopes = []
    for request in requests:
        for resource in MessageToDict(request).get("resourceLogs", []):
            for scope in resource.pop("scopeLogs"):
                scopes += [{"resource": resource, **_plain(scope)}]
    return sorted(scopes, key=lambda scope: scope["scope"].get("name", ""))


def _plain(scope: dict[str, Any]) -> dict[str, Any]:
    for record in scope["logRecords"]:
        record["hasTime"] = record.pop("timeUnixNano", "0") != "0"
        assert record.pop("observedTimeUnixNano") != "0"
        # Upstream writes the empty value where there is no body; ours leaves it out.
        record.setdefault("body", {})
        record["attributes"] = sorted(record.get("attributes", []), key=lambda pair: pair["key"])
    return scope
