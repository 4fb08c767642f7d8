"""Tempo's tags: which attributes there are in each scope, and their values."""

from collections.abc import Iterable
from urllib.parse import unquote

from millrace.api.endpoint import Call
from millrace.api.filters import Conditions, attribute_text
from millrace.api.source import attribute_keys
from millrace.api.tempo.traceql import Field, field_of

__all__ = ["INTRINSICS", "tag_names", "tag_values"]

INTRINSICS = (
    "duration", "event:name", "instrumentation:name", "instrumentation:version", "kind", "name", "rootName",
    "rootServiceName", "span:duration", "span:kind", "span:name", "span:status", "span:statusMessage", "status",
    "statusMessage", "trace:duration", "trace:rootName", "trace:rootService", "traceDuration",
)  # fmt: skip
_KEYWORDS = {
    "status": ("error", "ok", "unset"),
    "kind": ("client", "consumer", "internal", "producer", "server", "unspecified"),
}
_COLUMNS = {
    "name": "name",
    "statusMessage": "status_message",
    "rootName": "name",
    "rootServiceName": "service_name",
    "scopeName": "scope_name",
    "scopeVersion": "scope_version",
}
_TABLES = {"event": "span_events", "link": "span_links", "resource": "resources"}
_SAMPLE_ROWS = 200_000
_NAMES_MAX = 1_000


async def tag_names(call: Call, scopes: Iterable[str]) -> dict[str, list[str]]:
    """Return the names of attributes by scope."""
    return {scope: await _names(call, scope) for scope in scopes}


async def _names(call: Call, scope: str) -> list[str]:
    if scope == "intrinsic":
        return list(INTRINSICS)
    table = _TABLES.get(scope, "spans")
    rows = await call.queries.tuples(
        f"""
        SELECT DISTINCT unnest({attribute_keys(table)}) AS key
        FROM (SELECT attributes FROM {table} LIMIT {_SAMPLE_ROWS}) ORDER BY key LIMIT {_NAMES_MAX}
        """
    )
    return [key for (key,) in rows]


async def tag_values(call: Call) -> list[dict[str, str]]:
    """Return the values of a tag, each with its type."""
    name = unquote(call["tag"])  # Grafana encodes it twice
    scope = name.partition(".")[0]
    is_field = name in INTRINSICS or scope in {"", *_TABLES, "span"}
    field = field_of(name) if is_field else Field("", name)  # before TraceQL, names had no scope
    if field.scope == "intrinsic" and field.name in _KEYWORDS:
        return [{"type": "keyword", "value": value} for value in _KEYWORDS[field.name]]
    source = _source(field)
    if source is None:
        return []
    expression, table, chosen = source
    rows = await call.queries.tuples(
        f"""
        SELECT value, count(*) AS number
        FROM (SELECT {expression} AS value FROM {table} {chosen.where} LIMIT {_SAMPLE_ROWS})
        WHERE value IS NOT NULL AND value <> '' GROUP BY ALL ORDER BY number DESC, value LIMIT {call["limit"]}
        """,
        chosen.parameters,
    )
    return [{"type": _type_of(value), "value": value} for value, _ in rows]


def _source(field: Field) -> tuple[str, str, Conditions] | None:
    """Return the expression for a value, and where it is."""
    chosen = Conditions()
    if field.scope == "intrinsic":
        if field.name == "eventName":
            return "name", "span_events", chosen
        if field.name.startswith("root"):
            chosen.add("parent_span_id = ''")
        column = _COLUMNS.get(field.name)
        return (column, "spans", chosen) if column else None
    if field.name == "service.name" and field.scope in {"", "resource"}:
        return "service_name", "spans", chosen
    if field.scope == "":
        text = attribute_text(field.name)
        both = f"(SELECT {text} AS text FROM spans UNION ALL SELECT {text} FROM resources)"
        return "text", both, chosen
    return attribute_text(field.name), _TABLES.get(field.scope, "spans"), chosen


def _type_of(value: str) -> str:
    """Guess the type that Grafana needs to know whether to put a value in quotes."""
    if value in {"true", "false"}:
        return "bool"
    try:
        int(value)
    except ValueError:
        return "string"
    return "int"
