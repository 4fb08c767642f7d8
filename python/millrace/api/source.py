"""What the query APIs ask of a store; `millrace.store.Store` is one, and the APIs import none."""

from collections.abc import Sequence
from pathlib import Path
from threading import Event
from typing import Any, Protocol, TypeAlias

__all__ = ["Answer", "Source", "literal"]

Row: TypeAlias = dict[str, Any]


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
        interrupted: Event | None = None,
    ) -> Answer:
        """Answer a query in DuckDB's SQL, or raise a `MillraceError` when it takes too long or is interrupted."""
        ...

    def trace(self, trace_id: str) -> bytes | None:
        """Return a trace as an `ExportTraceServiceRequest`, or None when nothing of it is kept."""
        ...

    def stats(self) -> dict[str, Any]:
        """Return what the store holds, in files, bytes and rows."""
        ...


def literal(text: str) -> str:
    """Return `text` as a literal of SQL: names of attributes are looked up faster in constants than in parameters."""
    return "'" + text.replace("'", "''") + "'"
