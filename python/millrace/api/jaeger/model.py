"""A trace of OTLP as Jaeger's own JSON: microseconds, tags with types, references, and processes by name."""

import json
from typing import Any

from millrace import otlp
from millrace.api.otlp_json import attributes_of, kind_name, spans_of

__all__ = ["trace_of"]

_TYPES = {"string": "string", "bool": "bool", "int": "int64", "double": "float64", "bytes": "binary"}
_STATUS = {1: "OK", 2: "ERROR"}


def trace_of(request: bytes, warnings: list[str] | None = None) -> dict[str, Any]:
    """Return a trace."""
    processes: dict[str, dict[str, Any]] = {}
    names: dict[str, str] = {}
    spans = []
    for resource, scope, span in spans_of(json.loads(otlp.to_json("traces", request))):
        key = json.dumps(resource, sort_keys=True)
        name = names.setdefault(key, f"p{len(names) + 1}")
        if name not in processes:
            processes[name] = _process(resource)
        spans.append(_span(span, scope, name))
    trace_id = spans[0]["traceID"] if spans else ""
    return {"traceID": trace_id, "spans": spans, "processes": processes, "warnings": warnings}


def _process(resource: dict[str, Any]) -> dict[str, Any]:
    attributes = attributes_of(resource)
    service = next((str(one["value"]) for one in attributes if one["key"] == "service.name"), "")
    return {"serviceName": service, "tags": [_tag(one) for one in attributes if one["key"] != "service.name"]}


def _span(span: dict[str, Any], scope: dict[str, Any], process: str) -> dict[str, Any]:
    start, end = int(span.get("startTimeUnixNano", 0)), int(span.get("endTimeUnixNano", 0))
    trace_id, parent = span.get("traceId", ""), span.get("parentSpanId", "")
    references = [_reference("CHILD_OF", trace_id, parent)] if parent else []
    references += [
        _reference("FOLLOWS_FROM", link.get("traceId", ""), link.get("spanId", "")) for link in span.get("links", ())
    ]
    return {
        "traceID": trace_id,
        "spanID": span.get("spanId", ""),
        "flags": span.get("flags", 0) & 0xFF,
        "operationName": span.get("name", ""),
        "references": references,
        "startTime": start // 1_000,
        "duration": max(0, end - start) // 1_000,
        "tags": [_tag(one) for one in attributes_of(span)] + _field_tags(span, scope),
        "logs": [_log(event) for event in span.get("events", ())],
        "processID": process,
        "warnings": None,
    }


def _field_tags(span: dict[str, Any], scope: dict[str, Any]) -> list[dict[str, Any]]:
    """What is a field in OpenTelemetry and a tag in Jaeger."""
    status = span.get("status", {})
    fields = {
        "span.kind": kind_name(span.get("kind", 0)).lower() if span.get("kind") else "",
        "otel.status_code": _STATUS.get(status.get("code", 0), ""),
        "otel.status_description": status.get("message", ""),
        "otel.scope.name": scope.get("name", ""),
        "otel.scope.version": scope.get("version", ""),
        "w3c.tracestate": span.get("traceState", ""),
    }
    tags: list[dict[str, Any]] = [
        {"key": key, "type": "string", "value": value} for key, value in fields.items() if value
    ]
    if status.get("code", 0) == 2:  # noqa: PLR2004 - STATUS_CODE_ERROR
        tags.append({"key": "error", "type": "bool", "value": True})
    return tags


def _log(event: dict[str, Any]) -> dict[str, Any]:
    fields = [{"key": "event", "type": "string", "value": event["name"]}] if event.get("name") else []
    fields += [_tag(one) for one in attributes_of(event)]
    return {"timestamp": int(event.get("timeUnixNano", 0)) // 1_000, "fields": fields}


def _reference(kind: str, trace_id: str, span_id: str) -> dict[str, str]:
    return {"refType": kind, "traceID": trace_id, "spanID": span_id}


def _tag(attribute: dict[str, Any]) -> dict[str, Any]:
    """A tag: whole numbers are numbers here, and what has structure is text."""
    kind, value = _TYPES.get(attribute["type"]), attribute["value"]
    if kind is None:
        kind, value = "string", "" if value is None else json.dumps(value, ensure_ascii=False)
    elif kind == "int64":
        value = int(value)
    return {"key": attribute["key"], "type": kind, "value": value}
