"""A tracer for programs that chose a runtime context of their own: spans are made current there, by the API."""

from typing import TYPE_CHECKING, Any

from opentelemetry import context as api_context
from opentelemetry import trace
from opentelemetry.util._decorator import _agnosticcontextmanager

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from opentelemetry.context import Context
    from opentelemetry.trace import Link, SpanKind
    from opentelemetry.util.types import Attributes

    from millrace import _native

__all__ = ["ApiContextTracer"]


class ApiContextTracer(trace.Tracer):
    """Starts native spans, and leaves it to the API which one is current."""

    def __init__(self, native: "_native.Tracer") -> None:
        self._native = native

    def start_span(
        self,
        name: str,
        context: "Context | None" = None,
        kind: "SpanKind" = trace.SpanKind.INTERNAL,
        attributes: "Attributes" = None,
        links: "Sequence[Link] | None" = None,
        start_time: int | None = None,
        record_exception: bool = True,  # noqa: FBT001, FBT002 - the API's own
        set_status_on_exception: bool = True,  # noqa: FBT001, FBT002 - as above
    ) -> trace.Span:
        """See `opentelemetry.trace.Tracer.start_span`."""
        context = api_context.get_current() if context is None else context
        span: Any = self._native.start_span(
            name, context, kind, attributes, links, start_time, record_exception, set_status_on_exception
        )
        made: trace.Span = span
        return made

    @_agnosticcontextmanager
    def start_as_current_span(
        self,
        name: str,
        context: "Context | None" = None,
        kind: "SpanKind" = trace.SpanKind.INTERNAL,
        attributes: "Attributes" = None,
        links: "Sequence[Link] | None" = None,
        start_time: int | None = None,
        record_exception: bool = True,  # noqa: FBT001, FBT002 - the API's own
        set_status_on_exception: bool = True,  # noqa: FBT001, FBT002 - as above
        end_on_exit: bool = True,  # noqa: FBT001, FBT002 - as above
    ) -> "Iterator[trace.Span]":
        """See `opentelemetry.trace.Tracer.start_as_current_span`."""
        span = self.start_span(
            name, context, kind, attributes, links, start_time, record_exception, set_status_on_exception
        )
        with trace.use_span(span, end_on_exit, record_exception, set_status_on_exception):
            yield span

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - what else the native one has
        return getattr(self._native, name)
