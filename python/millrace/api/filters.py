"""Conditions of SQL from the parameters that lists of spans and logs share; values travel as the query's parameters."""

from collections.abc import Iterable
from typing import Any

from millrace.api.endpoint import Call, Fault
from millrace.api.source import literal
from millrace.search import Search

__all__ = ["Conditions", "attribute_text", "log_conditions", "page_of", "position_of", "search_of"]


class Conditions:
    """Conditions that must all hold."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.parameters: list[Any] = []

    def add(self, sql: str, *parameters: Any) -> None:  # noqa: ANN401 - values of SQL
        """Add a condition with the values of its question marks."""
        self.parts.append(sql)
        self.parameters.extend(parameters)

    def between(self, column: str, start: int | None, end: int | None) -> None:
        """Keep what lies in a range of time; the end is not part of it."""
        if start is not None:
            self.add(f"{column} >= ?::UBIGINT", start)
        if end is not None:
            self.add(f"{column} < ?::UBIGINT", end)

    def attributes(self, wanted: Iterable[tuple[str, str]]) -> None:
        """Keep what has each of these attributes, itself or on its resource."""
        for key, value in wanted:
            own = attribute_text(key)
            self.add(f"({own} = ? OR resource_id IN (SELECT resource_id FROM resources WHERE {own} = ?))", value, value)

    @property
    def where(self) -> str:
        """The clause, empty without conditions."""
        return f"WHERE {' AND '.join(self.parts)}" if self.parts else ""


def attribute_text(key: str, column: str = "attributes") -> str:
    """The value of an attribute as text."""
    return f"{column}[{literal(key)}]::VARCHAR"


def search_of(call: Call, **more: Any) -> Search:  # noqa: ANN401 - further fields of the search
    """Read the parameters that choose spans."""
    values = call.values
    return Search(
        service=values.get("service"),
        operation=values.get("operation"),
        start=call["start"],
        end=None if call["end"] is None else call["end"] - 1,
        min_duration_ns=values.get("min_duration_ns"),
        max_duration_ns=values.get("max_duration_ns"),
        status=values.get("status"),
        attributes=values.get("attribute", ()),
        text=values.get("q"),
        **more,
    )


def log_conditions(call: Call) -> Conditions:
    """Read the parameters that choose log records."""
    chosen = Conditions()
    chosen.between("coalesce(nullif(time_unix_nano, 0), observed_time_unix_nano)", call["start"], call["end"])
    for parameter, column in (("service", "service_name"), ("trace_id", "trace_id"), ("span_id", "span_id")):
        if call.values.get(parameter) is not None:
            chosen.add(f"{column} = ?", call[parameter])
    if call.values.get("severity_min") is not None:
        chosen.add("severity_number >= ?", call["severity_min"])
    chosen.attributes(call.values.get("attribute", ()))
    if call.values.get("q") is not None:
        words = "lower(concat_ws(' ', body, severity_text, event_name, service_name, attributes::VARCHAR))"
        chosen.add(f"contains({words}, lower(?))", call["q"])
    return chosen


def position_of(cursor: str | None) -> int:
    """Read the cursor of a list whose items have no order of their own to go on by: how many came before."""
    if cursor is None:
        return 0
    if not cursor.isdecimal() or len(cursor) > 9:  # noqa: PLR2004 - nobody turns a billion pages
        raise Fault("cursor is not the `next` of an answer")
    return int(cursor)


def page_of(rows: list[Any], position: int, limit: int) -> dict[str, Any]:
    """Answer with a page out of one row more than it may hold."""
    return {"items": rows[:limit], "next": str(position + limit) if len(rows) > limit else None}
