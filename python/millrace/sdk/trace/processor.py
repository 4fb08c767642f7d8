"""Span processors: what is called when spans start and end. The native path needs none; each costs its own time."""

import logging
import time
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.context import Context

    from millrace._native import Span

__all__ = ["ConcurrentMultiSpanProcessor", "SpanProcessor", "SynchronousMultiSpanProcessor"]

_log = logging.getLogger(__name__)


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


class SynchronousMultiSpanProcessor(SpanProcessor):
    """Calls several processors, one after the other. One that fails does not keep the others from their work."""

    def __init__(self) -> None:
        self._span_processors: tuple[SpanProcessor, ...] = ()

    def add_span_processor(self, span_processor: SpanProcessor) -> None:
        """Have one more called."""
        self._span_processors += (span_processor,)

    def on_start(self, span: "Span", parent_context: "Context | None" = None) -> None:  # noqa: D102 - as in the parent
        for processor in self._span_processors:
            _guard(processor, partial(processor.on_start, span, parent_context=parent_context))

    def _on_ending(self, span: "Span") -> None:
        for processor in self._span_processors:
            ending = getattr(processor, "_on_ending", None)
            if ending is not None:
                _guard(processor, partial(ending, span))

    def on_end(self, span: "Span") -> None:  # noqa: D102 - as in the parent
        for processor in self._span_processors:
            _guard(processor, partial(processor.on_end, span))

    def shutdown(self) -> None:  # noqa: D102 - as in the parent
        for processor in self._span_processors:
            _guard(processor, processor.shutdown)

    def force_flush(self, timeout_millis: int = 30000) -> bool:  # noqa: D102 - as in the parent
        deadline = time.monotonic() + timeout_millis / 1000
        flushed = True
        for processor in self._span_processors:
            left = round((deadline - time.monotonic()) * 1000)
            if left <= 0:
                return False
            flushed = processor.force_flush(left) is not False and flushed
        return flushed


class ConcurrentMultiSpanProcessor(SynchronousMultiSpanProcessor):
    """Calls several processors at the same time, on threads, and waits for all.

    Args:
        num_threads: How many may be called at once.
    """

    def __init__(self, num_threads: int = 2) -> None:
        super().__init__()
        self._threads = num_threads
        self._renew()
        from millrace.sdk import process  # noqa: PLC0415 - threads do not survive a fork

        process.after_fork_while_alive(self._renew)

    def _renew(self) -> None:
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - 5 ms for the few who want threads

        self._executor = ThreadPoolExecutor(max_workers=self._threads)

    def _all(self, call: "Callable[[SpanProcessor], object]") -> None:
        for call_made in [self._executor.submit(_guard, one, partial(call, one)) for one in self._span_processors]:
            call_made.result()

    def on_start(self, span: "Span", parent_context: "Context | None" = None) -> None:  # noqa: D102 - as in the parent
        self._all(lambda processor: processor.on_start(span, parent_context=parent_context))

    def _on_ending(self, span: "Span") -> None:
        self._all(lambda processor: processor._on_ending(span))  # noqa: SLF001 - the method's own name

    def on_end(self, span: "Span") -> None:  # noqa: D102 - as in the parent
        self._all(lambda processor: processor.on_end(span))

    def shutdown(self) -> None:  # noqa: D102 - as in the parent
        self._all(lambda processor: processor.shutdown())

    def force_flush(self, timeout_millis: int = 30000) -> bool:  # noqa: D102 - as in the parent
        from concurrent.futures import wait  # noqa: PLC0415 - as above

        calls = [self._executor.submit(one.force_flush, timeout_millis) for one in self._span_processors]
        done, late = wait(calls, timeout_millis / 1000)
        return not late and all(call.result() is not False for call in done)


def _guard(processor: SpanProcessor, call: "Callable[[], object]") -> None:
    try:
        call()
    except Exception:  # noqa: BLE001 - whatever a processor does
        _log.exception("The span processor %s failed", type(processor).__name__)
