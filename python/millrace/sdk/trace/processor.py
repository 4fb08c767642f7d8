"""Span processors: what is called when spans start and end. The native path needs none; each costs its own time."""

from typing import TYPE_CHECKING

from millrace.sdk.processors import AtOnce, InOrder

if TYPE_CHECKING:
    from opentelemetry.context import Context

    from millrace._native import Span

__all__ = ["ConcurrentMultiSpanProcessor", "SpanProcessor", "SynchronousMultiSpanProcessor"]


class SpanProcessor:
    """What to do when a span starts and ends; upstream's class of this name serves as well."""

    def on_start(self, span: "Span", parent_context: "Context | None" = None) -> None:
        """Look at a span that has just started, on the thread that started it."""

    def _on_ending(self, span: "Span") -> None:
        """Look at a span that is about to end."""

    def on_end(self, span: "Span") -> None:
        """Look at a span that has just ended, on the thread that ended it."""

    def shutdown(self) -> None:
        """Finish; nothing is called afterwards."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:  # noqa: ARG002 - for those who override
        """Deliver what is held; return False when that took too long or failed."""
        return True


class SynchronousMultiSpanProcessor(InOrder[SpanProcessor], SpanProcessor):
    """Calls several processors, one after the other. One that fails does not keep the others from their work."""

    def add_span_processor(self, span_processor: SpanProcessor) -> None:
        """Have one more called."""
        self._add(span_processor)

    def on_start(self, span: "Span", parent_context: "Context | None" = None) -> None:  # noqa: D102 - as in the parent
        self._each(lambda processor: processor.on_start(span, parent_context=parent_context))

    def _on_ending(self, span: "Span") -> None:
        self._each(lambda processor: getattr(processor, "_on_ending", _nothing)(span))

    def on_end(self, span: "Span") -> None:  # noqa: D102 - as in the parent
        self._each(lambda processor: processor.on_end(span))


class ConcurrentMultiSpanProcessor(AtOnce[SpanProcessor], SynchronousMultiSpanProcessor):
    """Calls several processors at the same time, on threads, and waits for all.

    Args:
        num_threads: How many may be called at once.
    """

    def __init__(self, num_threads: int = 2) -> None:
        super().__init__(num_threads)


def _nothing(span: "Span") -> None:
    """Stand in for the method that processors of older versions do not have."""
