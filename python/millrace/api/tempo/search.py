"""Tempo's search: traces that a query of TraceQL finds, with the spans by which they were found."""

import json
import shlex
from typing import Any

from millrace.api import shapes
from millrace.api.durations import parse_duration_ns
from millrace.api.endpoint import Call, Fault, Parameter, count, text
from millrace.api.filters import Conditions
from millrace.api.queries import Queries
from millrace.api.tempo.traceql import Both, Compare, Field, Query, SpanSet, parse
from millrace.api.tempo.traceql_sql import aggregates_of, any_span_of, fields_of, matching, whole_trace_of
from millrace.api.traces import Found, summaries

__all__ = ["PARAMETERS", "otlp_value", "search"]

_LIMIT_DEFAULT = 20
_LIMIT_MAX = 1_000
_SPANS_DEFAULT = 3
_SPANS_MAX = 100
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


async def search(call: Call) -> dict[str, Any]:
    """Answer a search."""
    query = parse(call["q"]) if call["q"] else _of_tags(call)
    chosen = Conditions()
    start, end = call["start"], call["end"]
    chosen.between(
        "start_time_unix_nano",
        None if start is None else start * _SECOND_NS,
        None if end is None else (end + 1) * _SECOND_NS,
    )
    match = matching(query)
    if not whole_trace_of(query):
        chosen.add(f"({match.text})", *match.values)
    found = await _find(call.queries, query, chosen, call["limit"])
    spans = await _spans(call.queries, chosen, [one.trace_id for one in found], call["spss"])
    fields = fields_of(query)
    traces = [_trace(one, *spans.get(one["trace_id"], ([], 0)), fields) for one in await summaries(call.queries, found)]
    return {"traces": traces, "metrics": {"inspectedTraces": len(traces)}}


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


async def _find(queries: Queries, query: Query, chosen: Conditions, limit: int) -> list[Found]:
    of_trace = [any_span_of(query), *aggregates_of(query.aggregates)]
    rows = await queries.tuples(
        f"""
        SELECT trace_id, 0, min(start_time_unix_nano), max(start_time_unix_nano)
        FROM spans {chosen.where} GROUP BY trace_id
        HAVING {" AND ".join(one.text for one in of_trace)}
        ORDER BY max(start_time_unix_nano) DESC, trace_id LIMIT {limit}
        """,
        [*chosen.parameters, *(value for one in of_trace for value in one.values)],
    )
    return [Found(*row) for row in rows]


async def _spans(
    queries: Queries, chosen: Conditions, trace_ids: list[str], limit: int
) -> dict[str, tuple[list[dict[str, Any]], int]]:
    """Return the first matching spans of each trace, and how many there are."""
    if not trace_ids:
        return {}
    where = Conditions()
    where.parts, where.parameters = list(chosen.parts), list(chosen.parameters)
    where.add(f"trace_id IN ({', '.join('?' * len(trace_ids))})", *trace_ids)
    rows = await queries.rows(
        f"""
        WITH found AS (
            SELECT *, count(*) OVER (PARTITION BY trace_id) AS matched FROM spans {where.where}
            QUALIFY row_number() OVER (PARTITION BY trace_id ORDER BY start_time_unix_nano, span_id) <= {limit}
        )
        SELECT trace_id, span_id, name, start_time_unix_nano, duration_ns, matched, status_code, kind,
            status_message, found.service_name, found.attributes::JSON::VARCHAR AS attributes,
            resources.attributes::JSON::VARCHAR AS resource
        FROM found LEFT JOIN resources ON found.resource_id = resources.resource_id
        ORDER BY start_time_unix_nano, span_id
        """,
        where.parameters,
    )
    found: dict[str, tuple[list[dict[str, Any]], int]] = {}
    for row in rows:
        found.setdefault(row["trace_id"], ([], row["matched"]))[0].append(row)
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
