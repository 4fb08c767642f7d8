"""What exports log records in Python, and the exporter that prints them."""

import enum
import os
import sys
from abc import ABC, abstractmethod
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from millrace.sdk.logs.record import ReadableLogRecord

__all__ = ["ConsoleLogRecordExporter", "LogRecordExportResult", "LogRecordExporter"]


class LogRecordExportResult(enum.Enum):
    """How an export ended."""

    SUCCESS = 0
    FAILURE = 1


class LogRecordExporter(ABC):
    """Delivers log records; upstream's class of this name serves as well."""

    @abstractmethod
    def export(self, batch: "Sequence[ReadableLogRecord]") -> LogRecordExportResult:
        """Deliver the records of `batch`."""

    @abstractmethod
    def shutdown(self) -> None:
        """Finish; nothing is exported afterwards."""

    @abstractmethod
    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Deliver what is held; return False when that took too long."""


def _json_line(record: "ReadableLogRecord") -> str:
    return record.to_json() + os.linesep


class ConsoleLogRecordExporter(LogRecordExporter):
    """Prints log records as JSON, for a look while developing.

    Args:
        out: Where to.
        formatter: How.
    """

    def __init__(
        self,
        out: IO[str] | None = None,
        formatter: "Callable[[ReadableLogRecord], str]" = _json_line,
    ) -> None:
        self.out = sys.stdout if out is None else out
        self.formatter = formatter

    def export(self, batch: "Sequence[ReadableLogRecord]") -> LogRecordExportResult:  # noqa: D102 - as in the parent
        for record in batch:
            self.out.write(self.formatter(record))
        self.out.flush()
        return LogRecordExportResult.SUCCESS

    def shutdown(self) -> None:
        """Do nothing: standard output stays open."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:  # noqa: ARG002, D102 - nothing is held
        return True
