"""Two traces, or two runs, side by side: which operations are new, gone, slower or faster."""

from dataclasses import replace
from typing import Any

from millrace.api import shapes
from millrace.api.endpoint import Call, Endpoint, Fault, Parameter, nanoseconds
from millrace.api.filters import Conditions
from millrace.api.trace import id_parameter

__all__ = ["ENDPOINTS"]

OPERATIONS_MAX = 10_000
"""Operations that are compared; more differ in names that should not have been names."""

_CHANGE = 1.25
"""What counts as slower: a mean a quarter above the other's. Smaller changes are noise between two runs."""

_SIDES = ("a", "b")


def _side(call: Call, side: str) -> Conditions:
    """Choose the spans of one side: a trace, or what began in a range of time."""
    trace_id, start, end = call[side], call[f"{side}_start"], call[f"{side}_end"]
    chosen = Conditions()
    if trace_id is not None:
        chosen.add("trace_id = ?", trace_id)
    elif start is None and end is None:
        raise Fault(f"what is {side}? Give a trace id as {side}, or {side}_start and {side}_end for a run")
    chosen.between("start_time_unix_nano", start, end)
    return chosen


async def _compare(call: Call) -> dict[str, Any]:
    sides = [_side(call, side) for side in _SIDES]
    parts = " UNION ALL ".join(
        f"SELECT '{side}' AS side, service_name, name, duration_ns, status_code FROM spans {chosen.where}"
        for side, chosen in zip(_SIDES, sides, strict=True)
    )
    columns = ", ".join(
        f"count(*) FILTER (side = '{side}') AS {side}_count, "
        f"coalesce(avg(duration_ns) FILTER (side = '{side}'), 0) AS {side}_mean, "
        f"count(*) FILTER (side = '{side}' AND status_code = 'ERROR') AS {side}_errors"
        for side in _SIDES
    )
    rows = await call.queries.rows(
        f"SELECT service_name AS service, name, {columns} FROM ({parts}) "
        f"GROUP BY ALL ORDER BY a_count + b_count DESC, service, name LIMIT {OPERATIONS_MAX}",
        [parameter for chosen in sides for parameter in chosen.parameters],
        trace_ids=[call[side] for side in _SIDES] if all(call[side] for side in _SIDES) else None,
    )
    for side in _SIDES:
        if call[side] is not None and not any(row[f"{side}_count"] for row in rows):
            raise Fault(f"no span of trace {call[side]} is kept here", 404)
    return {"items": [_item(row) for row in rows]}


def _item(row: dict[str, Any]) -> dict[str, Any]:
    a, b = (
        {"count": row[f"{side}_count"], "mean_ns": row[f"{side}_mean"], "errors": row[f"{side}_errors"]}
        for side in _SIDES
    )
    if not a["count"]:
        state = "new"
    elif not b["count"]:
        state = "gone"
    elif b["mean_ns"] > a["mean_ns"] * _CHANGE:
        state = "slower"
    elif a["mean_ns"] > b["mean_ns"] * _CHANGE:
        state = "faster"
    else:
        state = "same"
    return {"service": row["service"], "name": row["name"], "state": state, "a": a, "b": b}


def _side_parameters(side: str, which: str) -> tuple[Parameter, ...]:
    return (
        replace(id_parameter(side, f"the id of the {which} trace"), required=False, in_path=False),
        nanoseconds(f"{side}_start", f"instead of {side}: when the {which} run began, in nanoseconds since 1970"),
        nanoseconds(f"{side}_end", f"when the {which} run ended"),
    )


_NUMBERS = shapes.record({"count": shapes.COUNT, "mean_ns": shapes.NUMBER, "errors": shapes.COUNT})

ENDPOINTS = (
    Endpoint(
        "/compare",
        f"Operations of two traces or two runs; slower and faster mean that the means differ by {_CHANGE - 1:.0%}.",
        _compare,
        (*_side_parameters("a", "first"), *_side_parameters("b", "second")),
        shapes.record(
            {
                "items": shapes.array(
                    shapes.record(
                        {
                            "service": shapes.TEXT,
                            "name": shapes.TEXT,
                            "state": shapes.one_of("new", "gone", "slower", "faster", "same"),
                            "a": _NUMBERS,
                            "b": _NUMBERS,
                        }
                    )
                )
            }
        ),
    ),
)
