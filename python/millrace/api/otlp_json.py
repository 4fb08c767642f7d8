"""Reads OTLP/JSON that the engine wrote: spans with what is around them, and attributes as plain values with a type."""

from collections.abc import Iterator
from typing import Any

__all__ = ["attributes_of", "kind_name", "spans_of", "typed", "value_of"]

Json = dict[str, Any]

_KINDS = ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
_TYPES = {
    "stringValue": "string",
    "boolValue": "bool",
    "intValue": "int",
    "doubleValue": "double",
    "bytesValue": "bytes",
    "arrayValue": "array",
    "kvlistValue": "kvlist",
}


def kind_name(kind: int) -> str:
    """Return the name of a span kind, or the number as text where it has none."""
    return _KINDS[kind] if 0 <= kind < len(_KINDS) else str(kind)


def spans_of(traces: Json) -> Iterator[tuple[Json, Json, Json]]:
    """Yield the resource, the scope and each span of a request."""
    for resource in traces.get("resourceSpans", ()):
        for scope in resource.get("scopeSpans", ()):
            for span in scope.get("spans", ()):
                yield resource.get("resource", {}), scope.get("scope", {}), span


def attributes_of(owner: Json) -> list[Json]:
    """Return attributes as `key`, `type` and `value`."""
    return [{"key": one.get("key", ""), **typed(one.get("value"))} for one in owner.get("attributes", ())]


def typed(value: Json | None) -> Json:
    """Return an `AnyValue` as its type and a plain value."""
    field = next(iter(value or {}), "")
    return {"type": _TYPES.get(field, "empty"), "value": value_of(value)}


def value_of(value: Json | None) -> Any:  # noqa: ANN401 - any value of JSON
    """Return an `AnyValue` as a plain value. Integers stay text: JavaScript cannot hold all of them."""
    if not value:
        return None
    field, content = next(iter(value.items()))
    match field:
        case "intValue":
            return str(content)
        case "arrayValue":
            return [value_of(one) for one in content.get("values", ())]
        case "kvlistValue":
            return {one.get("key", ""): value_of(one.get("value")) for one in content.get("values", ())}
    return content
