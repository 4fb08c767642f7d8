"""A span as data, for those who make one by hand: a processor that exports another form of a span, or a test.

A native span is its own readable form, and counts as one: `isinstance(span, ReadableSpan)` is True.
"""

from abc import ABC
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from opentelemetry.trace import SpanKind, Status, StatusCode

from millrace import _native

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from opentelemetry.trace import Link, SpanContext
    from opentelemetry.util.types import AnyValue, Attributes

    from millrace.sdk.instrumentation import InstrumentationScope
    from millrace.sdk.resources import AnyResource
    from millrace.sdk.trace.event import Event

__all__ = ["ReadableSpan"]


class ReadableSpan(ABC):  # noqa: B024 - an ABC so that native spans are of this class too
    """What exporters see of a span; this one is made of what it is given."""

    def __init__(
        self,
        name: str,
        context: "SpanContext | None" = None,
        parent: "SpanContext | None" = None,
        resource: "AnyResource | None" = None,
        attributes: "Attributes" = None,
        events: "Sequence[Event]" = (),
        links: "Sequence[Link]" = (),
        kind: SpanKind = SpanKind.INTERNAL,
        instrumentation_info: Any = None,  # noqa: ANN401 - deprecated since 1.11; kept as it is given
        status: Status | None = None,
        start_time: int | None = None,
        end_time: int | None = None,
        instrumentation_scope: "InstrumentationScope | None" = None,
    ) -> None:
        if resource is None:
            from millrace.sdk.resources import Resource  # noqa: PLC0415 - detectors may be asked

            resource = Resource.create({})
        self.name = name
        self.context = context
        self.parent = parent
        self.resource = resource
        self._attributes = attributes
        self._events = events
        self._links = links
        self.kind = kind
        self.instrumentation_info = instrumentation_info
        self.status = Status(StatusCode.UNSET) if status is None else status
        self.start_time = start_time
        self.end_time = end_time
        self.instrumentation_scope = instrumentation_scope

    def get_span_context(self) -> "SpanContext | None":
        """Return the ids of the span."""
        return self.context

    @property
    def attributes(self) -> "Mapping[str, AnyValue]":
        """The attributes, which cannot be set."""
        return MappingProxyType(self._attributes if self._attributes is not None else {})

    @property
    def events(self) -> "tuple[Event, ...]":
        """The events."""
        return tuple(self._events)

    @property
    def links(self) -> "tuple[Link, ...]":
        """The links to other spans."""
        return tuple(self._links)

    @property
    def dropped_attributes(self) -> int:
        """How many attributes a limit cost."""
        return getattr(self._attributes, "dropped", 0)

    @property
    def dropped_events(self) -> int:
        """How many events a limit cost."""
        return getattr(self._events, "dropped", 0)

    @property
    def dropped_links(self) -> int:
        """How many links a limit cost."""
        return getattr(self._links, "dropped", 0)

    def to_json(self, indent: int | None = 4) -> str:
        """Return it as JSON text."""
        from millrace.sdk.trace.printing import span_json  # noqa: PLC0415 - for people who look

        return span_json(self, indent)


ReadableSpan.register(_native.Span)
