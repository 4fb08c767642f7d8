"""Log record exporters written in Python, and the processors that feed them (`opentelemetry.sdk._logs.export`)."""

from millrace.sdk.logs.export.batch import BatchLogRecordProcessor
from millrace.sdk.logs.export.exporter import ConsoleLogRecordExporter, LogRecordExporter, LogRecordExportResult
from millrace.sdk.logs.export.in_memory import InMemoryLogRecordExporter
from millrace.sdk.logs.export.simple import SimpleLogRecordProcessor

__all__ = [
    "BatchLogRecordProcessor",
    "ConsoleLogRecordExporter",
    "InMemoryLogRecordExporter",
    "LogRecordExportResult",
    "LogRecordExporter",
    "SimpleLogRecordProcessor",
]
