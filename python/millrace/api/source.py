"""What the query APIs ask of a store; `millrace.store.Store` is one, and the APIs import none."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from millrace.search import Among, Found, Search

__all__ = [
    "Activity",
    "ActivityRow",
    "Answer",
    "Interrupt",
    "LogArrivals",
    "Source",
    "TraceArrivals",
    "attribute_keys",
    "kind_text",
    "literal",
]

Row: TypeAlias = dict[str, Any]
ActivityRow: TypeAlias = tuple[str, str | None, int, int, int, int, int, Sequence[float], int]
"""Service or caller; operation or who is called; kind; spans; errors; when the first and the last began; the 50th, 95th
and 99th percentile of durations; how many operations."""
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


class Activity(Protocol):
    """What services did, in no order."""

    def services(self) -> Sequence[ActivityRow]:
        """Return each service."""
        ...

    def operations(self, service: str | None = None) -> Sequence[ActivityRow]:
        """Return each operation, of one service or of all."""
        ...

    def calls(self) -> Sequence[ActivityRow]:
        """Return each pair of a caller and whom it calls."""
        ...

    def left_out(self) -> tuple[int, int]:
        """Return how many spans are of operations that are not told apart, and how many have a parent nobody knows."""
        ...


class TraceArrivals(Protocol):
    """What has come of traces."""

    def look(self) -> list[Found]:
        """Return the traces that have got spans since the last look, those with the youngest span first."""
        ...


class LogArrivals(Protocol):
    """What has come of logs."""

    def look(self) -> tuple[int, list[str]]:
        """Return how many records have come since the last look, and the files that they are in, among others."""
        ...


class Source(Protocol):
    """Telemetry that was kept: views `spans`, `span_events`, `span_links`, `logs`, `metric_points` and `resources`.

    Every method may take a while and is called on a thread of its own.
    """

    @property
    def path(self) -> Path:
        """The folder of the store."""
        ...

    def refresh(self) -> None:
        """Look for what has come just now; everything else does it by itself twice a second."""
        ...

    def sql(  # noqa: PLR0913 - what is asked, and within which bounds
        self,
        query: str,
        parameters: Sequence[Any] | None = None,
        *,
        timeout_s: float = 30.0,
        on_start: Callable[[Interrupt], object] | None = None,
        trace_ids: Sequence[str] | None = None,
        log_files: Sequence[str] | None = None,
        among: Among | None = None,
    ) -> Answer:
        """Answer a query in DuckDB's SQL.

        Args:
            query: One SELECT.
            parameters: The values of its question marks.
            timeout_s: How long it may take.
            on_start: Is given what ends the query, while it runs.
            trace_ids: The query has the condition that the trace is one of these, and does not ask for metrics.
            log_files: Only these files of logs are looked at, and nothing else.
            among: Only files of one signal with items of some time are looked at, and nothing else.

        Raises:
            millrace.errors.MillraceError: It is wrong, takes too long or was interrupted.
        """
        ...

    def activity(
        self,
        start: int | None = None,
        end: int | None = None,
        *,
        timeout_s: float = 30.0,
        on_start: Callable[[Interrupt], object] | None = None,
    ) -> Activity:
        """Return what services did in spans that begin from `start` on and before `end`; the rest is as with `sql`."""
        ...

    def find(
        self, search: Search, *, timeout_s: float = 30.0, on_start: Callable[[Interrupt], object] | None = None
    ) -> list[Found]:
        """Return the traces that are wanted, best first; the rest is as with `sql`."""
        ...

    def summaries(
        self, found: Sequence[Found], *, timeout_s: float = 30.0, on_start: Callable[[Interrupt], object] | None = None
    ) -> list[dict[str, Any]]:
        """Return what each of these traces is, in their order: see the shape of `/api/v1/traces`; times are numbers."""
        ...

    def trace_arrivals(self) -> TraceArrivals:
        """Return what tells of the traces that come from now on."""
        ...

    def log_arrivals(self) -> LogArrivals:
        """Return what tells of the log records that come from now on."""
        ...

    def trace(self, trace_id: str) -> bytes | None:
        """Return a trace as an `ExportTraceServiceRequest`, or None when nothing of it is kept."""
        ...

    def stats(self) -> dict[str, Any]:
        """Return what the store holds: `files`, `bytes`, the time of the oldest and of the newest, `rows` by signal."""
        ...


_KINDS = ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")


def kind_text(kind: int) -> str:
    """Return the name of a kind of spans, as the view `spans` has it."""
    return _KINDS[kind] if 0 <= kind < len(_KINDS) else str(kind)


def attribute_keys(table: str) -> str:
    """The names of the attributes in a row: items have typed attributes, what belongs to several has a map of texts."""
    return "map_keys(attributes)" if table in {"resources", "span_events", "span_links"} else "variant_keys(attributes)"


def literal(text: str) -> str:
    """Return `text` as a literal of SQL: names of attributes are looked up faster in constants than in parameters."""
    return "'" + text.replace("'", "''") + "'"
