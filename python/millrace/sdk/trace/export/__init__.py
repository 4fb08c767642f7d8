"""Span exporters written in Python and their processors, under the names of `opentelemetry.sdk.trace.export`."""

from millrace.sdk.trace.export.batch import BatchSpanProcessor
from millrace.sdk.trace.export.exporter import ConsoleSpanExporter, SpanExporter, SpanExportResult
from millrace.sdk.trace.export.simple import SimpleSpanProcessor

__all__ = ["BatchSpanProcessor", "ConsoleSpanExporter", "SimpleSpanProcessor", "SpanExportResult", "SpanExporter"]
