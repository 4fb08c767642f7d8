"""The suite `store`: what keeping telemetry costs and takes, and how soon and how fast it is found."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks import machine, noise, store_scale, store_serve
from benchmarks.store_gateway import Gateway
from benchmarks.store_queries import queries
from benchmarks.store_traffic import Traffic
from millrace.store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence

NAME = "store"
SPANS = 2_000_000
QUICK_SPANS = 100_000
MADE_SPANS = 20_000
RUNS = 3


class Scale(NamedTuple):
    """What takes longer than people wait for: none of it unless asked for."""

    spans: int = 0
    """Search among so many spans of a day, too; writing fifty million takes some minutes and 1.5 GB."""
    folder: Path | None = None
    """Where they are kept for the next time; thrown away unless given."""
    minutes: float = 0
    """For how long to send 100,000 spans a second and watch the memory."""


def run(*, quick: bool, peers: Sequence[str], patience_s: float, scale: Scale = Scale()) -> dict[str, Any]:  # noqa: ARG001, B008 - no peers here; immutable
    """Measure all of it, and return the results with the machine that they are of.

    Args:
        quick: Few spans.
        peers: There are none.
        patience_s: How long to wait for a quiet machine.
        scale: What to measure at length.
    """
    described = machine.describe()
    noise.wait_for_quiet(patience_s)
    spans = QUICK_SPANS if quick else SPANS
    with tempfile.TemporaryDirectory(prefix="millrace-store-") as folder:
        runs = [_generated(Path(folder) / f"generated-{run}", spans) for run in range(1 if quick else RUNS)]
        recorded = [
            _recorded(Path(folder) / signal, signal, name)
            for signal, name in (("traces", "otel-demo-traces"), ("metrics", "host-metrics"))
        ]
        day = store_scale.measure(scale.folder or Path(folder) / "scale", scale.spans) if scale.spans else None
        load = store_serve.memory_under_load(Path(folder) / "load", scale.minutes) if scale.minutes else None
    print(f"{NAME}: measured", file=sys.stderr)
    return {
        "suite": NAME,
        "quick": quick,
        "generated": _of_median(runs),
        "recorded": [found for found in recorded if found],
        "scale": day,
        "load": load,
        "machine": described,
    }


def _of_median(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the run that cost as much as the median, with what all have cost."""
    costs = [run["cpu_s_until_merged"] for run in runs]
    return runs[costs.index(statistics.median_low(costs))] | {"runs_cpu_s": costs}


def _generated(path: Path, spans: int) -> dict[str, Any]:
    traffic = Traffic(MADE_SPANS)
    gateway = Gateway(path)
    with gateway.process as process:
        before, began = process.cpu_s(), time.monotonic()
        raw = sum(gateway.send("traces", traffic.next_round()) for _ in range(spans // traffic.spans))
        sent_s, sent_cpu_s = time.monotonic() - began, process.cpu_s() - before
        gateway.settle("traces")
        all_cpu_s = process.cpu_s() - before
        memory = process.memory()
        found = {
            "spans": spans,
            "raw_bytes": raw,
            "seconds": sent_s,
            "cpu_s_until_acknowledged": sent_cpu_s,
            "cpu_s_until_merged": all_cpu_s,
            "memory": memory,
            "fresh_ms": _fresh(gateway, traffic),
        }
    store = Store(path)
    kept = store.stats()["signals"]["traces"]
    return found | {"bytes": kept["bytes"], "rows": kept["rows"], "files": kept["files"], **queries(store)}


def _fresh(gateway: Gateway, traffic: Traffic) -> list[float]:
    """Return how long it took until SQL saw what was sent, from before it was sent."""
    store, taken = Store(gateway.path), []
    for request in list(traffic.next_round())[:20]:
        rows = store.sql("SELECT count(*) FROM spans").tuples()[0][0]
        began = time.monotonic()
        gateway.send("traces", [request])
        while store.sql("SELECT count(*) FROM spans").tuples()[0][0] == rows:
            store.refresh()
        taken.append(1_000 * (time.monotonic() - began))
    return taken


def _recorded(path: Path, signal: str, name: str) -> dict[str, Any] | None:
    import zstandard  # noqa: PLC0415 - of the tests, where the recordings are

    file = machine.ROOT / "../shared/data" / f"{name}.otlp.zst"
    if not file.exists():
        return None
    requests = []
    with zstandard.open(file, "rb") as recording:
        while length := recording.read(4):
            requests.append(recording.read(int.from_bytes(length, "big")))
    compressor = zstandard.ZstdCompressor(level=3)
    gateway = Gateway(path)
    with gateway.process:
        raw = gateway.send(signal, requests)
        gateway.settle(signal)
    kept = Store(path).stats()["signals"][signal]
    return {
        "name": name,
        "signal": signal,
        "raw_bytes": raw,
        "zstd_bytes": sum(len(compressor.compress(request)) for request in requests),
        "bytes": kept["bytes"],
        "rows": kept["rows"],
        "files": kept["files"],
    }


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that this share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def median(values: Sequence[float]) -> float:
    """Return the median."""
    return statistics.median(values)
