"""What is read while files are merged and removed: everything once, and exactly what has come since the last look."""

import random
from collections import Counter
from pathlib import Path

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from millrace.errors import StoreError
from millrace.store import Search, Store, finding, reading
from millrace.store import arrivals as arrivals_of
from millrace.store.catalogue import look
from millrace.store.search import Sql
from tests.store.running import NOON, SECOND, Keeping, keeping, spans, trace_id
from tests.store.test_upkeep import until

FEW, MANY = 8, 24
"""Small files that are left alone, and more of them, which are merged."""


def send(gateway: Keeping, first: int, count: int) -> None:
    for number in range(first, first + count):
        assert gateway.send("traces", spans(number)) == 200


def send_until_merged(gateway: Keeping, folder: Path, first: int) -> None:
    """Send so many that all that was there before is in merged files."""
    before = [Path(file.path) for file in look(folder, "traces")]
    send(gateway, first, MANY)
    until(lambda: not any(path.exists() for path in before))


def numbers(requests: list[bytes]) -> Counter[int]:
    request = ExportTraceServiceRequest.FromString(b"".join(requests))
    return Counter(
        int.from_bytes(span.trace_id, "big") - 1
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    )


def test_everything_is_read_once_although_all_files_are_merged_meanwhile(tmp_path: Path) -> None:
    with keeping(tmp_path, flush_interval="0s", fsync=False) as gateway:
        send(gateway, 0, FEW)
        requests = Store(tmp_path).requests("traces")
        read = [next(requests)]
        send_until_merged(gateway, tmp_path, FEW)
        read += requests

    assert numbers(read) == Counter(range(FEW))


def test_a_file_that_retention_removes_meanwhile_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "WHOLE_ROWS", 0)  # as if they were large: nothing is held open
    with keeping(tmp_path, flush_interval="0s", fsync=False) as gateway:
        send(gateway, 0, 3)
    requests = Store(tmp_path).requests("traces")
    read = [next(requests)]
    Path(look(tmp_path, "traces")[1].path).unlink()

    assert numbers([*read, *requests]) == Counter([0, 2])


@pytest.mark.parametrize("soon", [True, False])
def test_nothing_is_read_twice_where_a_file_that_was_not_held_is_merged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, soon: bool
) -> None:
    monkeypatch.setattr(reading, "WHOLE_ROWS", 0)
    with keeping(tmp_path, flush_interval="0s", fsync=False) as gateway:
        send(gateway, 0, FEW)
        requests = Store(tmp_path).requests("traces")
        read = [next(requests)]
        send_until_merged(gateway, tmp_path, FEW)
        if soon:  # what a merge has replaced stays for a minute
            assert numbers([*read, *requests]) == Counter(range(FEW))
            return
        for replaced in tmp_path.rglob("*.replaced"):
            replaced.unlink()
        with pytest.raises(StoreError, match="was merged with files that had been read before; ask again"):
            list(requests)


def test_the_traces_that_have_come_are_told_exactly_although_they_are_merged_with_others(tmp_path: Path) -> None:
    with keeping(tmp_path, flush_interval="0s", fsync=False) as gateway:
        send(gateway, 0, FEW)
        arrivals = Store(tmp_path).trace_arrivals()
        assert arrivals.look() == []
        send_until_merged(gateway, tmp_path, FEW)
        arrived = arrivals.look()
        assert gateway.send("traces", spans(3)) == 200
        grown = arrivals.look()

    assert [one.trace_id for one in arrived] == [trace_id(n).hex() for n in reversed(range(FEW, FEW + MANY))]
    assert [one.trace_id for one in grown] == [trace_id(3).hex()]


def test_the_first_look_reads_no_file_that_is_merged_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with keeping(tmp_path, flush_interval="0s", fsync=False) as gateway:
        send(gateway, 0, 3)
        monkeypatch.setattr(arrivals_of, "WHOLE_ROWS", 1)
        files = look(tmp_path, "traces")

    def run(sql: Sql) -> list[tuple[object, ...]]:
        raise AssertionError(sql.text)

    assert arrivals_of.TraceArrivals(lambda: files, run, lambda work: work()).look() == []


def test_the_log_records_that_have_come_are_counted_exactly(tmp_path: Path) -> None:
    def send_logs(gateway: Keeping, count: int) -> None:
        for number in range(count):
            request = ExportLogsServiceRequest()
            request.resource_logs.add().scope_logs.add().log_records.add(time_unix_nano=NOON + number)
            assert gateway.send("logs", request) == 200

    with keeping(tmp_path, flush_interval="0s", fsync=False) as gateway:
        send_logs(gateway, FEW)
        arrivals = Store(tmp_path).log_arrivals()
        before = [Path(file.path) for file in look(tmp_path, "logs")]
        send_logs(gateway, MANY)
        until(lambda: not any(path.exists() for path in before))
        assert arrivals.look()[0] == MANY
        assert arrivals.look()[0] == 0, "files may be merged again meanwhile, records come once"


@pytest.mark.parametrize("order", ["recent", "slowest"])
def test_a_search_file_by_file_finds_what_a_look_at_everything_finds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, order: str
) -> None:
    monkeypatch.setattr(finding, "_FIRST_ROWS", 4)
    rng = random.Random(7)  # noqa: S311 - the same spans each time
    expected: dict[str, int] = {}
    with keeping(tmp_path, flush_interval="0s", fsync=False) as gateway:
        for _ in range(10):
            request = spans(*(rng.randrange(30) for _ in range(8)))
            for span in request.resource_spans[0].scope_spans[0].spans:
                span.start_time_unix_nano = NOON + rng.randrange(100) * SECOND
                span.end_time_unix_nano = span.start_time_unix_nano + rng.randrange(1_000)
                took = span.end_time_unix_nano - span.start_time_unix_nano
                value = span.start_time_unix_nano if order == "recent" else took
                expected[span.trace_id.hex()] = max(expected.get(span.trace_id.hex(), 0), value)
            assert gateway.send("traces", request) == 200
    store = Store(tmp_path)

    ranked = sorted(expected, key=lambda one: (-expected[one], one))
    pages: list[str] = []
    after = None
    while found := store.find(Search(order=order, limit=4, after=after)):  # type: ignore[arg-type] # one of two words
        pages += [one.trace_id for one in found]
        after = (found[-1].position, found[-1].trace_id)
    assert [one.trace_id for one in store.find(Search(order=order, limit=7))] == ranked[:7]  # type: ignore[arg-type]
    assert pages == ranked
