"""The benchmark of the viewer sends one whole trace, and its bars say what was measured."""

from benchmarks.viewer import _requests
from benchmarks.viewer_report import bars, part
from tests.benchmarks.test_store import MACHINE

OPENED = dict.fromkeys(("transfer_ms", "parse_ms", "model_ms", "draw_ms", "scroll_ms"), 50.0) | {"server_ms": 400.0}
KEPT = {
    "quick": False,
    "machine": MACHINE,
    "spans": 100_000,
    "opened": [{**OPENED, "total_ms": total} for total in (900.0, 1_000.0, 4_000.0)],
    "scrolled": {"steady": [16.7] * 59 + [33.3], "jumps": [33.3] * 30},
}


def test_the_trace_is_one_tree_with_as_many_spans_as_it_says() -> None:
    spans = [
        span
        for request in _requests(1_234, 10**18)
        for resource in request["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]
    ids = {span["spanId"] for span in spans}
    assert len(spans) == len(ids) == 1_234
    assert len({span["traceId"] for span in spans}) == 1
    assert [span["name"] for span in spans if span["parentSpanId"] not in ids] == ["nightly import"]


def test_bars_are_met_by_the_median_and_missed_by_a_frame_in_sixty() -> None:
    assert [(bar.measured, bar.met) for bar in bars(KEPT)] == [("1,000", True), ("400", True), ("58.9", False)]
    assert "| from the click until then | 1,000 (900 to 4,000) |" in "\n".join(part(KEPT))
