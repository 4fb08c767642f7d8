"""Batches of telemetry for exporters written in Python: one thread, a bounded queue, and every drop counted."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal
from weakref import ref

from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, attach, detach, set_value

from millrace.sdk import process, self_metrics

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider

__all__ = ["Batcher"]

_log = logging.getLogger(__name__)


class Batcher:
    """Holds items until a batch is full or a delay has passed, then hands them over on a thread of its own.

    Args:
        export: Takes a batch; it is never called twice at the same time. What it raises is logged.
        max_queue_size: Items that are held; more are dropped and counted.
        schedule_delay_ms: How long items wait for others.
        max_export_batch_size: Items of a batch.
        kind: The type of the processor, for what the SDK counts of itself.
        signal: Of the items.
        meter_provider: Who counts; by default the API's.

    Raises:
        ValueError: A number is not positive, or a batch is larger than the queue.
    """

    def __init__(
        self,
        export: Callable[[Sequence[Any]], object],
        *,
        max_queue_size: int,
        schedule_delay_ms: float,
        max_export_batch_size: int,
        kind: str,
        signal: Literal["traces", "logs"],
        meter_provider: "MeterProvider | None",
    ) -> None:
        if max_queue_size <= 0:
            raise ValueError("max_queue_size must be a positive integer.")
        if schedule_delay_ms <= 0:
            raise ValueError("schedule_delay_millis must be positive.")
        if max_export_batch_size <= 0:
            raise ValueError("max_export_batch_size must be a positive integer.")
        if max_export_batch_size > max_queue_size:
            raise ValueError("max_export_batch_size must be less than or equal to max_queue_size.")
        self._export = export
        self._queue_size = max_queue_size
        self._delay_s = schedule_delay_ms / 1000
        self._batch_size = max_export_batch_size
        self.dropped = 0
        """Items that found the queue full."""
        self._closed = False
        self._begin()
        me = ref(self)
        self._processed = self_metrics.processed_by(
            kind, signal, meter_provider, capacity=max_queue_size, queue_size=lambda: _waiting(me())
        )
        process.after_fork_while_alive(self._begin)

    def _begin(self) -> None:
        """Start with nothing: what a forked child finds here is its parent's to deliver."""
        self._queue: deque[Any] = deque()
        self._changed = threading.Condition()
        self._exporting = threading.Lock()
        self._thread: threading.Thread | None = None

    def put(self, item: object) -> None:
        """Hold `item`, or drop and count it when the queue is full."""
        fault = self._hold(item)
        if fault is not None:
            self._processed(1, fault)

    def _hold(self, item: object) -> str | None:
        """Hold `item`, or return why it is dropped."""
        with self._changed:
            if self._closed:
                return "already_shutdown"
            if len(self._queue) >= self._queue_size:
                if not self.dropped:
                    _log.warning("The queue of %d items is full: telemetry is dropped, and counted", self._queue_size)
                self.dropped += 1
                return "queue_full"
            self._queue.append(item)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="millrace-batch", daemon=True)
                self._thread.start()
            if len(self._queue) >= self._batch_size:
                self._changed.notify()
        return None

    def flush(self, timeout_s: float) -> bool:
        """Hand over everything that is held; False when that took longer than `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while self._queue:
            if time.monotonic() >= deadline or not self._hand_over(deadline - time.monotonic()):
                return False
        if not self._exporting.acquire(timeout=max(0.0, deadline - time.monotonic())):
            return False
        self._exporting.release()
        return True

    def close(self, timeout_s: float) -> bool:
        """Hand over everything, and take nothing more."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        return self.flush(timeout_s)

    def _run(self) -> None:
        while not self._closed:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or len(self._queue) >= self._batch_size, self._delay_s)
            while self._queue and not self._closed:
                self._hand_over(self._delay_s)

    def _hand_over(self, timeout_s: float) -> bool:
        """Export one batch, unless another thread does so for longer than `timeout_s`."""
        if not self._exporting.acquire(timeout=max(0.0, timeout_s)):
            return False
        try:
            with self._changed:
                batch = [self._queue.popleft() for _ in range(min(len(self._queue), self._batch_size))]
            if batch:
                self._processed(len(batch), None)
                self._call(batch)
        finally:
            self._exporting.release()
        return True

    def _call(self, batch: list[Any]) -> None:
        token = attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))  # noqa: FBT003 - the API's own
        try:
            self._export(batch)
        except Exception:  # noqa: BLE001 - whatever an exporter does
            _log.exception("Exception while exporting a batch of %d items", len(batch))
        detach(token)


def _waiting(batcher: "Batcher | None") -> int:
    return 0 if batcher is None else len(batcher._queue)  # noqa: SLF001 - a part of the batcher
