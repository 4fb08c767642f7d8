"""The end of a process, SIGTERM and forks: nothing recorded is lost, nothing is sent twice, and nobody waits long."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conformance.sink import Sink
from tests.sdk.programs import environment, run_program, script

SETUP = """
import millrace, os, sys, time
from opentelemetry import trace
telemetry = millrace.configure(metrics=False, logs=False)
tracer = trace.get_tracer("tests")
def span(name): tracer.start_span(name).end()
"""
SLOWLY = {"OTEL_BSP_SCHEDULE_DELAY": "600000"}
"""What is delivered is delivered by the end of the process, and not by the clock."""


def python(source: str, url: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return run_program(sys.executable, "-c", SETUP + source, OTEL_EXPORTER_OTLP_ENDPOINT=url, **(SLOWLY | variables))


def instance_ids(sink: Sink) -> dict[str, str]:
    """The instance that recorded each span, by the span's name."""
    found: dict[str, str] = {}
    for message in sink.messages("traces"):
        for envelope in message.resource_spans:
            attributes = {one.key: one.value.string_value for one in envelope.resource.attributes}
            for scope in envelope.scope_spans:
                found |= {span.name: attributes["service.instance.id"] for span in scope.spans}
    return found


def test_f20_the_end_of_a_program_delivers_what_it_recorded(sink: Sink) -> None:
    run = python("for i in range(1_000): span(str(i))", sink.http_url)

    assert (run.returncode, run.stderr) == (0, "")
    assert len(sink.names("traces")) == 1_000


def test_f20_a_program_that_raises_still_delivers(sink: Sink) -> None:
    assert python("span('one'); raise SystemExit(3)", sink.http_url).returncode == 3
    assert sink.names("traces") == ["one"]


@pytest.mark.parametrize("endpoint", ["refused", "hung"])
def test_f20_the_end_of_a_program_waits_no_longer_than_its_deadline(endpoint: str, sink: Sink) -> None:
    sink.gate.clear()
    url = sink.http_url if endpoint == "hung" else "http://127.0.0.1:9"
    source = "span('one'); print(time.monotonic(), flush=True)"
    run = python(source, url, MILLRACE_EXIT_TIMEOUT="300")
    waited_s = time.monotonic() - float(run.stdout)  # one clock for all processes of a machine

    assert run.returncode == 0
    assert 0.2 < waited_s < 5
    assert "leaves telemetry undelivered" in run.stderr


def test_f20_sigterm_delivers_what_is_queued_and_still_ends_the_process_by_itself(sink: Sink) -> None:
    source = "for i in range(100): span(str(i))\nprint('ready', flush=True)\nwhile True: time.sleep(0.01)"
    command = [sys.executable, "-c", SETUP + source]
    variables = environment(OTEL_EXPORTER_OTLP_ENDPOINT=sink.http_url, **SLOWLY)
    with subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.terminate()
        assert process.wait(30) == -signal.SIGTERM
    assert len(sink.names("traces")) == 100


def test_a_handler_of_the_program_for_sigterm_is_left_alone(sink: Sink) -> None:
    source = (
        "import signal\nhandler = lambda *_: None\nsignal.signal(signal.SIGTERM, handler)\n"
        f"{SETUP}print(signal.getsignal(signal.SIGTERM) is handler)"
    )
    run = run_program(sys.executable, "-c", source, OTEL_EXPORTER_OTLP_ENDPOINT=sink.http_url)

    assert run.stdout == "True\n"


@pytest.mark.parametrize("handler", ["signal.SIG_DFL", "0"])
def test_f20_a_program_that_sets_the_default_again_and_ends_by_sigterm_delivers(handler: str, sink: Sink) -> None:
    """As uvicorn does: it handles the signal, ends in an orderly way, and then raises it again."""
    source = (
        "import signal\nbefore = signal.signal(signal.SIGTERM, lambda *_: None)\n"
        f"{SETUP}signal.raise_signal(signal.SIGTERM)\nspan('late')\n"
        f"signal.signal(signal.SIGTERM, {handler})\nsignal.raise_signal(signal.SIGTERM)"
    )
    run = run_program(sys.executable, "-c", source, OTEL_EXPORTER_OTLP_ENDPOINT=sink.http_url, **SLOWLY)

    assert (run.returncode, run.stderr) == (-signal.SIGTERM, "")
    assert sink.names("traces") == ["late"]


