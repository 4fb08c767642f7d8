"""A small sample of telemetry through this server's own door: something to see for those who have sent nothing."""

import json
import secrets
import time
from collections.abc import Mapping
from http.client import HTTPConnection
from typing import Any

from millrace.api import shapes
from millrace.api.endpoint import Call, Endpoint, Fault

__all__ = ["ENDPOINTS"]

_TIMEOUT_S = 5.0
_MS = 1_000_000
_SPANS = (
    ("GET /wheel", 2, None, 0, 182, "sample-shop", False),
    ("SELECT mills", 3, 0, 12, 61, "sample-shop", False),
    ("POST /charges", 3, 0, 70, 171, "sample-shop", True),
    ("POST /charges", 2, 2, 78, 160, "sample-payments", True),
    ("INSERT payments", 3, 3, 90, 149, "sample-payments", True),
)
"""A request that fails in its deepest call: enough for a waterfall, a map and an error to find.

Name, kind, parent, start and end in milliseconds, service, whether it fails."""


def _attributes(**values: str) -> list[dict[str, Any]]:
    return [{"key": key.replace("_", "."), "value": {"stringValue": value}} for key, value in values.items()]


def _by_service(items: list[tuple[str, dict[str, Any]]], names: tuple[str, str, str]) -> dict[str, Any]:
    resources, scopes, leaves = names
    found: dict[str, list[dict[str, Any]]] = {}
    for service, item in items:
        found.setdefault(service, []).append(item)
    scope = {"name": "millrace.sample"}
    return {
        resources: [
            {"resource": {"attributes": _attributes(service_name=service)}, scopes: [{"scope": scope, leaves: inner}]}
            for service, inner in found.items()
        ]
    }


def _requests(now: int) -> dict[str, dict[str, Any]]:
    """Return requests of OTLP/JSON by the path they are sent to."""
    begin = now - 200 * _MS
    trace_id = secrets.token_hex(16)
    ids = [secrets.token_hex(8) for _ in _SPANS]
    spans, logs = [], []
    for at, (name, kind, parent, start, end, service, failed) in enumerate(_SPANS):
        span: dict[str, Any] = {
            "traceId": trace_id,
            "spanId": ids[at],
            "name": name,
            "kind": kind,
            "startTimeUnixNano": str(begin + start * _MS),
            "endTimeUnixNano": str(begin + end * _MS),
            "attributes": _attributes(sample_note="sent by the button of the start page"),
        }
        if parent is not None:
            span["parentSpanId"] = ids[parent]
        if failed:
            span["status"] = {"code": 2, "message": "the sample's payment is always declined"}
        spans.append((service, span))
        record = {
            "timeUnixNano": str(begin + end * _MS),
            "observedTimeUnixNano": str(now),
            "severityNumber": 17 if failed else 9,
            "severityText": "ERROR" if failed else "INFO",
            "body": {"stringValue": f"{name}: {'declined' if failed else 'done'}"},
            "traceId": trace_id,
            "spanId": ids[at],
        }
        logs.append((service, record))
    points = [
        {"asDouble": 20 + turn, "timeUnixNano": str(now - (10 - turn) * 1_000 * _MS), "attributes": []}
        for turn in range(10)
    ]
    metric = {"name": "sample.wheel.speed", "unit": "{turn}/min", "gauge": {"dataPoints": points}}
    return {
        "/v1/traces": _by_service(spans, ("resourceSpans", "scopeSpans", "spans")),
        "/v1/logs": _by_service(logs, ("resourceLogs", "scopeLogs", "logRecords")),
        "/v1/metrics": _by_service([("sample-shop", metric)], ("resourceMetrics", "scopeMetrics", "metrics")),
    } | {"": {"trace_id": trace_id}}


def _send(address: str, requests: Mapping[str, dict[str, Any]]) -> None:
    connection = HTTPConnection(address, timeout=_TIMEOUT_S)
    try:
        for path, request in requests.items():
            connection.request("POST", path, json.dumps(request), {"content-type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:  # noqa: PLR2004 - OTLP answers nothing else when it has taken something
                raise Fault(f"the receiver at {address} answered {answer.status} to {path}", 502)
    except OSError as error:
        raise Fault(f"the receiver at {address} does not take the sample: {error}", 502) from error
    finally:
        connection.close()


async def _sample(call: Call) -> dict[str, Any]:
    address = call.context["addresses"].get("http")
    if not address:
        raise Fault("this server receives nothing: it only shows a store", 409)
    requests = _requests(time.time_ns())
    trace_id = requests.pop("")["trace_id"]
    await call.queries.call(_send, address, requests)
    await call.queries.call(call.queries.source.refresh)  # who has sent it looks at it at once
    return {"trace_id": trace_id, "spans": len(_SPANS), "log_records": len(_SPANS), "metric_points": 10}


ENDPOINTS = (
    Endpoint(
        "/sample",
        "Send a small sample of traces, logs and metrics through this server's own receiver.",
        _sample,
        shape=shapes.record(
            {
                "trace_id": shapes.TEXT,
                "spans": shapes.COUNT,
                "log_records": shapes.COUNT,
                "metric_points": shapes.COUNT,
            }
        ),
        method="POST",
    ),
)
