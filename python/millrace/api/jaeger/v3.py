"""Version 3 of Jaeger's HTTP API: OTLP/JSON, and summaries for the search of Jaeger's page from 2.21 on."""

from collections.abc import Callable
from typing import Any

from starlette.responses import Response

from millrace import otlp
from millrace.api import shapes
from millrace.api.dispatch import json_response
from millrace.api.durations import parse_duration_ns, parse_time_ns
from millrace.api.endpoint import Call, Endpoint, Fault, Parameter, count, text
from millrace.api.filters import Conditions
from millrace.api.jaeger import search
from millrace.api.trace import id_parameter, read_trace
from millrace.search import Search

__all__ = ["ENDPOINTS", "refuse"]


def refuse(sentence: str, status: int) -> Response:
    """Say an error as Jaeger's gateway does."""
    return json_response({"error": {"httpCode": status, "message": sentence}}, status)


async def _services(call: Call) -> dict[str, Any]:
    return {"services": await search.services(call.queries)}


async def _operations(call: Call) -> dict[str, Any]:
    kind = call["spanKind"] or call["span_kind"]
    found = await search.operations(call.queries, call["service"], kind)
    return {"operations": [{"name": name, "spanKind": span_kind} for name, span_kind in found]}


def _wanted(call: Call) -> Search:
    """Read a search; each parameter has a name in each spelling."""

    def given(name: str) -> Any:  # noqa: ANN401 - parameters have different types
        value = call[f"query.{name}"]
        return call[f"query.{_snake(name)}"] if value is None else value

    start, end = given("startTimeMin"), given("startTimeMax")
    if start is None or end is None:
        raise Fault("query.startTimeMin and query.startTimeMax are required")
    return search.search_by(
        search.tags_of(filter(None, [call["query.attributes"]]), "query.attributes"),
        service=given("serviceName"),
        operation=given("operationName"),
        start=start,
        end=end,
        min_duration_ns=given("durationMin"),
        max_duration_ns=given("durationMax"),
        limit=given("searchDepth") or call["query.num_traces"] or search.LIMIT_DEFAULT,
    )


async def _traces(call: Call) -> Response:
    found = await call.queries.find(_wanted(call))
    requests, _ = await search.read_traces(call, [one.trace_id for one in found])
    if not requests:
        raise Fault("No traces found", 404)
    return await call.queries.call(_wrapped, requests)


async def _trace(call: Call) -> Response:
    return await call.queries.call(_wrapped, [await read_trace(call, call["trace_id"])])


def _wrapped(requests: list[bytes]) -> Response:
    text = otlp.to_json("traces", otlp.merge("traces", requests)).decode()
    return Response(f'{{"result":{text}}}', media_type="application/json")


async def _summaries(call: Call) -> dict[str, Any]:
    found = await call.queries.find(_wanted(call))
    orphans = await _orphans(call, [one.trace_id for one in found])
    return {
        "summaries": [
            {
                "traceId": one["trace_id"],
                "rootServiceName": one["service"],
                "rootOperationName": one["name"],
                "minStartTimeUnixNano": one["start_time_unix_nano"],
                "maxEndTimeUnixNano": str(int(one["start_time_unix_nano"]) + one["duration_ns"]),
                "spanCount": one["spans"],
                "errorSpanCount": one["errors"],
                "orphanSpanCount": orphans.get(one["trace_id"], 0),
                "services": [
                    {"name": part["name"], "spanCount": part["spans"], "errorSpanCount": part["errors"]}
                    for part in one["services"]
                ],
            }
            for one in await call.queries.summaries(found)
        ]
    }


async def _orphans(call: Call, trace_ids: list[str]) -> dict[str, int]:
    """Return how many spans of each trace have a parent that is not there."""
    if not trace_ids:
        return {}
    chosen = Conditions()
    chosen.add(f"trace_id IN ({', '.join('?' * len(trace_ids))})", *trace_ids)
    rows = await call.queries.tuples(
        f"""
        WITH chosen AS (SELECT trace_id, span_id, parent_span_id FROM spans {chosen.where})
        SELECT trace_id, count(*) FROM chosen span
        WHERE parent_span_id <> '' AND NOT EXISTS (
            SELECT 1 FROM chosen parent WHERE parent.trace_id = span.trace_id AND parent.span_id = span.parent_span_id
        ) GROUP BY ALL
        """,
        chosen.parameters,
        trace_ids=trace_ids,
    )
    return dict(rows)


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def _both(name: str, read: Callable[[str, str], Any]) -> tuple[Parameter, ...]:
    """A parameter under its name in camel case, and under that in snake case, which Grafana sends."""
    return tuple(
        Parameter(f"query.{spelling}", "see Jaeger", shapes.TEXT, lambda name, given: read(given, name))
        for spelling in (name, _snake(name))
    )


def _plain(given: str, _: str) -> str:
    return given


def _depth(given: str, name: str) -> int:
    return int(count(name, "", None, 1, search.LIMIT_MAX).read(name, given))


_SEARCH = (
    *_both("serviceName", _plain),
    *_both("operationName", _plain),
    *_both("startTimeMin", parse_time_ns),
    *_both("startTimeMax", parse_time_ns),
    *_both("durationMin", parse_duration_ns),
    *_both("durationMax", parse_duration_ns),
    *_both("searchDepth", _depth),
    count("query.num_traces", "an old name of searchDepth", None, 1, search.LIMIT_MAX),
    text("query.attributes", "an object of JSON"),
)


def _endpoint(path: str, answer: Any, *parameters: Parameter) -> Endpoint:  # noqa: ANN401 - a coroutine function
    return Endpoint(path, "see Jaeger's documentation", answer, parameters, lenient=True)


ENDPOINTS = (
    _endpoint("/api/v3/services", _services),
    _endpoint(
        "/api/v3/operations",
        _operations,
        text("service", "of this service"),
        text("spanKind", "of this kind"),
        text("span_kind", "of this kind"),
    ),
    _endpoint("/api/v3/traces", _traces, *_SEARCH),
    _endpoint("/api/v3/traces/{trace_id}", _trace, id_parameter("trace_id", "the trace's id")),
    _endpoint("/api/v3/trace-summaries", _summaries, *_SEARCH),
)
