"""Several processes that answer for each other: what the dead have counted stays, what they stood at does not."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics import parser
from prometheus_client.parser import text_string_to_metric_families

from millrace.sdk.metrics import MeterProvider
from millrace.sdk.metrics.prometheus import PrometheusMetricReader
from millrace.sdk.resources import Resource
from tests.conformance.gateways import wait_until
from tests.sdk.programs import environment, run_program


@pytest.fixture
def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


WORKER = """
import sys
from millrace.sdk.metrics import MeterProvider
from millrace.sdk.metrics.prometheus import PrometheusMetricReader
from millrace.sdk.resources import Resource
reader = PrometheusMetricReader(scope_info_enabled=False, directory=sys.argv[1], publish_interval_s=3600)
resource = Resource({"service.name": "shop", "process.pid": sys.argv[2]})
provider = MeterProvider([reader], resource, shutdown_on_exit=False)
meter = provider.get_meter("shop")
meter.create_counter("orders").add(int(sys.argv[2]))
meter.create_histogram("latency", explicit_bucket_boundaries_advisory=[1, 10]).record(int(sys.argv[2]))
meter.create_up_down_counter("active").add(int(sys.argv[2]))
meter.create_gauge("level").set(int(sys.argv[2]))
reader.force_flush()
print("ready", flush=True)
sys.stdin.read()
if sys.argv[3] == "in order":
    provider.shutdown()
"""


class Worker:
    """A process that has counted, and lives until it is told to end, or is killed."""

    def __init__(self, directory: Path, amount: int, end: str = "in order") -> None:
        command = [sys.executable, "-c", WORKER, str(directory), str(amount), end]
        self.process = subprocess.Popen(
            command, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def end(self, by: Callable[[subprocess.Popen[str]], object] | None = None) -> int:
        """End it, in order unless `by` says how; return its pid."""
        if by is not None:
            by(self.process)
        self.process.communicate(timeout=20)
        return self.process.pid


@pytest.fixture
def reader(tmp_path: Path) -> PrometheusMetricReader:
    """A reader of this process in the same directory, which has counted nothing."""
    made = PrometheusMetricReader(scope_info_enabled=False, directory=str(tmp_path), publish_interval_s=3600)
    MeterProvider([made], Resource({"service.name": "shop", "process.pid": 0}), shutdown_on_exit=False)
    return made


def standing(reader: PrometheusMetricReader) -> dict[str, float]:
    """What the reader answers, by name and labels."""
    families = text_string_to_metric_families(reader.exposition()[1].decode())
    return {
        f"{sample.name}{sorted(sample.labels.items()) if sample.labels else ''}": sample.value
        for family in families
        for sample in family.samples
        if family.name != "target_info"
    }


def test_counters_add_up_over_processes_and_gauges_stand_beside_each_other(
    tmp_path: Path, reader: PrometheusMetricReader
) -> None:
    workers = [Worker(tmp_path, 2), Worker(tmp_path, 30)]
    pids = [worker.process.pid for worker in workers]

    found = standing(reader)
    assert found["orders_total"] == 32
    assert found["latency_count"] == 2
    assert found["latency_sum"] == 32
    assert found["latency_bucket[('le', '10.0')]"] == 1
    assert found["active"] == 32
    assert [found[f"level[('process_pid', '{pid}')]"] for pid in pids] == [2, 30]
    for worker in workers:
        worker.end()


@pytest.mark.parametrize("how", ["in order", "killed"])
def test_of_dead_processes_counters_are_kept_and_gauges_are_not(
    how: str, tmp_path: Path, reader: PrometheusMetricReader
) -> None:
    worker = Worker(tmp_path, 7, how)
    worker.end(None if how == "in order" else subprocess.Popen.kill)

    for _ in range(2):  # adding up the dead does it once
        found = standing(reader)
        assert (found["orders_total"], found["latency_count"], found["latency_sum"]) == (7, 1, 7)
        assert not any(name.startswith(("level", "active")) for name in found)


def test_what_is_kept_does_not_grow_with_the_number_of_processes(
    tmp_path: Path, reader: PrometheusMetricReader
) -> None:
    for amount in range(1, 6):
        Worker(tmp_path, amount).end()
        assert standing(reader)["orders_total"] == sum(range(amount + 1))

    reader.shutdown()
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".json", ".json", ".lock", ".lock"]


def test_a_crash_while_the_dead_are_added_up_adds_nobody_twice(
    tmp_path: Path, reader: PrometheusMetricReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    Worker(tmp_path, 7).end()

    def crash(*_: object, **__: object) -> None:
        raise MemoryError

    with monkeypatch.context() as context:
        context.setattr(Path, "unlink", crash)
        with pytest.raises(MemoryError):
            standing(reader)
    assert standing(reader)["orders_total"] == 7


def test_a_file_that_cannot_be_read_is_left_out_and_said(
    tmp_path: Path, reader: PrometheusMetricReader, caplog: pytest.LogCaptureFixture
) -> None:
    worker = Worker(tmp_path, 7)
    (tmp_path / "1-1.json").write_text("{", encoding="utf-8")
    (tmp_path / "2-2.json").write_text(json.dumps({"format": 99}), encoding="utf-8")

    assert standing(reader)["orders_total"] == 7
    assert "is no file of metrics" in caplog.text
    worker.end()


def test_the_target_has_what_all_processes_share(tmp_path: Path, reader: PrometheusMetricReader) -> None:
    worker = Worker(tmp_path, 7)

    text_to_families: Any = parser.text_string_to_metric_families  # without types
    text = reader.exposition("application/openmetrics-text")[1].decode()
    (target,) = [family for family in text_to_families(text) if family.name == "target"]
    assert target.samples[0].labels["service_name"] == "shop"
    assert len(list(text_to_families(text))) == 5
    worker.end()


FORKING = """
import os, signal, sys, time, urllib.request
import millrace
from opentelemetry import metrics
millrace.configure(traces=False, logs=False)
orders = metrics.get_meter("shop").create_counter("orders")
orders.add(1)
child = os.fork()
if child == 0:
    orders.add(20)
    millrace.configure().force_flush()
    sys.stdout.write("ready\\n"); sys.stdout.flush()
    signal.pause()
