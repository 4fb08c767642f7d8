"""A day of telemetry in one store: how soon it is served, what is found how fast in it, and the memory that takes."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.store_gateway import Gateway
from benchmarks.store_overviews import overviews
from benchmarks.store_queries import queries
from benchmarks.store_serve import Server, cold_starts
from benchmarks.store_traffic import SECOND, START, Traffic
from millrace.store import Store

MADE_SPANS = 20_000
DAY_S = 86_400
LARGE_SPANS = 100_000
OPENED = 5
LARGE_ID = "5a" * 16


def measure(folder: Path, spans: int) -> dict[str, Any]:
    """Write the store unless it is there already, and ask it."""
    if not (folder / "spans.json").exists():
        _write(folder, spans)
    kept = json.loads((folder / "spans.json").read_text(encoding="utf-8"))
    store = Store(folder / "store", memory_limit="256MiB")
    stats = store.stats()
    with tempfile.TemporaryDirectory(prefix="large-", dir=folder) as large:
        started = cold_starts(folder / "store", Path(large) / "store")
    return {
        "spans": stats["signals"]["traces"]["rows"],
        "files": stats["files"],
        "bytes": stats["bytes"],
        **kept,
        **queries(store),
        **_served(folder / "store", stats["newest_unix_nano"]),
        **started,
    }


def _write(folder: Path, spans: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rounds = max(1, spans // MADE_SPANS)
    traffic = Traffic(MADE_SPANS, every_s=DAY_S / rounds)
    gateway = Gateway(folder / "store")
    began = time.monotonic()
    with gateway.process:
        for done in range(rounds):
            gateway.send("traces", traffic.next_round())
            if done % 50 == 0:
                print(f"store: {done * MADE_SPANS:,} of {spans:,} spans written", file=sys.stderr)
        gateway.send("traces", traffic.one_trace(bytes.fromhex(LARGE_ID), LARGE_SPANS, START + DAY_S * SECOND))
        gateway.settle("traces")
    written = {"written_s": time.monotonic() - began, "large_spans": LARGE_SPANS}
    (folder / "spans.json").write_text(json.dumps(written), encoding="utf-8")


def _served(folder: Path, newest: int) -> dict[str, Any]:
    """Start `millrace serve` over it, and ask it for what a page begins with, and for the large trace."""
    with Server(folder) as server:
        asked = overviews(server, newest)
        opened = [server.get(f"/api/v1/traces/{LARGE_ID}") for _ in range(OPENED)]
        return {**asked, "large_trace_ms": opened, "serve_memory": server.process.memory()}
