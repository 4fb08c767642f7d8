"""A trace as columns of JSON, written by the query itself: a hundred thousand spans never become objects of Python."""

import json
from collections.abc import Sequence
from typing import Any

from millrace.api.trace_problems import Finding, cycles, sentences

__all__ = ["QUERY", "SPANS_MAX", "as_json"]

SPANS_MAX = 200_000
"""Spans of one answer; a browser shows 100,000 without a stutter."""
_EXAMPLES_MAX = 4

_NUMBERED = """
    {0}_numbers AS (SELECT {0}, row_number() OVER (ORDER BY min(row)) - 1 AS {0}_number FROM chosen GROUP BY {0})
"""
_LISTED = ("service_name", "name", "kind")
_COLUMNS = {
    "span_id": "span_id",
    "parent": "parent",
    "service": "service_name_number",
    "name": "name_number",
    "kind": "kind_number",
    "start_ns": "start - (SELECT begin FROM first)",
    "duration_ns": "duration_ns",
    "status": "CASE status_code WHEN 'OK' THEN 1 WHEN 'ERROR' THEN 2 ELSE 0 END",
    "events": "event_count",
    "links": "link_count",
}
_FINDINGS = {
    "missing": ("parent < 0 AND parent_span_id <> ''", "parent_span_id"),
    "doubled": ("times > 1 AND row = first_row", "span_id"),
    "early": ("parent >= 0 AND start < parent_start", "span_id"),
    "backwards": ("finish < start", "span_id"),
    "roots": ("parent_span_id = ''", "span_id"),
}


def _examples(condition: str, column: str) -> str:
    of_each = f"SELECT {column} AS one, min(row) AS place FROM linked WHERE {condition} GROUP BY one"
    return f"(SELECT list(one ORDER BY place) FROM ({of_each} ORDER BY place LIMIT {_EXAMPLES_MAX}))"


_FIELDS = ", ".join(f"'{name}': {column}" for name, column in _COLUMNS.items())
_LISTS = ", ".join(
    f"(SELECT to_json(list_transform(spans, lambda one: one.{name}))::VARCHAR FROM ordered)" for name in _COLUMNS
)

QUERY = f"""
WITH every AS (
    SELECT span_id, parent_span_id, service_name, name, kind, start_time_unix_nano AS start, duration_ns, status_code,
        event_count, link_count, end_time_unix_nano AS finish,
        row_number() OVER (ORDER BY start_time_unix_nano, duration_ns DESC, span_id) - 1 AS row
    FROM spans WHERE trace_id = ?
),
chosen AS MATERIALIZED (SELECT * FROM every WHERE row <= {SPANS_MAX}),
first AS MATERIALIZED (SELECT min(start) AS begin FROM chosen),
ids AS MATERIALIZED (
    SELECT span_id, min(row) AS first_row, arg_min(start, row) AS start, count(*) AS times FROM chosen GROUP BY span_id
),
{", ".join(_NUMBERED.format(name) for name in _LISTED)},
linked AS MATERIALIZED (
    SELECT chosen.*, coalesce(above.first_row, -1) AS parent, above.start AS parent_start, own.first_row, own.times,
        {", ".join(f"{name}_number" for name in _LISTED)}
    FROM chosen JOIN ids AS own ON own.span_id = chosen.span_id
        LEFT JOIN ids AS above ON above.span_id = chosen.parent_span_id AND chosen.parent_span_id <> ''
        {" ".join(f"JOIN {name}_numbers ON {name}_numbers.{name} = chosen.{name}" for name in _LISTED)}
    WHERE row < {SPANS_MAX}
),
ordered AS MATERIALIZED (SELECT list({{{_FIELDS}}} ORDER BY row) AS spans FROM linked)
SELECT (SELECT count(*) FROM chosen), min(start), max(start::HUGEINT + duration_ns) - min(start)::HUGEINT,
    {", ".join(f"(SELECT list({name} ORDER BY {name}_number) FROM {name}_numbers)" for name in _LISTED)},
    {_LISTS},
    (SELECT list_transform(spans, lambda one: one.parent) FROM ordered),
    {", ".join(f"count(*) FILTER ({condition})" for condition, _ in _FINDINGS.values())},
    {", ".join(_examples(*finding) for finding in _FINDINGS.values())}
FROM linked
"""
"""Everything of one trace in one row: see `as_json`."""


def as_json(trace_id: str, row: Sequence[Any]) -> bytes:
    """Return the answer from the row of the query."""
    spans, begin, duration, *rest = row
    listed, columns = rest[: len(_LISTED)], rest[len(_LISTED) : len(_LISTED) + len(_COLUMNS)]
    parents, *found = rest[len(_LISTED) + len(_COLUMNS) :]
    findings = {name: Finding(found[at], found[at + len(_FINDINGS)] or []) for at, name in enumerate(_FINDINGS)}
    in_cycles = cycles(parents)
    ids = json.loads(columns[0]) if in_cycles else []
    findings["cycle"] = Finding(len(in_cycles), [ids[at] for at in in_cycles[:_EXAMPLES_MAX]])
    problems = sentences(findings)
    if spans > SPANS_MAX:
        problems.append(f"the trace has more spans than the {SPANS_MAX:,} that are shown, the first ones")
    head = {
        "trace_id": trace_id,
        "start_time_unix_nano": str(begin),
        "duration_ns": duration,
        **dict(zip(("services", "names", "kinds"), listed, strict=True)),
        "problems": problems,
    }
    text = json.dumps(head, ensure_ascii=False, separators=(",", ":"))
    shown = ",".join(f'"{name}":{column}' for name, column in zip(_COLUMNS, columns, strict=True))
    return f'{text[:-1]},"spans":{{{shown}}}}}'.encode("utf-8", "replace")
