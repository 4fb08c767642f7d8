"""Web servers with several worker processes: each worker delivers its own telemetry, once, and ends when told to."""

import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryFile
from typing import NamedTuple

import pytest

from tests.conformance.gateways import wait_until
from tests.conformance.sink import Sink
from tests.sdk.programs import environment, script
from tests.sdk.provenance import NAMED, Recorded, assert_nothing_arrived_twice, logs_of, measured, spans_of

ROOT = Path(__file__).parents[2]
WORKERS = 2
AT_ONCE = 10
PATIENCE_S = 30
SLOWLY = {"OTEL_BSP_SCHEDULE_DELAY": "600000", "OTEL_BLRP_SCHEDULE_DELAY": "600000"}
"""What is delivered is delivered by the end of the process, and not by the clock."""

APPLICATION = "tests.sdk.served_application"
GUNICORN = (sys.executable, "-m", "gunicorn", "--workers", "2", "--bind", "fd://{fd}", "--graceful-timeout", "10")
UVICORN = (sys.executable, "-m", "uvicorn", "--workers", "2", "--fd", "{fd}", f"{APPLICATION}:asgi")
UWSGI = (
    script("pyuwsgi"), "--http-socket", "fd://{fd}", "--master", "--processes", "2", "--disable-logging", "--need-app",
    "--hook-master-start", "unix_signal:15 gracefully_kill_them_all",
    "--module", f"{APPLICATION}:wsgi", "--pythonpath", str(ROOT), "--home", sys.prefix,
)  # fmt: skip


def gunicorn(kind: str, *, preload: bool) -> list[str]:
    application = f"{APPLICATION}:{'asgi' if 'uvicorn' in kind else 'wsgi'}"
    return [*GUNICORN, "--worker-class", kind, *["--preload"] * preload, application]


SERVERS = {
    f"gunicorn {kind.rpartition('.')[2]}{', preloaded' * preload}": gunicorn(kind, preload=preload)
    for kind in ("sync", "gthread", "gevent", "uvicorn_worker.UvicornWorker")
    for preload in (False, True)
} | {
    "uvicorn": list(UVICORN),
    **{
        f"uwsgi{', lazy' * lazy}{', threads' * threads}": [
            *UWSGI,
            *["--lazy-apps"] * lazy,
            *["--enable-threads"] * threads,
        ]
        for lazy in (False, True)
        for threads in (False, True)
    },
}


class Answer(NamedTuple):
    pid: int
    trace_id: str
    span_id: str


@contextmanager
def serving(command: list[str], sink: Sink, **variables: str) -> Iterator[socket.socket]:
    """A server on a socket that it inherits, terminated at the end; it must end by itself and say nothing bad."""
    with socket.create_server(("127.0.0.1", 0)) as listener, TemporaryFile("w+") as said:
        fd = listener.fileno()
        variables = SLOWLY | {"OTEL_EXPORTER_OTLP_ENDPOINT": sink.http_url, "PYTHONWARNINGS": "default"} | variables
        process = subprocess.Popen(
            [part.format(fd=fd) for part in command], cwd=ROOT, pass_fds=[fd], stdout=said, stderr=said,
            env=environment(**variables),
        )  # fmt: skip
        try:
            yield listener
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE_S)
        finally:
            process.kill()
            process.wait()
            said.seek(0)
            text = said.read()
            print(text)
    assert "undelivered" not in text
    assert "Traceback" not in text


def ask(listener: socket.socket) -> Answer:
    """One request on a connection of its own."""
    host, port = listener.getsockname()
    connection = HTTPConnection(host, port, timeout=PATIENCE_S)
    try:
        connection.request("GET", "/")
        pid, trace_id, span_id = connection.getresponse().read().decode().split()
    finally:
        connection.close()
    return Answer(int(pid), trace_id, span_id)


def ask_every_worker(listener: socket.socket) -> list[Answer]:
    """Requests, several at a time, until each worker has answered one."""
    answers: list[Answer] = []
    until = time.monotonic() + PATIENCE_S
    with ThreadPoolExecutor(AT_ONCE) as pool:
        while len({answer.pid for answer in answers}) < WORKERS:
            assert time.monotonic() < until, answers
            answers += pool.map(ask, [listener] * AT_ONCE)
    return answers


@pytest.mark.parametrize("server", SERVERS)
def test_f20_each_worker_of_a_server_delivers_its_own_once(server: str, sink: Sink) -> None:
    with serving(SERVERS[server], sink, **NAMED) as listener:
        answers = ask_every_worker(listener)

    spans = spans_of(sink)
    assert_nothing_arrived_twice(spans)
    assert answers_in(spans, "request") == sorted(answers)
    assert answers_in(logs_of(sink), "served") == sorted(answers)
    assert {process.pid: count for process, count in measured(sink, "requests").items()} == Counter(
        answer.pid for answer in answers
    )
    imports = [span for span in spans if span.name != "request"]
    assert [span.name for span in imports] == [f"import {span.process.pid}" for span in imports]
    assert len(imports) == importers(server)


def answers_in(recorded: list[Recorded], name: str) -> list[Answer]:
    return sorted(Answer(one.process.pid, one.trace_id, one.span_id) for one in recorded if one.name == name)


def importers(server: str) -> int:
    """How many processes import the application and deliver at their end, which the master of uWSGI does not."""
    if "preloaded" in server:
        return 1
    return 0 if server in {"uwsgi", "uwsgi, threads"} else WORKERS


def test_f20_what_the_master_of_uwsgi_recorded_before_it_forked_is_sent_by_it_alone(sink: Sink) -> None:
    soon = {"OTEL_BSP_SCHEDULE_DELAY": "10"}
    with serving(SERVERS["uwsgi"], sink, **NAMED, **soon) as listener:
        answers = ask_every_worker(listener)
        wait_until(lambda: {*sink.names("traces")} - {"request"}, "the master has sent what it recorded")

    spans = spans_of(sink)
    assert_nothing_arrived_twice(spans)
    assert answers_in(spans, "request") == sorted(answers)
    (imported,) = [span for span in spans if span.name != "request"]
    assert imported.name == f"import {imported.process.pid}"
    assert imported.process.pid not in {answer.pid for answer in answers}
