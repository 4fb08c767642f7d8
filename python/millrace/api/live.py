"""What arrives, as it arrives, to everyone who watches: server-sent events, one look at the store for all of them."""

import asyncio
import json
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

from starlette.responses import Response, StreamingResponse

from millrace.api import shapes
from millrace.api.endpoint import Call, Endpoint, Fault, choice
from millrace.api.filters import Conditions
from millrace.api.logs import TIME as LOG_TIME
from millrace.api.logs import find_logs
from millrace.api.queries import BusyError, Queries
from millrace.api.traces import find_traces, summaries
from millrace.errors import MillraceError

__all__ = ["ENDPOINTS", "Feeds"]

LOOK_EVERY_S = 1.0
LOOK_BACK_NS = 60_000_000_000
"""How old by its own clock an item may be when it arrives, and still be shown as new."""
ITEMS_MAX = 500
"""Items of one look: when more have arrived, those are the youngest."""
WAITING_MAX = 1_000
"""Items that wait for a watcher who reads slowly; after that, they are dropped and counted."""
WATCHERS_MAX = 64
_SEEN_MAX = 20_000
_SILENCE_S = 15.0
"""A comment is sent when nothing has arrived for so long, so that nobody in between closes the connection."""


class Feed:
    """One signal's arrivals."""

    def __init__(self, signal: str, queries: Queries) -> None:
        self._signal = signal
        self._queries = queries
        self._seen: OrderedDict[Any, None] = OrderedDict()
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
        if self._task is None or self._task.done():
            await self._new_items()  # what is here already is not new
        self._watchers.add(watcher)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look())
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

    async def _look(self) -> None:
        while self._watchers:
            with suppress(MillraceError, BusyError):  # the next look may succeed, and shows what this one missed
                for item in await self._new_items():
                    for watcher in self._watchers:
                        watcher.offer(item)
            await asyncio.sleep(LOOK_EVERY_S)
        self._seen.clear()

    async def _new_items(self) -> list[dict[str, Any]]:
        """Return what was not there at the look before, the oldest first."""
        found = await (self._traces() if self._signal == "traces" else self._logs())
        new = [item for key, item in found if key not in self._seen]
        for key, _ in found:
            self._seen[key] = None
            self._seen.move_to_end(key)
        while len(self._seen) > _SEEN_MAX:
            self._seen.popitem(last=False)
        return list(reversed(new))

    def _recent(self, time: str) -> Conditions:
        chosen = Conditions()
        chosen.add(f"{time} >= (epoch_ns(now()) - {LOOK_BACK_NS})::UBIGINT")
        return chosen

    async def _traces(self) -> list[tuple[Any, dict[str, Any]]]:
        found = await find_traces(self._queries, self._recent("start_time_unix_nano"), ITEMS_MAX)
        items = await summaries(self._queries, found)
        # A trace is new again when it has grown: its later spans may be what somebody waits for.
        return [((item["trace_id"], item["spans"]), item) for item in items]

    async def _logs(self) -> list[tuple[Any, dict[str, Any]]]:
        items = await find_logs(self._queries, self._recent(LOG_TIME), ITEMS_MAX)
        return [(json.dumps(item, sort_keys=True), item) for item in items]


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
        self._feeds = {signal: Feed(signal, queries) for signal in ("traces", "logs")}

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
        "An event `dropped` says how many a slow reader has missed. "
        f"Of what arrives within a second, only the {ITEMS_MAX} youngest are shown.",
        _live,
        (choice("signal", "of what", ("traces", "logs"), "traces"),),
        shapes.TEXT,
        media_type="text/event-stream",
    ),
)
