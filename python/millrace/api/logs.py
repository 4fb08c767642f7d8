"""Log records: the search, in order of time."""

import json
import re
from collections.abc import Sequence
from typing import Any

from millrace.api import shapes
from millrace.api.endpoint import END, LIMIT, START, Call, Endpoint, Fault, attribute, choice, count, cursor, text
from millrace.api.filters import Conditions, log_conditions
from millrace.api.queries import Queries

__all__ = ["ENDPOINTS", "FILTERS", "LOG", "find_logs", "plain_attributes"]

TIME = "coalesce(nullif(time_unix_nano, 0), observed_time_unix_nano)"
"""When a record happened, or was seen where that is not known."""

_CURSOR = re.compile(r"([0-9]{1,20})\.([0-9]{1,9})")
_ORDERS = {"newest": "DESC", "oldest": "ASC"}
_SEVERITY_MAX = 24


async def find_logs(  # noqa: PLR0913 - what, how many, in which order, from where
    queries: Queries,
    chosen: Conditions,
    limit: int,
    order: str = "newest",
    *,
    skip: int = 0,
    trace_id: str | None = None,
    files: Sequence[str] | None = None,
) -> list[dict[str, Any]]:
    """Return records that fulfil the conditions, of which one may be a trace; of all files or of some."""
    # The page is chosen by narrow columns first; what is wide is read for its rows only.
    rows = await queries.rows(
        f"""
        WITH page AS (
            SELECT * FROM logs {chosen.where}
            ORDER BY {TIME} {_ORDERS[order]}, service_name, trace_id, span_id, body LIMIT {limit} OFFSET {skip}
        )
        SELECT page.time_unix_nano, page.observed_time_unix_nano, severity_number, severity_text, body, is_body_json,
            event_name, page.service_name AS service, trace_id, span_id, scope_name,
            page.attributes::JSON::VARCHAR AS attributes, resources.attributes::JSON::VARCHAR AS resource
        FROM page LEFT JOIN resources ON page.resource_id = resources.resource_id
        ORDER BY {TIME} {_ORDERS[order]}, page.service_name, trace_id, span_id, body
        """,
        chosen.parameters,
        trace_ids=None if trace_id is None else [trace_id],
        log_files=files,
    )
    return [_item(row) for row in rows]


def _item(row: dict[str, Any]) -> dict[str, Any]:
    observed = row.pop("observed_time_unix_nano") or 0
    scope_name, is_json = row.pop("scope_name"), row.pop("is_body_json")
    return {
        **row,
        "time_unix_nano": str(row["time_unix_nano"] or observed),
        "observed_time_unix_nano": str(observed),
        "body": json.loads(row["body"]) if is_json and row["body"] else row["body"],
        "severity_number": row["severity_number"] or 0,
        "attributes": plain_attributes(row["attributes"]),
        "resource": plain_attributes(row["resource"]),
        "scope": {"name": scope_name},
    }


def plain_attributes(text: str | None) -> list[dict[str, Any]]:
    """Return attributes, given as a JSON object, as `key`, `type` and `value`; integers as text, as everywhere."""
    return [{"key": key, **_typed(value)} for key, value in json.loads(text or "{}").items()]


_TYPES = {bool: "bool", int: "int", float: "double", list: "array", dict: "kvlist", type(None): "empty"}


def _typed(value: object) -> dict[str, Any]:
    kind = _TYPES.get(type(value), "string")
    return {"type": kind, "value": str(value) if kind == "int" else value}


async def _search(call: Call) -> dict[str, Any]:
    chosen, order, limit = log_conditions(call), call["order"], call["limit"]
    time, skip = _position(call["cursor"])
    if time is not None:
        chosen.add(f"{TIME} {'<=' if order == 'newest' else '>='} ?::UBIGINT", time)
    items = await find_logs(call.queries, chosen, limit + 1, order, skip=skip, trace_id=call["trace_id"])
    if len(items) <= limit:
        return {"items": items, "next": None}
    shown = items[:limit]
    last = shown[-1]["time_unix_nano"]
    same = sum(1 for item in shown if item["time_unix_nano"] == last)
    if time is not None and str(time) == last:
        same += skip
    return {"items": shown, "next": f"{last}.{same}"}


def _position(cursor: str | None) -> tuple[int | None, int]:
    """Read a cursor: the time of the last record shown, and how many of that time were shown."""
    if cursor is None:
        return None, 0
    if (match := _CURSOR.fullmatch(cursor)) is None:
        raise Fault("cursor is not the `next` of an answer")
    return int(match[1]), int(match[2])


FILTERS = (
    text("service", "of this service"),
    count("severity_min", "of this severity number or above (9 is INFO, 13 WARN, 17 ERROR)", None, 0, _SEVERITY_MAX),
    text("q", "that contain this text in body, severity, event name, service or attributes"),
    text("trace_id", "of this trace"),
    text("span_id", "of this span"),
    attribute("attribute", "with this attribute, itself or on its resource: key=value; may be repeated"),
    START,
    END,
)

LOG = {
    "time_unix_nano": {**shapes.TIME, "description": "when it happened, or was observed where that is not known"},
    "observed_time_unix_nano": shapes.TIME,
    "severity_number": shapes.COUNT,
    "severity_text": shapes.TEXT,
    "body": {"description": "text, or any JSON value where the body has structure"},
    "event_name": shapes.TEXT,
    "service": shapes.TEXT,
    "trace_id": shapes.TEXT,
    "span_id": shapes.TEXT,
    "attributes": shapes.ATTRIBUTES,
    "resource": shapes.ATTRIBUTES,
    "scope": shapes.record({"name": shapes.TEXT}),
}

ENDPOINTS = (
    Endpoint(
        "/logs",
        "Log records that fulfil every condition.",
        _search,
        (*FILTERS, choice("order", "which come first", tuple(_ORDERS), "newest"), LIMIT, cursor(_CURSOR.pattern)),
        shapes.page(LOG),
    ),
)
