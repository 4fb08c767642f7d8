"""A gateway that keeps what it gets, and what the tests of the store send to it."""

import http.client
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from google.protobuf.message import Message
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from millrace.gateway import Gateway
from millrace.otlp import Signal

SECOND = 10**9
NOON = 1_700_000_000 * SECOND


def config(path: Path, **settings: object) -> dict[str, Any]:
    """Return the configuration of a gateway with a store."""
    pipeline = {"receivers": ["otlp"], "exporters": ["store"]}
    return {
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": "127.0.0.1:0"}}}},
        "exporters": {"store": {"path": str(path), **settings}},
        "service": {
            "telemetry": {"metrics": {"level": "none"}},
            "pipelines": dict.fromkeys(("traces", "logs", "metrics", "profiles"), pipeline),
        },
    }


class Keeping:
    """A connection to a gateway at work."""

    def __init__(self, host: str, port: int) -> None:
        """Connect with the first request."""
        self.answer = b""
        self._connection = http.client.HTTPConnection(host, port)

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def send(self, signal: Signal, request: Message | bytes) -> int:
        """Send a request; return the status of the answer."""
        body = request if isinstance(request, bytes) else request.SerializeToString()
        version = "v1development" if signal == "profiles" else "v1"
        self._connection.request("POST", f"/{version}/{signal}", body, {"Content-Type": "application/x-protobuf"})
        answer = self._connection.getresponse()
        self.answer = answer.read()
        return answer.status


@contextmanager
def keeping(path: Path, **settings: object) -> Iterator[Keeping]:
    """Run a gateway with a store."""
    with Gateway(config(path, **settings)) as gateway:
        sender = Keeping(*gateway.addresses["otlp/http"])
        try:
            yield sender
        finally:
            sender.close()


def trace_id(number: int) -> bytes:
    """Return the id of the trace with a number."""
    return (number + 1).to_bytes(16, "big")  # an id of zeros is none


def spans(*traces: int, service: str = "shop", spans_each: int = 1) -> ExportTraceServiceRequest:
    """Return a request with spans of these traces."""
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    attribute = resource.resource.attributes.add(key="service.name")
    attribute.value.string_value = service
    scope = resource.scope_spans.add()
    for trace in traces:
        for number in range(spans_each):
            span = scope.spans.add(
                trace_id=trace_id(trace),
                span_id=(trace * 1_000 + number + 1).to_bytes(8, "big"),
                name=f"operation {trace % 3}",
                start_time_unix_nano=NOON + trace * SECOND + number,
                end_time_unix_nano=NOON + trace * SECOND + number + 1_000_000 * (trace + 1),
                kind=2,  # SERVER
            )
            span.attributes.add(key="number").value.int_value = trace
    return request


def canonical(signal: Signal, *requests: Message) -> Counter[tuple[bytes, ...]]:
    """Return what requests say, whatever the order and the splitting of their envelopes."""
    found: Counter[tuple[bytes, ...]] = Counter()
    for request in requests:
        if signal == "profiles":  # whose meaning is in the dictionary beside them
            found[_bytes(request),] += any(
                scope.profiles for one in getattr(request, f"resource_{signal}") for scope in one.scope_profiles
            )
            continue
        for resource in getattr(request, f"resource_{'spans' if signal == 'traces' else signal}"):
            about = (_bytes(resource.resource), resource.schema_url.encode())
            for scope in getattr(resource, f"scope_{'spans' if signal == 'traces' else signal}"):
                place = (*about, _bytes(scope.scope), scope.schema_url.encode())
                if signal == "traces":
                    found.update((*place, _bytes(span)) for span in scope.spans)
                elif signal == "logs":
                    found.update((*place, _bytes(record)) for record in scope.log_records)
                else:
                    for metric in scope.metrics:
                        found.update((*place, *point) for point in _points(metric))
    return found


def _points(metric: Any) -> Iterator[tuple[bytes, bytes]]:  # noqa: ANN401 - the generated classes have no types of fields
    kind = metric.WhichOneof("data")
    if kind is None:
        return
    description = type(metric)()
    description.CopyFrom(metric)
    del getattr(description, kind).data_points[:]
    for point in getattr(metric, kind).data_points:
        yield _bytes(description), _bytes(point)


def _bytes(message: Message) -> bytes:
    return message.SerializeToString(deterministic=True)
