"""Endpoints that hang, refuse, swallow, reset and lie: deadlines hold, losses are counted, memory stays bounded."""

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import grpc
import psutil
import pytest

from millrace import _native
from tests.conformance.gateways import wait_until
from tests.conformance.messages import RESPONSES
from tests.conformance.sink import Sink
from tests.conformance.test_endpoint_faults import FINAL, RETRYABLE, endpoint
from tests.sdk.engines import (
    RETRY_SOON,
    Scope,
    assert_the_books_add_up,
    books,
    engine_settings,
    exporter,
    item,
    recorded,
    running,
)

SLACK_S = 0.25
"""What a deadline may be missed by on a busy machine."""


@contextmanager
def black_hole() -> Iterator[str]:
    """An address at which connections are never answered, as behind a firewall: its queue of connections is full."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        callers = [socket.socket() for _ in range(4)]
        for caller in callers:
            caller.settimeout(0)
            caller.connect_ex(listener.getsockname())
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            for caller in callers:
                caller.close()


@contextmanager
def refused() -> Iterator[str]:
    """An address at which nobody listens, and nobody else can."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{reserved.getsockname()[1]}"


@contextmanager
def hangs() -> Iterator[str]:
    """A server that reads and never answers."""
    with endpoint(RETRYABLE["hangs"]) as url:
        yield url


@contextmanager
def resets() -> Iterator[str]:
    """A server that resets each connection."""
    with endpoint(RETRYABLE["resets"]) as url:
        yield url


BROKEN = {place.__name__: place for place in (hangs, refused, black_hole, resets)}


