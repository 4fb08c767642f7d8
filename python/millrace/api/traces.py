"""The search for traces: which have a span that fulfils every condition, and what each of them is in one line."""

import re
from typing import Any

from millrace.api import shapes
from millrace.api.endpoint import (
    END,
    LIMIT,
    START,
    Call,
    Endpoint,
    Fault,
    attribute,
    choice,
    count,
    cursor,
    text,
)
from millrace.api.filters import search_of

__all__ = ["ENDPOINTS", "FILTERS"]

_CURSOR = re.compile(r"([0-9]{1,20})\.([0-9a-f]*)")
_ORDERS = ("recent", "slowest")


async def _search(call: Call) -> dict[str, Any]:
    limit, order = call["limit"], call["order"]
    search = search_of(call, order=order, after=_after(call["cursor"]), limit=limit + 1)
    found = await call.queries.find(search)
    shown = found[:limit]
    more = len(found) > limit
    items = await call.queries.summaries(shown)
    if order == "slowest":  # they were found by their longest span, and are shown with the duration of the whole
        items.sort(key=lambda item: -item["duration_ns"])
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
        (
            *FILTERS,
            choice("order", "which come first; the slowest are those with the longest span", _ORDERS, "recent"),
            LIMIT,
            cursor(_CURSOR.pattern),
        ),
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