@pytest.mark.parametrize(("switch", "default"), [("true", False), ("false", True)])
def test_the_handler_for_sigterm_can_be_switched_off(switch: str, *, default: bool, sink: Sink) -> None:
    source = "import signal; print(signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)"

    assert python(source, sink.http_url, MILLRACE_HANDLE_SIGTERM=switch).stdout == f"{default}\n"


def test_configuring_in_another_thread_works_without_the_handler(sink: Sink) -> None:
    program = f"{SETUP}span('a')"
    source = f"import threading\nt = threading.Thread(target=exec, args=({program!r}, {{}}))\n"
    run = run_program(sys.executable, "-c", f"{source}t.start(); t.join()", OTEL_EXPORTER_OTLP_ENDPOINT=sink.http_url)

    assert (run.returncode, run.stderr) == (0, "")
    assert sink.names("traces") == ["a"]


def test_f20_a_forked_child_delivers_its_own_and_nothing_of_its_parent(sink: Sink) -> None:
    source = """
span("parent before")
pid = os.fork()
if pid == 0:
    span("child")
else:
    os.waitpid(pid, 0)
    span("parent after")
"""
    run = python(source, sink.http_url)
    ids = instance_ids(sink)

    assert (run.returncode, run.stderr) == (0, "")
    assert sorted(sink.names("traces")) == ["child", "parent after", "parent before"]
    assert ids["parent before"] == ids["parent after"] != ids["child"]


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_f20_children_of_multiprocessing_deliver_although_they_never_reach_atexit(
    method: str, sink: Sink, tmp_path: Path
) -> None:
    program = tmp_path / "app.py"
    program.write_text(
        "import multiprocessing\n"
        f"{SETUP}"
        "if __name__ == '__main__':\n"
        f"    context = multiprocessing.get_context({method!r})\n"
        "    children = [context.Process(target=span, args=(f'child {i}',)) for i in range(3)]\n"
        "    for child in children: child.start()\n"
        "    for child in children: child.join()\n"
        "    print([child.exitcode for child in children])\n"
    )
    run = run_program(sys.executable, program, OTEL_EXPORTER_OTLP_ENDPOINT=sink.http_url, **SLOWLY)

    assert (run.stdout, run.stderr) == ("[0, 0, 0]\n", "")
    assert sorted(sink.names("traces")) == ["child 0", "child 1", "child 2"]


def test_f20_a_pool_whose_workers_serve_one_task_each_loses_none(sink: Sink, tmp_path: Path) -> None:
    program = tmp_path / "app.py"
    program.write_text(
        "import multiprocessing\n"
        f"{SETUP}"
        "if __name__ == '__main__':\n"
        "    with multiprocessing.get_context('fork').Pool(2, maxtasksperchild=1) as pool:\n"
        "        pool.map(span, [f'task {i}' for i in range(20)], chunksize=1)\n"
        "        pool.close(); pool.join()\n"
    )
    run = run_program(sys.executable, program, OTEL_EXPORTER_OTLP_ENDPOINT=sink.http_url, **SLOWLY)

    assert (run.returncode, run.stderr) == (0, "")
    assert len(set(sink.names("traces"))) == 20


def test_spawned_children_of_a_program_under_run_are_configured_too(sink: Sink, tmp_path: Path) -> None:
    program = tmp_path / "app.py"
    program.write_text(
        "import subprocess, sys\n"
        "from opentelemetry import trace\n"
        "trace.get_tracer('t').start_span(sys.argv[-1]).end()\n"
        "if len(sys.argv) == 2: subprocess.run([sys.executable, *sys.argv, 'child'], check=True)\n"
    )
    run = run_program(
        script("millrace"), "run", "--quiet", "--endpoint", sink.http_url, "--", "python", program, "parent",
        OTEL_METRICS_EXPORTER="none", OTEL_LOGS_EXPORTER="none",
    )  # fmt: skip

    assert (run.returncode, run.stderr) == (0, "")
    assert sorted(sink.names("traces")) == ["child", "parent"]
