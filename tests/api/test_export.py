"""`millrace export` and `millrace import`: what is in a store comes out, and goes into another one unchanged."""

import gzip
import json
from collections import Counter
from pathlib import Path

import pytest

from millrace import files, otlp
from millrace.store import Store
from tests.api.keeping import keep_shop
from tests.api.shop import SOLD
from tests.python.commands import millrace


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    keep_shop(folder)
    return folder


def items(file: Path) -> Counter[str]:
    counts: Counter[str] = Counter()
    for request in files.read(file):
        counts[request.signal] += otlp.count(request.signal, request.data)
    return counts


SHOP = Counter({"metrics": 11, "traces": 6, "logs": 3})


@pytest.mark.parametrize("name", ["all.jsonl", "all.otlp.zst"])
def test_what_is_exported_can_be_imported_again(data: Path, tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    done = millrace("export", file, "--data", data)
    assert (done.code, done.out, done.err) == (0, "", f"20 items to {file}\n")
    assert items(file) == SHOP
    done = millrace("import", file, "--data", tmp_path / "again")
    assert done.code == 0, done.err
    assert not (tmp_path / "again/server.json").exists()
    assert sorted(Store(tmp_path / "again").trace(SOLD) or b"") == sorted(Store(data).trace(SOLD) or b"")
    assert millrace("export", tmp_path / "second.jsonl", "--data", tmp_path / "again").code == 0
    assert items(tmp_path / "second.jsonl") == SHOP


def test_one_trace_is_exported_with_its_logs(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "one.jsonl"
    assert millrace("export", file, "--data", data, "--trace", SOLD).code == 0
    assert items(file) == Counter({"traces": 4, "logs": 2})


def test_one_signal_goes_to_standard_output(data: Path) -> None:
    done = millrace("export", "-", "--to", "jsonl", "--signal", "logs", "--data", data)
    assert [list(json.loads(line)) for line in done.out.splitlines()] == [["resourceLogs"]]


def test_spans_are_exported_for_perfetto(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "trace.json"
    assert millrace("export", file, "--data", data, "--chrome").code == 0
    events = json.loads(file.read_text())["traceEvents"]
    processes = {one["pid"]: one["args"]["name"] for one in events if one["ph"] == "M"}
    slices = {one["args"]["span_id"]: one for one in events if one["ph"] == "X"}
    assert sorted(processes.values()) == ["payments", "storefront"]
    assert len(slices) == 6
    root, child = slices["00000000000000a1"], slices["00000000000000a2"]
    assert (child["ts"] - root["ts"], child["dur"], child["tid"]) == (5_000, 10_000, root["tid"])
    assert child["args"]["rows"] == "3"


def test_a_compressed_trace_for_perfetto_says_the_same(data: Path, tmp_path: Path) -> None:
    for name in ("trace.json", "trace.json.gz"):
        assert millrace("export", tmp_path / name, "--data", data, "--chrome").code == 0
    assert gzip.decompress((tmp_path / "trace.json.gz").read_bytes()) == (tmp_path / "trace.json").read_bytes()
    done = millrace("export", tmp_path / "trace.pb", "--data", data, "--chrome")
    assert (done.code, (tmp_path / "trace.pb").exists()) == (1, False)
    assert "expected a name that ends in .json or .json.gz" in done.err


def test_nothing_to_export_is_said(data: Path, tmp_path: Path) -> None:
    done = millrace("export", tmp_path / "none.jsonl", "--data", data, "--trace", "ab" * 16)
    assert done.code == 1