@pytest.fixture(params=BROKEN)
def broken(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of an endpoint that takes nothing."""
    with BROKEN[request.param]() as url:
        yield url


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_a_flush_and_a_shutdown_end_at_their_deadline_whatever_the_endpoint_does(broken: str, protocol: str) -> None:
    with running(traces=recorded(exporter(broken, "grpc" if protocol == "grpc" else "http/protobuf"))) as engine:
        Scope(engine).record("a", "b")
        began = time.monotonic()
        assert not engine.force_flush(0.2)
        assert time.monotonic() - began < 0.2 + SLACK_S
        assert books(engine)["queued"] == 2

        began = time.monotonic()
        assert not engine.shutdown(0.3)
        assert time.monotonic() - began < 0.3 + SLACK_S
        assert books(engine) == {"recorded": 2, "exported": 0, "dropped": {"shutdown": 2}, "queued": 0}


def test_x6_one_deadline_holds_for_all_signals_together() -> None:
    with hangs() as url:
        metrics = {"exporter": exporter(url), "interval_ms": 3_600_000, "timeout_ms": 5_000}
        with running(traces=recorded(exporter(url)), logs=recorded(exporter(url)), metrics=metrics) as engine:
            Scope(engine).record("a")
            Scope(engine, "logs").record("b")
            engine.collect_metrics(lambda _: None)
            began = time.monotonic()
            assert not engine.shutdown(0.5)
            assert time.monotonic() - began < 0.5 + SLACK_S


def native_threads() -> int:
    """Threads of engines in this process."""
    names = []
    for task in Path("/proc/self/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):
            names.append((task / "comm").read_text().strip())
    return names.count("millrace")


def test_after_the_shutdown_the_thread_is_gone_and_calls_are_harmless(sink: Sink) -> None:
    wait_until(lambda: native_threads() == 0, "the engines of other tests have ended")
    engine = _native.Engine(engine_settings(traces=recorded(exporter(sink.http_url))))
    assert native_threads() == 0
    scope = Scope(engine)
    scope.record("a")
    wait_until(lambda: native_threads() == 1, "the thread has its name")
    assert engine.shutdown(5)
    assert native_threads() == 0

    scope.record("late")
    assert not engine.force_flush(1)
    assert not engine.shutdown(1)
    engine.start()
    assert native_threads() == 0
    assert books(engine) == {"recorded": 2, "exported": 1, "dropped": {"shutdown": 1}, "queued": 0}
    assert sink.names("traces") == ["a"]


def test_an_engine_that_nobody_holds_any_more_ends_its_thread(sink: Sink) -> None:
    wait_until(lambda: native_threads() == 0, "the engines of other tests have ended")
    engine = _native.Engine(engine_settings(traces=recorded(exporter(sink.http_url))))
    Scope(engine).record("a")
    wait_until(lambda: native_threads() == 1, "the thread has its name")
    del engine
    wait_until(lambda: native_threads() == 0, "the thread has ended")


def test_a_flush_with_nothing_recorded_is_true_and_starts_nothing() -> None:
    wait_until(lambda: native_threads() == 0, "the engines of other tests have ended")
    with running(traces=recorded(exporter("http://127.0.0.1:1"))) as engine:
        assert engine.force_flush(1)
        assert native_threads() == 0
        assert engine.shutdown(1)


def test_x4_what_was_refused_for_a_while_arrives_once(sink: Sink) -> None:
    sink.refusal = grpc.StatusCode.UNAVAILABLE
    with running(traces=recorded(exporter(sink.http_url, retry_on_failure=RETRY_SOON))) as engine:
        Scope(engine).record("a")
        wait_until(lambda: len(sink.arrivals) >= 2, "it was sent again")
        sink.arrivals.clear()
        sink.refusal = None
        assert engine.force_flush(10)
        assert sink.names("traces")[-1:] == ["a"]
        assert books(engine) == {"recorded": 1, "exported": 1, "dropped": {}, "queued": 0}


@pytest.mark.parametrize("fault", FINAL)
def test_x2_x8_x16_after_an_answer_that_is_final_nothing_is_repeated_and_the_flush_is_false(fault: str) -> None:
    with endpoint(FINAL[fault]) as url, running(traces=recorded(exporter(url))) as engine:
        Scope(engine).record("a", "b")
        assert not engine.force_flush(10)
        found = books(engine)
        assert (sum(found["dropped"].values()), found["queued"]) == (2, 0)
        assert engine.force_flush(10), "what was lost has been reported once"


@pytest.mark.parametrize("fault", RETRYABLE)
def test_x3_x4_x6_an_export_ends_with_its_timeout_and_is_counted(fault: str) -> None:
    settings = {"export_timeout_ms": 300}
    with endpoint(RETRYABLE[fault]) as url:
        to = exporter(url, retry_on_failure=RETRY_SOON)
        with running(traces=recorded(to, **settings)) as engine:
            Scope(engine).record("a", "b")
            began = time.monotonic()
            assert not engine.force_flush(10)
            assert 0.2 < time.monotonic() - began < 0.3 + 4 * SLACK_S
            assert books(engine)["dropped"] == {"retries_exhausted": 2}


def test_x5_items_that_a_partial_success_rejects_are_counted_and_not_sent_again() -> None:
    response = RESPONSES["traces"]()
    response.partial_success.rejected_spans = 2  # type: ignore[attr-defined]
    response.partial_success.error_message = "two are too old"  # type: ignore[attr-defined]
    body = response.SerializeToString()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: {len(body)}\r\n\r\n"
    answering = endpoint(lambda connection, _: connection.sendall(head.encode() + body))
    with answering as url, running(traces=recorded(exporter(url))) as engine:
        Scope(engine).record("a", "b", "c")
        assert not engine.force_flush(10)
        assert books(engine) == {"recorded": 3, "exported": 1, "dropped": {"partial_success": 2}, "queued": 0}


def test_a_queue_that_is_full_drops_and_counts_exactly_what_does_not_fit() -> None:
    size = len(item("traces", "a0")) + 2
    with hangs() as url:
        to = recorded(exporter(url), max_queue_bytes=10 * size, schedule_delay_ms=3_600_000)
        with running(traces=to) as engine:
            fitted = Scope(engine).record(*[f"a{number % 10}" for number in range(25)])
            assert fitted == [True] * 10 + [False] * 15
            assert books(engine) == {"recorded": 25, "exported": 0, "dropped": {"queue_full": 15}, "queued": 10}


def test_a_queue_of_so_many_items_takes_more_when_they_have_been_exported(sink: Sink) -> None:
    with running(traces=recorded(exporter(sink.http_url), max_queue_size=4, schedule_delay_ms=3_600_000)) as engine:
        scope = Scope(engine)
        scope.record("a")
        assert engine.force_flush(10)
        assert all(scope.record("b"))
        assert engine.force_flush(10)
    assert sink.names("traces") == ["a", "b"]


def test_memory_is_bounded_while_the_endpoint_hangs_and_the_books_add_up_all_the_while() -> None:
    limit = 4 << 20
    with hangs() as url, running(traces=recorded(exporter(url), max_queue_bytes=limit)) as engine:
        scope = Scope(engine)
        big = item("traces", "x" * 10_000)
        before = psutil.Process().memory_info().rss
        for _ in range(200):
            for _ in range(50):
                scope.buffer.append(scope.handle, big)
            assert_the_books_add_up(engine)
        grown = psutil.Process().memory_info().rss - before
        found = books(engine)
        assert found["queued"] * len(big) <= limit
        assert found["dropped"]["queue_full"] == 10_000 - found["queued"]
        assert grown < 4 * limit


def test_the_application_is_told_once_what_is_dropped_where_and_why() -> None:
    """Two exports are given up, and a third at the end: one line for each reason."""
    program = """
from tests.sdk.engines import RETRY_SOON, Scope, exporter, recorded, engine_settings
from millrace import _native
to = recorded(exporter("http://127.0.0.1:1", retry_on_failure=RETRY_SOON), export_timeout_ms=150)
engine = _native.Engine(engine_settings(traces=to))
scope = Scope(engine)
for _ in range(2):
    scope.record("a")
    engine.force_flush(5)
scope.record("a")
engine.shutdown(0.05)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    errors = [line for line in done.stderr.splitlines() if line.startswith("error ")]
    assert [line.split(":")[1] for line in errors] == [" traces to http"] * 2, done.stderr
    assert "(retries_exhausted)" in errors[0]
    assert "(shutdown)" in errors[1]
    assert all("http://127.0.0.1:1" in line and "Connection refused" in line for line in errors)
    assert len(done.stderr.splitlines()) == 3


def test_ctrl_c_is_noticed_during_a_flush() -> None:
    with hangs() as url, running(traces=recorded(exporter(url))) as engine:
        Scope(engine).record("a")
        timer = threading.Timer(0.2, signal.raise_signal, [signal.SIGINT])
        timer.start()
        began = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            engine.force_flush(20)
        assert time.monotonic() - began < 5
        timer.join()


def test_python_threads_go_on_while_a_flush_waits() -> None:
    with hangs() as url, running(traces=recorded(exporter(url))) as engine:
        Scope(engine).record("a")
        waiting = threading.Thread(target=engine.force_flush, args=(1.0,))
        waiting.start()
        turns = 0
        while waiting.is_alive():
            turns += 1
        assert turns > 1000


@pytest.mark.parametrize("timeout_s", [-1.0, float("nan")])
def test_a_timeout_that_is_none_is_refused_in_a_sentence(timeout_s: float) -> None:
    with running() as engine, pytest.raises(ValueError, match="timeout_s must be a number of seconds"):
        engine.force_flush(timeout_s)


EXIT = """
import atexit, sys
from tests.sdk.engines import Scope, exporter, recorded, engine_settings
from millrace import _native
engine = _native.Engine(engine_settings(traces=recorded(exporter(sys.argv[1])), logs=recorded(exporter(sys.argv[1]))))
atexit.register(engine.shutdown, 1.0)
Scope(engine).record(*[f"a{number}" for number in range(100)])
Scope(engine, "logs").record("b")
"""


def exit_time_s(program: str, url: str) -> float:
    """How long a program runs; it must end well."""
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", program, url], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return time.monotonic() - began


def test_a_program_ends_within_two_seconds_of_where_it_would_have_with_a_broken_endpoint(broken: str) -> None:
    without = exit_time_s(EXIT.partition("Scope(engine)")[0], broken)
    assert exit_time_s(EXIT, broken) < without + 2


def test_a_program_that_ends_delivers_everything_at_once(sink: Sink) -> None:
    without = exit_time_s(EXIT.partition("Scope(engine)")[0], sink.http_url)
    assert exit_time_s(EXIT, sink.http_url) < without + 1
    assert len(sink.names("traces")) == 100
    assert sink.names("logs") == ["b"]


@pytest.mark.parametrize("shutdown", ["atexit.register(engine.shutdown, 0.3)", ""], ids=["shut down", "forgotten"])
def test_a_program_ends_well_while_a_collection_of_metrics_blocks(sink: Sink, shutdown: str) -> None:
    program = f"""
import atexit, sys, threading, time
from tests.sdk.engines import exporter, engine_settings
from millrace import _native
to = {{"exporter": exporter(sys.argv[1]), "interval_ms": 1, "timeout_ms": 5000}}
engine = _native.Engine(engine_settings(metrics=to))
{shutdown}
called = threading.Event()
def collect(_):
    called.set()
    time.sleep(1.0)
engine.collect_metrics(collect)
called.wait()
"""
    assert exit_time_s(program, sink.http_url) < 10
