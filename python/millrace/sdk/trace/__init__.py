"""Traces, under the names of `opentelemetry.sdk.trace`."""

from typing import TYPE_CHECKING

from millrace._native import NonRecordingSpan, Span, Tracer
from millrace.sdk import late
from millrace.sdk.resources import Resource
from millrace.sdk.trace.limits import SpanLimits
from millrace.sdk.trace.provider import TracerProvider

if TYPE_CHECKING:
    from millrace.sdk.trace import sampling
    from millrace.sdk.trace.event import Event
    from millrace.sdk.trace.processor import (
        ConcurrentMultiSpanProcessor,
        SpanProcessor,
        SynchronousMultiSpanProcessor,
    )
    from millrace.sdk.trace.readable import ReadableSpan

__all__ = [
    "ConcurrentMultiSpanProcessor",
    "Event",
    "NonRecordingSpan",
    "ReadableSpan",
    "Resource",
    "Span",
    "SpanLimits",
    "SpanProcessor",
    "SynchronousMultiSpanProcessor",
    "Tracer",
    "TracerProvider",
    "sampling",
]

__getattr__ = late(
    __name__,
    {
        "Event": "millrace.sdk.trace.event",
        "ReadableSpan": "millrace.sdk.trace.readable",
        "sampling": "millrace.sdk.trace.sampling",
    }
    | dict.fromkeys(
        ("ConcurrentMultiSpanProcessor", "SpanProcessor", "SynchronousMultiSpanProcessor"),
        "millrace.sdk.trace.processor",
    ),
)
