"""Queries on threads: never on the event loop, a few at once, each with a time limit, and ended when nobody waits."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Any, TypeAlias, TypeVar

from starlette.requests import Request

from millrace.api.source import Activity, Answer, Interrupt, Row, Source
from millrace.search import Among, Found, Search

__all__ = ["BusyError", "Queries"]

THREADS = 4
"""Queries at once. DuckDB spreads one over all cores by itself; more at once only share its memory."""
WAITING_MAX = 64
"""Queries that may wait for a thread; a page that is reloaded impatiently must not queue up work for minutes."""
TIMEOUT_S = 15.0
"""One query of the APIs. SQL of users has a limit of its own."""

_T = TypeVar("_T")
Only: TypeAlias = Sequence[str] | Among | None


class BusyError(Exception):
    """Too many queries are waiting."""


class Queries:
    """Runs the calls of a store for the event loop."""

    def __init__(self, source: Source, timeout_s: float = TIMEOUT_S) -> None:
        self.source = source
        self.timeout_s = timeout_s
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="millrace-query")
        self._pending = 0

    async def rows(self, query: str, parameters: Sequence[Any] = (), **only: Only) -> list[Row]:
        """Return the rows of a query by name; `trace_ids`, `log_files` or `among` say where to look."""
        return await self._interruptible(lambda running: self._sql(query, parameters, running, only).rows())

    async def tuples(self, query: str, parameters: Sequence[Any] = (), **only: Only) -> list[tuple[Any, ...]]:
        """Return the rows of a query by position."""
        return await self._interruptible(lambda running: self._sql(query, parameters, running, only).tuples())

    async def activity(self, start: int | None, end: int | None) -> Activity:
        """Return what services did in spans that begin from `start` on and before `end`."""
        return await self._interruptible(
            lambda running: self.source.activity(start, end, timeout_s=self.timeout_s, on_start=running.begin)
        )

    async def find(self, search: Search) -> list[Found]:
        """Return the traces that are wanted, best first."""
        return await self._interruptible(
            lambda running: self.source.find(search, timeout_s=self.timeout_s, on_start=running.begin)
        )

    async def summaries(self, found: Sequence[Found]) -> list[dict[str, Any]]:
        """Return what each trace is, in the same order, as JSON has it."""
        items = await self._interruptible(
            lambda running: self.source.summaries(found, timeout_s=self.timeout_s, on_start=running.begin)
        )
        return [one | {"start_time_unix_nano": str(one["start_time_unix_nano"])} for one in items]

    async def call(self, function: Callable[..., _T], *arguments: Any) -> _T:  # noqa: ANN401 - passed on
        """Run anything else that takes its time."""
        return await self._interruptible(lambda _: function(*arguments))

    def close(self) -> None:
        """Let the threads end; nothing may be asked after this."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _sql(self, query: str, parameters: Sequence[Any], running: "_Running", only: Mapping[str, Any]) -> Answer:
        found = self.source.sql(
            query, list(parameters) or None, timeout_s=self.timeout_s, on_start=running.begin, **only
        )
        running.begin(_nothing)
        return found

    async def _interruptible(self, work: Callable[["_Running"], _T]) -> _T:
        if self._pending >= THREADS + WAITING_MAX:
            raise BusyError
        running = _Running()
        self._pending += 1
        future = self._threads.submit(work, running)
        try:
            return await asyncio.wrap_future(future)
        finally:
            self._pending -= 1
            running.end()  # after an answer it means nothing; when the task was cancelled, it ends the query


def _nothing() -> None:
    """What is left to interrupt when a query has ended."""


class _Running:
    """A query that may be ended from another thread, before it begins as well."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._interrupt: Interrupt | None = None
        self._is_over = False

    def begin(self, interrupt: Interrupt) -> None:
        """Take what ends it."""
        with self._lock:
            self._interrupt = interrupt
            is_over = self._is_over
        if is_over:
            interrupt()

    def end(self) -> None:
        """End it."""
        with self._lock:
            self._is_over = True
            interrupt, self._interrupt = self._interrupt, None
        if interrupt is not None:
            interrupt()


async def until_gone(request: Request) -> None:
    """Return when the client has closed its connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
