"""Tempo's search: traces that a query of TraceQL finds, with the spans by which they were found."""

import json
import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from millrace.api import shapes
from millrace.api.durations import parse_duration_ns
from millrace.api.endpoint import Call, Fault, Parameter, count, text
from millrace.api.queries import Queries
from millrace.api.tempo.selection import selected_spans
from millrace.api.tempo.spansets import needed
from millrace.api.tempo.traceql import Both, Compare, Field, Query, SpanSet, parse
from millrace.api.tempo.traceql_sql import any_of, fields_of
from millrace.search import Found, Search

__all__ = ["PARAMETERS", "otlp_value", "search"]

_LIMIT_DEFAULT = 20
_LIMIT_MAX = 1_000
_SPANS_DEFAULT = 3
_SPANS_MAX = 100
_CANDIDATES_MAX = 5_000
"""Traces that one search looks at as a whole, the youngest ones: it must end, also where hardly any fulfils it."""
_PATIENCE_S = 10.0
"""After so long, a search that looks at whole traces answers with what it has found."""
_TOGETHER = 100
"""Traces whose spans are read by one query."""
_SECOND_NS = 1_000_000_000
_SECONDS_MAX = (2**64 - 1) // _SECOND_NS

PARAMETERS = (
    text("q", "TraceQL"),
    text("tags", "logfmt: what was before TraceQL"),
    *(
        Parameter(name, "a duration", shapes.TEXT, lambda name, given: parse_duration_ns(given, name))
        for name in ("minDuration", "maxDuration")
    ),
    count("limit", "at most so many traces", _LIMIT_DEFAULT, 1, _LIMIT_MAX),
    count("spss", "at most so many spans of each", _SPANS_DEFAULT, 1, _SPANS_MAX),
    count("start", "in seconds", None, 0, _SECONDS_MAX),
    count("end", "in seconds", None, 0, _SECONDS_MAX),
)

_Selected: TypeAlias = tuple[Found, list[str]]
"""A trace, and the ids of the spans by which it was found."""


async def search(call: Call) -> dict[str, Any]:
    """Answer a search."""
    query = parse(call["q"]) if call["q"] else _of_tags(call)
    start, end = call["start"], call["end"]
    where = any_of(needed(query.span_sets))
    wanted = Search(
        start=None if start is None else start * _SECOND_NS,
        end=None if end is None else (end + 1) * _SECOND_NS - 1,
        where=[] if where.text == "(true)" else [where],
    )
    selected, inspected = await _selected(call.queries, query, wanted, call["limit"])
    spans = await _spans(call.queries, {one.trace_id: ids[: call["spss"]] for one, ids in selected})
    fields = fields_of(query)
    summaries = {one["trace_id"]: one for one in await call.queries.summaries([one for one, _ in selected])}
    traces = [
        _trace(summaries[one.trace_id], spans.get(one.trace_id, []), len(ids), fields)
        for one, ids in selected
        if one.trace_id in summaries
    ]
    return {"traces": traces, "metrics": {"inspectedTraces": inspected}}


async def _selected(queries: Queries, query: Query, wanted: Search, limit: int) -> tuple[list[_Selected], int]:
    """Return the traces that a query finds, the youngest first, and how many were looked at for that.

    Candidates are found by one span first, then looked at as a whole; more of them when too few are left.
    """
    selected: list[_Selected] = []
    inspected, asked = 0, limit
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        candidates = await queries.find(replace(wanted, limit=asked))
        for begin in range(inspected, len(candidates), _TOGETHER):
            together = candidates[begin : begin + _TOGETHER]
            found = await selected_spans(queries, query, [one.trace_id for one in together])
            selected += [(one, found[one.trace_id]) for one in together if found.get(one.trace_id)]
            inspected = begin + len(together)
            if len(selected) >= limit or time.monotonic() > deadline:
                return selected[:limit], inspected
        if len(candidates) < asked or asked >= _CANDIDATES_MAX:
            return selected, inspected
        asked = min(8 * asked, _CANDIDATES_MAX)


