"""Exports each log record when it is emitted, on the thread that emits it: for tests and the console."""

import logging
from typing import TYPE_CHECKING

from opentelemetry.context import (
    _ON_EMIT_RECURSION_COUNT_KEY,
    _SUPPRESS_INSTRUMENTATION_KEY,
    attach,
    detach,
    get_value,
    set_value,
)

from millrace.sdk import self_metrics
from millrace.sdk.logs.export.readable import readable
from millrace.sdk.logs.processor import LogRecordProcessor

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider

    from millrace.sdk.logs.export.exporter import LogRecordExporter
    from millrace.sdk.logs.record import ReadWriteLogRecord

__all__ = ["SimpleLogRecordProcessor"]

_log = logging.getLogger(__name__)

_quiet_log = logging.getLogger(f"{__name__}.propagate.false")
_quiet_log.propagate = False

_DEPTH_MAX = 3
"""Exporters that log what they do come to an end by themselves before that, or never."""


class SimpleLogRecordProcessor(LogRecordProcessor):
    """Hands each record to an exporter at once.

    Args:
        exporter: Takes the records.
        meter_provider: Counts what the SDK itself does, where a variable asks for that; by default the API's.
    """

    def __init__(self, exporter: "LogRecordExporter", *, meter_provider: "MeterProvider | None" = None) -> None:
        self._exporter = exporter
        self._shutdown = False
        self._processed = self_metrics.processed_by("simple_log_processor", "logs", meter_provider)

    def on_emit(self, log_record: "ReadWriteLogRecord") -> None:  # noqa: D102 - as in the parent
        if self._shutdown:
            self._processed(1, "already_shutdown")
            return
        depth = get_value(_ON_EMIT_RECURSION_COUNT_KEY)
        depth = depth if isinstance(depth, int) else 0
        if depth > _DEPTH_MAX:
            _quiet_log.warning(
                "SimpleLogRecordProcessor.on_emit has entered a recursive loop. Dropping log and exiting the loop."
            )
            return
        context = set_value(_ON_EMIT_RECURSION_COUNT_KEY, depth + 1)
        token = attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, True, context))  # noqa: FBT003 - the API's own
        try:
            self._exporter.export((readable(log_record),))
        except Exception:  # noqa: BLE001 - whatever an exporter does
            _log.exception("Exception while exporting logs.")
        finally:
            detach(token)
            self._processed(1, None)

    def shutdown(self) -> None:  # noqa: D102 - as in the parent
        self._shutdown = True
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:  # noqa: ARG002, D102 - nothing is held
        return True
