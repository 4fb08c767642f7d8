"""What both versions of Jaeger's API search by, and whole traces of what was found."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field

from millrace.api.endpoint import Call, Fault
from millrace.api.filters import Conditions
from millrace.api.queries import Queries

__all__ = ["LIMIT_DEFAULT", "LIMIT_MAX", "Search", "operations", "read_traces", "services"]

LIMIT_DEFAULT = 100
LIMIT_MAX = 1_500
"""What Jaeger's own page offers at most."""
NAMES_MAX = 10_000
ANSWER_BYTES_MAX = 48 << 20
"""Whole traces of one answer, before they become JSON of about thrice the size; those that follow are left out."""


@dataclass
class Search:
    """What a trace must have in one of its spans."""

    service: str | None = None
    operation: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    start_ns: int | None = None
    end_ns: int | None = None
    min_duration_ns: int | None = None
    max_duration_ns: int | None = None
    limit: int = LIMIT_DEFAULT

    def conditions(self) -> Conditions:
        """Return it as conditions of SQL."""
        chosen = Conditions()
        chosen.between("start_time_unix_nano", self.start_ns, self.end_ns)
        for column, value in (("service_name", self.service), ("name", self.operation)):
            if value:
                chosen.add(f"{column} = ?", value)
        if self.min_duration_ns is not None:
            chosen.add("duration_ns >= ?::UBIGINT", self.min_duration_ns)
        if self.max_duration_ns is not None:
            chosen.add("duration_ns <= ?::UBIGINT", self.max_duration_ns)
        for key, value in self.tags.items():
            _add_tag(chosen, key, value)
        return chosen


def _add_tag(chosen: Conditions, key: str, value: str) -> None:
    """Add a tag; some of Jaeger's tags are fields of a span in OpenTelemetry."""
    match key:
        case "error":
            chosen.add(f"status_code {'=' if value == 'true' else '<>'} 'ERROR'")
        case "span.kind":
            chosen.add("kind = ?", value.upper())
        case "otel.status_code":
            chosen.add("status_code = ?", value.upper())
        case "otel.scope.name" | "otel.library.name":
            chosen.add("scope_name = ?", value)
        case _:
            chosen.attributes([(key, value)])


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
    rows = await queries.tuples(f"SELECT DISTINCT service_name FROM spans ORDER BY ALL LIMIT {NAMES_MAX}")
    return [name for (name,) in rows]


async def operations(queries: Queries, service: str | None, kind: str | None) -> list[tuple[str, str]]:
    """Return names and kinds of spans."""
    chosen = Conditions()
    if service:
        chosen.add("service_name = ?", service)
    if kind:
        chosen.add("kind = ?", kind.upper())
    rows = await queries.tuples(
        f"SELECT DISTINCT name, lower(kind) FROM spans {chosen.where} ORDER BY ALL LIMIT {NAMES_MAX}",
        chosen.parameters,
    )
    return [(name, span_kind) for name, span_kind in rows]


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
