"""What this server is, where it listens, and what it keeps."""

import time
from typing import Any

from millrace.api import shapes
from millrace.api.endpoint import Call, Endpoint

__all__ = ["ENDPOINTS", "now_s"]

_SIGNALS = ("traces", "logs", "metrics", "profiles")


def now_s() -> float:
    """Return the time of a clock that never jumps."""
    return time.monotonic()


async def _status(call: Call) -> dict[str, Any]:
    from millrace._native import __version__  # noqa: PLC0415 - the APIs can be used without the engine

    stats = await call.queries.call(call.queries.source.stats)
    oldest, newest = stats.get("oldest_unix_nano"), stats.get("newest_unix_nano")
    return {
        "version": __version__,
        "uptime_s": round(now_s() - call.context["started"], 3),
        "addresses": call.context["addresses"],
        "signals": {signal: {"rows": stats["signals"][signal]["rows"]} for signal in _SIGNALS},
        "store": {
            "path": str(call.queries.source.path),
            "bytes": stats["bytes"],
            "files": stats["files"],
            "oldest_unix_nano": None if oldest is None else str(oldest),
            "newest_unix_nano": None if newest is None else str(newest),
        },
        "read_only": call.context["read_only"],
    }


ENDPOINTS = (
    Endpoint(
        "/status",
        "What this server is, where it listens, and what it keeps.",
        _status,
        shape=shapes.record(
            {
                "version": shapes.TEXT,
                "uptime_s": shapes.NUMBER,
                "addresses": {"type": "object", "additionalProperties": shapes.TEXT},
                "signals": shapes.record({name: shapes.record({"rows": shapes.COUNT}) for name in _SIGNALS}),
                "store": shapes.record(
                    {
                        "path": shapes.TEXT,
                        "bytes": shapes.COUNT,
                        "files": shapes.COUNT,
                        "oldest_unix_nano": shapes.maybe(shapes.TIME),
                        "newest_unix_nano": shapes.maybe(shapes.TIME),
                    }
                ),
                "read_only": shapes.BOOLEAN,
            }
        ),
    ),
)