print(child, flush=True)
sys.stdin.read()
"""


def scraped(port: int) -> float:
    """What a scrape says of the counter."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        families = text_string_to_metric_families(answer.read().decode())
    return next(sample.value for family in families for sample in family.samples if sample.name == "orders_total")


def test_forked_workers_are_served_by_one_port(tmp_path: Path, free_port: int) -> None:
    variables = {
        "OTEL_METRICS_EXPORTER": "prometheus",
        "OTEL_EXPORTER_PROMETHEUS_HOST": "127.0.0.1",
        "OTEL_EXPORTER_PROMETHEUS_PORT": str(free_port),
        "MILLRACE_PROMETHEUS_DIRECTORY": str(tmp_path),
    }
    with subprocess.Popen(
        [sys.executable, "-c", FORKING], env=environment(**variables),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as parent:  # fmt: skip
        assert parent.stdout is not None
        lines = {parent.stdout.readline(), parent.stdout.readline()}
        assert "ready\n" in lines
        assert scraped(free_port) == 21
        (child,) = (int(line) for line in lines - {"ready\n"})
        # The one that listens ends, and another one takes over.
        assert parent.stdin is not None
        parent.stdin.close()
        parent.wait(20)
        wait_until(lambda: answers(free_port), "the child listens where its parent did")
        assert scraped(free_port) == 21
        os.kill(child, signal.SIGKILL)


def answers(port: int) -> bool:
    """Whether somebody answers."""
    try:
        return scraped(port) > 0
    except OSError:
        return False


DECLARED = """
file_format: "1.0"
meter_provider:
  readers:
    - pull:
        exporter:
          prometheus/development:
            {{host: 127.0.0.1, port: {port}, scope_info_enabled: false, target_info_enabled/development: false,
              resource_constant_labels: {{included: ["service.*"], excluded: ["*.instance.id"]}}}}
resource: {{attributes: [{{name: service.name, value: shop}}, {{name: service.instance.id, value: one}}]}}
"""


def test_a_file_may_declare_a_reader_that_prometheus_asks(tmp_path: Path, free_port: int) -> None:
    file = tmp_path / "otel.yaml"
    file.write_text(DECLARED.format(port=free_port))
    program = """
import sys, urllib.request, millrace
from opentelemetry import metrics
millrace.configure()
metrics.get_meter("shop").create_counter("orders").add(2)
print(urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/metrics", timeout=5).read().decode())
"""
    run = run_program(sys.executable, "-c", program, str(free_port), OTEL_CONFIG_FILE=str(file))

    assert run.returncode == 0, run.stderr
    assert 'orders_total{service_name="shop"} 2\n' in run.stdout
    assert "target_info" not in run.stdout


def test_an_address_in_use_is_said_and_costs_nothing_else(free_port: int) -> None:
    program = """
import millrace
from opentelemetry import metrics
millrace.configure(traces=False, logs=False)
metrics.get_meter("shop").create_counter("orders").add(1)
"""
    taken = PrometheusMetricReader(host="127.0.0.1", port=free_port)
    run = run_program(
        sys.executable, "-c", program, OTEL_METRICS_EXPORTER="prometheus",
        OTEL_EXPORTER_PROMETHEUS_HOST="127.0.0.1", OTEL_EXPORTER_PROMETHEUS_PORT=str(free_port),
    )  # fmt: skip
    taken.shutdown()

    assert run.returncode == 0
    assert "OTEL_METRICS_EXPORTER: prometheus is left out" in run.stderr
    assert "in use" in run.stderr
