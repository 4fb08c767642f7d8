"""What the query APIs ask of a store; `millrace.store.Store` is one, and the APIs import none."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeAlias

__all__ = ["Answer", "Interrupt", "Source", "attribute_keys", "literal"]

Row: TypeAlias = dict[str, Any]
Interrupt: TypeAlias = Callable[[], object]
"""Ends a query that is running."""


class Answer(Protocol):
    """The rows that a query found."""

    def rows(self) -> list[Row]:
        """Return every row by the names of its columns."""
        ...

    def tuples(self) -> list[tuple[Any, ...]]:
        """Return every row by position, for answers of many rows."""
        ...


class Source(Protocol):
    """Telemetry that was kept: views `spans`, `span_events`, `span_links`, `logs`, `metric_points` and `resources`.

    Every method may take a while and is called on a thread of its own.
    """

    @property
    def path(self) -> Path:
        """The folder of the store."""
        ...

    def sql(
        self,
        query: str,
        parameters: Sequence[Any] | None = None,
        *,
        timeout_s: float = 30.0,
        on_start: Callable[[Interrupt], object] | None = None,
    ) -> Answer:
        """Answer a query in DuckDB's SQL.

        Args:
            query: One SELECT.
            parameters: The values of its question marks.
            timeout_s: How long it may take.
            on_start: Is given what ends the query, while it runs.

        Raises:
            millrace.errors.MillraceError: It is wrong, takes too long or was interrupted.
        """
        ...

    def trace(self, trace_id: str) -> bytes | None:
        """Return a trace as an `ExportTraceServiceRequest`, or None when nothing of it is kept."""
        ...

    def stats(self) -> dict[str, Any]:
        """Return what the store holds: `files`, `bytes`, the time of the oldest and of the newest, `rows` by signal."""
        ...


def attribute_keys(table: str) -> str:
    """The names of the attributes in a row: items have typed attributes, what belongs to several has a map of texts."""
    return "map_keys(attributes)" if table in {"resources", "span_events", "span_links"} else "variant_keys(attributes)"


def literal(text: str) -> str:
    """Return `text` as a literal of SQL: names of attributes are looked up faster in constants than in parameters."""
    return "'" + text.replace("'", "''") + "'"
