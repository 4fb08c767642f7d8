"""A day of telemetry in one store: how soon it is served, what is found how fast in it, and the memory that takes."""

from __future__ import annotations

import http.client
import json
import sys
import time
from typing import TYPE_CHECKING, Any

from benchmarks import machine
from benchmarks.measured import Measured, free_port
from benchmarks.store_gateway import Gateway
from benchmarks.store_queries import queries
from benchmarks.store_traffic import SECOND, START, Traffic
from millrace.store import Store

if TYPE_CHECKING:
    from pathlib import Path

MADE_SPANS = 20_000
DAY_S = 86_400
LARGE_SPANS = 100_000
STARTS = 5
OPENED = 5
LARGE_ID = "5a" * 16


def measure(folder: Path, spans: int) -> dict[str, Any]:
    """Write the store unless it is there already, and ask it."""
    if not (folder / "spans.json").exists():
        _write(folder, spans)
    kept = json.loads((folder / "spans.json").read_text(encoding="utf-8"))
    store = Store(folder / "store", memory_limit="256MiB")
    stats = store.stats()
    return {
        "spans": stats["signals"]["traces"]["rows"],
        "files": stats["files"],
        "bytes": stats["bytes"],
        **kept,
        **queries(store),
        **_served(folder / "store"),
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


def _served(folder: Path) -> dict[str, Any]:
    """Start `millrace serve` over it some times; ask the last one for the large trace."""
    starts: list[float] = []
    opened: list[float] = []
    memory: dict[str, float] = {}
    for number in range(STARTS):
        grpc, otlp, page = free_port(), free_port(), free_port()
        addresses = (("--grpc", grpc), ("--http", otlp), ("--ui", page))
        places = [part for name, port in addresses for part in (name, f"127.0.0.1:{port}")]
        command = [sys.executable, "-m", "millrace", "serve", "--data", str(folder), *places]
        began = time.monotonic()
        with Measured(command, set().union(*machine.cpus())) as process:
            process.wait_until_listening(page)
            _get(page, "/api/v1/status")
            starts.append(1_000 * (time.monotonic() - began))
            if number == STARTS - 1:
                opened = [_get(page, f"/api/v1/traces/{LARGE_ID}") for _ in range(OPENED)]
                memory = process.memory()
    return {"start_ms": starts, "large_trace_ms": opened, "serve_memory": memory}


def _get(port: int, path: str) -> float:
    """Ask for a path; return the milliseconds until all of the answer was there."""
    began = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", path)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    if answer.status != http.client.OK:
        raise RuntimeError(f"{path} was answered with {answer.status}")
    return 1_000 * (time.monotonic() - began)
