"""Logs: providers, loggers, processors and the handler of `logging`, under the names of `opentelemetry.sdk._logs`."""

from millrace.sdk.logs.handler import LoggingHandler, install, uninstall
from millrace.sdk.logs.limits import LogRecordLimits
from millrace.sdk.logs.processor import (
    ConcurrentMultiLogRecordProcessor,
    LogRecordProcessor,
    SynchronousMultiLogRecordProcessor,
)
from millrace.sdk.logs.provider import Logger, LoggerProvider
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
