"""Gateways for the tests: their configuration, their addresses, and what their accounts must satisfy."""

import time
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from millrace.gateway import Gateway
from tests.conformance.messages import SIGNALS

Settings: TypeAlias = Mapping[str, Any]

DEADLINE_S = 20
"""Longest time that a test waits for something to become true."""

POLL_S = 0.01


def configuration(
    exporters: Settings,
    *,
    receiver: Settings | None = None,
    grpc: Settings | None = None,
    http: Settings | None = None,
    processors: Settings | None = None,
    **service: object,
) -> dict[str, Any]:
    """A gateway that receives all signals over both protocols on free ports of the loopback interface."""
    protocols = {
        "grpc": {"endpoint": "127.0.0.1:0"} | dict(grpc or {}),
        "http": {"endpoint": "127.0.0.1:0"} | dict(http or {}),
    }
    pipeline = {"receivers": ["otlp"], "processors": list(processors or {}), "exporters": list(exporters)}
    telemetry = {"metrics": {"level": "none"}, "logs": {"level": "error"}}
    return {
        "receivers": {"otlp": {"protocols": protocols} | dict(receiver or {})},
        "processors": dict(processors or {}),
        "exporters": dict(exporters),
        "service": {"pipelines": dict.fromkeys(SIGNALS, pipeline), "telemetry": telemetry} | service,
    }


def to_grpc(url: str, **settings: object) -> dict[str, Any]:
    """An `otlp` exporter without TLS and compression."""
    return {"endpoint": url, "tls": {"insecure": True}, "compression": "none"} | settings


def to_http(url: str, **settings: object) -> dict[str, Any]:
    """An `otlphttp` exporter without compression."""
    return {"endpoint": url, "compression": "none"} | settings


def address(gateway: Gateway, protocol: str) -> tuple[str, int]:
    """Where a gateway listens for a protocol of its `otlp` receiver."""
    host, port = gateway.addresses[f"otlp/{protocol}"]
    return host, port


def url(gateway: Gateway, protocol: str) -> str:
    """The same as a URL."""
    return f"http://{gateway.addresses[f'otlp/{protocol}']}"


def wait_until(condition: Callable[[], object], what: str, deadline_s: float = DEADLINE_S) -> None:
    """Poll until `condition` is true; fails with `what` when that takes too long."""
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, f"after {deadline_s} s this is not yet true: {what}"
        time.sleep(POLL_S)


def assert_the_accounts_add_up(stats: Settings) -> None:
    """Every item is accounted for, in every component and signal, and nobody received what nobody accepted."""
    for receiver in stats["receivers"].values():
        for books in receiver.values():
            known = books["accepted"] + sum(books["refused"].values()) + books["rejected"] + books["pending"]
            assert books["received"] == known, books
    for exporter in stats["exporters"].values():
        for books in exporter.values():
            assert books["received"] == books["exported"] + sum(books["dropped"].values()) + books["queued"], books


def receiver_books(gateway: Gateway, signal: str) -> dict[str, Any]:
    """The accounts of the receiver for a signal."""
    books: dict[str, Any] = gateway.stats()["receivers"]["otlp"][signal]
    return books
