"""A gateway that keeps what the benchmark of the store sends to it."""

from __future__ import annotations

import http.client
import json
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

from benchmarks import machine
from benchmarks.measured import Measured, free_port
from millrace.store.catalogue import look

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

SENDERS = 4
SETTLED_S = 8.0
"""Longer than the time without new files after which the store merges small ones."""
KEEPING = {"wait_for_result": False, "flush_interval": "500ms"}
"""Acknowledged before their file, which comes within a second: the window that `docs/store.md` names."""


class Gateway:
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
        return send(self.port, signal, requests)

    def settle(self, signal: str) -> None:
        """Wait until nothing is merged any more."""
        last, since = None, time.monotonic()
        while time.monotonic() - since < SETTLED_S:
            now = [file.path for file in look(self.path, signal)]  # type: ignore[arg-type] # one of the three
            if now != last:
                last, since = now, time.monotonic()
            time.sleep(0.1)


def send(port: int, signal: str, requests: Iterable[bytes], *, senders: int = SENDERS) -> int:
    """Send requests over so many connections at once; return how many bytes were sent, once all are acknowledged."""
    waiting, lock = iter(requests), threading.Lock()

    def work(_: int) -> int:
        sent = 0
        with closing(http.client.HTTPConnection("127.0.0.1", port)) as connection:
            while True:
                with lock:
                    body = next(waiting, None)
                if body is None:
                    return sent
                connection.request("POST", f"/v1/{signal}", body, {"Content-Type": "application/x-protobuf"})
                answer = connection.getresponse()
                answer.read()
                if answer.status != http.client.OK:
                    raise RuntimeError(f"the gateway answered {answer.status}")
                sent += len(body)

    with ThreadPoolExecutor(senders) as threads:
        return sum(threads.map(work, range(senders)))
