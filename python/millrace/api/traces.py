"""The search for traces: which have a span that fulfils every condition, and what each of them is in one line."""

import re
from collections.abc import Sequence
from typing import Any

from millrace.api import shapes
from millrace.api.endpoint import CURSOR, END, LIMIT, START, Call, Endpoint, Fault, attribute, choice, count, text
from millrace.api.filters import Conditions, span_conditions
from millrace.api.queries import Queries

__all__ = ["ENDPOINTS", "FILTERS", "find_traces", "summaries"]

_CURSOR = re.compile(r"([0-9]{1,20})\.([0-9a-f]*)")
_WINDOWS_NS = (300_000_000_000, 3_600_000_000_000, 86_400_000_000_000)
"""How far back a search for the most recent traces looks at first: most of them find enough in five minutes."""

_ORDERS = {"recent": "max(start_time_unix_nano)", "slowest": "max(duration_ns)"}


async def find_traces(  # noqa: PLR0913 - what, how many, in which order, from where, in which range
    queries: Queries,
    chosen: Conditions,
    limit: int,
    *,
    order: str = "recent",
    after: tuple[int, str] | None = None,
    end: int | None = None,
) -> list[tuple[str, int]]:
    """Return the ids of traces with a span that fulfils the conditions, and the number they are ordered by."""
    if order != "recent":
        return await _find(queries, chosen, limit, order, after, 0)
    newest = end or (await queries.tuples("SELECT max(start_time_unix_nano) FROM spans"))[0][0] or 0
    found: list[tuple[str, int]] = []
    for window in (*_WINDOWS_NS, newest):
        found = await _find(queries, chosen, limit, order, after, max(0, newest - window))
        if len(found) >= limit:
            break
    return found


async def _find(  # noqa: PLR0913, PLR0917 - the same as above
    queries: Queries, chosen: Conditions, limit: int, order: str, after: tuple[int, str] | None, start: int
) -> list[tuple[str, int]]:
    conditions, parameters = list(chosen.parts), list(chosen.parameters)
    if start:
        conditions.append("start_time_unix_nano >= ?::UBIGINT")
        parameters.append(start)
    having = ""
    if after is not None:
        having = "HAVING position < ?::UBIGINT OR (position = ?::UBIGINT AND trace_id > ?)"
        parameters += [after[0], after[0], after[1]]
    return [
        (trace_id, position)
        for trace_id, position in await queries.tuples(
            f"""
            SELECT trace_id, {_ORDERS[order]} AS position FROM spans
            {f"WHERE {' AND '.join(conditions)}" if conditions else ""}
            GROUP BY trace_id {having} ORDER BY position DESC, trace_id LIMIT {limit}
            """,
            parameters,
        )
    ]


async def summaries(queries: Queries, trace_ids: Sequence[str]) -> list[dict[str, Any]]:
    """Return what each trace is, whole, in the order of the ids."""
    if not trace_ids:
        return []
    rows = await queries.rows(
        f"""
        SELECT trace_id, service_name AS service, count(*) AS spans,
            count(*) FILTER (status_code = 'ERROR') AS errors,
            min(start_time_unix_nano) AS start, max(start_time_unix_nano + duration_ns::HUGEINT) AS end,
            min((parent_span_id <> '', start_time_unix_nano, span_id, name)) AS root
        FROM spans WHERE trace_id IN ({", ".join("?" * len(trace_ids))}) GROUP BY ALL
        """,
        list(trace_ids),
    )
    parts: dict[str, list[dict[str, Any]]] = {trace_id: [] for trace_id in trace_ids}
    for row in rows:
        parts[row["trace_id"]].append(row)
    return [_summary(trace_id, services) for trace_id, services in parts.items() if services]


def _summary(trace_id: str, services: list[dict[str, Any]]) -> dict[str, Any]:
    def root_of(row: dict[str, Any]) -> tuple[Any, ...]:
        root = row["root"]
        return tuple(root.values()) if isinstance(root, dict) else tuple(root)

    first = min(services, key=root_of)
    start = min(row["start"] for row in services)
    services.sort(key=lambda row: (-row["spans"], row["service"]))
    return {
        "trace_id": trace_id,
        "service": first["service"],
        "name": root_of(first)[3],
        "start_time_unix_nano": str(start),
        "duration_ns": int(max(row["end"] for row in services)) - start,
        "spans": sum(row["spans"] for row in services),
        "errors": sum(row["errors"] for row in services),
        "services": [{"name": row["service"], "spans": row["spans"], "errors": row["errors"]} for row in services],
    }


async def _search(call: Call) -> dict[str, Any]:
    limit, after = call["limit"], _after(call["cursor"])
    order, end = call["order"], call["end"]
    found = await find_traces(call.queries, span_conditions(call), limit + 1, order=order, after=after, end=end)
    shown = found[:limit]
    items = await summaries(call.queries, [trace_id for trace_id, _ in shown])
    more = len(found) > limit
    return {"items": items, "next": f"{shown[-1][1]}.{shown[-1][0]}" if more else None}


def _after(cursor: str | None) -> tuple[int, str] | None:
    if cursor is None:
        return None
    if (match := _CURSOR.fullmatch(cursor)) is None:
        raise Fault("cursor is not the `next` of an answer")
    return int(match[1]), match[2]


FILTERS = (
    text("service", "a span of this service"),
    text("operation", "a span of this name"),
    count("min_duration_ns", "a span that took at least so long"),
    count("max_duration_ns", "a span that took at most so long"),
    choice("status", "a span of this status", ("error", "ok", "unset")),
    attribute("attribute", "a span with this attribute, itself or on its resource: key=value; may be repeated"),
    text("q", "a span that contains this text in its name, status message, service, trace id or attributes"),
    START,
    END,
)

SERVICES = shapes.array(shapes.record({"name": shapes.TEXT, "spans": shapes.COUNT, "errors": shapes.COUNT}))

ENDPOINTS = (
    Endpoint(
        "/traces",
        "Traces that have one span which fulfils every condition. Numbers are of the whole trace.",
        _search,
        (*FILTERS, choice("order", "which come first", tuple(_ORDERS), "recent"), LIMIT, CURSOR),
        shapes.page(
            {
                "trace_id": shapes.TEXT,
                "service": shapes.TEXT,
                "name": {**shapes.TEXT, "description": "of the root, or of the first span where there is none"},
                "start_time_unix_nano": shapes.TIME,
                "duration_ns": shapes.COUNT,
                "spans": shapes.COUNT,
                "errors": shapes.COUNT,
                "services": SERVICES,
            }
        ),
    ),
)
