"""The suite `store`: what keeping telemetry costs and takes, and how soon and how fast it is found."""

from __future__ import annotations

import http.client
import json
import random
import statistics
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import machine, noise
from benchmarks.measured import Measured, free_port
from benchmarks.store_traffic import SECOND, Traffic
from millrace.store import Search, Store
from millrace.store.catalogue import look

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NAME = "store"
SPANS = 2_000_000
QUICK_SPANS = 100_000
MADE_SPANS = 20_000
SENDERS = 4
# Longer than the time without new files after which the store merges small ones.
SETTLED_S = 8.0
# Acknowledged before their file, which comes within a second: the window that `docs/store.md` names.
KEEPING = {"wait_for_result": False, "flush_interval": "500ms"}
SEARCHES = 100


def run(*, quick: bool, peers: Sequence[str], patience_s: float) -> dict[str, Any]:  # noqa: ARG001 - no peers here
    """Measure all of it, and return the results with the machine that they are of."""
    described = machine.describe()
    noise.wait_for_quiet(patience_s)
    spans = QUICK_SPANS if quick else SPANS
    with tempfile.TemporaryDirectory(prefix="millrace-store-") as folder:
        generated = _generated(Path(folder) / "generated", spans)
        recorded = [
            _recorded(Path(folder) / signal, signal, name)
            for signal, name in (("traces", "otel-demo-traces"), ("metrics", "host-metrics"))
        ]
    print(f"{NAME}: measured", file=sys.stderr)
    return {
        "suite": NAME,
        "quick": quick,
        "generated": generated,
        "recorded": [found for found in recorded if found],
        "machine": described,
    }


class _Gateway:
    """A gateway with a store, in a process pinned to one CPU."""

    def __init__(self, path: Path) -> None:
        self.path, self.port = path, free_port()
        pipeline = {"receivers": ["otlp"], "exporters": ["store"]}
        config = {
            "receivers": {"otlp": {"protocols": {"http": {"endpoint": f"127.0.0.1:{self.port}"}}}},
            "exporters": {"store": {"path": str(path), **KEEPING}},
            "service": {
                "telemetry": {"metrics": {"level": "none"}},
                "pipelines": dict.fromkeys(("traces", "metrics"), pipeline),
            },
        }
        file = path.with_suffix(".yaml")
        file.write_text(json.dumps(config), encoding="utf-8")  # JSON is YAML
        gateway_cpus, _ = machine.cpus()
        self.process = Measured([sys.executable, "-m", "millrace", "serve", "--config", str(file)], gateway_cpus)
        self.process.wait_until_listening(self.port)

    def send(self, signal: str, requests: Iterable[bytes]) -> int:
        """Send requests over some connections at once; return how many bytes were sent."""
        waiting, lock, sent = iter(requests), threading.Lock(), [0]

        def work() -> None:
            connection = http.client.HTTPConnection("127.0.0.1", self.port)
            while True:
                with lock:
                    body = next(waiting, None)
                if body is None:
                    break
                connection.request("POST", f"/v1/{signal}", body, {"Content-Type": "application/x-protobuf"})
                answer = connection.getresponse()
                answer.read()
                if answer.status != http.client.OK:
                    raise RuntimeError(f"the gateway answered {answer.status}")
                with lock:
                    sent[0] += len(body)
            connection.close()

        threads = [threading.Thread(target=work) for _ in range(SENDERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sent[0]

    def settle(self, signal: str) -> None:
        """Wait until nothing is merged any more."""
        last, since = None, time.monotonic()
        while time.monotonic() - since < SETTLED_S:
            now = [file.path for file in look(self.path, signal)]  # type: ignore[arg-type] # one of the three
            if now != last:
                last, since = now, time.monotonic()
            time.sleep(0.1)


def _generated(path: Path, spans: int) -> dict[str, Any]:
    traffic = Traffic(MADE_SPANS)
    gateway = _Gateway(path)
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
    return found | {"bytes": kept["bytes"], "rows": kept["rows"], "files": kept["files"], **_queries(store)}


def _fresh(gateway: _Gateway, traffic: Traffic) -> list[float]:
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


def _queries(store: Store) -> dict[str, Any]:
    ids = [row[0] for row in store.sql("SELECT DISTINCT trace_id FROM spans USING SAMPLE 20000 ROWS").tuples()]
    store.trace("0" * 32)  # reads the Bloom filters of all files
    picked = random.Random(1).sample(ids, min(SEARCHES, len(ids)))  # noqa: S311 - the same traces each time
    newest = store.stats()["newest_unix_nano"]
    everything = Search(service="service-7", attributes={"http.route": "/api/21"}, min_duration_ns=10**6, limit=20)
    hour = replace(everything, start=newest - 3_600 * SECOND)

    def timed(work: Any) -> float:  # noqa: ANN401 - a search or a look-up
        began = time.monotonic()
        assert work() is not None
        return 1_000 * (time.monotonic() - began)

    return {
        "trace_ms": [timed(lambda trace=trace: store.trace(trace)) for trace in picked],
        "search_hour_ms": [timed(lambda: store.search(hour)) for _ in range(10)],
        "search_all_ms": [timed(lambda: store.search(everything)) for _ in range(10)],
        "search_hour_spans": store.sql(
            "SELECT count(*) FROM spans WHERE start_time_unix_nano >= ?", [newest - 3_600 * SECOND]
        ).tuples()[0][0],
    }


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
    gateway = _Gateway(path)
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
