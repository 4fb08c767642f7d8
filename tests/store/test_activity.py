"""What services did: the same as a query over all spans says, however files are cut and merged, and whoever counted."""

import random
import shutil
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from millrace import _native
from millrace._native import Activity
from millrace.errors import StoreError
from millrace.store import Store, activity
from millrace.store.catalogue import look
from tests.store.running import NOON, SECOND, keeping, trace_id

SERVICES = ("shop", "cart", "pay", "mail")
FILES = 6


def request(rng: random.Random, traces: range) -> list[ExportTraceServiceRequest]:
    """Return requests in which the spans of a trace, each called by one of those before it, are in any of them."""
    requests = [ExportTraceServiceRequest() for _ in range(FILES)]
    for trace in traces:
        for number in range(6):
            resource = requests[rng.randrange(FILES)].resource_spans.add()
            attribute = resource.resource.attributes.add(key="service.name")
            attribute.value.string_value = rng.choice(SERVICES)
            begin = NOON + trace * SECOND + number
            span = resource.scope_spans.add().spans.add(
                trace_id=trace_id(trace),
                span_id=(number + 1).to_bytes(8, "big"),  # the same in every trace
                parent_span_id=rng.randrange(1, number + 1).to_bytes(8, "big") if number else b"",
                name=f"operation {rng.randrange(5)}",
                kind=rng.randrange(6),
                start_time_unix_nano=begin,
                end_time_unix_nano=begin + int(rng.lognormvariate(15, 2)),
            )
            span.status.code = rng.choice((Status.STATUS_CODE_UNSET, Status.STATUS_CODE_OK, Status.STATUS_CODE_ERROR))
    return requests


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("written") / "store"
    rng = random.Random(3)  # noqa: S311 - the same telemetry each time
    with keeping(path, flush_interval="0s", fsync=False) as gateway:
        for one in request(rng, range(200)):
            assert gateway.send("traces", one) == 200
    assert len(look(path, "traces")) == FILES
    return path


@pytest.fixture
def store(written: Path, tmp_path: Path) -> Store:
    return Store(shutil.copytree(written, tmp_path / "store"))


_ERRORS = "count(*) FILTER (called.status_code = 'ERROR')"
_WITHIN = "called.start_time_unix_nano >= ?::UBIGINT AND called.start_time_unix_nano < ?::UBIGINT"
QUERIES = (
    "SELECT service_name, count(*), {errors}, count(DISTINCT name) FROM spans AS called WHERE {within} GROUP BY ALL",
    "SELECT service_name, name, kind, count(*), {errors} FROM spans AS called WHERE {within} GROUP BY ALL",
    """SELECT caller.service_name, called.service_name, count(*), {errors} FROM spans AS called JOIN spans AS caller
    ON called.trace_id = caller.trace_id AND called.parent_span_id = caller.span_id
    WHERE {within} AND called.service_name <> caller.service_name GROUP BY ALL""",
)


def counts(store: Store, start: int, end: int) -> tuple[set[tuple[object, ...]], ...]:
    """Return what SQL over all spans says of some time."""
    asked = (query.format(errors=_ERRORS, within=_WITHIN) for query in QUERIES)
    return tuple(set(store.sql(query, [start, end]).tuples()) for query in asked)


def counted(found: Activity) -> tuple[set[tuple[object, ...]], ...]:
    kinds = ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
    return (
        {(row[0], row[3], row[4], row[8]) for row in found.services()},
        {(row[0], row[1], kinds[row[2]], row[3], row[4]) for row in found.operations()},
        {(row[0], row[1], row[3], row[4]) for row in found.calls()},
    )


@pytest.mark.parametrize(("first", "last"), [(0, 1_000), (50, 120), (199, 200), (300, 400)])
def test_what_is_counted_is_what_a_query_over_all_spans_says(store: Store, first: int, last: int) -> None:
    start, end = NOON + first * SECOND, NOON + last * SECOND
    for _ in range(2):  # counted, and remembered
        assert counted(store.activity(start, end)) == counts(store, start, end)


