"""Metrics: which there are, and their values over time, aggregated by labels."""

from typing import Any

from millrace.api import shapes
from millrace.api.endpoint import (
    CURSOR,
    END,
    LIMIT,
    START,
    Call,
    Endpoint,
    Fault,
    Parameter,
    attribute,
    choice,
    count,
    text,
)
from millrace.api.filters import Conditions, page_of, position_of
from millrace.api.metric_query import AGGREGATIONS, Range, Selection, query_series, read_exemplars
from millrace.api.source import attribute_keys
from millrace.search import Among

__all__ = ["ENDPOINTS"]

STEPS_MAX = 1_000
"""Points of a line: no screen has more columns to draw them in."""
_STEPS_DEFAULT = 120
_SECOND_NS = 1_000_000_000
_YOUNGEST_POINTS = 2_000_000
"""Points that are looked at where no start is given; files are taken whole."""
_KEYS_SAMPLE = 1_000
"""Points of each metric in which names of attributes are looked for."""


def _among(call: Call) -> Among:
    """Everything in the range, or the youngest points where none is given."""
    is_bounded = call["start"] is not None
    return Among("metrics", call["start"], call["end"], None if is_bounded else _YOUNGEST_POINTS)


async def _list(call: Call) -> dict[str, Any]:
    chosen = Conditions()
    chosen.between("time_unix_nano", call["start"], call["end"])
    if call["q"] is not None:
        chosen.add("contains(lower(name), lower(?))", call["q"])
    if call["service"] is not None:
        chosen.add("service_name = ?", call["service"])
    position = position_of(call["cursor"])
    rows = await call.queries.rows(
        f"""
        WITH page AS (
            SELECT name, type, any_value(unit) AS unit, any_value(description) AS description, count(*) AS points,
                approx_count_distinct(hash(resource_id, series)) AS series,
                list_sort(list_distinct(list(service_name))) AS services,
                coalesce(bool_or(is_monotonic), false) AS is_monotonic
            FROM metric_points {chosen.where} GROUP BY name, type ORDER BY name, type
            LIMIT {call["limit"] + 1} OFFSET {position}
        )
        SELECT page.*, coalesce((
            SELECT list_sort(list_distinct(flatten(list({attribute_keys("metric_points")}))))
            FROM (SELECT attributes FROM metric_points AS point WHERE point.name = page.name LIMIT {_KEYS_SAMPLE})
        ), []) AS attributes
        FROM page ORDER BY name, type
        """,
        chosen.parameters,
        among=_among(call),
    )
    return page_of(rows, position, call["limit"])


async def _query(call: Call) -> dict[str, Any]:
    chosen = Conditions()
    chosen.add("name = ?", call["name"])
    chosen.attributes(call["attribute"])
    extent = await call.queries.rows(
        f"SELECT min(time_unix_nano) AS first, max(time_unix_nano) AS last, any_value(type) AS type "
        f"FROM metric_points {chosen.where}",
        chosen.parameters,
        among=_among(call),
    )
    first, last, kind = extent[0]["first"], extent[0]["last"], extent[0]["type"]
    if first is None:
        return {"times_unix_ms": [], "series": [], "series_left_out": 0, "exemplars": []}
    start = first if call["start"] is None else call["start"]
    end = last + 1 if call["end"] is None else call["end"]
    if end <= start:
        raise Fault(f"end must be after start, got {end} and {start}")
    step = call["step_ns"] or max(_SECOND_NS, (end - start) // _STEPS_DEFAULT)
    if (end - start) / step > STEPS_MAX:
        raise Fault(f"step_ns must be at least {-(-(end - start) // STEPS_MAX)} for this range: {STEPS_MAX} points")
    span = Range(start - start % step, end, step)
    selection = Selection(chosen, kind, call["aggregation"] or _natural(kind), tuple(call["group_by"]))
    found = await query_series(call.queries, selection, span)
    found["exemplars"] = await read_exemplars(call.queries, chosen, span)
    return found


def _natural(kind: str) -> str:
    """How a metric of this kind is looked at by someone who has not chosen yet."""
    return {"gauge": "avg", "summary": "avg", "sum": "rate"}.get(kind, "p90")


_GROUP_BY = Parameter(
    "group_by",
    "a line for each value of this attribute; may be repeated",
    {"type": "array", "items": {"type": "string"}},
    lambda _, given: given,
    repeated=True,
)

_YOUNGEST = f"without `start`, of the youngest {_YOUNGEST_POINTS:,} points of all metrics"
ENDPOINTS = (
    Endpoint(
        "/metrics",
        f"Every metric, by name; {_YOUNGEST}.",
        _list,
        (text("q", "whose name contains this"), text("service", "of this service"), START, END, LIMIT, CURSOR),
        shapes.page(
            {
                "name": shapes.TEXT,
                "type": shapes.TEXT,
                "unit": shapes.TEXT,
                "description": shapes.TEXT,
                "points": shapes.COUNT,
                "series": {**shapes.COUNT, "description": "an estimate when there are many"},
                "attributes": shapes.array(shapes.TEXT),
                "services": shapes.array(shapes.TEXT),
                "is_monotonic": {**shapes.BOOLEAN, "description": "whether it is a sum that only grows"},
            }
        ),
    ),
    Endpoint(
        "/metrics/query",
        "Values of a metric over time; `rate` is per second, quantiles of histograms are interpolated in buckets; "
        f"{_YOUNGEST}.",
        _query,
        (
            text("name", "the metric's name", required=True),
            choice("aggregation", "how points become one; by default what suits the type", AGGREGATIONS),
            _GROUP_BY,
            attribute("attribute", "only points with this attribute: key=value; may be repeated"),
            count("step_ns", f"time between two values; at most {STEPS_MAX} values", None, 1_000_000),
            START,
            END,
        ),
        shapes.record(
            {
                "times_unix_ms": shapes.array(shapes.NUMBER),
                "series": shapes.array(
                    shapes.record(
                        {
                            "labels": {"type": "object", "additionalProperties": shapes.TEXT},
                            "values": shapes.array(shapes.maybe(shapes.NUMBER)),
                        }
                    )
                ),
                "series_left_out": {**shapes.COUNT, "description": "lines that are not shown, those with fewer points"},
                "heatmap": shapes.record(
                    {
                        "bounds": {
                            **shapes.array(shapes.NUMBER),
                            "description": "upper bounds; the last row of counts lies above all of them",
                        },
                        "counts": {
                            **shapes.array(shapes.array(shapes.NUMBER)),
                            "description": "one row for each bucket, one column for each time",
                        },
                    }
                ),
                "exemplars": shapes.array(
                    shapes.record(
                        {
                            "time_unix_nano": shapes.TIME,
                            "value": shapes.maybe(shapes.NUMBER),
                            "trace_id": shapes.TEXT,
                            "span_id": shapes.TEXT,
                        }
                    )
                ),
            },
            optional=("heatmap",),
        ),
    ),
)
