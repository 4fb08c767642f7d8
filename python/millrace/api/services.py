"""Services and operations with their rates, errors and latencies, and the map of who calls whom."""

from typing import Any

from millrace.api import shapes
from millrace.api.endpoint import CURSOR, END, LIMIT, START, Call, Endpoint, text
from millrace.api.filters import page_of, position_of
from millrace.api.source import ActivityRow, kind_text

__all__ = ["ENDPOINTS"]

_EDGES_MAX = 1_000
"""Edges of a map; more cannot be looked at."""


def _numbers(row: ActivityRow) -> dict[str, Any]:
    *_, spans, errors, _, _, (p50, p95, p99), _ = row
    return {"spans": spans, "errors": errors, "p50_ns": p50, "p95_ns": p95, "p99_ns": p99}


def _page(call: Call, rows: list[dict[str, Any]], *names: str) -> dict[str, Any]:
    """The busiest first, and among equals by their names."""
    rows.sort(key=lambda row: (-row["spans"], *(row[name] for name in names)))
    position = position_of(call["cursor"])
    return page_of(rows[position : position + call["limit"] + 1], position, call["limit"])


async def _services(call: Call) -> dict[str, Any]:
    rows = []
    activity = await call.queries.activity(call["start"], call["end"])
    for row in activity.services():
        first, last = row[5], row[6]
        low = call["start"] if call["start"] is not None else first
        high = call["end"] if call["end"] is not None else last
        rate = row[3] / max((high - low) / 1e9, 1.0)
        rows.append({"name": row[0], **_numbers(row), "rate_per_s": rate, "operations": row[8]})
    return _page(call, rows, "name")


async def _operations(call: Call) -> dict[str, Any]:
    activity = await call.queries.activity(call["start"], call["end"])
    rows = [
        {
            "service": row[0],
            "name": row[1],
            "kind": kind_text(row[2]),
            **_numbers(row),
        }
        for row in activity.operations(call["service"])
    ]
    return {**_page(call, rows, "service", "name", "kind"), "spans_left_out": activity.left_out()[0]}


async def _map(call: Call) -> dict[str, Any]:
    activity = await call.queries.activity(call["start"], call["end"])
    nodes = [{"service": row[0], **_numbers(row)} for row in activity.services()]
    edges = [{"from": row[0], "to": row[1], **_numbers(row)} for row in activity.calls()]
    nodes.sort(key=lambda node: (-node["spans"], node["service"]))
    edges.sort(key=lambda edge: (-edge["spans"], edge["from"], edge["to"]))
    for edge in edges:
        edge["calls"] = edge.pop("spans")
    return {"nodes": nodes[:_EDGES_MAX], "edges": edges[:_EDGES_MAX], "orphans": activity.left_out()[1]}


_EXACT = (
    " All counts are exact, over everything that is kept unless a time is given; p50, p95 and p99 are each within 1/32 "
    "of the duration at that place."
)
_LATENCIES = {"p50_ns": shapes.NUMBER, "p95_ns": shapes.NUMBER, "p99_ns": shapes.NUMBER}
_COUNTS = {"spans": shapes.COUNT, "errors": shapes.COUNT}

ENDPOINTS = (
    Endpoint(
        "/services",
        "Every service that sent spans, the busiest first." + _EXACT,
        _services,
        (START, END, LIMIT, CURSOR),
        shapes.page(
            {
                "name": shapes.TEXT,
                **_COUNTS,
                "rate_per_s": shapes.NUMBER,
                **_LATENCIES,
                "operations": shapes.COUNT,
            }
        ),
    ),
    Endpoint(
        "/operations",
        "Names of spans, by service and kind, the most frequent first. At most some 10,000 are told apart; "
        "`spans_left_out` are the spans of all others." + _EXACT,
        _operations,
        (text("service", "only of this service"), START, END, LIMIT, CURSOR),
        shapes.page(
            {"service": shapes.TEXT, "name": shapes.TEXT, "kind": shapes.TEXT, **_COUNTS, **_LATENCIES},
            {"spans_left_out": shapes.COUNT},
        ),
    ),
    Endpoint(
        "/map",
        f"Which service calls which, by spans whose parent is of another service; at most {_EDGES_MAX} edges. A parent "
        "is looked for in the file that a span is in, and among at least 262,144 spans that came before it and as many "
        "after it; `orphans` are the spans whose parent is not there, of which no call is counted." + _EXACT,
        _map,
        (START, END),
        shapes.record(
            {
                "orphans": shapes.COUNT,
                "nodes": shapes.array(shapes.record({"service": shapes.TEXT, **_COUNTS, **_LATENCIES})),
                "edges": shapes.array(
                    shapes.record(
                        {
                            "from": shapes.TEXT,
                            "to": shapes.TEXT,
                            "calls": shapes.COUNT,
                            "errors": shapes.COUNT,
                            **_LATENCIES,
                        }
                    )
                ),
            }
        ),
    ),
)
