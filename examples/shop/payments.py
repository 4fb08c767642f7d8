"""The shop's payments service: takes any charge up to a limit, and has no telemetry code either."""

import logging

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

log = logging.getLogger("shop.payments")
log.setLevel(logging.INFO)

LIMIT = 40_000

app = FastAPI()


class Charge(BaseModel):
    """An amount of money to take from the customer."""

    amount: int


@app.post("/charges")
async def charge(wanted: Charge) -> dict[str, int]:
    """Take the money, or answer 402 when it is too much."""
    if wanted.amount > LIMIT:
        log.error("declined %d: over the limit of %d", wanted.amount, LIMIT)
        raise HTTPException(402, "over the limit")
    log.info("charged %d", wanted.amount)
    return {"charged": wanted.amount}
