"""Exports each span when it ends, on the thread that ended it: for tests and the console."""

import logging
from typing import TYPE_CHECKING

from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, attach, detach, set_value

from millrace.sdk import self_metrics
from millrace.sdk.trace.processor import SpanProcessor

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider

    from millrace._native import Span
    from millrace.sdk.trace.export.exporter import SpanExporter

__all__ = ["SimpleSpanProcessor"]

_log = logging.getLogger(__name__)


class SimpleSpanProcessor(SpanProcessor):
    """Hands each sampled span to an exporter at once.

    Args:
        span_exporter: Takes the spans.
        meter_provider: Counts what the SDK itself does, where a variable asks for that; by default the API's.
    """

    def __init__(self, span_exporter: "SpanExporter", *, meter_provider: "MeterProvider | None" = None) -> None:
        self.span_exporter = span_exporter
        self._is_shut_down = False
        self._processed = self_metrics.processed_by("simple_span_processor", "traces", meter_provider)

    def on_end(self, span: "Span") -> None:  # noqa: D102 - as in the parent
        if not span.context.trace_flags.sampled:
            return
        if self._is_shut_down:
            self._processed(1, "already_shutdown")
            return
        token = attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))  # noqa: FBT003 - the API's own
        try:
            self.span_exporter.export((span,))
        except Exception:  # noqa: BLE001 - whatever an exporter does
            _log.exception("Exception while exporting Span.")
        detach(token)
        self._processed(1, None)

    def shutdown(self) -> None:  # noqa: D102 - as in the parent
        self._is_shut_down = True
        self.span_exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:  # noqa: ARG002, D102 - nothing is held
        return True
