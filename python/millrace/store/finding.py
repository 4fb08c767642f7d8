"""Finds traces file by file: the youngest first, so that a search ends where nothing older can matter any more."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

from millrace.search import Found, Search
from millrace.store.catalogue import File, overlapping
from millrace.store.resources import ResourceIndex
from millrace.store.search import Sql, candidates, conditions, later_spans, pairs

__all__ = ["AROUND_NS", "Finder"]

AROUND_NS = 3_600 * 10**9
"""Other spans of a trace that was found are looked for so far before and after those that were found."""
_FIRST_ROWS = 1 << 18
_ROWS_MAX = 1 << 24
"""Rows of the first query and of any: each takes twice as many as the one before it, because the first often do."""

Run: TypeAlias = Callable[[Sql], list[tuple[Any, ...]]]
Holding: TypeAlias = Callable[[Sequence[File], Sequence[str]], list[str]]


class Finder:
    """One search over the files of one moment."""

    def __init__(
        self, search: Search, files: Sequence[File], run: Run, holding: Holding, resources: ResourceIndex
    ) -> None:
        """Prepare it.

        Args:
            search: What is wanted.
            files: All files of traces.
            run: Answers a query.
            holding: Tells which of some files may hold any of some traces.
            resources: Knows which resources have an attribute.
        """
        self._search, self._files, self._run, self._holding = search, files, run, holding
        self._resources = resources
        start, end = search.start, search.end
        around = overlapping(files, start and max(0, start - AROUND_NS), end and end + AROUND_NS)
        self._around = [file.path for file in around]

    def find(self) -> list[Found]:
        """Return the traces that are wanted, best first."""
        search = self._search
        limit = search.limit + search.offset
        if limit <= 0 or (search.end is not None and search.end < 0):
            return []
        if search.after is None:
            return self._best(limit)[search.offset :]
        while True:  # a trace with a span beyond the cursor has been shown already
            found = self._best(limit)
            shown = self._beyond_the_cursor(found)
            left = [one for one in found if one.trace_id not in shown]
            if len(left) >= search.limit + search.offset or len(found) < limit:
                return left[search.offset : search.limit + search.offset]
            limit *= 2

    def _best(self, limit: int) -> list[Found]:
        """Return the best traces, by spans that come after the cursor alone."""
        best: dict[str, Found] = {}
        least: int | None = None
        for batch, older in self._batches():
            paths = [file.path for file in batch]
            wanted = self._conditions(paths)
            known = None if least is None or self._search.order == "recent" else least
            for row in self._run(candidates(self._search, wanted, paths, self._around, limit, known)):
                found = Found(*row)
                before = best.get(found.trace_id, found)
                best[found.trace_id] = Found(
                    found.trace_id,
                    max(before.position, found.position),
                    min(before.first, found.first),
                    max(before.last, found.last),
                )
            ordered = sorted(best.values(), key=lambda one: (-one.position, one.trace_id))[:limit]
            best = {one.trace_id: one for one in ordered}
            if len(ordered) == limit:
                least = ordered[-1].position
                if self._search.order == "recent" and least > older:
                    break
        return list(best.values())

    def _batches(self) -> Iterator[tuple[list[File], int]]:
        """Yield files, the youngest first, with the time of the youngest that is in none of these or before."""
        end = self._search.end
        if self._search.after is not None and self._search.order == "recent":
            end = min(self._search.after[0], self._search.after[0] if end is None else end)
        files = sorted(overlapping(self._files, self._search.start, end), key=lambda file: -file.last)
        at, allowed = 0, _FIRST_ROWS
        while at < len(files):
            batch: list[File] = []
            rows = 0
            while at < len(files) and (not batch or rows + files[at].rows <= allowed):
                batch.append(files[at])
                rows += files[at].rows
                at += 1
            yield batch, files[at].last if at < len(files) else -1
            allowed = min(2 * allowed, _ROWS_MAX)

    def _conditions(self, paths: Sequence[str]) -> list[Sql]:
        owners = self._resources.owners(pairs(self._search), paths, self._run)
        return conditions(self._search, owners)

    def _beyond_the_cursor(self, found: Sequence[Found]) -> set[str]:
        """Return those of the traces that have a matching span beyond the cursor."""
        if not found:
            return set()
        first = max(0, min(one.first for one in found) - AROUND_NS)
        last = max(one.last for one in found) + AROUND_NS
        files = overlapping(self._files, first, last)
        if self._search.order == "recent" and self._search.after is not None:
            files = overlapping(files, self._search.after[0], self._search.end)
        ids = [one.trace_id for one in found]
        paths = self._holding(files, ids)
        if not paths:
            return set()
        wanted = self._conditions(paths)
        return {row[0] for row in self._run(later_spans(self._search, wanted, paths, ids))}
