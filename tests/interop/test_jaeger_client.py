"""Jaeger's own types, and the Collector's reader of OTLP, read what our Jaeger API answers."""

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from millrace.api import application
from millrace.store import Store
from scripts.build_otelcol import cache_folder
from tests.api.conftest import serving
from tests.api.keeping import keep_shop
from tests.api.shop import BEGIN, DECLINED, MS, SOLD

SOURCES = Path(__file__).parent / "jaegerclient"
BUILD_TIMEOUT_S = 600


@pytest.fixture(scope="module")
def client() -> Path:
    """The program, built once for each change of its sources."""
    go = shutil.which("go")
    if go is None:
        pytest.skip("reading by Jaeger's types needs Go 1.26 or newer: https://go.dev/dl")
    digest = hashlib.sha256()
    for source in sorted(SOURCES.iterdir()):
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    binary = cache_folder() / f"jaegerclient-{digest.hexdigest()[:16]}"
    if binary.exists():
        return binary
    binary.parent.mkdir(parents=True, exist_ok=True)
    unfinished = binary.with_name(f"{binary.name}.{os.getpid()}")
    command = [go, "build", "-mod=readonly", "-trimpath", "-o", str(unfinished), "."]
    done = subprocess.run(command, cwd=SOURCES, check=False, capture_output=True, text=True, timeout=BUILD_TIMEOUT_S)
    if done.returncode != 0:
        reason = done.stderr.strip().splitlines()[-1:] or ["the compiler said nothing"]
        pytest.skip(f"the program that reads by Jaeger's types cannot be built: {reason[0]}")
    unfinished.rename(binary)
    return binary


@pytest.fixture(scope="module", params=["", "/jaeger"])
def read(request: pytest.FixtureRequest, client: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:  # noqa: ANN401 - JSON
    """What the program has read."""
    folder = tmp_path_factory.mktemp("kept")
    keep_shop(folder)
    with serving(application(Store(folder))) as url:
        command = [str(client), f"{url}{request.param}", "payments", SOLD]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_jaegers_types_read_services_operations_and_dependencies(read: dict[str, Any]) -> None:
    assert read["services"] == ["payments", "storefront"]
    assert read["operations"] == [{"name": "POST /charges", "spanKind": "server"}]
    assert read["dependencies"] == [{"parent": "storefront", "child": "payments", "callCount": 2}]


def test_jaegers_types_read_a_search_and_a_trace(read: dict[str, Any]) -> None:
    assert read["searched"] == [DECLINED, SOLD]
    spans = {span["spanID"]: span for span in read["trace"]["spans"]}
    assert set(spans) == {f"00000000000000a{number}" for number in range(1, 5)}
    charge = spans["00000000000000a4"]
    assert (charge["startTime"], charge["duration"]) == ((BEGIN + 30 * MS) // 1_000, 70 * MS // 1_000)
    assert charge["references"] == [{"refType": "CHILD_OF", "traceID": SOLD, "spanID": "00000000000000a3"}]
    assert read["trace"]["processes"][charge["processID"]]["serviceName"] == "payments"
    tags = {tag["key"]: (tag["type"], tag["value"]) for tag in spans["00000000000000a2"]["tags"]}
    assert (tags["rows"], tags["span.kind"]) == (("int64", 3), ("string", "client"))


def test_the_collectors_reader_reads_a_trace_of_version_3(read: dict[str, Any]) -> None:
    assert read["spans"] == {
        "00000000000000a1": "POST /orders",
        "00000000000000a2": "SELECT",
        "00000000000000a3": "POST",
        "00000000000000a4": "POST /charges",
    }
