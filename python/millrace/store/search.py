"""Searches for traces: the query, and what it is asked by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["Search", "candidates", "summaries"]

_STATUS = {"unset": 0, "ok": 1, "error": 2}


@dataclass(frozen=True, slots=True)
class Search:
    """What traces are wanted: all that is set has to hold for one and the same span."""

    service: str | None = None
    operation: str | None = None
    start: int | None = None
    """The span started at this time or later, in nanoseconds since 1970."""
    end: int | None = None
    """The span started at this time or earlier."""
    min_duration_ns: int | None = None
    max_duration_ns: int | None = None
    status: Literal["unset", "ok", "error"] | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    """Attributes of the span or of its resource by key, compared as text."""
    text: str | None = None
    """A part of the name, of the status's message or of an attribute's value, whatever its case."""
    order: Literal["recent", "slowest"] = "recent"
    limit: int = 100
    offset: int = 0


def candidates(search: Search, spans: str) -> tuple[str, list[Any]]:
    """Return the query for the ids of the traces, best first, and its parameters.

    `spans` stands after FROM: the files to look at. Each of them has the attributes of all its resources.
    """
    conditions = ["true"]
    parameters: list[Any] = []
    status = None if search.status is None else _STATUS[search.status]
    for value, condition in (
        (search.service, "service_name = ?"),
        (search.operation, "name = ?"),
        (search.start, "start_time_unix_nano >= ?"),
        (search.end, "start_time_unix_nano <= ?"),
        (search.min_duration_ns, "duration_ns >= ?"),
        (search.max_duration_ns, "duration_ns <= ?"),
        (status, "coalesce(status_code, 0) = ?"),
    ):
        if value is not None:
            conditions.append(condition)
            parameters.append(value)
    for key, value in search.attributes.items():
        of_resource = f"resource_id IN (SELECT resource_id FROM {spans} WHERE resource_attributes[?] = ?)"
        conditions.append(f"(CAST(attributes[{_literal(key)}] AS VARCHAR) = ? OR {of_resource})")
        parameters += [value, key, value]
    if search.text:
        pattern = f"%{_escaped(search.text)}%"
        in_text = "name ILIKE ? ESCAPE '!' OR status_message ILIKE ? ESCAPE '!'"
        conditions.append(f"({in_text} OR CAST(attributes AS VARCHAR) ILIKE ? ESCAPE '!')")
        parameters += [pattern, pattern, pattern]
    best = "max(duration_ns)" if search.order == "slowest" else "max(start_time_unix_nano)"
    query = f"""SELECT trace_id, min(start_time_unix_nano), max(start_time_unix_nano), {best} AS best FROM {spans}
        WHERE {" AND ".join(conditions)} GROUP BY trace_id ORDER BY best DESC, trace_id LIMIT ? OFFSET ?"""
    return query, [*parameters, search.limit, search.offset]


def summaries(trace_ids: Sequence[str], spans: str) -> tuple[str, list[Any]]:
    """Return the query for a summary of each trace, and its parameters.

    The root is the span without a parent that starts first, or else the span that starts first.
    """
    marks = ", ".join("?" for _ in trace_ids)
    query = f"""
        WITH chosen AS (
            SELECT trace_id, service_name, name, parent_span_id, start_time_unix_nano AS start, duration_ns,
            coalesce(early_end_time_unix_nano, start_time_unix_nano + duration_ns) AS finish,
            CASE coalesce(status_code, 0) WHEN 2 THEN 1 ELSE 0 END AS failed
            FROM {spans} WHERE trace_id IN ({marks})),
        services AS (
            SELECT trace_id, service_name, count(*) AS spans, CAST(sum(failed) AS BIGINT) AS errors, min(start) AS start
            FROM chosen GROUP BY trace_id, service_name)
        SELECT trace_id, arg_min(service_name, ranked), arg_min(name, ranked), min(start), max(finish), count(*),
            CAST(sum(failed) AS BIGINT),
            (SELECT list({{'name': service_name, 'spans': spans, 'errors': errors}} ORDER BY start, service_name)
             FROM services WHERE services.trace_id = all_spans.trace_id)
        FROM (SELECT *, row_number() OVER (PARTITION BY trace_id ORDER BY parent_span_id <> '', start, finish DESC)
              AS ranked FROM chosen) AS all_spans
        GROUP BY trace_id"""
    return query, list(trace_ids)


def _literal(text: str) -> str:
    """DuckDB finds the column of a Variant's key when it plans the query: a parameter would be too late."""
    return "'" + text.replace("'", "''") + "'"


def _escaped(text: str) -> str:
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")
