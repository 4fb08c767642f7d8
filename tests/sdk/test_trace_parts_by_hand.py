"""What people make of the traces by hand: providers that survive a fork, processors that go away, spans as data."""

import gc
import json
import sys
import weakref

import pytest
from opentelemetry.trace import Link, SpanContext, StatusCode

from millrace.sdk.resources import Resource
from millrace.sdk.trace import ConcurrentMultiSpanProcessor, Event, ReadableSpan, SpanProcessor, TracerProvider
from millrace.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from millrace.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from tests.sdk.programs import run_program

CONTEXT = SpanContext(0xABC, 0xDEF, is_remote=False)
FORKING = """
import os
from millrace.sdk.logs import LoggerProvider
from millrace.sdk.trace import TracerProvider
provider = TracerProvider(shutdown_on_exit=False)
tracer = provider.get_tracer("made before the fork")
logs = LoggerProvider(shutdown_on_exit=False)
def said():
    return [whose.resource.attributes["process.pid"] for whose in (provider, logs, tracer, tracer.start_span("one"))]
before = said()
child = os.fork()
if not child:
    os._exit(said() != [os.getpid()] * 4)
print(os.waitpid(child, 0)[1], said() == before == [os.getpid()] * 4)
"""


def test_a_provider_made_by_hand_knows_its_process_after_a_fork() -> None:
    run = run_program(sys.executable, "-c", FORKING, OTEL_EXPERIMENTAL_RESOURCE_DETECTORS="process")

    assert (run.stdout, run.stderr) == ("0 True\n", "")


@pytest.mark.parametrize(
    "make", [ConcurrentMultiSpanProcessor, lambda: BatchSpanProcessor(InMemorySpanExporter())], ids=["many", "batch"]
)
def test_a_processor_that_nobody_uses_is_garbage_collected(make: type[SpanProcessor]) -> None:
    processor = make()
    reference = weakref.ref(processor)
    processor.shutdown()
    del processor
    gc.collect()

    assert reference() is None


def test_a_span_made_by_hand_is_exported_as_one_that_was_recorded() -> None:
    event = Event("found", {"price": 30}, timestamp=5)
    span = ReadableSpan(
        "redacted", CONTEXT, resource=Resource({}), events=[event], links=[Link(CONTEXT)], attributes={"size": 7}
    )

    shown = json.loads(span.to_json())
    assert (shown["name"], shown["attributes"], shown["parent_id"]) == ("redacted", {"size": 7}, None)
    assert shown["events"][0]["attributes"] == {"price": 30}
    assert span.status.status_code is StatusCode.UNSET


def test_an_exporter_in_memory_keeps_as_many_of_the_newest_spans_as_it_is_told_to() -> None:
    exporter = InMemorySpanExporter(max_spans=2)
    provider = TracerProvider(resource=Resource({}), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    for name in ("one", "two", "three"):
        provider.get_tracer("t").start_span(name).end()

    assert [span.name for span in exporter.get_finished_spans()] == ["two", "three"]
