"""Points of one metric to lines: what was counted since the point before, in steps of time, added by labels."""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from millrace.api import exponential
from millrace.api.filters import Conditions, attribute_text
from millrace.api.intervals import explicit_heatmap, explicit_intervals, quantile_of
from millrace.api.queries import Queries
from millrace.api.source import literal
from millrace.search import Among

__all__ = ["AGGREGATIONS", "Range", "Selection", "query_series", "read_exemplars"]

SERIES_MAX = 100
"""Lines of one chart."""
EXEMPLARS_MAX = 500
_LOOK_BACK_NS = 600_000_000_000
"""How long before the range the point may be that the first one in it is counted from."""

_QUANTILES = {"p50": 0.50, "p90": 0.90, "p99": 0.99}
AGGREGATIONS = ("avg", "sum", "min", "max", "rate", *_QUANTILES, "heatmap")
_BUCKETED = {"histogram", "exponential_histogram"}


@dataclass(frozen=True)
class Range:
    """Steps of time, in nanoseconds; `start` is where the first begins."""

    start: int
    end: int
    step: int

    @property
    def steps(self) -> int:
        """How many there are."""
        return -(-(self.end - self.start) // self.step)

    def times_ms(self) -> list[float]:
        """Where each begins."""
        return [(self.start + at * self.step) / 1e6 for at in range(self.steps)]


@dataclass(frozen=True)
class Selection:
    """Which points, and what becomes of them."""

    chosen: Conditions
    kind: str
    aggregation: str
    group_by: tuple[str, ...]


def _label(key: str) -> str:
    if key == "service.name":
        return "service_name"
    own, whose = attribute_text(key), attribute_text(key, "resources.attributes")
    return (
        f"coalesce({own}, (SELECT {whose} FROM resources "
        "WHERE resources.resource_id = metric_points.resource_id LIMIT 1))"
    )


def _points(selection: Selection, span: Range) -> tuple[str, list[Any]]:
    """Return the points in steps, with what each adds to the one before it in its series."""
    labels = ", ".join(f"coalesce({_label(key)}, '')" for key in selection.group_by)
    chosen = Conditions()
    chosen.parts, chosen.parameters = list(selection.chosen.parts), list(selection.chosen.parameters)
    chosen.between("time_unix_nano", max(0, span.start - _LOOK_BACK_NS), span.end)
    before = exponential.BEFORE if selection.kind == "exponential_histogram" else "{'bucket_counts': bucket_counts}"
    sql = f"""
        WITH points AS (
            SELECT *, json_array({labels})::VARCHAR AS label, lower(temporality) = 'delta' AS is_delta,
                concat(service_name, ' ', resource_id, ' ', scope_name, ' ', attributes::VARCHAR) AS series
            FROM metric_points {chosen.where}
        ),
        pairs AS (
            SELECT *,
                CASE WHEN NOT is_delta AND lag(start_time_unix_nano) OVER w = start_time_unix_nano
                    THEN lag(time_unix_nano) OVER w END AS since,
                lag(value) OVER w AS value_before, lag("count") OVER w AS count_before,
                lag("sum") OVER w AS sum_before, lag({before}) OVER w AS before
            FROM points WINDOW w AS (PARTITION BY series ORDER BY time_unix_nano)
        ),
        steps AS (
            SELECT *, ((time_unix_nano - {span.start}::UBIGINT) // {span.step})::BIGINT AS step,
                {_difference("value")}, {_difference("count", "DOUBLE")}, {_difference("sum")}
            FROM pairs WHERE time_unix_nano >= {span.start}::UBIGINT
        ),
        shown AS (
            SELECT label, count(*) AS points FROM steps GROUP BY ALL ORDER BY points DESC, label LIMIT {SERIES_MAX}
        )
    """
    return sql, chosen.parameters


def _difference(column: str, kind: str = "DOUBLE") -> str:
    """What a cumulative number has grown by; all of it after a restart, and where nothing was before."""
    now, before = f'"{column}"::{kind}', f"{column}_before::{kind}"
    return f"CASE WHEN since IS NULL OR {now} < {before} THEN {now} ELSE {now} - {before} END AS {column}_delta"


def _value(selection: Selection, step: int) -> str:
    """Return the expression for one value of a line, over the points of a step."""
    bucketed, aggregation = selection.kind in {*_BUCKETED, "summary"}, selection.aggregation
    if aggregation == "rate":
        if selection.kind == "gauge":
            first = "arg_min(coalesce(value_before, value), time_unix_nano)"
            return f"(arg_max(value, time_unix_nano) - {first}) / {step / 1e9}"
        return f"sum({'count' if bucketed else 'value'}_delta) / {step / 1e9}"
    if aggregation in _QUANTILES:
        return f"quantile_cont(value, {_QUANTILES[aggregation]})"
    if bucketed:
        return {
            "avg": "sum(sum_delta) / nullif(sum(count_delta), 0)",
            "sum": "sum(sum_delta)",
            "min": 'min("min")',
            "max": 'max("max")',
        }[aggregation]
    return {"avg": "avg(value)", "sum": "sum(last_value)", "min": "min(value)", "max": "max(value)"}[aggregation]


async def query_series(queries: Queries, selection: Selection, span: Range) -> dict[str, Any]:
    """Return the lines, or the heatmap."""
    if selection.kind in _BUCKETED and selection.aggregation in {*_QUANTILES, "heatmap"}:
        return await _query_buckets(queries, selection, span)
    if selection.aggregation == "heatmap":
        return _answer(span, selection, [], 0) | {"heatmap": {"bounds": [], "counts": []}}
    points, parameters = _points(selection, span)
    if selection.aggregation == "sum" and selection.kind not in {*_BUCKETED, "summary"}:
        # Of several points of a series in a step the last one counts, or else a sum would grow with the step.
        inner = (
            "SELECT step, label, series, arg_max(value, time_unix_nano) AS last_value FROM steps "
            "WHERE label IN (SELECT label FROM shown) GROUP BY ALL"
        )
    else:
        inner = "SELECT * FROM steps WHERE label IN (SELECT label FROM shown)"
    rows = await queries.tuples(
        f"{points} SELECT step, label, {_value(selection, span.step)} FROM ({inner}) GROUP BY step, label",
        parameters,
        among=_among(span),
    )
    left_out = await _left_out(queries, points, parameters, span)
    return _answer(span, selection, rows, left_out)


def _among(span: Range) -> Among:
    return Among("metrics", max(0, span.start - _LOOK_BACK_NS), span.end)


async def _left_out(queries: Queries, points: str, parameters: list[Any], span: Range) -> int:
    found = await queries.tuples(f"{points} SELECT count(DISTINCT label) FROM steps", parameters, among=_among(span))
    return max(0, int(found[0][0]) - SERIES_MAX)


async def _query_buckets(queries: Queries, selection: Selection, span: Range) -> dict[str, Any]:
    points, parameters = _points(selection, span)
    is_heatmap, is_exponential = selection.aggregation == "heatmap", selection.kind == "exponential_histogram"
    cells = exponential.cells(is_heatmap=is_heatmap) if is_exponential else _EXPLICIT_CELLS
    rows = await queries.tuples(f"{points}, {cells}", parameters, among=_among(span))
    if is_heatmap:
        heatmap_of = exponential.exponential_heatmap if is_exponential else explicit_heatmap
        return _answer(span, selection, [], 0) | {"heatmap": heatmap_of(rows, span.steps)}
    intervals_of = exponential.exponential_intervals if is_exponential else explicit_intervals
    quantile = _QUANTILES[selection.aggregation]
    values = [(step, label, quantile_of(found, quantile)) for (step, label), found in intervals_of(rows).items()]
    return _answer(span, selection, values, await _left_out(queries, points, parameters, span))


_EXPLICIT_CELLS = """
    buckets AS (
        SELECT step, label, explicit_bounds AS bounds, unnest(range(1, len(bucket_counts) + 1)) AS bucket,
            bucket_counts, before.bucket_counts AS buckets_before, since IS NULL OR "count" < count_before AS is_whole
        FROM steps WHERE label IN (SELECT label FROM shown) AND len(bucket_counts) > 0
    )
    SELECT step, label, bounds, bucket::INTEGER,
        sum(bucket_counts[bucket]::DOUBLE - CASE WHEN is_whole THEN 0 ELSE coalesce(buckets_before[bucket], 0) END)
    FROM buckets GROUP BY ALL
"""
"""SQL from `steps` to rows of step, label, bounds, bucket and number, for histograms with explicit bounds."""


def _answer(span: Range, selection: Selection, rows: Iterable[tuple[Any, ...]], left_out: int) -> dict[str, Any]:
    lines: dict[str, list[float | None]] = {}
    for step, label, value in rows:
        line = lines.setdefault(label, [None] * span.steps)
        line[step] = value if value is not None and math.isfinite(value) else None
    series = [
        {"labels": dict(zip(selection.group_by, json.loads(label), strict=True)), "values": lines[label]}
        for label in sorted(lines)
    ]
    return {"times_unix_ms": span.times_ms(), "series": series, "series_left_out": left_out}


async def read_exemplars(queries: Queries, chosen: Conditions, span: Range) -> list[dict[str, Any]]:
    """Return exemplars with a trace, the latest ones."""
    conditions = Conditions()
    conditions.parts, conditions.parameters = list(chosen.parts), list(chosen.parameters)
    conditions.between("time_unix_nano", span.start, span.end)
    conditions.add("len(exemplars) > 0")
    rows = await queries.rows(
        f"""
        SELECT exemplar.time_unix_nano, coalesce(exemplar.value_double, exemplar.value_int::DOUBLE) AS value,
            exemplar.trace_id, coalesce(exemplar.span_id, '') AS span_id
        FROM (SELECT unnest(exemplars) AS exemplar FROM metric_points {conditions.where})
        WHERE exemplar.trace_id <> {literal("")} ORDER BY exemplar.time_unix_nano DESC LIMIT {EXEMPLARS_MAX}
        """,
        conditions.parameters,
        among=_among(span),
    )
    return [{**row, "time_unix_nano": str(row["time_unix_nano"])} for row in rows]
