"""The benchmark of the store sends what it says, and its bars say what was measured."""

from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from benchmarks.store_report import bars, part
from benchmarks.store_traffic import Traffic
from millrace import otlp

MACHINE = {
    "measured_at": "then",
    "commit": "abc",
    "modified": False,
    "cpu": "one",
    "cores": 2,
    "memory_gib": 1,
    "system": "Linux",
    "python": "3.11",
    "rust": "1.95",
    "go": None,
    "load_before": 0.0,
}
KEPT = {
    "quick": False,
    "machine": MACHINE,
    "generated": {
        "spans": 1_000,
        "rows": 1_000,
        "files": 2,
        "raw_bytes": 400_000,
        "bytes": 36_000,
        "seconds": 1.0,
        "cpu_s_until_acknowledged": 0.002,
        "cpu_s_until_merged": 0.004,
        "runs_cpu_s": [0.002, 0.004, 0.005],
        "memory": {"average_mib": 30.0, "peak_mib": 40.0},
        "fresh_ms": [5.0, 900.0],
        "trace_ms": [1.0] * 99 + [60.0],
        "search_hour_found_ms": [10.0],
        "search_all_found_ms": [20.0],
        "search_hour_absent_ms": [10.0],
        "search_all_absent_ms": [2_100.0],
        "search_hour_spans": 900,
    },
    "recorded": [
        {"name": "t", "signal": "traces", "rows": 10, "raw_bytes": 5_000, "zstd_bytes": 500, "bytes": 250},
        {"name": "m", "signal": "metrics", "rows": 10, "raw_bytes": 1_000, "zstd_bytes": 100, "bytes": 50},
    ],
}


def test_every_round_of_the_traffic_is_valid_and_has_ids_of_its_own() -> None:
    traffic = Traffic(2_000)
    seen: set[bytes] = set()
    for _ in range(2):
        for data in traffic.next_round():
            assert otlp.validate("traces", data).invalid == 0
            request = ExportTraceServiceRequest.FromString(data)
            spans = [span for it in request.resource_spans for scope in it.scope_spans for span in scope.spans]
            assert len(spans) == 1_000
            assert all(span.start_time_unix_nano <= span.end_time_unix_nano for span in spans)
            own = {span.span_id for span in spans}
            assert {span.parent_span_id for span in spans} <= own | {b""}
            assert not own & seen
            seen |= own
    assert len(seen) == 4_000


SCALE = KEPT["generated"] | {  # type: ignore[operator] # a dictionary
    "spans": 2_000_000,
    "trace_ms": [2.0],
    "bytes": 3_000_000_000,
    "start_ms": [900.0, 1_600.0],
    "start_bytes": 10_000_000_000,
    "large_trace_ms": [400.0],
    "large_spans": 100_000,
    "serve_memory": {"peak_mib": 300.0},
}


def test_one_trace_has_as_many_spans_as_were_asked_for() -> None:
    requests = list(Traffic(1_000).one_trace(b"\x5a" * 16, 2_500, 10**18))

    assert sum(otlp.count("traces", one) for one in requests) == 2_500
    parsed = ExportTraceServiceRequest.FromString(b"".join(requests))
    spans = [span for it in parsed.resource_spans for scope in it.scope_spans for span in scope.spans]
    assert {span.trace_id for span in spans} == {b"\x5a" * 16}
    assert {span.parent_span_id for span in spans} <= {span.span_id for span in spans} | {b""}
    assert sum(not span.parent_span_id for span in spans) == 1


def test_each_bar_says_whether_it_was_reached() -> None:
    verdicts = [bar.met for bar in bars(KEPT)]

    assert verdicts == [False, False, True, False, True, False, True, True, True, False]


def test_the_bars_of_searches_are_those_among_a_day_where_there_is_one() -> None:
    verdicts = [bar.met for bar in bars(KEPT | {"scale": SCALE})]

    assert verdicts == [False, False, True, False, True, True, True, True, True, False, False, True]


def test_the_bars_of_what_a_page_begins_with_are_those_of_its_slowest_part() -> None:
    asked = {"hour": {"/services": [10.0], "/map": [310.0]}, "all": {"/services": [80.0], "/map": [90.0]}}
    scale = SCALE | {"overview_first_ms": {"/services": 900.0, "/map": 10.0}, "overview_ms": asked}
    found = [(bar.met, bar.measured) for bar in bars(KEPT | {"scale": scale}) if "services" in bar.what]

    assert found == [(True, "900"), (False, "310"), (True, "90")]
    assert "`/api/v1/map` of everything" in "\n".join(part(KEPT | {"scale": scale}, Path()))


LOAD = {
    "spans": 60_000_000,
    "kept": 60_000_000,
    "seconds": 600.0,
    "cpu_share": 0.5,
    "memory": {"average_mib": 300.0, "peak_mib": 390.0},
    "resident_mib": [50.0, 300.0, 310.0, 320.0, 390.0],
    "page_ms": {"/api/v1/map": 7.0},
}


def test_memory_that_grows_while_telemetry_comes_is_missed_although_the_peak_is_met() -> None:
    memory, growth = list(bars(KEPT | {"load": LOAD}))[-2:]

    assert (memory.met, growth.met, growth.measured) == (True, False, "1.30 x")


def test_the_page_shows_every_figure(tmp_path: Path) -> None:
    (tmp_path / "benchmarks").mkdir()
    page = "\n".join(part(KEPT | {"load": LOAD}, tmp_path))

    for shown in ("36.0", "0.50 x", "5.00", "60.0", "4,000", "60,000,000", "50%", "/api/v1/map"):
        assert shown in page
    assert (tmp_path / "benchmarks" / "store-memory.svg").read_text(encoding="utf-8").startswith("<?xml")
