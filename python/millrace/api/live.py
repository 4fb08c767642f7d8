"""What arrives, as it arrives, to everyone who watches: server-sent events, one look at the store for all of them."""

import asyncio
import json
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from starlette.responses import Response, StreamingResponse

from millrace.api import shapes
from millrace.api.endpoint import Call, Endpoint, Fault, choice
from millrace.api.filters import Conditions
from millrace.api.logs import find_logs
from millrace.api.queries import BusyError, Queries
from millrace.errors import MillraceError

if TYPE_CHECKING:
    from millrace.api.source import LogArrivals, TraceArrivals

__all__ = ["ENDPOINTS", "Feeds"]

LOOK_EVERY_S = 1.0
ITEMS_MAX = 500
"""Items of one look: when more have arrived, those are the youngest, and the others are counted."""
WAITING_MAX = 1_000
"""Items that wait for a watcher who reads slowly; after that, they are dropped and counted."""
WATCHERS_MAX = 64
_SEEN_MAX = 20_000
_SILENCE_S = 15.0
"""A comment is sent when nothing has arrived for so long, so that nobody in between closes the connection."""


class News(NamedTuple):
    """What has come between two looks: the oldest first, and how many more there were than are shown."""

    items: list[dict[str, Any]]
    left_out: int


class Feed:
    """One signal's arrivals."""

    def __init__(self, make_look: "Callable[[], Look]") -> None:
        self._make_look = make_look
        self._watchers: set[Watcher] = set()
        self._task: asyncio.Task[None] | None = None

    async def watch(self) -> "Watcher":
        """Join: what arrives after this returns is shown. The first watcher starts the looking.

        Raises:
            Fault: There are too many.
        """
        if len(self._watchers) >= WATCHERS_MAX:
            raise Fault(f"{WATCHERS_MAX} others watch already", 503)
        watcher = Watcher()
        if self._task is not None and not self._task.done():
            self._watchers.add(watcher)
            return watcher
        look = self._make_look()
        await look.begin()  # what is here already is not new
        self._watchers.add(watcher)
        if self._task is None or self._task.done():  # another one may have been first meanwhile
            self._task = asyncio.create_task(self._look(look))
        return watcher

    def leave(self, watcher: "Watcher") -> None:
        """Leave; with the last watcher the looking ends."""
        self._watchers.discard(watcher)

    async def close(self) -> None:
        """End."""
        for watcher in self._watchers:
            watcher.close()
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _look(self, look: "Look") -> None:
        while self._watchers:
            with suppress(MillraceError, BusyError):  # the next look may succeed, and shows what this one missed
                news = await look.news()
                for watcher in self._watchers:
                    watcher.dropped += news.left_out
                    for item in news.items:
                        watcher.offer(item)
            await asyncio.sleep(LOOK_EVERY_S)


class Look(Protocol):
    """Looks at the arrivals of a signal, again and again."""

    async def begin(self) -> None:
        """Pass over what is there."""
        ...

    async def news(self) -> News:
        """Return what has come since."""
        ...


class TraceLook:
    """Looks at traces. One is new again when it has grown: its later spans may be what somebody waits for."""

    def __init__(self, queries: Queries) -> None:
        self._queries = queries
        self._arrivals: TraceArrivals | None = None
        self._untold = 0

    async def begin(self) -> None:
        """Pass over what is there."""
        self._arrivals = await self._queries.call(self._queries.source.trace_arrivals)

    async def news(self) -> News:
        """Return what has come since."""
        if self._arrivals is None:
            return News([], 0)
        arrived = await self._queries.call(self._arrivals.look)
        self._untold += len(arrived)
        items = await self._queries.summaries(arrived[:ITEMS_MAX])
        left_out, self._untold = self._untold - len(items), 0
        return News(items[::-1], left_out)


class LogLook:
    """Looks at log records."""

    def __init__(self, queries: Queries) -> None:
        self._queries = queries
        self._arrivals: LogArrivals | None = None
        self._seen: OrderedDict[str, None] = OrderedDict()
        """Records of files that may be merged with others, and then be read once more."""
        self._untold = 0
        """How many have come and were neither shown nor counted as left out, because a query failed."""

    async def begin(self) -> None:
        """Pass over what is there."""
        self._arrivals = await self._queries.call(self._queries.source.log_arrivals)

    async def news(self) -> News:
        """Return what has come since."""
        if self._arrivals is None:
            return News([], 0)
        arrived, files = await self._queries.call(self._arrivals.look)
        self._untold += arrived
        items = []
        for item in await find_logs(self._queries, Conditions(), ITEMS_MAX, files=files) if arrived else ():
            key = json.dumps(item, sort_keys=True)
            if key not in self._seen:
                items.append(item)
            self._seen[key] = None
            self._seen.move_to_end(key)
        while len(self._seen) > _SEEN_MAX:
            self._seen.popitem(last=False)
        items = items[: self._untold]
        left_out, self._untold = self._untold - len(items), 0
        return News(items[::-1], left_out)


class Watcher:
    """One connection, and what waits for it."""

    def __init__(self) -> None:
        self._waiting: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue(WAITING_MAX)
        self.dropped = 0
        self._closed = False

    def offer(self, item: dict[str, Any]) -> None:
        """Give it an item, or count it when there is no room."""
        try:
            self._waiting.put_nowait(item)
        except asyncio.QueueFull:
            self.dropped += 1

    def close(self) -> None:
        """End its events."""
        self._closed = True
        with suppress(asyncio.QueueFull):
            self._waiting.put_nowait(None)

    async def events(self) -> AsyncIterator[str]:
        """Yield server-sent events."""
        yield "retry: 1000\n\n"
        while not self._closed:
            try:
                item = await asyncio.wait_for(self._waiting.get(), _SILENCE_S)
            except TimeoutError:
                yield ": nothing new\n\n"
                continue
            if self.dropped:
                dropped, self.dropped = self.dropped, 0
                yield f'event: dropped\ndata: {{"count":{dropped}}}\n\n'
            if item is not None:
                yield f"data: {json.dumps(item, ensure_ascii=False, separators=(',', ':'))}\n\n"


class Feeds:
    """The feed of each signal."""

    def __init__(self, queries: Queries) -> None:
        self._feeds = {"traces": Feed(lambda: TraceLook(queries)), "logs": Feed(lambda: LogLook(queries))}

    def __getitem__(self, signal: str) -> Feed:
        return self._feeds[signal]

    async def close(self) -> None:
        """End all."""
        for feed in self._feeds.values():
            await feed.close()


async def _live(call: Call) -> Response:
    feed: Feed = call.context["feeds"][call["signal"]]
    watcher = await feed.watch()

    async def events() -> AsyncIterator[str]:
        try:
            async for event in watcher.events():
                yield event
        finally:
            feed.leave(watcher)

    return StreamingResponse(events(), media_type="text/event-stream")


ENDPOINTS = (
    Endpoint(
        "/live",
        "What arrives from now on, as server-sent events: each `data` one item as in the lists of traces and logs. "
        f"Of what arrives within a second, the {ITEMS_MAX} youngest are shown. An event `dropped` has the `count` of "
        "what was left out since the event before it: because more arrived, or because the reader is slow.",
        _live,
        (choice("signal", "of what", ("traces", "logs"), "traces"),),
        shapes.TEXT,
        media_type="text/event-stream",
    ),
)
