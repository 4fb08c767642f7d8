"""Merging, retention and crashes: what is in a store stays there, and what goes is counted."""

import json
import os
import signal as signals
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from millrace import _native
from millrace.errors import GatewayError, StoreError
from millrace.gateway import Gateway
from millrace.otlp import merge
from millrace.store import Store
from millrace.store.catalogue import look
from tests.store.running import Keeping, config, keeping, spans, trace_id

WAIT_S = 30.0


def until(reached: Callable[[], bool]) -> None:
    """Wait for something that another thread or process does."""
    deadline = time.monotonic() + WAIT_S
    while not reached():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def test_many_small_files_become_few_and_nothing_is_lost(tmp_path: Path) -> None:
    with keeping(tmp_path, flush_interval="0s", fsync=False) as gateway:
        store = Store(tmp_path)
        for number in range(40):
            assert gateway.send("traces", spans(number, number + 1)) == 200
        until(lambda: len(look(tmp_path, "traces")) < 30)
        store.refresh()
        ids = store.sql("SELECT DISTINCT trace_id FROM spans").tuples()
        found = store.trace(trace_id(5).hex())

    assert sorted(ids) == [(trace_id(number).hex(),) for number in range(41)]
    assert found is not None
    assert store.stats()["signals"]["traces"]["rows"] == 80


def test_a_few_small_files_become_one_when_nothing_has_come_for_a_while(tmp_path: Path) -> None:
    with keeping(tmp_path, flush_interval="0s", fsync=False) as gateway:
        for number in range(3):
            assert gateway.send("traces", spans(number)) == 200
        listed = [file.path for file in look(tmp_path, "traces")]
        until(lambda: len(look(tmp_path, "traces")) == 1)
        still_readable = [_native.check_store_file("traces", path) for path in listed]
        rows = Store(tmp_path).sql("SELECT count(*) FROM spans").tuples()
        in_directory = len(list((tmp_path / "traces").glob("*.parquet")))

    assert rows == [(3,)]
    assert still_readable == [1, 1, 1]  # for readers that have listed the directory before
    assert in_directory == 1  # a tool that lists it now sees each row once
    assert not list((tmp_path / "traces").glob("*.replaced"))


def test_merged_files_are_sorted_by_resource_name_and_start(tmp_path: Path) -> None:
    with keeping(tmp_path, flush_interval="0s", fsync=False) as gateway:
        for number in range(20):
            assert gateway.send("traces", spans(40 - number, number, service=f"service {number % 2}")) == 200
        until(lambda: any(file.from_number < file.to_number for file in look(tmp_path, "traces")))
        merged = next(file for file in look(tmp_path, "traces") if file.from_number < file.to_number)
        table = pq.read_table(merged.path, columns=["resource_id", "name", "start_time_unix_nano"])

    rows = [tuple(row.values()) for row in table.to_pylist()]
    assert rows == sorted(rows)
    assert len(rows) == merged.rows


def test_retention_by_size_removes_the_oldest_and_counts_exactly(tmp_path: Path) -> None:
    with keeping(tmp_path, flush_interval="0s", fsync=False, max_size_mib=1) as gateway:
        sent = 0
        for number in range(40):
            request = spans(*range(400 * number, 400 * (number + 1)))
            for span in request.resource_spans[0].scope_spans[0].spans:
                span.attributes.add(key="noise").value.bytes_value = os.urandom(128)
            sent += 400
            assert gateway.send("traces", request) == 200
        until(lambda: Store(tmp_path).stats()["bytes"] <= 1 << 20)
        stats = Store(tmp_path).stats()
        kept = Store(tmp_path).sql("SELECT count(*), max(start_time_unix_nano) FROM spans").tuples()

    removed = stats["removed"]["traces"]
    assert removed["rows"] > 0
    assert removed["rows"] + stats["signals"]["traces"]["rows"] == sent
    assert kept == [(stats["signals"]["traces"]["rows"], stats["newest_unix_nano"])]
    assert not list((tmp_path / "traces").glob("*.removed"))


