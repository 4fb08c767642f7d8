"""Which attributes there are, and their values, the most frequent first: what a search can be completed with."""

from typing import Any

from millrace.api import shapes
from millrace.api.endpoint import CURSOR, END, LIMIT, START, Call, Endpoint, Parameter, choice, text
from millrace.api.filters import Conditions, attribute_text, page_of, position_of
from millrace.api.source import attribute_keys
from millrace.search import Among

__all__ = ["ENDPOINTS", "SIGNAL", "TABLES"]

TABLES = {
    "traces": ("spans", "start_time_unix_nano"),
    "logs": ("logs", "coalesce(nullif(time_unix_nano, 0), observed_time_unix_nano)"),
    "metrics": ("metric_points", "time_unix_nano"),
}
"""Where the items of a signal are, and when they were."""

_SAMPLE_ROWS = 200_000
"""Rows that are looked at: enough to find what is frequent, and a bound for the time it takes."""

SIGNAL = choice("signal", "of what", tuple(TABLES), "traces")


def _among(call: Call) -> Among:
    """The youngest files in the range that have enough items; not all items of a file need lie in the range."""
    return Among(call["signal"], call["start"], call["end"], 2 * _SAMPLE_ROWS)


def _sample(call: Call, columns: str) -> tuple[str, list[Any]]:
    """Items in the range, any of the youngest where there are more, with the attributes of their own."""
    table, time = TABLES[call["signal"]]
    chosen = Conditions()
    chosen.between(time, call["start"], call["end"])
    return f"SELECT {columns} FROM {table} {chosen.where} LIMIT {_SAMPLE_ROWS}", chosen.parameters


async def _keys(call: Call) -> dict[str, Any]:
    sample, parameters = _sample(call, "attributes, resource_id")
    position = position_of(call["cursor"])
    rows = await call.queries.rows(
        f"""
        WITH sample AS ({sample}),
        keys AS (
            SELECT unnest({attribute_keys("sample")}) AS key, 1 AS weight FROM sample
            UNION ALL
            SELECT unnest(map_keys(resources.attributes)), weight
            FROM (SELECT resource_id, count(*) AS weight FROM sample GROUP BY ALL) JOIN resources USING (resource_id)
        )
        SELECT key, sum(weight)::BIGINT AS count FROM keys GROUP BY ALL ORDER BY count DESC, key
        LIMIT {call["limit"] + 1} OFFSET {position}
        """,
        parameters,
        among=_among(call),
    )
    return page_of(rows, position, call["limit"])


async def _values(call: Call) -> dict[str, Any]:
    sample, parameters = _sample(call, f"{attribute_text(call['key'])} AS value, resource_id")
    position = position_of(call["cursor"])
    rows = await call.queries.rows(
        f"""
        WITH sample AS ({sample})
        SELECT coalesce(sample.value, {attribute_text(call["key"], "resources.attributes")}) AS value,
            count(*) AS count
        FROM sample LEFT JOIN resources USING (resource_id) GROUP BY ALL HAVING value IS NOT NULL
        ORDER BY count DESC, value LIMIT {call["limit"] + 1} OFFSET {position}
        """,
        parameters,
        among=_among(call),
    )
    return page_of(rows, position, call["limit"])


_SAMPLE = f"{_SAMPLE_ROWS:,} items of the youngest files"
_KEY: Parameter = text("key", "the attribute's name", required=True)

ENDPOINTS = (
    Endpoint(
        "/attributes",
        f"Names of attributes, the most frequent first, in {_SAMPLE} at most.",
        _keys,
        (SIGNAL, START, END, LIMIT, CURSOR),
        shapes.page({"key": shapes.TEXT, "count": shapes.COUNT}),
    ),
    Endpoint(
        "/attributes/values",
        f"Values of one attribute as text, the most frequent first, in {_SAMPLE} at most.",
        _values,
        (SIGNAL, _KEY, START, END, LIMIT, CURSOR),
        shapes.page({"value": shapes.TEXT, "count": shapes.COUNT}),
    ),
)
