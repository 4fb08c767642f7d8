"""Which process recorded what arrived at a sink."""

from collections.abc import Iterator
from typing import NamedTuple

from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from tests.conformance.sink import Sink

__all__ = ["NAMED", "Process", "Recorded", "assert_nothing_arrived_twice", "logs_of", "measured", "spans_of"]

NAMED = {"OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": "process"}
"""The variable with which resources name their process."""


class Process(NamedTuple):
    """A process as its resource names it."""

    pid: int
    instance_id: str


class Recorded(NamedTuple):
    """A span, or the span that a log record belongs to."""

    process: Process
    name: str
    trace_id: str
    span_id: str


def spans_of(sink: Sink) -> list[Recorded]:
    """Every span that arrived."""
    return [
        Recorded(_process(envelope.resource), span.name, span.trace_id.hex(), span.span_id.hex())
        for message in sink.messages("traces")
        for envelope in message.resource_spans
        for scope in envelope.scope_spans
        for span in scope.spans
    ]


def logs_of(sink: Sink) -> list[Recorded]:
    """Every log record that arrived."""
    return [
        Recorded(_process(envelope.resource), record.body.string_value, record.trace_id.hex(), record.span_id.hex())
        for message in sink.messages("logs")
        for envelope in message.resource_logs
        for scope in envelope.scope_logs
        for record in scope.log_records
    ]


def measured(sink: Sink, name: str) -> dict[Process, int]:
    """What each process has counted in the end; counters are cumulative."""
    return dict(_measured(sink, name))


def _measured(sink: Sink, name: str) -> Iterator[tuple[Process, int]]:
    for message in sink.messages("metrics"):
        for envelope in message.resource_metrics:
            for scope in envelope.scope_metrics:
                for metric in scope.metrics:
                    if metric.name == name:
                        yield _process(envelope.resource), sum(point.as_int for point in metric.sum.data_points)


def _process(resource: Resource) -> Process:
    attributes = {one.key: one.value for one in resource.attributes}
    return Process(attributes["process.pid"].int_value, attributes["service.instance.id"].string_value)


def assert_nothing_arrived_twice(spans: list[Recorded]) -> None:
    """No two spans share an id, and each process has one instance id, which is no other's."""
    assert len({span.span_id for span in spans}) == len(spans)
    processes = {span.process for span in spans}
    assert len({one.pid for one in processes}) == len({one.instance_id for one in processes}) == len(processes)
