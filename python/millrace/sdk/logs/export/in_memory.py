"""Keeps log records in memory, for tests."""

import threading
from typing import TYPE_CHECKING

from millrace.sdk.logs.export.exporter import LogRecordExporter, LogRecordExportResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from millrace.sdk.logs.record import ReadableLogRecord

__all__ = ["InMemoryLogRecordExporter"]


class InMemoryLogRecordExporter(LogRecordExporter):
    """Collects what is exported."""

    def __init__(self) -> None:
        self._logs: list[ReadableLogRecord] = []
        self._stopped = False
        self._lock = threading.Lock()

    def clear(self) -> None:
        """Forget what was collected."""
        with self._lock:
            self._logs.clear()

    def get_finished_logs(self) -> "tuple[ReadableLogRecord, ...]":
        """Return what was collected."""
        with self._lock:
            return tuple(self._logs)

    def export(self, batch: "Sequence[ReadableLogRecord]") -> LogRecordExportResult:  # noqa: D102 - as in the parent
        if self._stopped:
            return LogRecordExportResult.FAILURE
        with self._lock:
            self._logs.extend(batch)
        return LogRecordExportResult.SUCCESS

    def shutdown(self) -> None:  # noqa: D102 - as in the parent
        self._stopped = True

    def force_flush(self, timeout_millis: int = 30000) -> bool:  # noqa: ARG002, D102 - nothing is held
        return True
