"""Celery's broker in a folder, so that the demo needs no server: each message appears whole, by being renamed.

Kombu's own writes into the file that the worker may already be reading.
"""

import json
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

from kombu.transport import filesystem


class Channel(filesystem.Channel):
    """A queue whose messages are never half there."""

    def _put(self, queue: str, payload: dict[str, Any], **_: object) -> None:  # type: ignore[override] # as its own
        folder = Path(self.data_folder_out)
        name = f"{time.monotonic_ns() // 1_000_000}_{uuid4()}"
        part = folder / f"{name}.part"
        part.write_text(json.dumps(payload))
        part.rename(folder / f"{name}.{queue}.msg")


class Transport(filesystem.Transport):
    """The transport that has such queues."""

    Channel = Channel
