"""Tempo's query API, as far as Grafana's data source uses it: traces by id, search by TraceQL, tags, their values."""

import json
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute

from millrace import otlp
from millrace.api.dispatch import route
from millrace.api.endpoint import Call, Endpoint, Parameter, choice, count, text
from millrace.api.jaeger import v1
from millrace.api.queries import Queries
from millrace.api.tempo.search import PARAMETERS, search
from millrace.api.tempo.tags import tag_names, tag_values
from millrace.api.trace import id_parameter, read_trace

__all__ = ["PREFIX", "routes"]

PREFIX = "/tempo"

_PROTOBUF = "application/protobuf"
_SCOPES = ("resource", "span", "event", "link")
_KINDS = ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
_STATUS = ("UNSET", "OK", "ERROR")
_VALUES_MAX = 1_000


def refuse(sentence: str, status: int) -> Response:
    """Say an error as Tempo does: in plain text."""
    return PlainTextResponse(sentence, status)


async def _echo(_: Call) -> Response:
    return PlainTextResponse("echo")


async def _build_info(_: Call) -> dict[str, str]:
    """The version of Tempo whose API this is: Grafana offers by it what it believes to find."""
    return {"version": "2.6.0", "revision": "millrace", "branch": "", "buildUser": "", "buildDate": "", "goVersion": ""}


def _wants_protobuf(call: Call) -> bool:
    return _PROTOBUF in call.request.headers.get("accept", "")


async def _trace(call: Call) -> Response:
    """A trace: `Trace` of Tempo has the bytes of a request of OTLP."""
    request = await read_trace(call, call["trace_id"])
    if _wants_protobuf(call):
        return Response(request, media_type=_PROTOBUF)
    found = await call.queries.call(_as_tempo, request)
    return Response(json.dumps({"batches": found}), media_type="application/json")


async def _trace_v2(call: Call) -> Response:
    """A trace in the first field of `TraceByIDResponse`, whose other fields are for traces that are not whole."""
    request = await read_trace(call, call["trace_id"])
    if _wants_protobuf(call):
        return Response(b"\x0a" + _varint(len(request)) + request, media_type=_PROTOBUF)
    found = await call.queries.call(_as_tempo, request)
    return Response(json.dumps({"trace": {"resourceSpans": found}}), media_type="application/json")


def _varint(number: int) -> bytes:
    found = bytearray()
    while number >= 0x80:  # noqa: PLR2004 - seven bits a byte
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)


def _as_tempo(request: bytes) -> list[dict[str, Any]]:
    """Return the spans as Tempo's JSON: ids in base64 and enumerations by name, where OTLP has digits and numbers."""
    found: list[dict[str, Any]] = json.loads(otlp.to_json("traces", request)).get("resourceSpans", [])
    for resource in found:
        for scope in resource.get("scopeSpans", ()):
            for span in scope.get("spans", ()):
                _encode_ids(span)
                for link in span.get("links", ()):
                    _encode_ids(link)
                span["kind"] = f"SPAN_KIND_{_name(_KINDS, span.get('kind', 0))}"
                if code := span.get("status", {}).get("code"):
                    span["status"]["code"] = f"STATUS_CODE_{_name(_STATUS, code)}"
    return found


def _name(names: tuple[str, ...], number: int) -> str:
    return names[number] if 0 <= number < len(names) else str(number)


def _encode_ids(owner: dict[str, Any]) -> None:
    for name in ("traceId", "spanId", "parentSpanId"):
        if owner.get(name):
            owner[name] = b64encode(bytes.fromhex(owner[name])).decode()


async def _tags(call: Call) -> dict[str, Any]:
    names = await tag_names(call, _SCOPES)
    return {"tagNames": sorted({name for scope in names.values() for name in scope}), "metrics": {}}


async def _tags_v2(call: Call) -> dict[str, Any]:
    wanted = call["scope"]
    scopes = (*_SCOPES, "intrinsic") if wanted in {None, "none"} else (wanted,)
    names = await tag_names(call, scopes)
    return {"scopes": [{"name": scope, "tags": found} for scope, found in names.items() if found], "metrics": {}}


async def _values(call: Call) -> dict[str, Any]:
    return {"tagValues": [one["value"] for one in await tag_values(call)], "metrics": {}}


async def _values_v2(call: Call) -> dict[str, Any]:
    return {"tagValues": await tag_values(call), "metrics": {}}


async def trace_of_either(call: Call) -> Any:  # noqa: ANN401 - as each API answers
    """The one path that Jaeger and Tempo share: Tempo's clients ask for protobuf, Jaeger's for nothing special."""
    return await (_trace(call) if _wants_protobuf(call) else v1.trace(call))


def _endpoint(path: str, answer: Any, *parameters: Parameter) -> Endpoint:  # noqa: ANN401 - a coroutine function
    return Endpoint(path, "see Tempo's documentation", answer, parameters, lenient=True)


_TRACE_ID = id_parameter("trace_id", "the trace's id")
_TAG = (
    text("tag", "its name", required=True, in_path=True),
    count("limit", "at most so many values", _VALUES_MAX, 1, _VALUES_MAX),
)
_SCOPE = choice("scope", "only of this scope", (*_SCOPES, "intrinsic", "instrumentation", "none"))

ENDPOINTS = (
    _endpoint("/api/echo", _echo),
    _endpoint("/api/status/buildinfo", _build_info),
    _endpoint("/api/search", search, *PARAMETERS),
    _endpoint("/api/search/tags", _tags),
    _endpoint("/api/v2/search/tags", _tags_v2, _SCOPE),
    _endpoint("/api/search/tag/{tag:path}/values", _values, *_TAG),
    _endpoint("/api/v2/search/tag/{tag:path}/values", _values_v2, *_TAG),
    _endpoint("/api/v2/traces/{trace_id}", _trace_v2, _TRACE_ID),
)
_TRACE = _endpoint(v1.TRACE_PATH, _trace, _TRACE_ID)
_TRACE_OF_EITHER = _endpoint(v1.TRACE_PATH, trace_of_either, _TRACE_ID)


def routes(queries: Queries, context: Mapping[str, Any]) -> list[BaseRoute]:
    """Return the routes, below their prefix and without it."""
    return [
        *(route(endpoint, queries, context, PREFIX, refuse) for endpoint in (*ENDPOINTS, _TRACE)),
        *(route(endpoint, queries, context, "", refuse) for endpoint in ENDPOINTS),
        route(_TRACE_OF_EITHER, queries, context, "", v1.refuse),
    ]
