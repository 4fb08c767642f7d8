"""Which telemetry is wanted, and where it was found: the questions that a store answers and that every API asks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

__all__ = ["Among", "Found", "Search"]


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
    attributes: Mapping[str, str] | Sequence[tuple[str, str]] = field(default_factory=dict)
    """Attributes of the span or of its resource by key, compared as text."""
    text: str | None = None
    """A part of the name, the status's message, the service, the trace's id or an attribute, whatever its case."""
    where: Sequence[tuple[str, Sequence[Any]]] = ()
    """More conditions on a row of the view `spans`, in SQL, each with the values of its question marks."""
    order: Literal["recent", "slowest"] = "recent"
    limit: int = 100
    offset: int = 0
    after: tuple[int, str] | None = None
    """Only traces that come after this one in the order: its position and its id, as :class:`Found` has them."""


class Among(NamedTuple):
    """What a query looks among: files that have something of one signal within some time."""

    signal: Literal["traces", "logs", "metrics", "profiles"]
    start: int | None = None
    """In nanoseconds since 1970."""
    end: int | None = None
    rows: int | None = None
    """The youngest files until they have so many rows together; all of them unless given."""


class Found(NamedTuple):
    """A trace that was found."""

    trace_id: str
    position: int
    """What it is ordered by: when the last of its matching spans began, or how long the slowest of them took."""
    first: int
    """When the first of the matching spans that were looked at began."""
    last: int
    """When the last of them began."""
