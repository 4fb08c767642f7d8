"""What has come to a store since somebody looked last: exactly, although files are merged into others meanwhile."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from millrace.search import Found
from millrace.store.catalogue import WHOLE_ROWS, File
from millrace.store.search import Sql
from millrace.store.views import source

__all__ = ["LogArrivals", "TraceArrivals"]

_TOGETHER_ROWS = 500_000
"""Rows whose traces are counted by one query: its answer is a part of this."""

_Range = tuple[int, int]
_Run = Callable[[Sql], list[tuple[Any, ...]]]
_Listing = Callable[[], Sequence[File]]


def _range(file: File) -> _Range:
    return file.from_number, file.to_number


def _news(files: Sequence[File], known: "dict[_Range, Any]") -> list[tuple[File, list[_Range]]]:
    """Return the files that are not known, each with the known ones that were merged into it; forget what has gone."""
    new = [file for file in files if _range(file) not in known]
    merged = [(file, [one for one in known if file.from_number <= one[0] and one[1] <= file.to_number]) for file in new]
    present = {_range(file) for file in files} | {one for _, parts in merged for one in parts}
    for gone in known.keys() - present:
        del known[gone]
    return merged


class TraceArrivals:
    """The traces of which spans have come."""

    def __init__(
        self, listing: _Listing, run: _Run, retrying: Callable[[Callable[[], list[Found]]], list[Found]]
    ) -> None:
        """Take what is there as known.

        Args:
            listing: Returns the files of traces.
            run: Answers a query.
            retrying: Does something again where files went meanwhile.
        """
        self._listing, self._run, self._retrying = listing, run, retrying
        self._known: dict[_Range, dict[str, int]] = {}
        """How many spans of each trace a file has that may be merged: the merged one has them all once more."""
        self._known |= {_range(file): {} for file in listing() if file.rows >= WHOLE_ROWS}
        self.look()

    def look(self) -> list[Found]:
        """Return the traces that have got spans since the last look, those with the youngest span first."""
        arrived: dict[str, Found] = {}

        def look() -> list[Found]:
            self._look(arrived)
            return sorted(arrived.values(), key=lambda one: (-one.position, one.trace_id))

        return self._retrying(look)

    def _look(self, arrived: dict[str, Found]) -> None:
        """Add what has come; what was added before a file went stays, because its files are known from then on."""
        for together in _portions(_news(self._listing(), self._known)):
            found: dict[str, dict[str, tuple[int, int, int]]] = {file.path: {} for file, _ in together}
            for path, trace_id, spans, first, last in self._run(_spans_by_trace([file.path for file, _ in together])):
                found[path][trace_id] = (spans, first, last)
            for file, parts in together:
                before = [self._known.pop(part) for part in parts]
                for trace_id, (spans, first, last) in found[file.path].items():
                    if spans > sum(part.get(trace_id, 0) for part in before):
                        other = arrived.get(trace_id, Found(trace_id, last, first, last))
                        least, most = min(first, other.first), max(last, other.last)
                        arrived[trace_id] = Found(trace_id, most, least, most)
                counted = found[file.path] if file.rows < WHOLE_ROWS else {}
                self._known[_range(file)] = {trace_id: spans for trace_id, (spans, _, _) in counted.items()}


def _portions(news: list[tuple[File, list[_Range]]]) -> Iterator[list[tuple[File, list[_Range]]]]:
    portion: list[tuple[File, list[_Range]]] = []
    for file, parts in news:
        if portion and sum(one.rows for one, _ in portion) + file.rows > _TOGETHER_ROWS:
            yield portion
            portion = []
        portion.append((file, parts))
    if portion:
        yield portion


def _spans_by_trace(paths: Sequence[str]) -> Sql:
    files = source("traces", paths).removesuffix(")") + ", filename = true)"
    spans = "count(*), min(start_time_unix_nano), max(start_time_unix_nano)"
    return Sql(f"SELECT filename, trace_id, {spans} FROM {files} GROUP BY ALL")


class LogArrivals:
    """The log records that have come."""

    def __init__(self, listing: _Listing) -> None:
        """Take what is there as known: `listing` returns the files of logs."""
        self._listing = listing
        self._known: dict[_Range, int] = {}
        self.look()

    def look(self) -> tuple[int, list[str]]:
        """Return how many have come since the last look, and the files that they are in, among others."""
        rows = 0
        paths = []
        for file, parts in _news(self._listing(), self._known):
            rows += file.rows - sum(self._known.pop(part) for part in parts)
            self._known[_range(file)] = file.rows
            paths.append(file.path)
        return max(rows, 0), paths
