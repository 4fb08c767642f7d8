"""Celery: what tasks record is delivered by the end of the process that ran them, however short its life was."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conformance.gateways import wait_until
from tests.conformance.sink import Sink
from tests.sdk.programs import environment
from tests.sdk.provenance import NAMED, assert_nothing_arrived_twice, spans_of

TASKS = 20
WORKER = (sys.executable, "-m", "celery", "--app", "tests.sdk.worked_tasks", "worker", "--without-gossip",
          "--without-mingle", "--without-heartbeat", "--concurrency", "10")  # fmt: skip
PATIENCE_S = 30


@pytest.mark.parametrize("configured", ["import", "worker_process_init"])
def test_f20_of_20_tasks_in_20_processes_each_delivers_its_span(configured: str, sink: Sink, tmp_path: Path) -> None:
    (tmp_path / "control").mkdir()
    variables = environment(
        OTEL_EXPORTER_OTLP_ENDPOINT=sink.http_url, OTEL_BSP_SCHEDULE_DELAY="600000", PYTHONWARNINGS="default",
        WORKED_TASKS_FOLDER=str(tmp_path), WORKED_TASKS_CONFIGURE=configured, WORKED_TASKS=str(TASKS),
        **NAMED,
    )  # fmt: skip
    root = Path(__file__).parents[2]
    command = [*WORKER, "--pool", "prefork", "--max-tasks-per-child", "1"]
    with subprocess.Popen(command, env=variables, cwd=root) as worker:
        try:
            wait_until(lambda: len(sink.names("traces")) >= TASKS, "the tasks are done")
        finally:
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(PATIENCE_S) == 0

    spans = spans_of(sink)
    assert_nothing_arrived_twice(spans)
    assert sorted(span.name for span in spans) == sorted(f"task {number}" for number in range(TASKS))
    assert len({span.process for span in spans}) == TASKS
