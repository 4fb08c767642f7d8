"""Asks `millrace serve` for what its page begins with: services, the map, operations, of an hour and of all."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from benchmarks.store_traffic import SECOND

if TYPE_CHECKING:
    from benchmarks.store_serve import Server

PATHS = ("/services", "/map", "/operations", "/attributes", "/metrics")
TIMES = 5
COUNTED_MS = 1_000
PATIENCE_S = 300.0


def overviews(server: Server, newest: int) -> dict[str, Any]:
    """Return milliseconds of each path, by how much it asks for.

    The first answers are those of a server that has just started. Those of everything are measured when it has counted
    what services did in all files: `counted_s` is how long that took, which is little where an earlier one has kept it.
    """
    began = time.monotonic()
    hour = f"?start={newest - 3_600 * SECOND}&end={newest + 1}"
    first = {path: server.get(f"/api/v1{path}{hour}") for path in ("/services", "/map")}
    while not _is_counted(server):
        if time.monotonic() - began > PATIENCE_S:
            raise RuntimeError(f"services of the whole store were not counted within {PATIENCE_S:g} s")
    counted_s = time.monotonic() - began
    asked = {"hour": hour, "all": ""}
    found = {
        name: {path: [server.get(f"/api/v1{path}{query}") for _ in range(TIMES)] for path in PATHS}
        for name, query in asked.items()
    }
    return {"overview_first_ms": first, "overview_ms": found, "counted_s": counted_s}


def _is_counted(server: Server) -> bool:
    try:
        return server.get("/api/v1/services") < COUNTED_MS
    except RuntimeError:  # it took longer than a query may; what was counted meanwhile is remembered
        return False
