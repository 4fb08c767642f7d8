"""Asks a store what its bars ask: one trace by its id, and searches of the last hour and of everything."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from benchmarks.store_traffic import SECOND
from millrace.store import Search

if TYPE_CHECKING:
    from collections.abc import Callable

    from millrace.store import Store

LOOK_UPS = 100
SEARCHES = 10
ALL = {
    "found": Search(service="service-2", attributes={"http.route": "/api/21"}, min_duration_ns=10**6, limit=20),
    "absent": Search(service="service-7", attributes={"http.route": "/api/21"}, min_duration_ns=10**6, limit=20),
}
"""The route is one of service-2, so one search ends when it has enough, and the other reads all that there is."""


def queries(store: Store) -> dict[str, Any]:
    """Return milliseconds of each look-up and search."""
    ids = [row[0] for row in store.sql("SELECT DISTINCT trace_id FROM spans USING SAMPLE 20000 ROWS").tuples()]
    store.trace("0" * 32)  # reads the Bloom filters of all files
    picked = random.Random(1).sample(sorted(ids), min(LOOK_UPS, len(ids)))  # noqa: S311 - the same each time
    newest = store.stats()["newest_unix_nano"]
    hour = newest - 3_600 * SECOND
    found: dict[str, Any] = {"trace_ms": [_timed(partial(store.trace, trace)) for trace in picked]}
    for name, everything in ALL.items():
        last = replace(everything, start=hour)
        assert bool(store.search(everything)) == (name == "found")
        found[f"search_hour_{name}_ms"] = [_timed(partial(store.search, last)) for _ in range(SEARCHES)]
        found[f"search_all_{name}_ms"] = [_timed(partial(store.search, everything)) for _ in range(SEARCHES)]
    counted = store.sql("SELECT count(*) FROM spans WHERE start_time_unix_nano >= ?::UBIGINT", [hour])
    return found | {"search_hour_spans": counted.tuples()[0][0]}


def _timed(work: Callable[[], object]) -> float:
    began = time.monotonic()
    assert work() is not None
    return 1_000 * (time.monotonic() - began)
