"""`millrace serve` over a store: how soon it is ready with ten gigabytes, and its memory under a steady load."""

from __future__ import annotations

import http.client
import itertools
import os
import statistics
import sys
import threading
import time
from pathlib import Path
from typing import Any, Self

from benchmarks import machine
from benchmarks.measured import Measured, free_port
from benchmarks.store_gateway import send
from benchmarks.store_traffic import Traffic
from millrace.store.catalogue import File, look

READY = "/api/v1/status"
STARTS = 5
COLD_BYTES = 10 * 10**9
RATE_SPANS_PER_S = 100_000
MADE_SPANS = 20_000
SENDERS = 20
"""Each waits until its request is in a file: with fewer, this is the rate and not what was asked for."""
LOOK_S = 5.0
PAGES = ("/api/v1/traces?limit=50", "/api/v1/services", "/api/v1/map", "/api/v1/traces?limit=20&status=error", READY)


class Server:
    """`millrace serve` with nothing configured but where its data is, and ports that are free."""

    def __init__(self, folder: Path) -> None:
        grpc, self.otlp, self.page = free_port(), free_port(), free_port()
        addresses = (("--grpc", grpc), ("--http", self.otlp), ("--ui", self.page))
        places = [part for name, port in addresses for part in (name, f"127.0.0.1:{port}")]
        command = [sys.executable, "-m", "millrace", "serve", "--data", str(folder), *places]
        began = time.monotonic()
        self.process = Measured(command, set().union(*machine.cpus()))
        try:
            self.process.wait_until_listening(self.page)
            self.get(READY)
        except BaseException:
            self.process.__exit__()
            raise
        self.start_ms = 1_000 * (time.monotonic() - began)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.__exit__()

    def get(self, path: str) -> float:
        """Ask for a path; return the milliseconds until all of the answer was there."""
        began = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", self.page, timeout=60)
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        connection.close()
        if answer.status != http.client.OK:
            raise RuntimeError(f"{path} was answered with {answer.status}")
        return 1_000 * (time.monotonic() - began)


def cold_starts(store: Path, folder: Path) -> dict[str, Any]:
    """Start it over the files of a store, as often again as ten gigabytes take, none of them in the system's cache."""
    size = _multiply(store, folder)
    starts = []
    for _ in range(STARTS):
        _forget(folder)
        with Server(folder) as server:
            starts.append(server.start_ms)
    return {"start_bytes": size, "start_files": len(look(folder, "traces")), "start_ms": starts}


def _multiply(store: Path, folder: Path) -> int:
    """Link the files of a store into another one under as many numbers as needed; return the bytes of all."""
    (folder / "traces").mkdir(parents=True)
    (folder / "FORMAT").write_bytes((store / "FORMAT").read_bytes())
    files = look(store, "traces")
    step = max(file.to_number for file in files)
    size = 0
    for copy in itertools.count():
        for file in files:
            Path(folder / "traces" / _renumbered(file, copy * step)).hardlink_to(file.path)
            size += Path(file.path).stat().st_size
        if size >= COLD_BYTES:
            return size
    return size


def _renumbered(file: File, by: int) -> str:
    *times_and_rows, first, last = Path(file.path).stem.split("-")
    numbers = (f"{int(number) + by:0{len(number)}d}" for number in (first, last))
    return "-".join([*times_and_rows, *numbers]) + ".parquet"


def _forget(folder: Path) -> None:
    """Have the system drop what it has cached of the files."""
    for file in (folder / "traces").iterdir():
        descriptor = os.open(file, os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def memory_under_load(folder: Path, minutes: float) -> dict[str, Any]:
    """Send 100,000 spans a second for so long, with a page that asks each 5 seconds; return what that took."""
    folder.mkdir(parents=True)
    with Server(folder) as server:
        looked: dict[str, list[float]] = {path: [] for path in PAGES}
        ended = threading.Event()
        page = threading.Thread(target=_look, args=(server, looked, ended))
        page.start()
        before, began = server.process.cpu_s(), time.monotonic()
        sent, resident = _send_at_rate(server, minutes * 60)
        seconds = time.monotonic() - began
        cpu_s = server.process.cpu_s() - before
        ended.set()
        page.join()
        memory = server.process.memory()
    kept = sum(file.rows for file in look(folder, "traces"))
    return {
        "spans": sent,
        "kept": kept,
        "seconds": seconds,
        "cpu_share": cpu_s / seconds,
        "memory": memory,
        "resident_mib": resident,
        "page_ms": {path: statistics.median(times) for path, times in looked.items() if times},
    }


def _look(server: Server, looked: dict[str, list[float]], ended: threading.Event) -> None:
    for path in itertools.cycle(PAGES):
        if ended.wait(LOOK_S / len(PAGES)):
            return
        looked[path].append(server.get(path))


def _send_at_rate(server: Server, seconds: float) -> tuple[int, list[float]]:
    """Send rounds of spans when each is due; return how many there were, and the memory after each second, in MiB."""
    traffic = Traffic(MADE_SPANS)
    resident: list[float] = []
    began, sent = time.monotonic(), 0
    while (now := time.monotonic() - began) < seconds:
        due = sent / RATE_SPANS_PER_S
        if due > now:
            time.sleep(due - now)
        send(server.otlp, "traces", traffic.next_round(), senders=SENDERS)
        sent += traffic.spans
        if len(resident) < int(now):
            resident.append(server.process.resident_mib())
    return sent, resident