def test_spans_at_both_ends_of_time_are_counted(tmp_path: Path) -> None:
    ends = ExportTraceServiceRequest()
    scope = ends.resource_spans.add().scope_spans.add()
    for number, begin in enumerate((0, 2**64 - 1)):
        scope.spans.add(trace_id=trace_id(number), span_id=b"8 digits", name="end", start_time_unix_nano=begin)
    with keeping(tmp_path) as gateway:
        assert gateway.send("traces", ends) == 200

    assert [row[3] for row in Store(tmp_path).activity().services()] == [2]
    assert Store(tmp_path).activity(0, 0).services() == []


def test_quantiles_are_within_a_32nd_of_those_of_all_durations(store: Store) -> None:
    for row in store.activity().services():
        exact = store.sql(
            "SELECT quantile_disc(duration_ns, [0.5, 0.95, 0.99]) FROM spans WHERE service_name = ?", [row[0]]
        ).tuples()[0][0]
        for found, wanted in zip(row[7], exact, strict=True):
            assert found == pytest.approx(wanted, rel=1 / 32)


def test_a_span_whose_parent_never_came_is_an_orphan(store: Store, tmp_path: Path) -> None:
    assert store.activity().left_out() == (0, 0)
    lonely = ExportTraceServiceRequest()
    span = lonely.resource_spans.add().scope_spans.add().spans.add(trace_id=trace_id(1), span_id=b"12345678", name="a")
    span.parent_span_id = b"nobody's"
    with keeping(tmp_path / "store") as gateway:
        assert gateway.send("traces", lonely) == 200

    assert Store(store.path).activity().left_out() == (0, 1)


def test_what_was_kept_is_read_and_what_is_damaged_there_is_counted_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(activity, "_KEPT_ROWS", 1)
    monkeypatch.setattr(activity, "AROUND_ROWS", 200)
    wanted = counted(store.activity())
    store.keep_activity(lambda: False)
    kept = sorted((store.path / "activity").iterdir())
    assert len(kept) > 1

    files: list[str] = []
    count = _native.count_activity

    def counting(path: str, first: int, last: int, around: list[str]) -> tuple[bytes, bool]:
        files.append(path)
        return count(path, first, last, around)

    monkeypatch.setattr(activity, "count_activity", counting)
    assert counted(Store(store.path).activity()) == wanted
    assert len(files) == FILES - len(kept)
    kept[0].write_bytes(b"")
    kept[1].write_bytes(kept[1].read_bytes()[:-1])
    assert counted(Store(store.path).activity()) == wanted


def test_what_was_kept_goes_with_its_file(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(activity, "_KEPT_ROWS", 1)
    monkeypatch.setattr(activity, "AROUND_ROWS", 200)
    store.keep_activity(lambda: False)
    for file in look(store.path, "traces")[:-1]:
        Path(file.path).unlink()
    store.refresh()
    store.keep_activity(lambda: False)

    assert list((store.path / "activity").iterdir()) == []


def test_a_damaged_file_is_skipped_and_named_and_the_rest_is_counted(store: Store) -> None:
    first, second, *_ = look(store.path, "traces")
    content = Path(second.path).read_bytes()
    Path(first.path).write_bytes(b"PAR1" + bytes(100) + b"PAR1")
    found = Store(store.path)

    assert sum(row[3] for row in found.activity().services()) == 1_200 - first.rows
    assert list(found.stats()["skipped"]) == [first.path]
    assert Path(second.path).read_bytes() == content


def test_files_that_have_gone_are_looked_for_anew(store: Store) -> None:
    files = look(store.path, "traces")
    store.refresh()
    shutil.move(files[0].path, files[0].path.replace(".parquet", ".removed"))

    assert sum(row[3] for row in store.activity().services()) == 1_200 - files[0].rows


def test_counting_ends_when_its_time_is_over(store: Store) -> None:
    with pytest.raises(StoreError, match="took longer than 0 s"):
        store.activity(timeout_s=0)
    with pytest.raises(StoreError, match="interrupted"):
        store.activity(on_start=lambda interrupt: interrupt())
