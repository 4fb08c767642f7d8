"""Looks at whole traces for a query of TraceQL: reads what it needs of their spans, and selects those it asks for."""

from collections.abc import Sequence

from millrace.api.queries import Queries
from millrace.api.tempo.spansets import Span, needs_structure, select
from millrace.api.tempo.traceql import Query
from millrace.api.tempo.traceql_sql import Sql, any_of, condition_of, number_of, span_sets_of

__all__ = ["selected_spans"]

SPANS_MAX = 200_000
"""Spans that are read at once, which is some 100 MB; of a trace with more, the first ones are looked at."""


async def selected_spans(queries: Queries, query: Query, trace_ids: Sequence[str]) -> dict[str, list[str]]:
    """Return the ids of the spans that a query selects of each trace, in the order of their start."""
    span_sets = list(dict.fromkeys(span_sets_of(query.span_sets)))
    columns = [condition_of(one) for one in span_sets]
    numbers = [Sql("1.0" if one.field is None else number_of(one.field)) for one in query.aggregates]
    conditions = [Sql(f"trace_id IN ({', '.join('?' * len(trace_ids))})", tuple(trace_ids))]
    if not needs_structure(query.span_sets):
        matching = any_of(span_sets)
        conditions.append(Sql(f"({matching.text})", matching.values))
    rows = await queries.tuples(
        f"""
        SELECT trace_id, span_id, parent_span_id, {", ".join(f"({one.text})" for one in (*columns, *numbers))}
        FROM spans WHERE {" AND ".join(one.text for one in conditions)}
        ORDER BY start_time_unix_nano, span_id LIMIT {SPANS_MAX + 1}
        """,
        [value for one in (*columns, *numbers, *conditions) for value in one.values],
        trace_ids=trace_ids,
    )
    if len(rows) > SPANS_MAX and len(trace_ids) > 1:
        half = len(trace_ids) // 2
        first = await selected_spans(queries, query, trace_ids[:half])
        return first | await selected_spans(queries, query, trace_ids[half:])
    traces: dict[str, list[Span]] = {}
    for row in rows[:SPANS_MAX]:
        values = row[3:]
        span = Span(row[1], row[2], values[: len(columns)], values[len(columns) :])
        traces.setdefault(row[0], []).append(span)
    places = {one: place for place, one in enumerate(span_sets)}
    return {
        trace_id: [spans[row].span_id for row in select(query, places, spans)] for trace_id, spans in traces.items()
    }
