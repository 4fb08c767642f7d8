"""A gateway that keeps what it is sent, for tests of what looks at it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from millrace.gateway import Gateway
from tests.api import shop

SIGNALS = ("traces", "logs", "metrics")


class Keeper:
    """Where telemetry is sent to be kept."""

    def __init__(self, gateway: Gateway) -> None:
        """Send to this gateway."""
        self._url = f"http://{gateway.addresses['otlp/http']}"

    def send(self, signal: str, request: dict[str, Any]) -> None:
        """Send a request; when this returns, it is in a file of the store."""
        assert httpx.post(f"{self._url}/v1/{signal}", json=request, timeout=30).status_code == 200


@contextmanager
def keeping(folder: Path) -> Iterator[Keeper]:
    """Keep what is sent while the block runs."""
    pipeline = {"receivers": ["otlp"], "exporters": ["store"]}
    config = {
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": "127.0.0.1:0"}}}},
        "exporters": {"store": {"path": str(folder)}},
        "service": {"telemetry": {"metrics": {"level": "none"}}, "pipelines": dict.fromkeys(SIGNALS, pipeline)},
    }
    with Gateway(config) as gateway:
        yield Keeper(gateway)


def keep_shop(folder: Path) -> None:
    """Keep the shop's telemetry."""
    with keeping(folder) as keeper:
        for signal in SIGNALS:
            for request in getattr(shop, signal)():
                keeper.send(signal, request)
