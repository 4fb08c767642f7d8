"""Log records for the suite `tracezip`: those that the demo's shop writes, recorded as its stock SDKs send them."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks import machine
from examples.demo import Server, run_shop
from millrace import files
from millrace.gateway import Gateway

CUSTOMER_REQUESTS = 2_000
CACHE = machine.ROOT / "benchmarks/.cache/shop-logs.otlp"
"""Recorded once for each checkout: a minute of a shop, which is not what is measured."""


def recorded(*, quick: bool) -> list[bytes]:
    """Return the requests of three programs as they arrived, some records each."""
    if quick or not CACHE.exists():
        requests = _record(CUSTOMER_REQUESTS // (20 if quick else 1))
        if quick:
            return requests
        CACHE.parent.mkdir(parents=True, exist_ok=True)
        with files.Writer(CACHE) as writer:
            for request in requests:
                writer.write("logs", request)
    return [request.data for request in files.read(CACHE, "logs")]


def _record(customer_requests: int) -> list[bytes]:
    free = {"endpoint": "127.0.0.1:0"}
    with tempfile.TemporaryDirectory(prefix="millrace-logs-") as name:
        file = Path(name) / "logs.otlp"
        configuration = {
            "receivers": {"otlp": {"protocols": {"grpc": free, "http": free}}},
            "exporters": {"file": {"path": str(file), "format": "proto", "fsync": False}, "nop": {}},
            "service": {
                "telemetry": {"metrics": {"level": "none"}},
                "pipelines": {
                    "logs": {"receivers": ["otlp"], "exporters": ["file"]},
                    **{signal: {"receivers": ["otlp"], "exporters": ["nop"]} for signal in ("traces", "metrics")},
                },
            },
        }
        with Gateway(configuration) as gateway:
            grpc, http = (f"http://{gateway.addresses[f'otlp/{protocol}']}" for protocol in ("grpc", "http"))
            run_shop(Server(grpc, http), Path(name), customer_requests)
        return [request.data for request in files.read(file, "logs")]