def _of_tags(call: Call) -> Query:
    """Read the search of before TraceQL."""
    conditions: list[Any] = []
    try:
        pairs = shlex.split(call["tags"] or "")
    except ValueError as error:
        raise Fault(f"tags must be logfmt, such as service.name=shop, and are not: {error}") from error
    for pair in pairs:
        key, _, value = pair.partition("=")
        intrinsic = Field("intrinsic", {"name": "name", "status": "status", "error": "status"}.get(key, ""))
        conditions.append(Compare(intrinsic if intrinsic.name else Field("", key), "=", value))
    for name, operator in (("minDuration", ">="), ("maxDuration", "<=")):
        if call[name] is not None:
            conditions.append(Compare(Field("intrinsic", "duration"), operator, call[name]))
    joined = None
    for one in conditions:
        joined = one if joined is None else Both(joined, one)
    return Query(SpanSet(joined), (), ())


async def _spans(queries: Queries, wanted: Mapping[str, Sequence[str]]) -> dict[str, list[dict[str, Any]]]:
    """Return some spans of each trace."""
    pairs = [(trace_id, span_id) for trace_id, ids in wanted.items() for span_id in ids]
    if not pairs:
        return {}
    # The ids of traces stand by themselves for the reader of a file; the pairs are looked at when it has read.
    rows = await queries.rows(
        f"""
        SELECT found.trace_id, span_id, name, start_time_unix_nano, duration_ns, status_code, kind, status_message,
            found.service_name, found.attributes::JSON::VARCHAR AS attributes,
            resources.attributes::JSON::VARCHAR AS resource
        FROM spans AS found LEFT JOIN resources ON found.resource_id = resources.resource_id
        WHERE found.trace_id IN ({", ".join("?" * len(wanted))})
            AND (found.trace_id, span_id) IN ({", ".join(["(?, ?)"] * len(pairs))})
        ORDER BY start_time_unix_nano, span_id
        """,
        [*wanted, *(value for pair in pairs for value in pair)],
        trace_ids=list(wanted),
    )
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(row["trace_id"], []).append(row)
    return found


def _trace(summary: dict[str, Any], spans: list[dict[str, Any]], matched: int, fields: list[Field]) -> dict[str, Any]:
    span_set = {"spans": [_span(row, fields) for row in spans], "matched": matched}
    return {
        "traceID": summary["trace_id"],
        "rootServiceName": summary["service"],
        "rootTraceName": summary["name"],
        "startTimeUnixNano": summary["start_time_unix_nano"],
        "durationMs": min(summary["duration_ns"] // 1_000_000, 2**32 - 1),
        "spanSet": span_set,
        "spanSets": [span_set],
        "serviceStats": {
            one["name"]: {"spanCount": one["spans"], "errorCount": one["errors"]} for one in summary["services"]
        },
    }


def _span(row: dict[str, Any], fields: list[Field]) -> dict[str, Any]:
    own, resource = json.loads(row["attributes"] or "{}"), json.loads(row["resource"] or "{}")
    intrinsic = {
        "status": row["status_code"].lower(),
        "kind": row["kind"].lower(),
        "statusMessage": row["status_message"],
    }
    shown: dict[str, Any] = {}
    for field in fields:
        values = {"intrinsic": intrinsic, "span": own, "resource": resource, "": resource | own}.get(field.scope, {})
        if field.name in values:
            shown[field.name] = values[field.name]
    return {
        "spanID": row["span_id"],
        "name": row["name"],
        "startTimeUnixNano": str(row["start_time_unix_nano"]),
        "durationNanos": str(row["duration_ns"]),
        "attributes": [{"key": key, "value": otlp_value(value)} for key, value in shown.items()],
    }


def otlp_value(value: object) -> dict[str, Any]:
    """Return a plain value as an `AnyValue` of JSON."""
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case str():
            return {"stringValue": value}
    return {"stringValue": json.dumps(value)}
