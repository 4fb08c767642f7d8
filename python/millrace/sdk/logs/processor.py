"""Log record processors: what is called for each record. The native path needs none; each costs its own time."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from millrace.sdk.processors import AtOnce, InOrder

if TYPE_CHECKING:
    from opentelemetry._logs import SeverityNumber
    from opentelemetry.context import Context

    from millrace.sdk.instrumentation import InstrumentationScope
    from millrace.sdk.logs.record import ReadWriteLogRecord

__all__ = ["ConcurrentMultiLogRecordProcessor", "LogRecordProcessor", "SynchronousMultiLogRecordProcessor"]


class LogRecordProcessor(ABC):
    """What to do when a record is emitted; upstream's class of this name serves as well.

    Processors are called in the order in which they were added, before the record is exported natively: what one of
    them changes is seen by the next ones, and is what is exported.
    """

    @abstractmethod
    def on_emit(self, log_record: "ReadWriteLogRecord") -> None:
        """Look at a record, or change it, on the thread that emits it."""

    def enabled(
        self,
        *,
        context: "Context | None" = None,  # noqa: ARG002 - for those who override
        instrumentation_scope: "InstrumentationScope | None" = None,  # noqa: ARG002 - as above
        severity_number: "SeverityNumber | None" = None,  # noqa: ARG002 - as above
        event_name: str | None = None,  # noqa: ARG002 - as above
    ) -> bool:
        """Return whether this processor wants such a record."""
        return True

    @abstractmethod
    def shutdown(self) -> None:
        """Finish; nothing is called afterwards."""

    @abstractmethod
    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Deliver what is held; return False when that took too long or failed."""


class SynchronousMultiLogRecordProcessor(InOrder[LogRecordProcessor], LogRecordProcessor):
    """Calls several processors, one after the other. One that fails does not keep the others from their work."""

    def add_log_record_processor(self, log_record_processor: LogRecordProcessor) -> None:
        """Have one more called."""
        self._add(log_record_processor)

    def on_emit(self, log_record: "ReadWriteLogRecord") -> None:  # noqa: D102 - as in the parent
        self._each(lambda processor: processor.on_emit(log_record))

    def enabled(  # noqa: D102 - as in the parent
        self,
        *,
        context: "Context | None" = None,
        instrumentation_scope: "InstrumentationScope | None" = None,
        severity_number: "SeverityNumber | None" = None,
        event_name: str | None = None,
    ) -> bool:
        return any(
            processor.enabled(
                context=context,
                instrumentation_scope=instrumentation_scope,
                severity_number=severity_number,
                event_name=event_name,
            )
            for processor in self._processors
        )


class ConcurrentMultiLogRecordProcessor(AtOnce[LogRecordProcessor], SynchronousMultiLogRecordProcessor):
    """Calls several processors at the same time, on threads, and waits for all.

    Args:
        max_workers: How many may be called at once.
    """

    def __init__(self, max_workers: int = 2) -> None:
        super().__init__(max_workers)
