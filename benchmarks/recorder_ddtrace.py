"""Datadog's tracer as a peer of the recorder: its own API, and its native exporter of OTLP over HTTP."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from benchmarks.recorder_sdks import EVENT, QUEUE_BYTES, SERVICE, AbsentError, Sdk

if TYPE_CHECKING:
    from collections.abc import Callable

VERSION = "4.16.0"
SETTINGS = {
    "DD_SERVICE": SERVICE,
    "DD_TRACE_WRITER_BUFFER_SIZE_BYTES": str(QUEUE_BYTES),
    "DD_TRACE_WRITER_MAX_PAYLOAD_SIZE_BYTES": str(8 << 20),
    "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false",
    "DD_REMOTE_CONFIGURATION_ENABLED": "false",
    "DD_TRACE_STARTUP_LOGS": "false",
    "OTEL_TRACES_EXPORTER": "otlp",
}


def install() -> str:
    """Install the pinned version into the cache, beside nothing else; return the folder.

    Raises:
        AbsentError: It cannot be had here.
    """
    from scripts.build_otelcol import cache_folder

    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    target = cache_folder() / f"ddtrace-{VERSION}-{python}-{platform.machine()}"
    if not target.exists():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--only-binary=:all:"]
        command = [*pip, "--target", str(target), f"ddtrace=={VERSION}"]
        finished = subprocess.run(command, check=False, capture_output=True, text=True)
        if finished.returncode != 0:
            shutil.rmtree(target, ignore_errors=True)
            raise AbsentError(f"pip cannot install ddtrace {VERSION}: {finished.stderr.strip()[-300:]}")
    return str(target)


class Ddtrace(Sdk):
    """ddtrace, which reads its settings from the environment when it is imported."""

    name = "ddtrace"

    def __init__(self) -> None:
        if find_spec("ddtrace") is None:
            raise AbsentError("ddtrace is not installed")

    def send_to(self, endpoint: str, queue_items: int | None = None) -> Any:  # noqa: ARG002 # bytes are bounded
        """Return its tracer."""
        os.environ.update(SETTINGS, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"{endpoint}/v1/traces")
        from importlib import import_module

        self._tracer = import_module("ddtrace").tracer
        return self._tracer

    def flush(self) -> bool:
        """Deliver; it does not say whether it could, but the sink counts."""
        self._tracer.flush()
        return True

    def loop_of_0a(self, tracer: Any) -> Callable[[int], None]:
        """Return what records three nested spans of five tags and an event, so many times."""
        trace = tracer.trace

        def fill(span: Any) -> None:
            span.set_tag("http.request.method", "GET")
            span.set_tag("http.route", "/orders/{id}")
            span.set_tag("server.address", "shop.example.com")
            span.set_tag("http.response.status_code", 200)
            span.set_tag("cache.hit", True)  # noqa: FBT003 # its own API
            span._add_event("retry", EVENT)  # noqa: SLF001 # it has no other

        def loop(traces: int) -> None:
            for _ in range(traces):
                with trace("GET /orders/{id}") as one:
                    fill(one)
                    with trace("load order") as two:
                        fill(two)
                        with trace("SELECT orders") as three:
                            fill(three)

        return loop
