"""How long the end of a program and a flush take with all signals, whatever the endpoint does."""

import sys
import time

import pytest

from tests.conformance.sink import Sink
from tests.sdk.programs import run_program
from tests.sdk.test_engine_faults import black_hole, hangs, refused

PROGRAM = """
import logging, millrace, time
from opentelemetry import metrics, trace
telemetry = millrace.configure(logging_handler=True)
for number in range(1_000): trace.get_tracer("tests").start_span(str(number)).end()
metrics.get_meter("tests").create_counter("sold").add(1)
logging.getLogger("tests").warning("sold out")
"""
END = "print(time.monotonic())"


BROKEN = {"refused": refused, "black hole": black_hole, "hung": hangs}


def end_s(**variables: str) -> float:
    """How long the program runs on after its last line."""
    run = run_program(sys.executable, "-c", PROGRAM + END, **variables)
    ended = time.monotonic()  # one clock for all processes of a machine
    assert run.returncode == 0, run.stderr
    return ended - float(run.stdout)


@pytest.fixture(scope="module")
def end_without_telemetry_s() -> float:
    return end_s(OTEL_SDK_DISABLED="true")


def test_f20_a_program_with_a_healthy_endpoint_delivers_all_signals_at_its_end(
    sink: Sink, end_without_telemetry_s: float
) -> None:
    assert end_s(OTEL_EXPORTER_OTLP_ENDPOINT=sink.http_url) < end_without_telemetry_s + 2
    assert (len(sink.names("traces")), sink.names("metrics"), sink.names("logs")) == (1_000, ["sold"], ["sold out"])


@pytest.mark.parametrize(
    ("endpoint", "protocol"), [("refused", "http/protobuf"), ("black hole", "http/protobuf"), ("hung", "grpc")]
)
def test_f20_a_program_with_a_broken_endpoint_ends_within_two_seconds_of_where_it_would_have(
    endpoint: str, protocol: str, end_without_telemetry_s: float
) -> None:
    with BROKEN[endpoint]() as url:
        waited_s = end_s(OTEL_EXPORTER_OTLP_ENDPOINT=url, OTEL_EXPORTER_OTLP_PROTOCOL=protocol)
    assert waited_s < end_without_telemetry_s + 2


FLUSHES = """
times = []
for attempt in range(5):
    began = time.monotonic()
    assert telemetry.force_flush(0.2) is False
    times.append(time.monotonic() - began)
print(min(times), max(times))
"""


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_f20_a_flush_of_200_ms_against_a_hung_server_is_false_within_250_ms(protocol: str) -> None:
    with hangs() as url:
        run = run_program(
            sys.executable, "-c", PROGRAM + FLUSHES,
            OTEL_EXPORTER_OTLP_ENDPOINT=url, OTEL_EXPORTER_OTLP_PROTOCOL=protocol, MILLRACE_EXIT_TIMEOUT="0",
        )  # fmt: skip

    assert run.returncode == 0, run.stderr
    shortest_s, longest_s = map(float, run.stdout.split())
    assert shortest_s < 0.25
    assert longest_s < 0.2 + 5  # a busy machine may be late, but no attempt waits for the server
