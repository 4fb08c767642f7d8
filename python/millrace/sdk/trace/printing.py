"""A span as readable JSON: what `to_json` returns and the console exporter prints."""

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from opentelemetry.trace import format_span_id, format_trace_id

if TYPE_CHECKING:
    from opentelemetry.trace import SpanContext

    from millrace._native import Span
    from millrace.sdk.trace.readable import ReadableSpan

__all__ = ["span_json"]


def span_json(span: "Span | ReadableSpan", indent: int | None = 4) -> str:
    """Return `span` as JSON in the form of upstream's `ReadableSpan.to_json`."""
    status: dict[str, object] = {"status_code": span.status.status_code.name}
    if span.status.description:
        status["description"] = span.status.description
    content = {
        "name": span.name,
        "context": _context(span.context) if span.context else None,
        "kind": str(span.kind),
        "parent_id": f"0x{format_span_id(span.parent.span_id)}" if span.parent else None,
        "start_time": _time(span.start_time),
        "end_time": _time(span.end_time),
        "status": status,
        "attributes": dict(span.attributes),
        "events": [
            {"name": event.name, "timestamp": _time(event.timestamp), "attributes": dict(event.attributes)}
            for event in span.events
        ],
        "links": [
            {"context": _context(link.context), "attributes": dict(link.attributes or {})} for link in span.links
        ],
        "resource": _resource(span.resource),
    }
    return json.dumps(content, indent=indent, default=str)


def _context(context: "SpanContext") -> dict[str, str]:
    return {
        "trace_id": f"0x{format_trace_id(context.trace_id)}",
        "span_id": f"0x{format_span_id(context.span_id)}",
        "trace_state": repr(context.trace_state),
    }


def _time(nanoseconds: int | None) -> str | None:
    if nanoseconds is None:
        return None
    return datetime.fromtimestamp(nanoseconds / 1e9, tz=UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _resource(resource: Any) -> object:  # noqa: ANN401 - ours or upstream's
    return None if resource is None else json.loads(resource.to_json())
