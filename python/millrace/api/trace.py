"""One trace: its spans as columns for a waterfall of any size, one span in full, and the whole as OTLP/JSON."""

import json
import re
from typing import Any

from starlette.responses import Response

from millrace import otlp
from millrace.api import shapes, trace_columns
from millrace.api.endpoint import Call, Endpoint, Fault, Parameter
from millrace.api.otlp_json import attributes_of, kind_name, spans_of

__all__ = ["ENDPOINTS", "id_parameter", "read_trace"]

_PART_SPANS = 256
"""A trace is cut into parts of so many spans before one of them is translated to JSON to find a span."""

_HEX = re.compile(r"(?:[0-9a-fA-F]{2}){1,32}")
_STATUS = {"UNSET": 0, "OK": 1, "ERROR": 2}


def id_parameter(name: str, help: str) -> Parameter:  # noqa: A002 - as the parameter's field is called
    """An id in hexadecimal digits, as a part of the path."""

    def read(name: str, given: str) -> str:
        if _HEX.fullmatch(given) is None:
            raise Fault(f"{name} must be an even number of hexadecimal digits, got {given[:80]!r}")
        return given.lower()

    return Parameter(name, help, {"type": "string", "pattern": f"^{_HEX.pattern}$"}, read, required=True, in_path=True)


async def read_trace(call: Call, trace_id: str) -> bytes:
    """Return a trace as a request.

    Raises:
        Fault: There is none.
    """
    request = await call.queries.call(call.queries.source.trace, trace_id)
    if not request:
        raise Fault(f"no span of trace {trace_id} is kept here", 404)
    return request


async def _columns(call: Call) -> Response:
    trace_id = call["trace_id"]
    rows = await call.queries.tuples(trace_columns.QUERY, [trace_id], trace_ids=[trace_id])
    if not rows[0][0]:
        raise Fault(f"no span of trace {trace_id} is kept here", 404)
    # 100,000 spans are 5 MB of JSON: put together on the thread, too, so that the event loop goes on.
    content = await call.queries.call(trace_columns.as_json, trace_id, rows[0])
    return Response(content, media_type="application/json")


async def _span(call: Call) -> dict[str, Any]:
    request = await read_trace(call, call["trace_id"])
    found = await call.queries.call(_find_span, request, call["span_id"])
    if found is None:
        raise Fault(f"trace {call['trace_id']} has no span {call['span_id']}", 404)
    return found


def _find_span(request: bytes, span_id: str) -> dict[str, Any] | None:
    """Look for a span by the bytes of its id first: only parts that have them are translated."""
    wanted = bytes.fromhex(span_id)
    for part in otlp.split_by_count("traces", request, _PART_SPANS):
        if wanted not in part:
            continue
        for resource, scope, span in spans_of(json.loads(otlp.to_json("traces", part))):
            if span.get("spanId") == span_id:
                return _detail(resource, scope, span)
    return None


def _detail(resource: dict[str, Any], scope: dict[str, Any], span: dict[str, Any]) -> dict[str, Any]:
    resource_attributes = attributes_of(resource)
    named = (one["value"] for one in resource_attributes if one["key"] == "service.name")
    status = span.get("status", {})
    code = status.get("code", 0)
    return {
        "trace_id": span.get("traceId", ""),
        "span_id": span.get("spanId", ""),
        "parent_span_id": span.get("parentSpanId", ""),
        "name": span.get("name", ""),
        "kind": kind_name(span.get("kind", 0)),
        "service": str(next(named, "")),
        "start_time_unix_nano": str(span.get("startTimeUnixNano", "0")),
        "end_time_unix_nano": str(span.get("endTimeUnixNano", "0")),
        "status": {
            "code": next((name for name, number in _STATUS.items() if number == code), str(code)),
            "message": status.get("message", ""),
        },
        "attributes": attributes_of(span),
        "resource": resource_attributes,
        "scope": {
            "name": scope.get("name", ""),
            "version": scope.get("version", ""),
            "attributes": attributes_of(scope),
        },
        "events": [
            {
                "name": event.get("name", ""),
                "time_unix_nano": str(event.get("timeUnixNano", "0")),
                "attributes": attributes_of(event),
            }
            for event in span.get("events", ())
        ],
        "links": [
            {
                "trace_id": link.get("traceId", ""),
                "span_id": link.get("spanId", ""),
                "attributes": attributes_of(link),
            }
            for link in span.get("links", ())
        ],
        "dropped": {
            "attributes": span.get("droppedAttributesCount", 0),
            "events": span.get("droppedEventsCount", 0),
            "links": span.get("droppedLinksCount", 0),
        },
        "trace_state": span.get("traceState", ""),
    }


