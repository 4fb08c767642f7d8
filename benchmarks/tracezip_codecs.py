"""Ways of compressing export requests: each a function from a request to its size, with a memory of earlier ones."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import brotli
import pyarrow as pa
import zstandard
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from millrace import _native

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.proto.common.v1.common_pb2 import KeyValue

    from millrace.otlp import Signal


def codecs() -> dict[str, Callable[[], Callable[[bytes], int]]]:
    """Return, under its name, how to begin each way; what it gives returns the size of one request."""
    return general() | {
        "Arrow IPC stream, zstd": lambda: ArrowStream().size,
        "tracezip, stream only (zstd session)": lambda: tracezip(by_shapes=False),
        "tracezip, a new session each time": lambda: _stateless,
        "tracezip, ψ = 0": lambda: tracezip(0),
        "tracezip, ψ = 16": lambda: tracezip(16),
        "tracezip, ψ = 64": lambda: tracezip(64),
        "tracezip": tracezip,
    }


def general() -> dict[str, Callable[[], Callable[[bytes], int]]]:
    """Those of them that know nothing of telemetry."""
    return {
        "gzip-6": lambda: lambda data: len(zlib.compress(data, 6, wbits=31)),
        "zstd-1": lambda: _zstd(1),
        "zstd-3": lambda: _zstd(3),
        "zstd-9": lambda: _zstd(9),
        "brotli-5": lambda: lambda data: len(brotli.compress(data, quality=5)),
        "zstd-9 session": _zstd_session,
    }


def for_logs() -> dict[str, Callable[[], Callable[[bytes], int]]]:
    """Return the ways for log records."""
    return general() | {
        "tracezip, stream only (zstd session)": lambda: tracezip(signal="logs", by_shapes=False),
        "tracezip, by shapes": lambda: tracezip(signal="logs"),
    }


def tracezip(
    path_values: int | None = None, *, signal: Signal = "traces", by_shapes: bool = True
) -> Callable[[bytes], int]:
    """Begin a session of tracezip."""
    session = _native.TracezipCompressor(7, path_values)
    session.use_shapes(signal, by_shapes)
    return lambda data: len(session.compress(signal, data))


def _stateless(data: bytes) -> int:
    return tracezip()(data)


def _zstd(level: int) -> Callable[[bytes], int]:
    compressor = zstandard.ZstdCompressor(level=level)
    return lambda data: len(compressor.compress(data))


def _zstd_session() -> Callable[[bytes], int]:
    parameters = zstandard.ZstdCompressionParameters.from_level(9, window_log=23)
    stream = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    return lambda data: len(stream.compress(data)) + len(stream.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK))


class _Words:
    """A column of text with a dictionary that only grows, so that a stream sends what is new in it."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        self.column: list[int] = []

    def add(self, word: str) -> None:
        self.column.append(self.numbers.setdefault(word, len(self.numbers)))

    def take(self) -> pa.Array:
        column, self.column = self.column, []
        words = pa.array(list(self.numbers), pa.string())
        return pa.DictionaryArray.from_arrays(pa.array(column, pa.int32()), words)


_DICTIONARY = pa.dictionary(pa.int32(), pa.string())


class ArrowStream:
    """Spans, attributes and events as Arrow record batches in three IPC streams: what OTel-Arrow does, in short.

    Sizes only: nobody reads the streams back. Dictionaries are sent as deltas, buffers compressed by zstd.
    """

    def __init__(self) -> None:
        """Begin the streams."""
        options = pa.ipc.IpcWriteOptions(compression="zstd", emit_dictionary_deltas=True)
        spans = [("trace", pa.binary(16)), ("id", pa.binary(8)), ("parent", pa.binary()), ("name", _DICTIONARY)]
        spans += [
            ("group", pa.int32()),
            ("kind", pa.int8()),
            ("status", pa.int8()),
            ("start", pa.int64()),
            ("duration", pa.int64()),
        ]
        attributes = [
            ("owner", pa.int32()),
            ("key", _DICTIONARY),
            ("text", _DICTIONARY),
            ("number", pa.int64()),
            ("double", pa.float64()),
        ]
        events = [("span", pa.int32()), ("name", _DICTIONARY), ("time", pa.int64())]
        self.sinks = [pa.BufferOutputStream() for _ in range(3)]
        schemas = [pa.schema(fields) for fields in (spans, attributes, events)]
        self.writers = [pa.ipc.new_stream(*pair, options=options) for pair in zip(self.sinks, schemas, strict=True)]
        self.schemas = schemas
        self.name, self.key, self.text, self.event = _Words(), _Words(), _Words(), _Words()
        self.written = 0

    def size(self, data: bytes) -> int:
        """Write a request; return the bytes that it added."""
        spans: list[tuple[object, ...]] = []
        attributes: list[tuple[int, int | None, float | None]] = []
        events: list[tuple[int, int]] = []
        for group, resource in enumerate(ExportTraceServiceRequest.FromString(data).resource_spans):
            for pair in resource.resource.attributes:
                self._attribute(-1 - group, pair, attributes)
            for span in (span for scope in resource.scope_spans for span in scope.spans):
                row = len(spans)
                self.name.add(span.name)
                start = span.start_time_unix_nano
                ids = (span.trace_id, span.span_id, span.parent_span_id)
                spans.append((*ids, group, span.kind, span.status.code, start, span.end_time_unix_nano - start))
                for pair in span.attributes:
                    self._attribute(row, pair, attributes)
                for event in span.events:
                    self.event.add(event.name)
                    events.append((row, event.time_unix_nano - start))
                    for pair in event.attributes:
                        self._attribute(row, pair, attributes)
        self._write(spans, attributes, events)
        before, self.written = self.written, sum(sink.tell() for sink in self.sinks)
        return self.written - before

    def _attribute(self, owner: int, pair: KeyValue, rows: list[tuple[int, int | None, float | None]]) -> None:
        self.key.add(pair.key)
        value = pair.value
        kind = value.WhichOneof("value")
        number = int(getattr(value, kind)) if kind in {"int_value", "bool_value"} else None
        double = value.double_value if kind == "double_value" else None
        is_text = number is None and double is None
        self.text.add((value.string_value or str(value)) if is_text else "")
        rows.append((owner, number, double))

    def _write(
        self,
        spans: list[tuple[object, ...]],
        attributes: list[tuple[int, int | None, float | None]],
        events: list[tuple[int, int]],
    ) -> None:
        def columns(rows: list[tuple[object, ...]], width: int) -> list[list[object]]:
            return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(width)]

        trace, own, parent, group, kind, status, start, duration = columns(spans, 8)
        owner, number, double = columns(attributes, 3)  # type: ignore[arg-type]
        row, time = columns(events, 2)  # type: ignore[arg-type]
        tables = (
            [trace, own, parent, self.name.take(), group, kind, status, start, duration],
            [owner, self.key.take(), self.text.take(), number, double],
            [row, self.event.take(), time],
        )
        for writer, schema, arrays in zip(self.writers, self.schemas, tables, strict=True):
            typed = [
                array if isinstance(array, pa.Array) else pa.array(array, field.type)
                for array, field in zip(arrays, schema, strict=True)
            ]
            writer.write_batch(pa.record_batch(typed, schema=schema))
