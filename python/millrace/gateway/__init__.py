"""A gateway: receives OTLP over gRPC and HTTP, processes it, sends it on, and loses nothing it has acknowledged.

In a test suite, one line is enough::

    with Gateway({"receivers": {"otlp": {"protocols": {"http": {"endpoint": "localhost:0"}}}},
                  "exporters": {"file": {"path": "received.jsonl"}},
                  "service": {"pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["file"]}}}}) as gateway:
        host, port = gateway.addresses["otlp/http"]
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeAlias

from millrace import _native
from millrace.errors import GatewayError
from millrace.gateway.config import Configuration, load

__all__ = ["Address", "Gateway", "Stats", "StopReport"]

Stats: TypeAlias = dict[str, Any]
"""Items by component and signal, as :meth:`Gateway.stats` describes."""


class Address(NamedTuple):
    """Where a listener is."""

    host: str
    port: int

    def __str__(self) -> str:
        """Return `host:port`, with brackets around IPv6."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class StopReport(NamedTuple):
    """What a gateway left behind when it stopped."""

    undelivered: dict[str, dict[str, int]]
    """Items that could not be delivered in time, by exporter and signal."""
    elapsed_s: float
    stats: Stats
    """The last statistics, in which nothing is pending or queued any more."""


class Gateway:
    """A gateway in threads of this process, which never take the GIL.

    Args:
        config: A mapping in the Collector's vocabulary, or the path of a YAML or JSON file.

    Raises:
        millrace.errors.ConfigError: With every error of the configuration.
    """

    def __init__(self, config: Mapping[str, object] | str | Path | Configuration) -> None:
        self.configuration = config if isinstance(config, Configuration) else load(config)
        """What the configuration says, every default filled in."""
        self._native = _native.Gateway(json.dumps(self.configuration.resolved))

    def start(self) -> Self:
        """Bind every port and start; when this returns, requests are answered.

        Raises:
            millrace.errors.GatewayError: A port is taken, a file cannot be written, or it runs already.
        """
        self._native.start()
        return self

    def stop(self, timeout_s: float | None = None) -> StopReport:
        """Take no more requests, and deliver what is held.

        Args:
            timeout_s: When to give up; by default `service.shutdown_timeout`.

        Raises:
            millrace.errors.GatewayError: It is not running.
        """
        report = json.loads(self._native.stop(timeout_s))
        return StopReport(report["undelivered"], report["elapsed_ms"] / 1_000, report["stats"])

    @property
    def addresses(self) -> dict[str, Address]:
        """Where it listens, by receiver and protocol (`otlp/grpc`), extension, or `telemetry/metrics`.

        Ports that were 0 in the configuration are those the system chose.
        """
        return {name: Address(*address) for name, address in self._native.addresses().items()}

    def stats(self) -> Stats:
        """Return how many items each component has seen, exactly, at this moment.

        Returns:
            `receivers` and `exporters`, each by id and signal, and `budget`. For a receiver, `received` = `accepted` +
            the sum of `refused` (by reason) + `rejected` + `pending`; for an exporter, `received` = `exported` + the
            sum of `dropped` (by reason) + `queued`. Requests that a receiver refused before their items could be
            counted are in its `refused_requests`, by reason.

        Raises:
            millrace.errors.GatewayError: It is not running.
        """
        stats: Stats = json.loads(self._native.stats())
        return stats

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with suppress(GatewayError):  # stopped within the block already
            self.stop()
