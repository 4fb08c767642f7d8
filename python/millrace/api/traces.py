"""The search for traces: which have a span that fulfils every condition, and what each of them is in one line."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from millrace.api import shapes
from millrace.api.endpoint import (
    CURSOR,
    END,
    LIMIT,
    NANOSECONDS_MAX,
    START,
    Call,
    Endpoint,
    Fault,
    attribute,
    choice,
    count,
    text,
)
from millrace.api.filters import Conditions, span_conditions
from millrace.api.queries import Queries

__all__ = ["ENDPOINTS", "FILTERS", "Found", "find_traces", "summaries"]

_CURSOR = re.compile(r"([0-9]{1,20})\.([0-9a-f]*)")
_WINDOWS_NS = (300_000_000_000, 3_600_000_000_000, 86_400_000_000_000)
"""How far back a search for the most recent traces looks at first: most of them find enough in five minutes."""

_ORDERS = {"recent": "max(start_time_unix_nano)", "slowest": "max(duration_ns)"}


_AROUND_NS = 3_600_000_000_000
"""How long before and after the spans that were found the other spans of their traces are looked for."""


class Found(NamedTuple):
    """A trace that was found: the number it is ordered by, and when the first and the last of its found spans began."""

    trace_id: str
    position: int
    first: int
    last: int


async def find_traces(  # noqa: PLR0913 - what, how many, in which order, from where, in which range
    queries: Queries,
    chosen: Conditions,
    limit: int,
    *,
    order: str = "recent",
    after: tuple[int, str] | None = None,
    start: int | None = None,
    end: int | None = None,
) -> list[Found]:
    """Return the traces with a span that fulfils the conditions, best first.

    `start` and `end` are those of the conditions, where they have them.
    """
    if order != "recent":
        return await _find(queries, chosen, limit, order, after, 0)
    stats = await queries.call(queries.source.stats)
    newest = min(stats["signals"]["traces"]["newest_unix_nano"] or 0, end or NANOSECONDS_MAX)
    found: list[Found] = []
    for window in (*_WINDOWS_NS, newest):
        begin = max(0, newest - window)
        found = await _find(queries, chosen, limit, order, after, begin)
        if len(found) >= limit or begin <= (start or 0):
            break
    return found


async def _find(  # noqa: PLR0913, PLR0917 - the same as above
    queries: Queries, chosen: Conditions, limit: int, order: str, after: tuple[int, str] | None, start: int
) -> list[Found]:
    conditions, parameters = list(chosen.parts), list(chosen.parameters)
    if start:
        conditions.append("start_time_unix_nano >= ?::UBIGINT")
        parameters.append(start)
    having = ""
    if after is not None:
        having = "HAVING position < ?::UBIGINT OR (position = ?::UBIGINT AND trace_id > ?)"
        parameters += [after[0], after[0], after[1]]
    rows = await queries.tuples(
        f"""
        SELECT trace_id, {_ORDERS[order]} AS position, min(start_time_unix_nano), max(start_time_unix_nano) FROM spans
        {f"WHERE {' AND '.join(conditions)}" if conditions else ""}
        GROUP BY trace_id {having} ORDER BY position DESC, trace_id LIMIT {limit}
        """,
        parameters,
    )
    return [Found(*row) for row in rows]


async def summaries(queries: Queries, found: Sequence[Found]) -> list[dict[str, Any]]:
    """Return what each trace is, in the same order; of one that lasts for hours, what is around its found spans."""
    if not found:
        return []
    first = max(0, min(one.first for one in found) - _AROUND_NS)
    last = min(NANOSECONDS_MAX, max(one.last for one in found) + _AROUND_NS)
    rows = await queries.rows(
        f"""
        SELECT trace_id, service_name AS service, count(*) AS spans,
            count(*) FILTER (status_code = 'ERROR') AS errors,
            min(start_time_unix_nano) AS start, max(start_time_unix_nano + duration_ns::HUGEINT) AS end,
            min((parent_span_id <> '', start_time_unix_nano, span_id, name)) AS root
        FROM spans WHERE trace_id IN ({", ".join("?" * len(found))})
            AND start_time_unix_nano BETWEEN {first}::UBIGINT AND {last}::UBIGINT
        GROUP BY ALL
        """,
        [one.trace_id for one in found],
    )
    parts: dict[str, list[dict[str, Any]]] = {one.trace_id: [] for one in found}
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
    found = await find_traces(
        call.queries, span_conditions(call), limit + 1, order=order, after=after, start=call["start"], end=end
    )
    shown = found[:limit]
    items = await summaries(call.queries, shown)
    more = len(found) > limit
    return {"items": items, "next": f"{shown[-1].position}.{shown[-1].trace_id}" if more else None}


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
        "Traces that have one span which fulfils every condition. Numbers are of the whole trace, or of one that lasts "
        "for hours, of what is within an hour of the spans that were found.",
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
