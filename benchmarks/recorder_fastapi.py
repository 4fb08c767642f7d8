"""A FastAPI application and requests to it, called as ASGI: no server and no network between."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from benchmarks.recorder_sdks import AbsentError, Bare, Sdk

if TYPE_CHECKING:
    from collections.abc import Callable

SCOPE: dict[str, Any] = {
    "type": "http",
    "asgi": {"version": "3.0", "spec_version": "2.4"},
    "http_version": "1.1",
    "method": "GET",
    "scheme": "http",
    "path": "/orders/4711",
    "raw_path": b"/orders/4711",
    "query_string": b"",
    "root_path": "",
    "headers": [(b"host", b"shop.example.com"), (b"user-agent", b"benchmark"), (b"accept", b"*/*")],
    "client": ("192.0.2.1", 50_000),
    "server": ("192.0.2.2", 80),
}


def requests(sdk: Sdk) -> Callable[[int], None]:
    """Return what sends the application so many requests; it is instrumented by contrib's package over `sdk`."""
    try:
        from fastapi import FastAPI
    except ImportError as error:
        raise AbsentError(f"FastAPI: {error}") from error
    application = FastAPI()

    @application.get("/orders/{number}")
    async def order(number: int) -> dict[str, int]:
        return {"number": number}

    if not isinstance(sdk, Bare):
        _instrument(application, sdk)
    loop = asyncio.new_event_loop()

    async def serve(operations: int) -> None:
        for _ in range(operations):
            await _request(application)

    return lambda operations: loop.run_until_complete(serve(operations))


def _instrument(application: Any, sdk: Sdk) -> None:
    try:
        from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
    except ImportError as error:
        raise AbsentError(f"the instrumentation of FastAPI: {error}") from error
    FastAPIInstrumentor.instrument_app(
        application, tracer_provider=sdk.tracer_provider(), meter_provider=sdk.meter_provider()
    )


async def _request(application: Any) -> None:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await application(dict(SCOPE), receive, send)
    assert sent[0]["status"] == 200, sent  # noqa: PLR2004 # OK
