"""A service as people write them, instrumented by stock packages: FastAPI, SQLAlchemy, sqlite3, httpx and logging.

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
from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor
from opentelemetry.instrumentation.sqlite3 import SQLite3Instrumentor
from sqlalchemy import StaticPool, create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

__all__ = ["main"]

log = logging.getLogger("shop")
log.setLevel(logging.INFO)
app = FastAPI()
engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})


class Base(DeclarativeBase):
    """What SQLAlchemy knows."""


class Sale(Base):
    """Something that was sold."""

    __tablename__ = "sale"
    id: Mapped[int] = mapped_column(primary_key=True)
    product: Mapped[str]


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
    with Session(engine) as session:
        session.add(Sale(product=name))
        session.commit()
        log.info("sold %s", name, extra={"price": row[0], "sales": session.query(Sale).count()})
    return int(row[0])


@app.get("/broken")
def broken() -> int:
    """Fail, as services do."""
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT * FROM nothing WHERE price < :limit"), {"limit": 7})
    except OperationalError:
        log.exception("the report failed")
    return 1 // 0


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
    SQLAlchemyInstrumentor().instrument(engine=engine)
    Base.metadata.create_all(engine)
    LoggingInstrumentor().instrument()
    FastAPIInstrumentor.instrument_app(app)
    asyncio.run(visit())


if __name__ == "__main__":
    main(sys.argv[1])
