"""Version 1 of Jaeger's HTTP API: what Grafana's data source and Jaeger's page up to 2.20 read."""

from typing import Any

from starlette.responses import Response

from millrace.api import shapes
from millrace.api.dispatch import json_response
from millrace.api.durations import parse_duration_ns
from millrace.api.endpoint import NANOSECONDS_MAX, Call, Endpoint, Parameter, count, text
from millrace.api.jaeger import search
from millrace.api.jaeger.model import trace_of
from millrace.api.trace import id_parameter, read_trace

__all__ = ["ENDPOINTS", "TRACE_PATH", "refuse", "trace"]

TRACE_PATH = "/api/traces/{trace_id}"
_MICROSECONDS_MAX = NANOSECONDS_MAX // 1_000
_DEPENDENCIES_MAX = 1_000


def _found(data: Any, *, total: int | None = None) -> dict[str, Any]:  # noqa: ANN401 - different for each path
    return {"data": data, "total": len(data) if total is None else total, "limit": 0, "offset": 0, "errors": None}


def refuse(sentence: str, status: int) -> Response:
    """Say an error as Jaeger does."""
    errors = [{"code": status, "msg": sentence}]
    return json_response({"data": None, "total": 0, "limit": 0, "offset": 0, "errors": errors}, status)


async def _services(call: Call) -> dict[str, Any]:
    return _found(await search.services(call.queries))


async def _service_operations(call: Call) -> dict[str, Any]:
    found = await search.operations(call.queries, call["service"], None)
    return _found(sorted({name for name, _ in found}))


async def _operations(call: Call) -> dict[str, Any]:
    found = await search.operations(call.queries, call["service"], call["spanKind"])
    return _found([{"name": name, "spanKind": kind} for name, kind in found])


async def _traces(call: Call) -> dict[str, Any]:
    trace_ids: list[str] = [one.lower() for one in call["traceID"]]
    if not trace_ids:
        wanted = search.search_by(
            search.tags_of((*call["tags"], *call["tag"]), "tags"),
            service=call["service"],
            operation=None if call["operation"] == "all" else call["operation"],
            start=None if call["start"] is None else call["start"] * 1_000,
            end=None if call["end"] is None else call["end"] * 1_000 + 999,
            min_duration_ns=call["minDuration"],
            max_duration_ns=call["maxDuration"],
            limit=call["limit"],
        )
        found = await call.queries.find(wanted)
        trace_ids = [one.trace_id for one in found]
    requests, left_out = await search.read_traces(call, trace_ids)
    warning = [f"{left_out} more traces were found: ask for fewer at once"] if left_out else None
    return _found([await call.queries.call(trace_of, request, warning) for request in requests])


async def trace(call: Call) -> dict[str, Any]:
    """One trace, in a list of one."""
    request = await read_trace(call, call["trace_id"])
    return _found([await call.queries.call(trace_of, request)])


async def _dependencies(call: Call) -> dict[str, Any]:
    end = NANOSECONDS_MAX if call["endTs"] is None else call["endTs"] * 1_000_000
    start = 0 if call["lookback"] is None else max(0, end - call["lookback"] * 1_000_000)
    activity = await call.queries.activity(start, min(end, NANOSECONDS_MAX) + 1)
    rows = [{"parent": row[0], "child": row[1], "callCount": row[3]} for row in activity.calls()]
    rows.sort(key=lambda row: (row["parent"], row["child"]))
    return _found(rows[:_DEPENDENCIES_MAX])


def _duration(name: str) -> Parameter:
    return Parameter(name, "a duration", shapes.TEXT, lambda name, given: parse_duration_ns(given, name))


def _texts(name: str) -> Parameter:
    return Parameter(name, "may be repeated", shapes.TEXT, lambda _, given: given, repeated=True)


_SEARCH = (
    text("service", "a span of this service"),
    text("operation", "a span of this name"),
    _texts("tags"),
    _texts("tag"),
    _texts("traceID"),
    _duration("minDuration"),
    _duration("maxDuration"),
    count("limit", "at most so many traces", search.LIMIT_DEFAULT, 1, search.LIMIT_MAX),
    count("start", "in microseconds", None, 0, _MICROSECONDS_MAX),
    count("end", "in microseconds", None, 0, _MICROSECONDS_MAX - 1),
)


def _endpoint(path: str, answer: Any, *parameters: Parameter) -> Endpoint:  # noqa: ANN401 - a coroutine function
    return Endpoint(path, "see Jaeger's documentation", answer, parameters, lenient=True)


def _in_path(name: str) -> Parameter:
    return text(name, "a service", required=True, in_path=True)


ENDPOINTS = (
    _endpoint("/api/services", _services),
    _endpoint("/api/services/{service:path}/operations", _service_operations, _in_path("service")),
    _endpoint("/api/operations", _operations, text("service", "of this service"), text("spanKind", "of this kind")),
    _endpoint("/api/traces", _traces, *_SEARCH),
    _endpoint(TRACE_PATH, trace, id_parameter("trace_id", "the trace's id")),
    _endpoint(
        "/api/dependencies",
        _dependencies,
        count("endTs", "in milliseconds", None, 0, NANOSECONDS_MAX // 1_000_000),
        count("lookback", "in milliseconds", None, 0, NANOSECONDS_MAX // 1_000_000),
    ),
)
