"""A forked child exports what it records itself, and nothing of its parent's; no child hangs, whenever it is forked."""

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from millrace import _native
from tests.conformance.gateways import wait_until
from tests.conformance.messages import request
from tests.conformance.sink import Sink
from tests.sdk.engines import Scope, books, engine_settings, exporter, recorded
from tests.sdk.programs import run_program
from tests.sdk.test_engine_faults import hangs

PATIENCE_S = 20
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning")


def child(work: Callable[[], bool]) -> int:
    """Run `work` in a forked child, which ends at once after it: 0 when it returned true."""
    pid = os.fork()
    if pid == 0:
        code = 2
        try:
            code = 0 if work() else 1
        finally:
            os._exit(code)
    return pid


def wait_for(pid: int) -> int:
    """The exit code of a child; one that hangs is ended, and fails the test."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.001)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    pytest.fail("a child hung")


@contextmanager
def busy(scope: Scope) -> Iterator[list[str]]:
    """A thread that records all the time; yields the names of what it has recorded."""
    names = list[str]()
    done = threading.Event()

    def work() -> None:
        while not done.wait(0.0002):
            name = f"parent{len(names)}"
            assert scope.record(name) == [True]
            names.append(name)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield names
    finally:
        done.set()
        thread.join()


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_of_200_children_of_a_busy_parent_each_sends_its_own_once_and_nothing_else(sink: Sink, protocol: str) -> None:
    to = exporter(sink.grpc_url, "grpc") if protocol == "grpc" else exporter(sink.http_url)
    engine = _native.Engine(engine_settings(traces=recorded(to, schedule_delay_ms=1)))
    scope = Scope(engine)
    with busy(scope) as names:
        for number in range(200):

            def work(name: str = f"child{number}") -> bool:
                scope.record(name)
                delivered = engine.force_flush(PATIENCE_S)
                return delivered and books(engine) == {"recorded": 1, "exported": 1, "dropped": {}, "queued": 0}

            assert wait_for(child(work)) == 0
    assert engine.shutdown(PATIENCE_S)
    assert sorted(sink.names("traces")) == sorted(names + [f"child{number}" for number in range(200)])


FORK_IN_C = """
import ctypes, millrace, os, sys
from opentelemetry import trace
telemetry = millrace.configure(metrics=False, logs=False)
tracer = trace.get_tracer("tests")
tracer.start_span("parent").end()
child = ctypes.PyDLL(None).fork()
if child == 0:
    tracer.start_span("child").end()
    os._exit(0 if telemetry.force_flush(20) else 1)
_, status = os.waitpid(child, 0)
assert telemetry.shutdown(20)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def test_a_fork_that_python_does_not_see_leaves_the_engine_usable(sink: Sink) -> None:
    # In a process of its own: Python survives such a fork only while no other thread waits for the GIL.
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": sink.http_url, "OTEL_BSP_SCHEDULE_DELAY": "3600000"}
    run = run_program(sys.executable, "-c", FORK_IN_C, **variables)
    assert (run.returncode, run.stderr) == (0, "")
    assert sorted(sink.names("traces")) == ["child", "parent"]


def test_children_of_a_parent_whose_endpoint_hangs_end_when_they_are_told_to() -> None:
    with hangs() as url:
        engine = _native.Engine(engine_settings(traces=recorded(exporter(url), schedule_delay_ms=1)))
        scope = Scope(engine)
        with busy(scope):
            for _ in range(20):
                assert wait_for(child(lambda: not engine.shutdown(0.05))) == 1, "nothing was recorded in the child"

            def work() -> bool:
                scope.record("child")
                return not engine.shutdown(0.05) and books(engine)["dropped"] == {"shutdown": 1}

            for _ in range(20):
                assert wait_for(child(work)) == 0
        engine.shutdown(0.05)


def test_a_grandchild_exports_as_well(sink: Sink) -> None:
    engine = _native.Engine(engine_settings(traces=recorded(exporter(sink.http_url))))
    scope = Scope(engine)
    scope.record("parent")

    def grandchild() -> bool:
        scope.record("grandchild")
        return engine.shutdown(PATIENCE_S)

    def work() -> bool:
        scope.record("child")
        return engine.force_flush(PATIENCE_S) and wait_for(child(grandchild)) == 0 and engine.shutdown(PATIENCE_S)

    assert wait_for(child(work)) == 0
    assert engine.shutdown(PATIENCE_S)
    assert sorted(sink.names("traces")) == ["child", "grandchild", "parent"]


def test_an_engine_that_was_shut_down_stays_so_in_a_child(sink: Sink) -> None:
    engine = _native.Engine(engine_settings(traces=recorded(exporter(sink.http_url))))
    scope = Scope(engine)
    assert engine.shutdown(PATIENCE_S)

    def work() -> bool:
        scope.record("child")
        return books(engine) == {"recorded": 1, "exported": 0, "dropped": {"shutdown": 1}, "queued": 0}

    assert wait_for(child(work)) == 0
    assert sink.arrivals == []


def test_a_child_collects_metrics_although_it_records_nothing(sink: Sink) -> None:
    metrics = {"exporter": exporter(sink.http_url), "interval_ms": 30, "timeout_ms": 5_000}
    engine = _native.Engine(engine_settings(metrics=metrics))
    here = os.getpid()

    def collect(_: float) -> bytes | None:
        return None if os.getpid() == here else bytes(request("metrics", 1, "child").SerializeToString())

    engine.collect_metrics(collect)

    def work() -> bool:
        _native.after_fork_in_child()
        wait_until(lambda: books(engine, "metrics")["exported"] > 0, "the child has exported")
        return engine.shutdown(PATIENCE_S)

    assert wait_for(child(work)) == 0
    assert engine.shutdown(PATIENCE_S)
    assert set(sink.names("metrics")) == {"child0"}


def _spawned(url: str, name: str) -> None:
    engine = _native.Engine(engine_settings(traces=recorded(exporter(url))))
    Scope(engine).record(name)
    assert engine.shutdown(PATIENCE_S)


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_processes_of_multiprocessing_export_what_they_record(sink: Sink, method: str) -> None:
    engine = _native.Engine(engine_settings(traces=recorded(exporter(sink.http_url))))
    Scope(engine).record("parent")
    context: Any = multiprocessing.get_context(method)
    processes = [context.Process(target=_spawned, args=(sink.http_url, f"child{number}")) for number in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert engine.shutdown(PATIENCE_S)
    assert sorted(sink.names("traces")) == ["child0", "child1", "child2", "parent"]
