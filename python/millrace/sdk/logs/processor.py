"""Log record processors: what is called for each record. The native path needs none; each costs its own time."""

import logging
import time
from abc import ABC, abstractmethod
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry._logs import SeverityNumber
    from opentelemetry.context import Context

    from millrace.sdk.instrumentation import InstrumentationScope
    from millrace.sdk.logs.record import ReadWriteLogRecord

__all__ = ["ConcurrentMultiLogRecordProcessor", "LogRecordProcessor", "SynchronousMultiLogRecordProcessor"]

_log = logging.getLogger(__name__)


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


class SynchronousMultiLogRecordProcessor(LogRecordProcessor):
    """Calls several processors, one after the other. One that fails does not keep the others from their work."""

    def __init__(self) -> None:
        self._log_record_processors: tuple[LogRecordProcessor, ...] = ()

    def add_log_record_processor(self, log_record_processor: LogRecordProcessor) -> None:
        """Have one more called."""
        self._log_record_processors += (log_record_processor,)

    def on_emit(self, log_record: "ReadWriteLogRecord") -> None:  # noqa: D102 - as in the parent
        for processor in self._log_record_processors:
            _guard(processor, partial(processor.on_emit, log_record))

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
            for processor in self._log_record_processors
        )

    def shutdown(self) -> None:  # noqa: D102 - as in the parent
        for processor in self._log_record_processors:
            _guard(processor, processor.shutdown)

    def force_flush(self, timeout_millis: int = 30000) -> bool:  # noqa: D102 - as in the parent
        deadline = time.monotonic() + timeout_millis / 1000
        flushed = True
        for processor in self._log_record_processors:
            left = round((deadline - time.monotonic()) * 1000)
            if left <= 0:
                return False
            flushed = processor.force_flush(left) is not False and flushed
        return flushed


class ConcurrentMultiLogRecordProcessor(SynchronousMultiLogRecordProcessor):
    """Calls several processors at the same time, on threads, and waits for all.

    Args:
        max_workers: How many may be called at once.
    """

    def __init__(self, max_workers: int = 2) -> None:
        super().__init__()
        self._max_workers = max_workers
        self._renew()
        from millrace.sdk import process  # noqa: PLC0415 - threads do not survive a fork

        process.after_fork_while_alive(self._renew)

    def _renew(self) -> None:
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - 5 ms for the few who want threads

        self._executor = ThreadPoolExecutor(max_workers=self._max_workers)

    def _all(self, call: "Callable[[LogRecordProcessor], object]") -> None:
        from concurrent.futures import wait  # noqa: PLC0415 - as above

        processors = self._log_record_processors
        wait([self._executor.submit(_guard, one, partial(call, one)) for one in processors])

    def on_emit(self, log_record: "ReadWriteLogRecord") -> None:  # noqa: D102 - as in the parent
        self._all(lambda processor: processor.on_emit(log_record))

    def shutdown(self) -> None:  # noqa: D102 - as in the parent
        self._all(lambda processor: processor.shutdown())

    def force_flush(self, timeout_millis: int = 30000) -> bool:  # noqa: D102 - as in the parent
        from concurrent.futures import wait  # noqa: PLC0415 - as above

        calls = [self._executor.submit(one.force_flush, timeout_millis) for one in self._log_record_processors]
        done, late = wait(calls, timeout_millis / 1000)
        return not late and all(call.result() is not False for call in done)


def _guard(processor: LogRecordProcessor, call: "Callable[[], object]") -> None:
    try:
        call()
    except Exception:  # noqa: BLE001 - whatever a processor does
        _log.exception("The log record processor %s failed", type(processor).__name__)
