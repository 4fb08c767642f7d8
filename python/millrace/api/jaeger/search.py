"""What both versions of Jaeger's API search by, and whole traces of what was found."""

import json
from collections.abc import Iterable
from typing import Any

from millrace.api.endpoint import Call, Fault
from millrace.api.queries import Queries
from millrace.api.source import kind_text
from millrace.search import Search

__all__ = ["LIMIT_DEFAULT", "LIMIT_MAX", "operations", "read_traces", "search_by", "services", "tags_of"]

LIMIT_DEFAULT = 100
LIMIT_MAX = 1_500
"""What Jaeger's own page offers at most."""
NAMES_MAX = 10_000
ANSWER_BYTES_MAX = 48 << 20
"""Whole traces of one answer, before they become JSON of about thrice the size; those that follow are left out."""


def search_by(tags: dict[str, str], **wanted: Any) -> Search:  # noqa: ANN401 - fields of the search
    """Return a search by tags, some of which are fields of a span in OpenTelemetry, and by what else is wanted."""
    where: list[tuple[str, list[Any]]] = []
    attributes: dict[str, str] = {}
    for key, value in tags.items():
        match key:
            case "error":
                where.append((f"status_code {'=' if value == 'true' else '<>'} 'ERROR'", []))
            case "span.kind":
                where.append(("kind = ?", [value.upper()]))
            case "otel.status_code":
                where.append(("status_code = ?", [value.upper()]))
            case "otel.scope.name" | "otel.library.name":
                where.append(("scope_name = ?", [value]))
            case _:
                attributes[key] = value
    return Search(attributes=attributes, where=where, **wanted)


def tags_of(texts: Iterable[str], name: str) -> dict[str, str]:
    """Read tags given as an object of JSON, as pairs `key:value`, or as logfmt's `key=value`."""
    tags: dict[str, str] = {}
    for text in texts:
        if not text.startswith("{"):
            key, _, value = text.partition(":" if ":" in text else "=")
            tags[key] = value
            continue
        try:
            found = json.loads(text)
        except (json.JSONDecodeError, RecursionError) as error:
            raise Fault(f"{name} must be an object of JSON, and is not: {error}") from error
        tags |= {key: value if isinstance(value, str) else json.dumps(value) for key, value in found.items()}
    return tags


async def services(queries: Queries) -> list[str]:
    """Return the names of all services."""
    activity = await queries.activity(None, None)
    return sorted(row[0] for row in activity.services())[:NAMES_MAX]


async def operations(queries: Queries, service: str | None, kind: str | None) -> list[tuple[str, str]]:
    """Return names and kinds of spans."""
    activity = await queries.activity(None, None)
    found = {(row[1] or "", kind_text(row[2]).lower()) for row in activity.operations(service or None)}
    return sorted(one for one in found if not kind or one[1] == kind.lower())[:NAMES_MAX]


async def read_traces(call: Call, trace_ids: Iterable[str]) -> tuple[list[bytes], int]:
    """Return whole traces as requests, and how many were left out because the answer would have been too large."""
    found: list[bytes] = []
    size, left_out = 0, 0
    for trace_id in trace_ids:
        if size > ANSWER_BYTES_MAX:
            left_out += 1
            continue
        request = await call.queries.call(call.queries.source.trace, trace_id)
        if request:
            found.append(request)
            size += len(request)
    return found, left_out