def test_retention_by_age_removes_what_is_older(tmp_path: Path) -> None:
    young = spans(2)
    young.resource_spans[0].scope_spans[0].spans[0].start_time_unix_nano = time.time_ns()
    with keeping(tmp_path, flush_interval="0s", max_age="1h") as gateway:
        assert gateway.send("traces", spans(1)) == 200
        assert gateway.send("traces", young) == 200
        until(lambda: Store(tmp_path).stats()["removed"]["traces"]["rows"] == 1)
        left = Store(tmp_path).sql("SELECT trace_id FROM spans").tuples()

    assert left == [(trace_id(2).hex(),)]


def test_a_removal_that_a_crash_has_interrupted_is_finished_and_counted_once(tmp_path: Path) -> None:
    with keeping(tmp_path, flush_interval="0s") as gateway:
        for number in range(3):
            assert gateway.send("traces", spans(number)) == 200
    first, second, _ = (Path(file.path) for file in look(tmp_path, "traces"))
    first.rename(first.with_suffix(".removed"))
    second.rename(second.with_suffix(".removed"))
    name = second.with_suffix(".removed").name
    counts = '{"removed": {"traces": {"files": 1, "rows": 1, "bytes": 9}}, "counted": ["traces/' + name + '"]}'
    (tmp_path / "removed.json").write_text(counts)

    with keeping(tmp_path):
        until(lambda: not list((tmp_path / "traces").glob("*.removed")))
        removed = Store(tmp_path).stats()["removed"]["traces"]

    assert (removed["files"], removed["rows"]) == (2, 2)


def test_a_store_has_one_writer(tmp_path: Path) -> None:
    with (
        keeping(tmp_path),
        pytest.raises(GatewayError, match=rf"another process \({os.getpid()}\) writes to the store"),
    ):
        Gateway(config(tmp_path)).start()
    with keeping(tmp_path) as gateway:
        assert gateway.send("traces", spans(1)) == 200


def test_a_store_of_a_newer_format_is_refused_and_left_alone(tmp_path: Path) -> None:
    with keeping(tmp_path) as gateway:
        assert gateway.send("traces", spans(1)) == 200
    (tmp_path / "FORMAT").write_text("millrace store 2\n")
    before = sorted(path.stat().st_mtime_ns for path in (tmp_path / "traces").iterdir())

    with pytest.raises(StoreError, match="'millrace store 2', and this version reads 'millrace store 1'"):
        Store(tmp_path)
    with pytest.raises(GatewayError, match="millrace store 2"):
        Gateway(config(tmp_path)).start()
    assert sorted(path.stat().st_mtime_ns for path in (tmp_path / "traces").iterdir()) == before


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def garbled(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4:400] = bytes(396)
    path.write_bytes(content)


def foreign(path: Path) -> None:
    pq.write_table(pa.table({"x": [1]}), path)


@pytest.mark.parametrize("damage", [cut_off, emptied, garbled, foreign])
def test_a_file_that_cannot_be_read_is_skipped_and_named_and_the_rest_is_served(
    damage: Callable[[Path], None], tmp_path: Path
) -> None:
    with keeping(tmp_path, flush_interval="0s") as gateway:
        for number in range(3):
            assert gateway.send("traces", spans(number)) == 200
    damaged = Path(look(tmp_path, "traces")[1].path)
    damage(damaged)

    store = Store(tmp_path)
    rows = store.sql("SELECT trace_id, attributes['number'], resource_id FROM spans ORDER BY ALL").rows()
    found = store.trace(trace_id(2).hex())

    assert [row["trace_id"] for row in rows] == [trace_id(0).hex(), trace_id(2).hex()]
    assert found is not None
    assert list(store.stats()["skipped"]) == [str(damaged)]


