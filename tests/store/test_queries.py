"""SQL and searches: while a gateway writes, within bounds, and on nothing but the store."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from millrace.errors import StoreError
from millrace.store import Search, Store
from millrace.store.catalogue import look
from tests.python.commands import millrace
from tests.store.running import NOON, SECOND, Keeping, keeping, spans, trace_id


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Keeping]:
    with keeping(tmp_path / "store") as gateway:
        yield gateway


@pytest.fixture
def store(gateway: Keeping, tmp_path: Path) -> Store:
    failed = spans(7, service="payment")
    failed.resource_spans[0].scope_spans[0].spans[0].status.code = 2  # type: ignore[assignment]
    for request in (spans(1, 2, 3, spans_each=2), failed):
        assert gateway.send("traces", request) == 200
    return Store(tmp_path / "store")


def test_sql_sees_what_was_acknowledged_since_the_store_was_opened(gateway: Keeping, store: Store) -> None:
    assert gateway.send("traces", spans(20)) == 200
    store.refresh()

    assert store.sql("SELECT count(*) AS n FROM spans").rows() == [{"n": 8}]


def test_attributes_are_found_by_key_with_their_types(store: Store) -> None:
    answer = store.sql(
        "SELECT trace_id, attributes['number'] AS n FROM spans WHERE attributes['number'] > 2 ORDER BY n"
    )

    assert answer.rows() == [{"trace_id": trace_id(n).hex(), "n": n} for n in (3, 3, 7)]
    assert store.sql("SELECT count(*) FROM spans WHERE attributes['absent'] IS NULL").tuples() == [(7,)]


def test_a_clock_beyond_every_date_spoils_no_query(gateway: Keeping, store: Store) -> None:
    request = spans(30)
    span = request.resource_spans[0].scope_spans[0].spans[0]
    span.start_time_unix_nano = span.end_time_unix_nano = 2**64 - 1
    assert gateway.send("traces", request) == 200
    store.refresh()

    found = store.sql("SELECT start_time, start_time_unix_nano FROM spans ORDER BY 2 DESC").tuples()
    assert len(found) == 8
    assert (found[0][0].year, found[0][1]) == (2262, 2**64 - 1)


def test_an_attribute_may_have_another_type_in_every_file(gateway: Keeping, store: Store) -> None:
    request = spans(30)
    span = request.resource_spans[0].scope_spans[0].spans[0]
    span.attributes[0].value.string_value = "thirty"
    assert gateway.send("traces", request) == 200
    store.refresh()

    answer = store.sql("SELECT CAST(attributes['number'] AS VARCHAR) AS text, count(*) FROM spans GROUP BY ALL")
    assert dict(answer.tuples()) == {"1": 2, "2": 2, "3": 2, "7": 1, "thirty": 1}


def test_a_search_finds_traces_by_each_of_its_conditions(store: Store) -> None:
    def found(**conditions: object) -> list[str]:
        return [trace["trace_id"] for trace in store.search(Search(**conditions))]  # type: ignore[arg-type]

    ids = {number: trace_id(number).hex() for number in (1, 2, 3, 7)}
    assert found() == [ids[7], ids[3], ids[2], ids[1]]
    assert found(order="slowest", limit=2) == [ids[7], ids[3]]
    assert found(limit=2, offset=2) == [ids[2], ids[1]]
    assert found(service="payment") == [ids[7]]
    assert found(operation="operation 2") == [ids[2]]
    assert found(status="error") == [ids[7]]
    assert found(attributes={"number": "3"}) == [ids[3]]
    assert found(attributes={"service.name": "payment"}) == [ids[7]]
    assert found(min_duration_ns=4_000_000, max_duration_ns=4_000_000) == [ids[3]]
    assert found(start=NOON + 2 * SECOND, end=NOON + 3 * SECOND) == [ids[3], ids[2]]
    assert found(text="ATION 2") == [ids[2]]
    assert found(text="%") == []


def test_a_summary_tells_of_the_whole_trace(store: Store) -> None:
    (summary,) = store.search(Search(attributes={"number": "3"}))

    assert summary == {
        "trace_id": trace_id(3).hex(),
        "service": "shop",
        "name": "operation 0",
        "start_time_unix_nano": NOON + 3 * SECOND,
        "duration_ns": 4_000_001,
        "spans": 2,
        "errors": 0,
        "services": [{"name": "shop", "spans": 2, "errors": 0}],
    }


def test_logs_points_and_resources_are_there_for_sql(gateway: Keeping, store: Store) -> None:
    logs = ExportLogsServiceRequest()
    record = logs.resource_logs.add(schema_url="schema").scope_logs.add().log_records.add(time_unix_nano=5)
    record.body.kvlist_value.values.add(key="a").value.int_value = 1
    metrics = ExportMetricsServiceRequest()
    metric = metrics.resource_metrics.add().scope_metrics.add().metrics.add(name="requests", unit="1")
    metric.sum.is_monotonic = True
    metric.sum.aggregation_temporality = 2  # type: ignore[assignment] # CUMULATIVE
    metric.sum.data_points.add(as_int=4, time_unix_nano=9)
    assert (gateway.send("logs", logs), gateway.send("metrics", metrics)) == (200, 200)
    store.refresh()

    assert store.sql("SELECT body, is_body_json, time_unix_nano FROM logs").tuples() == [('{"a":1}', True, 5)]
    points = store.sql("SELECT name, type, value, is_monotonic, temporality FROM metric_points").tuples()
    assert points == [("requests", "sum", 4.0, True, "CUMULATIVE")]
    names = store.sql("SELECT service_name, attributes['service.name'] FROM resources ORDER BY ALL").tuples()
    assert names == [("", None), ("", None), ("payment", "payment"), ("shop", "shop")]


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("DROP VIEW spans", "only read"),
        ("COPY (SELECT 1) TO '/tmp/never.csv'", "only read"),
        ("SELECT 1; SELECT 2", "one statement"),
        ("SELECT * FROM read_csv('/etc/passwd')", "Permission"),
        ("SELECT nothing FROM spans", "nothing"),
        ("SELEKT", "syntax"),
        ("SELECT * FROM range(1000001)", "more than 1,000,000 rows"),
        ("SELECT count(*) FROM range(1000000000000)", "longer than 0.5 s"),
        ("SELECT count(DISTINCT i) FROM range(1000000000) t(i)", "more memory"),
    ],
)
def test_a_query_that_a_store_does_not_answer_is_refused_in_a_sentence(
    gateway: Keeping, tmp_path: Path, query: str, sentence: str
) -> None:
    assert gateway.send("traces", spans(1)) == 200
    store = Store(tmp_path / "store", memory_limit="64MiB")
    timeout_s = 0.5 if "longer" in sentence else 30.0

    with pytest.raises(StoreError, match=sentence):
        store.sql(query, timeout_s=timeout_s)

    assert store.sql("SELECT count(*) FROM spans").tuples() == [(1,)]


def test_parameters_stand_for_values(store: Store) -> None:
    answer = store.sql("SELECT count(*) FROM spans WHERE service_name = ?", ["payment"])

    assert answer.tuples() == [(1,)]


def test_an_answer_becomes_an_arrow_table_with_the_types_of_the_query(store: Store) -> None:
    table = store.sql(
        "SELECT service_name, start_time_unix_nano, start_time, duration_ns / 2 AS half, NULL::VARCHAR AS nothing, "
        "MAP {'k': 'v'} AS map, [1, 2] AS list, 1 AS twice, 2 AS twice FROM spans ORDER BY ALL LIMIT 1"
    ).arrow()

    kinds = ["string", "uint64", "timestamp[ns]", "double", "string", "map<string, string>", "list<item: int64>"]
    assert [str(field.type) for field in table.schema][:7] == kinds
    assert table.column("map").to_pylist() == [[("k", "v")]]
    assert table.column_names[-2:] == ["twice", "twice"]
    assert store.sql("SELECT name, flags FROM spans LIMIT 0").arrow().schema.field("flags").type == "uint32"


def test_values_of_several_types_are_no_column_of_arrow(store: Store) -> None:
    answer = store.sql("SELECT unnest([1::VARIANT, 'a'::VARIANT]) AS mixed")

    with pytest.raises(StoreError, match=r"the column mixed has values of several types.* CAST\(mixed AS VARCHAR\)"):
        answer.arrow()


@pytest.mark.parametrize("package", ["pyarrow", "pandas"])
def test_a_form_whose_package_is_absent_says_what_to_install(
    store: Store, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    answer = store.sql("SELECT 1 AS one")
    monkeypatch.setitem(sys.modules, package, None)

    with pytest.raises(StoreError, match=f"need {package}: pip install {package}$"):
        answer.arrow() if package == "pyarrow" else answer.pandas()


def test_an_answer_becomes_a_data_frame(store: Store) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not among the tests' own packages: pip install pandas")
    frame = store.sql("SELECT service_name, count(*) AS spans FROM spans GROUP BY ALL ORDER BY spans").pandas()

    assert isinstance(frame, pandas.DataFrame)
    assert frame.to_dict("list") == {"service_name": ["payment", "shop"], "spans": [1, 6]}


def test_a_parquet_file_of_somebody_else_is_named_and_left_alone(store: Store, tmp_path: Path) -> None:
    theirs = tmp_path / "store/traces/theirs.parquet"
    theirs.write_bytes(b"PAR1")

    assert store.stats()["skipped"].keys() == {str(theirs)}
    assert "its name is not one that a store gives" in store.stats()["skipped"][str(theirs)]
    assert store.sql("SELECT count(*) FROM spans").tuples() == [(7,)]


def test_files_of_another_layout_are_named_and_the_rest_is_served(store: Store, tmp_path: Path) -> None:
    ours = look(tmp_path / "store", "traces")[0]
    table = pq.read_table(ours.path, columns=["trace_id", "span_id", "name"])
    name = f"{ours.first:020}-{ours.last:020}-{ours.rows}-000000000900-000000000900.parquet"
    theirs = tmp_path / "store/traces" / name
    pq.write_table(table, theirs)
    store.refresh()

    assert store.sql("SELECT count(*) FROM spans WHERE duration_ns >= 0").tuples() == [(7,)]
    assert store.stats()["skipped"].keys() == {str(theirs)}


def test_a_store_of_another_layout_is_refused_in_a_sentence(store: Store, tmp_path: Path) -> None:
    for file in look(tmp_path / "store", "traces"):
        table = pq.read_table(file.path)
        kept = [column for column in table.column_names if column != "early_end_time_unix_nano"]
        pq.write_table(table.select(kept), file.path)

    with pytest.raises(StoreError, match=r"is a store of another layout: it lacks the column early_end_time_unix_nano"):
        Store(store.path)


def test_a_directory_without_a_store_is_told_from_one(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is not a store"):
        Store(tmp_path)


def test_an_answer_is_bounded_in_bytes_too(store: Store) -> None:
    with pytest.raises(StoreError, match="the answer has more than 512 MiB: add LIMIT"):
        store.sql("SELECT repeat('x', 10000) FROM range(900000)")


@pytest.mark.skipif(sys.platform != "linux", reason="the limit means something else elsewhere")
def test_texts_that_the_query_makes_are_bounded_by_the_memory_of_the_command(store: Store) -> None:
    command = [sys.executable, "-m", "millrace", "query", "--data", str(store.path), "SELECT repeat('x', 3000000000)"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: the query needs more memory than it may use; narrow it with WHERE.")
    assert done.stderr.count("\n") == 1


def test_without_duckdb_the_error_says_what_to_install(store: Store, tmp_path: Path) -> None:
    program = f"""
import sys
sys.modules["duckdb"] = None
import millrace.store
try:
    millrace.store.Store({str(tmp_path / "store")!r})
except millrace.store.StoreError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout == "the store needs DuckDB: pip install 'millrace[store]'\n"
    assert store.stats()["files"] > 0


def test_the_command_prints_a_table_or_lines_of_json(store: Store, tmp_path: Path) -> None:
    query = "SELECT service_name, count(*) AS spans FROM spans GROUP BY ALL ORDER BY spans"
    table = millrace("query", "--data", tmp_path / "store", query)
    lines = millrace("query", "--data", tmp_path / "store", "--json", "-", stdin=query.encode())

    assert (table.code, lines.code) == (0, 0), table.err + lines.err
    assert [line.split() for line in table.out.splitlines()] == [
        ["service_name", "spans"],
        ["payment", "1"],
        ["shop", "6"],
    ]
    assert [json.loads(line) for line in lines.out.splitlines()] == [
        {"service_name": "payment", "spans": 1},
        {"service_name": "shop", "spans": 6},
    ]
    assert store.stats()["signals"]["traces"]["rows"] == 7
