"""A service as people write them, instrumented by the stock contrib packages: FastAPI, httpx, sqlite3 and logging.

Run as a program with the name of an SDK. Which one it is, is one line: the rest does not know.
"""

import asyncio
import logging
import sqlite3
import sys

import httpx
from fastapi import FastAPI, HTTPException
from opentelemetry import metrics, trace
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.instrumentation.logging import LoggingInstrumentor
from opentelemetry.instrumentation.sqlite3 import SQLite3Instrumentor

__all__ = ["main"]

log = logging.getLogger("shop")
log.setLevel(logging.INFO)
app = FastAPI()


def configure(sdk: str) -> None:
    """Choose the SDK; both read the variables of OpenTelemetry."""
    if sdk == "millrace":
        import millrace  # noqa: PLC0415

        millrace.configure()
    else:
        from opentelemetry.sdk._configuration import _OTelSDKConfigurator  # noqa: PLC0415

        _OTelSDKConfigurator().configure()  # type: ignore[no-untyped-call] # upstream has no types for it


@app.get("/products/{name}")
def product(name: str) -> int:
    """Look a price up."""
    connection = sqlite3.connect(":memory:")
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE product (name TEXT, price INTEGER)")
    cursor.execute("INSERT INTO product VALUES ('flour', 30)")
    row = cursor.execute("SELECT price FROM product WHERE name = ?", (name,)).fetchone()
    connection.close()
    if row is None:
        log.warning("no product is called %s", name)
        raise HTTPException(404)
    with trace.get_tracer("shop").start_as_current_span("price", attributes={"product": name}) as span:
        span.add_event("found", {"price": row[0]})
    metrics.get_meter("shop").create_counter("sold", "{item}", "what was sold").add(2, {"product": name})
    log.info("sold %s", name, extra={"price": row[0]})
    return int(row[0])


@app.get("/broken")
def broken() -> int:
    """Fail, as services do."""
    try:
        return 1 // 0
    except ZeroDivisionError:
        log.exception("the report failed")
        raise


async def visit() -> None:
    """Call the service as another one would."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
        HTTPXClientInstrumentor().instrument_client(client)
        for path in ("/products/flour", "/products/sand", "/broken"):
            await client.get(path)


def main(sdk: str) -> None:
    """Instrument, serve three requests, and end, which delivers everything."""
    configure(sdk)
    SQLite3Instrumentor().instrument()
    LoggingInstrumentor().instrument()
    FastAPIInstrumentor.instrument_app(app)
    asyncio.run(visit())


if __name__ == "__main__":
    main(sys.argv[1])
