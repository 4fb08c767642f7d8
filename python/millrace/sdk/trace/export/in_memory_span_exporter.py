"""Keeps spans in memory, for tests."""

import threading
from collections import deque
from typing import TYPE_CHECKING

from millrace.sdk.trace.export.exporter import SpanExporter, SpanExportResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from millrace._native import Span

__all__ = ["InMemorySpanExporter"]


class InMemorySpanExporter(SpanExporter):
    """Collects what is exported.

    Args:
        max_spans: How many are kept, the newest ones; by default all.
    """

    def __init__(self, max_spans: int | None = None) -> None:
        self._finished_spans: deque[Span] = deque(maxlen=max_spans)
        self._stopped = False
        self._lock = threading.Lock()

    def clear(self) -> None:
        """Forget what was collected."""
        with self._lock:
            self._finished_spans.clear()

    def get_finished_spans(self) -> "tuple[Span, ...]":
        """Return what was collected."""
        with self._lock:
            return tuple(self._finished_spans)

    def export(self, spans: "Sequence[Span]") -> SpanExportResult:  # noqa: D102 - as in the parent
        if self._stopped:
            return SpanExportResult.FAILURE
        with self._lock:
            self._finished_spans.extend(spans)
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:  # noqa: D102 - as in the parent
        self._stopped = True
