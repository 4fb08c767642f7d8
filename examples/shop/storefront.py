"""The shop's front: orders in SQLite, payment by a call, packing by a queue; no telemetry code at all."""

import logging
import os
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import httpx
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

from examples.shop.warehouse import pack

log = logging.getLogger("shop.storefront")
log.setLevel(logging.INFO)

DATABASE = os.environ["SHOP_DATABASE"]
payments = httpx.Client(base_url=os.environ["SHOP_PAYMENTS"], timeout=90)

CATALOGUE = [("mill wheel", 4_900), ("grindstone", 1_250), ("flour sack", 30), ("sluice gate", 780)]


class Order(BaseModel):
    """What a customer asks for."""

    product: str
    quantity: int


@contextmanager
def database() -> Iterator[sqlite3.Cursor]:
    """A cursor for one request: committed when it succeeds, closed in any case."""
    connection = sqlite3.connect(DATABASE, timeout=30)
    try:
        with connection:
            yield connection.cursor()
    finally:
        connection.close()


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Lay out the tables before the first request."""
    with database() as db:
        db.execute("CREATE TABLE product (name TEXT PRIMARY KEY, price INTEGER)")
        db.execute("CREATE TABLE orders (product TEXT, quantity INTEGER, total INTEGER)")
        db.executemany("INSERT INTO product VALUES (?, ?)", CATALOGUE)
    yield


app = FastAPI(lifespan=lifespan)


@app.get("/products")
def products() -> dict[str, int]:
    """Every product with its price."""
    with database() as db:
        return dict(db.execute("SELECT name, price FROM product").fetchall())


@app.post("/orders")
def order(wanted: Order) -> dict[str, int]:
    """Price an order, have it paid, keep it, and have it packed."""
    with database() as db:
        row = db.execute("SELECT price FROM product WHERE name = ?", (wanted.product,)).fetchone()
        if row is None:
            log.warning("no product is called %s", wanted.product)
            raise HTTPException(404, f"no product is called {wanted.product}")
        total = row[0] * wanted.quantity
        answer = payments.post("/charges", json={"amount": total})
        if answer.status_code == httpx.codes.PAYMENT_REQUIRED:
            log.warning("order of %d %s declined", wanted.quantity, wanted.product)
            raise HTTPException(402, "payment declined")
        answer.raise_for_status()
        db.execute("INSERT INTO orders VALUES (?, ?, ?)", (wanted.product, wanted.quantity, total))
    pack.delay(wanted.product, wanted.quantity)
    log.info("sold %d %s for %d", wanted.quantity, wanted.product, total)
    return {"total": total}


@app.get("/report")
def report() -> float:
    """The mean order of a product that nobody ordered: a bug for the traces and the logs to show."""
    with database() as db:
        total, count = db.execute("SELECT sum(total), count(*) FROM orders WHERE product = 'windmill'").fetchone()
    try:
        return float((total or 0) / count)
    except ZeroDivisionError:
        log.exception("the report failed")
        raise
