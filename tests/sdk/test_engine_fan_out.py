"""Several destinations of one signal: each gets everything, and none waits for another (X13)."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.gateways import wait_until
from tests.conformance.sink import Sink, running_sink
from tests.sdk.engines import Scope, books, exporter, recorded, running
from tests.sdk.programs import run_program
from tests.sdk.test_engine_faults import hangs, refused

ITEMS = [f"item{number}" for number in range(2_000)]


@pytest.fixture
def other_sink() -> Iterator[Sink]:
    """A second endpoint."""
    with running_sink() as sink:
        yield sink


def test_x13_each_destination_gets_every_item(sink: Sink, other_sink: Sink) -> None:
    exporters = [exporter(sink.http_url), exporter(other_sink.grpc_url, "grpc")]
    with running(traces=recorded(exporters[0], exporters=exporters)) as engine:
        Scope(engine).record(*ITEMS)
        assert engine.force_flush(10)

        assert sorted(sink.names("traces")) == sorted(ITEMS)
        assert sorted(other_sink.names("traces")) == sorted(ITEMS)
        assert books(engine) == {"recorded": 4_000, "exported": 4_000, "dropped": {}, "queued": 0}


def test_x13_a_destination_that_hangs_does_not_hold_up_another(sink: Sink) -> None:
    with hangs() as url:
        exporters = [exporter(url), exporter(sink.http_url)]
        settings = recorded(exporters[0], exporters=exporters, max_export_batch_size=10, schedule_delay_ms=1)
        with running(logs=settings) as engine:
            scope = Scope(engine, "logs")
            for name in ITEMS:  # many more requests than may be under way at once
                scope.record(name)
            wait_until(lambda: len(sink.names("logs")) == len(ITEMS), "everything has arrived at the other one")
            found = books(engine, "logs")
            assert (found["recorded"], found["exported"], found["queued"]) == (4_000, 2_000, 2_000)
            assert not engine.force_flush(0.1), "one of them has not taken it"


def test_x13_what_a_destination_does_not_take_is_bounded_and_costs_only_itself(sink: Sink) -> None:
    with hangs() as url:
        exporters = [exporter(url), exporter(sink.http_url)]
        settings = recorded(
            exporters[0], exporters=exporters, max_queue_bytes=64 << 10, max_export_batch_size=10, schedule_delay_ms=1
        )
        with running(logs=settings) as engine:
            scope = Scope(engine, "logs")
            long = "x" * 1_000
            for number in range(300):
                scope.record(f"{number}{long}")
                if number % 10 == 9:  # the queue of the process itself must not be what overflows
                    wait_until(lambda: len(sink.names("logs")) > number, "the other one keeps up")  # noqa: B023 - called here
            found = books(engine, "logs")
            assert found["exported"] == 300
            assert found["dropped"]["queue_full"] + found["queued"] == 300
            assert 40_000 <= found["queued"] * 1_000 <= 64 << 10, "nearly as much as it may hold, and no more"


def test_a_destination_that_cannot_be_reached_makes_a_flush_false(sink: Sink) -> None:
    with refused() as url:
        once = exporter(url, retry_on_failure={"enabled": False})
        with running(traces=recorded(once, exporters=[once, exporter(sink.http_url)])) as engine:
            Scope(engine).record("a")
            assert not engine.force_flush(10)
            assert sink.names("traces") == ["a"]
            assert books(engine)["dropped"] == {"retries_exhausted": 1}


DECLARED = """
file_format: "1.0"
tracer_provider:
  processors:
    - batch: {{exporter: {{otlp_http: {{endpoint: "{one}/v1/traces"}}}}}}
    - batch: {{exporter: {{otlp_http: {{endpoint: "{other}/v1/traces"}}}}}}
logger_provider:
  processors:
    - batch: {{exporter: {{otlp_http: {{endpoint: "{one}/v1/logs"}}}}}}
    - simple: {{exporter: {{otlp_http: {{endpoint: "{other}/v1/logs"}}}}}}
meter_provider:
  readers:
    - periodic: {{exporter: {{otlp_http: {{endpoint: "{one}/v1/metrics", temporality_preference: delta}}}}}}
    - periodic: {{exporter: {{otlp_http: {{endpoint: "{other}/v1/metrics"}}}}}}
"""

PROGRAM = """
import millrace
from opentelemetry import _logs, metrics, trace
telemetry = millrace.configure()
counter = metrics.get_meter("shop").create_counter("orders")
trace.get_tracer("shop").start_span("order").end()
_logs.get_logger("shop").emit(body="sold")
for _ in range(2):
    counter.add(1)
    assert telemetry.force_flush(10)
"""


def test_a_file_may_declare_several_exporters_of_each_signal(tmp_path: Path, sink: Sink, other_sink: Sink) -> None:
    file = tmp_path / "otel.yaml"
    file.write_text(DECLARED.format(one=sink.http_url, other=other_sink.http_url))
    run = run_program(sys.executable, "-c", PROGRAM, OTEL_CONFIG_FILE=str(file))

    assert run.returncode == 0, run.stderr
    assert "the batching of the first one counts" in run.stderr
    for one in (sink, other_sink):
        assert one.names("traces") == ["order"]
        assert len(one.messages("logs")) == 1
    values = [
        [
            point.as_int
            for message in one.messages("metrics")
            for resource in message.resource_metrics
            for metric in resource.scope_metrics[0].metrics
            for point in metric.sum.data_points
        ]
        for one in (sink, other_sink)
    ]
    assert values[0] == [1, 1], "what was added since the collection before"
    assert list(dict.fromkeys(values[1])) == [1, 2], "what was added in all"
