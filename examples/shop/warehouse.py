"""The shop's warehouse: takes sold orders from a queue and packs them; a Celery worker, no telemetry code either."""

import logging
import os
import time
from pathlib import Path

from celery import Celery
from kombu.transport import TRANSPORT_ALIASES

log = logging.getLogger("shop.warehouse")
log.setLevel(logging.INFO)

PACK_S = 0.002
HEAVY = {"grindstone": 20}
"""What takes many times as long to pack."""

TRANSPORT_ALIASES["folder"] = "examples.shop.folder_queue:Transport"
folder = Path(os.environ["SHOP_QUEUE"])
for name in ("queue", "processed", "control"):
    (folder / name).mkdir(parents=True, exist_ok=True)
app = Celery(
    "warehouse",
    broker="folder://",
    broker_transport_options={
        "data_folder_in": str(folder / "queue"),
        "data_folder_out": str(folder / "queue"),
        "processed_folder": str(folder / "processed"),
        "control_folder": str(folder / "control"),
        "polling_interval": 0.01,
    },
    task_ignore_result=True,
    worker_hijack_root_logger=False,
)


@app.task(name="pack")  # type: ignore[untyped-decorator] # celery has no types
def pack(product: str, quantity: int) -> None:
    """Pack an order."""
    if quantity == 0:
        raise ValueError(f"an order of nothing cannot be packed: {product}")
    time.sleep(PACK_S * HEAVY.get(product, 1))
    log.info("packed %d %s", quantity, product)