async def _otlp(call: Call) -> Response:
    request = await read_trace(call, call["trace_id"])
    text = await call.queries.call(otlp.to_json, "traces", request)
    name = f'attachment; filename="trace-{call["trace_id"]}.json"'
    return Response(text, media_type="application/json", headers={"content-disposition": name})


_TRACE_ID = id_parameter("trace_id", "the trace's id")
_INDEXES = shapes.array(shapes.COUNT)

ENDPOINTS = (
    Endpoint(
        "/traces/{trace_id}",
        f"A trace as columns, sorted by start; at most {trace_columns.SPANS_MAX:,} spans.",
        _columns,
        (_TRACE_ID,),
        shapes.record(
            {
                "trace_id": shapes.TEXT,
                "start_time_unix_nano": shapes.TIME,
                "duration_ns": shapes.COUNT,
                "services": shapes.array(shapes.TEXT),
                "names": shapes.array(shapes.TEXT),
                "kinds": shapes.array(shapes.TEXT),
                "spans": shapes.record(
                    {
                        "span_id": shapes.array(shapes.TEXT),
                        "parent": shapes.array({"type": "integer", "minimum": -1}),
                        "service": _INDEXES,
                        "name": _INDEXES,
                        "kind": _INDEXES,
                        "start_ns": _INDEXES,
                        "duration_ns": _INDEXES,
                        "status": shapes.array({"enum": list(_STATUS.values())}),
                        "events": _INDEXES,
                        "links": _INDEXES,
                    }
                ),
                "problems": {**shapes.array(shapes.TEXT), "description": "what is wrong with the trace, in sentences"},
            }
        ),
    ),
    Endpoint(
        "/traces/{trace_id}/spans/{span_id}",
        "One span with everything it carries.",
        _span,
        (_TRACE_ID, id_parameter("span_id", "the span's id")),
        shapes.record(
            {
                "trace_id": shapes.TEXT,
                "span_id": shapes.TEXT,
                "parent_span_id": shapes.TEXT,
                "name": shapes.TEXT,
                "kind": shapes.TEXT,
                "service": shapes.TEXT,
                "start_time_unix_nano": shapes.TIME,
                "end_time_unix_nano": shapes.TIME,
                "status": shapes.record({"code": shapes.TEXT, "message": shapes.TEXT}),
                "attributes": shapes.ATTRIBUTES,
                "resource": shapes.ATTRIBUTES,
                "scope": shapes.record({"name": shapes.TEXT, "version": shapes.TEXT, "attributes": shapes.ATTRIBUTES}),
                "events": shapes.array(
                    shapes.record({"name": shapes.TEXT, "time_unix_nano": shapes.TIME, "attributes": shapes.ATTRIBUTES})
                ),
                "links": shapes.array(
                    shapes.record({"trace_id": shapes.TEXT, "span_id": shapes.TEXT, "attributes": shapes.ATTRIBUTES})
                ),
                "dropped": shapes.record({"attributes": shapes.COUNT, "events": shapes.COUNT, "links": shapes.COUNT}),
                "trace_state": shapes.TEXT,
            }
        ),
    ),
    Endpoint(
        "/traces/{trace_id}/otlp",
        "The trace as OTLP/JSON, to keep or to send on.",
        _otlp,
        (_TRACE_ID,),
        shapes.MAP,
    ),
)
