"""An application for web servers, WSGI as `wsgi` and ASGI as `asgi`: each answer names what was recorded for it.

It configures where applications do, at its import. That is in the parent of the workers where the server preloads it.
"""

import logging
import os
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from opentelemetry import metrics, trace

import millrace

__all__ = ["asgi", "wsgi"]

telemetry = millrace.configure(logging_handler=True)
tracer = trace.get_tracer("served")
requests = metrics.get_meter("served").create_counter("requests")
log = logging.getLogger("served")
log.setLevel(logging.INFO)
tracer.start_span(f"import {os.getpid()}").end()


def answer() -> bytes:
    """Record a span, a log record and a measurement; name the process and the span."""
    with tracer.start_as_current_span("request") as span:
        requests.add(1)
        log.info("served")
        ids = span.get_span_context()
        return f"{os.getpid()} {ids.trace_id:032x} {ids.span_id:016x}".encode()


def wsgi(_: object, start_response: Callable[[str, list[tuple[str, str]]], object]) -> Iterable[bytes]:
    """Serve over WSGI."""
    body = answer()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


async def asgi(scope: dict[str, Any], receive: Callable[[], Awaitable[dict[str, Any]]], send: Any) -> None:
    """Serve over ASGI."""
    if scope["type"] == "lifespan":
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({"type": f"{message['type']}.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    body = answer()
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(body)).encode())]}
    )
    await send({"type": "http.response.body", "body": body})