def test_merging_goes_around_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with keeping(tmp_path, flush_interval="0s") as gateway:
        assert gateway.send("traces", spans(99)) == 200
    damaged = Path(look(tmp_path, "traces")[0].path)
    garbled(damaged)
    with keeping(tmp_path, flush_interval="0s", fsync=False) as gateway:
        for number in range(40):
            assert gateway.send("traces", spans(number)) == 200
        until(lambda: len(look(tmp_path, "traces")) < 30)

    assert damaged.exists()
    assert Store(tmp_path).sql("SELECT count(resource_id) FROM spans").tuples() == [(40,)]


SERVER = """
import json, sys, threading
from millrace.gateway import Gateway
gateway = Gateway(json.loads(sys.argv[1]))
gateway.start()
print(*gateway.addresses["otlp/http"], flush=True)
threading.Event().wait()
"""


class Process:
    """A gateway in a process of its own, to be killed."""

    def __init__(self, path: Path, **settings: object) -> None:
        """Start it, and wait until it listens."""
        arguments = [sys.executable, "-c", SERVER, json.dumps(config(path, **settings))]
        self.process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        host, port = self.process.stdout.readline().split()
        self.keeping = Keeping(host, int(port))

    def kill(self) -> None:
        """Kill it."""
        self.keeping.close()
        self.process.send_signal(signals.SIGKILL)
        self.process.wait(WAIT_S)
        assert self.process.stdout
        self.process.stdout.close()


def test_after_every_kill_the_store_opens_with_all_that_was_acknowledged(tmp_path: Path) -> None:
    acknowledged = 0
    for attempt in range(6):
        server = Process(tmp_path, flush_interval="0s", fsync=False)
        for number in range(attempt * 7 + 5):  # kills fall before, into and behind merges
            assert server.keeping.send("traces", spans(acknowledged, spans_each=2)) == 200, number
            acknowledged += 1
        server.kill()
        store = Store(tmp_path)

        rows = store.sql("SELECT trace_id, count(*) FROM spans GROUP BY ALL ORDER BY ALL").tuples()
        assert rows == [(trace_id(number).hex(), 2) for number in range(acknowledged)]
        assert store.stats()["skipped"] == {}


@pytest.mark.skipif(not hasattr(psutil.Process, "rlimit"), reason="limits of other processes can be set on Linux only")
def test_a_full_disk_refuses_what_comes_and_answers_queries_and_recovers(tmp_path: Path) -> None:
    server = Process(tmp_path, flush_interval="0s")
    try:
        assert server.keeping.send("traces", spans(1)) == 200
        process = psutil.Process(server.process.pid)
        _, hard = process.rlimit(psutil.RLIMIT_FSIZE)
        process.rlimit(psutil.RLIMIT_FSIZE, (1_000, hard))  # files cannot grow: what a full disk looks like to a writer

        assert server.keeping.send("traces", spans(2)) == 503
        assert b"cannot take data" in server.keeping.answer
        assert Store(tmp_path).sql("SELECT count(*) FROM spans").tuples() == [(1,)]

        process.rlimit(psutil.RLIMIT_FSIZE, (hard, hard))
        assert server.keeping.send("traces", spans(3)) == 200
        assert Store(tmp_path).sql("SELECT count(*) FROM spans").tuples() == [(2,)]
    finally:
        server.kill()


def test_requests_are_acknowledged_before_their_file_where_that_is_set_and_seen_within_a_second(tmp_path: Path) -> None:
    request = merge("traces", [spans(1).SerializeToString(), spans(2).SerializeToString()])
    with keeping(tmp_path, wait_for_result=False, flush_interval="1s") as gateway:
        assert gateway.send("traces", request) == 200
        store = Store(tmp_path)
        sent = time.monotonic()
        until(lambda: store.sql("SELECT count(*) FROM spans").tuples() == [(2,)])

    assert time.monotonic() - sent < 5.0  # a busy machine; the interval itself is 1 s
