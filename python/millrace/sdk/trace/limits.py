"""The limits of spans: how many attributes, events and links, and how long a value (specification: Span Limits)."""

from millrace.sdk import environment
from millrace.sdk import environment_variables as names

__all__ = ["SpanLimits"]

_COUNT = 128


class SpanLimits:
    """The limits of one provider's spans; what is not given comes from the environment, and `UNSET` is no limit.

    Args:
        max_attributes: Attributes of a span, an event and a link, where nothing more precise is said.
        max_events: Events of a span.
        max_links: Links of a span.
        max_span_attributes: Attributes of a span.
        max_event_attributes: Attributes of an event.
        max_link_attributes: Attributes of a link.
        max_attribute_length: Characters of a text, where nothing more precise is said.
        max_span_attribute_length: Characters of a text in an attribute of a span.

    Raises:
        ValueError: A limit is negative.
    """

    UNSET = environment.UNSET

    def __init__(
        self,
        max_attributes: int | None = None,
        max_events: int | None = None,
        max_links: int | None = None,
        max_span_attributes: int | None = None,
        max_event_attributes: int | None = None,
        max_link_attributes: int | None = None,
        max_attribute_length: int | None = None,
        max_span_attribute_length: int | None = None,
    ) -> None:
        general = environment.limit("max_attributes", max_attributes, names.OTEL_ATTRIBUTE_COUNT_LIMIT, _COUNT)
        self.max_attributes = general
        self.max_events = environment.limit("max_events", max_events, names.OTEL_SPAN_EVENT_COUNT_LIMIT, _COUNT)
        self.max_links = environment.limit("max_links", max_links, names.OTEL_SPAN_LINK_COUNT_LIMIT, _COUNT)
        self.max_span_attributes = environment.limit(
            "max_span_attributes", max_span_attributes, names.OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT, general
        )
        self.max_event_attributes = environment.limit(
            "max_event_attributes", max_event_attributes, names.OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT, general
        )
        self.max_link_attributes = environment.limit(
            "max_link_attributes", max_link_attributes, names.OTEL_LINK_ATTRIBUTE_COUNT_LIMIT, general
        )
        self.max_attribute_length = environment.limit(
            "max_attribute_length", max_attribute_length, names.OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT, None
        )
        self.max_span_attribute_length = environment.limit(
            "max_span_attribute_length",
            max_span_attribute_length,
            names.OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT,
            self.max_attribute_length,
        )

    def __repr__(self) -> str:
        return f"SpanLimits({', '.join(f'{name}={value}' for name, value in vars(self).items())})"
