"""Services and operations with their rates, errors and latencies, and the map of who calls whom."""

from typing import Any

from millrace.api import shapes
from millrace.api.endpoint import CURSOR, END, LIMIT, START, Call, Endpoint, text
from millrace.api.filters import Conditions, page_of, position_of

__all__ = ["ENDPOINTS", "QUANTILES", "find_services"]

QUANTILES = """
    coalesce(approx_quantile(duration_ns, 0.50), 0)::DOUBLE AS p50_ns,
    coalesce(approx_quantile(duration_ns, 0.95), 0)::DOUBLE AS p95_ns,
    coalesce(approx_quantile(duration_ns, 0.99), 0)::DOUBLE AS p99_ns"""
"""By t-digest: exact ones would hold every duration in memory."""

_EDGES_MAX = 1_000
"""Edges of a map; more cannot be looked at."""


def _chosen(call: Call, **equal: str | None) -> Conditions:
    chosen = Conditions()
    chosen.between("start_time_unix_nano", call["start"], call["end"])
    for column, value in equal.items():
        if value is not None:
            chosen.add(f"{column} = ?", value)
    return chosen


async def find_services(call: Call) -> dict[str, Any]:
    """Every service, the busiest first."""
    chosen = _chosen(call)
    position = position_of(call["cursor"])
    rows = await call.queries.rows(
        f"""
        SELECT service_name AS name, count(*) AS spans, count(*) FILTER (status_code = 'ERROR') AS errors,
            count(DISTINCT name) AS operations, min(start_time_unix_nano) AS first, max(start_time_unix_nano) AS last,
            {QUANTILES}
        FROM spans {chosen.where} GROUP BY ALL ORDER BY spans DESC, name LIMIT {call["limit"] + 1} OFFSET {position}
        """,
        chosen.parameters,
    )
    for row in rows:
        first, last = row.pop("first"), row.pop("last")
        low = call["start"] if call["start"] is not None else first
        high = call["end"] if call["end"] is not None else last
        row["rate_per_s"] = row["spans"] / max((high - low) / 1e9, 1.0)
    return page_of(rows, position, call["limit"])


async def _operations(call: Call) -> dict[str, Any]:
    chosen = _chosen(call, service_name=call["service"])
    position = position_of(call["cursor"])
    rows = await call.queries.rows(
        f"""
        SELECT service_name AS service, name, kind, count(*) AS spans,
            count(*) FILTER (status_code = 'ERROR') AS errors, {QUANTILES}
        FROM spans {chosen.where} GROUP BY ALL ORDER BY spans DESC, service, name, kind
        LIMIT {call["limit"] + 1} OFFSET {position}
        """,
        chosen.parameters,
    )
    return page_of(rows, position, call["limit"])


async def _map(call: Call) -> dict[str, Any]:
    chosen = _chosen(call)
    nodes = await call.queries.rows(
        f"""
        SELECT service_name AS service, count(*) AS spans, count(*) FILTER (status_code = 'ERROR') AS errors,
            {QUANTILES}
        FROM spans {chosen.where} GROUP BY ALL ORDER BY spans DESC, service LIMIT {_EDGES_MAX}
        """,
        chosen.parameters,
    )
    edges = await call.queries.rows(
        f"""
        WITH chosen AS (
            SELECT trace_id, span_id, parent_span_id, service_name, status_code, duration_ns FROM spans {chosen.where}
        )
        SELECT caller.service_name AS "from", called.service_name AS "to", count(*) AS calls,
            count(*) FILTER (called.status_code = 'ERROR') AS errors,
            {QUANTILES.replace("duration_ns", "called.duration_ns")}
        FROM chosen called JOIN chosen caller
            ON called.trace_id = caller.trace_id AND called.parent_span_id = caller.span_id
        WHERE called.parent_span_id <> '' AND called.service_name <> caller.service_name
        GROUP BY ALL ORDER BY calls DESC, "from", "to" LIMIT {_EDGES_MAX}
        """,
        chosen.parameters,
    )
    return {"nodes": nodes, "edges": edges}


_LATENCIES = {"p50_ns": shapes.NUMBER, "p95_ns": shapes.NUMBER, "p99_ns": shapes.NUMBER}
_COUNTS = {"spans": shapes.COUNT, "errors": shapes.COUNT}

ENDPOINTS = (
    Endpoint(
        "/services",
        "Every service that sent spans, the busiest first.",
        find_services,
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
        "Names of spans, by service and kind, the most frequent first.",
        _operations,
        (text("service", "only of this service"), START, END, LIMIT, CURSOR),
        shapes.page(
            {"service": shapes.TEXT, "name": shapes.TEXT, "kind": shapes.TEXT, **_COUNTS, **_LATENCIES},
        ),
    ),
    Endpoint(
        "/map",
        f"Which service calls which, by spans whose parent is of another service; at most {_EDGES_MAX} edges.",
        _map,
        (START, END),
        shapes.record(
            {
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
