"""Logs: providers, loggers, processors and the handler of `logging`, under the names of `opentelemetry.sdk._logs`."""

from typing import TYPE_CHECKING

from millrace.sdk import late
from millrace.sdk.logs.limits import LogRecordLimits
from millrace.sdk.logs.provider import Logger, LoggerProvider

if TYPE_CHECKING:
    from millrace.sdk.logs.handler import LoggingHandler, install, uninstall
    from millrace.sdk.logs.processor import (
        ConcurrentMultiLogRecordProcessor,
        LogRecordProcessor,
        SynchronousMultiLogRecordProcessor,
    )
    from millrace.sdk.logs.record import LogRecordDroppedAttributesWarning, ReadableLogRecord, ReadWriteLogRecord

__all__ = [
    "ConcurrentMultiLogRecordProcessor",
    "LogRecordDroppedAttributesWarning",
    "LogRecordLimits",
    "LogRecordProcessor",
    "Logger",
    "LoggerProvider",
    "LoggingHandler",
    "ReadWriteLogRecord",
    "ReadableLogRecord",
    "SynchronousMultiLogRecordProcessor",
    "install",
    "uninstall",
]

__getattr__ = late(
    __name__,
    dict.fromkeys(("LoggingHandler", "install", "uninstall"), "millrace.sdk.logs.handler")
    | dict.fromkeys(
        ("LogRecordDroppedAttributesWarning", "ReadWriteLogRecord", "ReadableLogRecord"), "millrace.sdk.logs.record"
    )
    | dict.fromkeys(
        ("ConcurrentMultiLogRecordProcessor", "LogRecordProcessor", "SynchronousMultiLogRecordProcessor"),
        "millrace.sdk.logs.processor",
    ),
)
