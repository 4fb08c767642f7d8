"""OTLP requests as bytes: check, count, translate, merge, split and edit them without decoding them into objects.

A *request* is the body of an OTLP export: an `ExportTraceServiceRequest`, `ExportMetricsServiceRequest`,
`ExportLogsServiceRequest` or `ExportProfilesServiceRequest` in protobuf. (`TracesData` and its siblings, and a
`Trace` of Tempo, have the same bytes.) An *item* is a span, a metric data point, a log record or a profile.

Every function validates the bytes it is given and raises :class:`millrace.errors.DecodeError`, which carries the byte
offset of the fault. What is accepted is what a strict protobuf reader accepts: a known field with a wrong wire type is
an error, and so is a varint past 64 bits; unknown fields are kept, and attribute values nest up to 128 levels. The work
happens without the GIL.
"""

from collections.abc import Iterable
from typing import Literal, NamedTuple, TypeAlias

from millrace import _native

__all__ = [
    "SIGNALS",
    "Action",
    "AttributeValue",
    "Level",
    "Rejected",
    "Signal",
    "Summary",
    "count",
    "detect",
    "edit_attribute",
    "from_json",
    "merge",
    "reject_invalid",
    "split_by_bytes",
    "split_by_count",
    "to_json",
    "validate",
]

Signal: TypeAlias = Literal["traces", "metrics", "logs", "profiles"]
"""What a request carries."""

SIGNALS: tuple[Signal, ...] = ("traces", "metrics", "logs", "profiles")

AttributeValue: TypeAlias = "str | bool | int | float | bytes | list[AttributeValue] | dict[str, AttributeValue] | None"
"""A value of an attribute: every form of `AnyValue`, `None` for the empty one."""


Level: TypeAlias = Literal["resource", "scope", "item", "span_event"]
"""Whose attributes are meant: those of resources, of scopes, of items, or of the events of spans."""

Action: TypeAlias = Literal["insert", "update", "upsert", "delete"]
"""`insert` only where the attribute is absent, `update` only where it is present, `upsert` in both cases."""


class Summary(NamedTuple):
    """What a request holds."""

    items: int
    """Spans, data points, log records or profiles."""
    invalid: int
    """How many of them break the data model, such as a span without an id."""


class Rejected(NamedTuple):
    """A request that only holds items that obey the data model."""

    request: bytes
    rejected: int
    """How many items were taken out."""
    message: str
    """The first reasons, for a human; empty when nothing was taken out."""


def validate(signal: Signal, request: bytes | bytearray) -> Summary:
    """Check a request.

    Returns:
        How many items it has, and how many of them break the data model. Those are no reason to refuse the request:
        OTLP answers them with a partial success.

    Raises:
        millrace.errors.DecodeError: The bytes are not a request of this signal.
    """
    return Summary(*_native.validate(signal, request))


def count(signal: Signal, request: bytes | bytearray) -> int:
    """Return how many items a request has.

    Raises:
        millrace.errors.DecodeError: The bytes are not a request of this signal.
    """
    return _native.count(signal, request)


def detect(request: bytes | bytearray) -> Signal | None:
    """Tell from the bytes alone which signal's request they are.

    Protobuf does not say what a message is, but the four requests differ enough: the answer is the one signal as which
    the bytes decode to items that obey the data model, or else to items at all. `None` when no signal fits, or several
    do, as for a request without items.
    """
    return _native.detect(request)


def to_json(signal: Signal, request: bytes | bytearray) -> bytes:
    """Translate a request to OTLP/JSON, on one line, in UTF-8.

    Unknown fields have no name and are left out. Section "JSON Protobuf Encoding" of the OTLP specification.

    Raises:
        millrace.errors.DecodeError: The bytes are not a request of this signal.
    """
    return _native.to_json(signal, request)


def from_json(signal: Signal, text: bytes | bytearray | str) -> bytes:
    """Translate OTLP/JSON to a request.

    Unknown names are ignored, as the specification demands.

    Raises:
        millrace.errors.DecodeError: The text is not OTLP/JSON of this signal.
    """
    return _native.from_json(signal, text.encode() if isinstance(text, str) else text)


def merge(signal: Signal, requests: Iterable[bytes | bytearray]) -> bytes:
    """Join requests to one with the items of all, in order.

    Raises:
        millrace.errors.DecodeError: One of them is not a request of this signal; nothing says which.
    """
    return _native.merge(signal, list(requests))


def split_by_count(signal: Signal, request: bytes | bytearray, max_items: int) -> list[bytes]:
    """Split a request into requests of at most `max_items` items.

    Each part repeats the resource, scope and unknown fields of its items, none is empty. A request without items has no
    parts.

    Raises:
        ValueError: `max_items` is less than 1.
        millrace.errors.DecodeError: The bytes are not a request of this signal.
    """
    return _native.split_by_count(signal, request, max_items)


def split_by_bytes(signal: Signal, request: bytes | bytearray, max_bytes: int) -> list[bytes]:
    """Split a request into requests of at most `max_bytes` bytes.

    Raises:
        millrace.errors.ItemTooLargeError: One item alone needs more; it says how much.
        millrace.errors.DecodeError: The bytes are not a request of this signal.
    """
    return _native.split_by_bytes(signal, request, max_bytes)


def reject_invalid(signal: Signal, request: bytes | bytearray) -> Rejected:
    """Take out the items that break the data model, as a receiver does before it answers with a partial success.

    Raises:
        millrace.errors.DecodeError: The bytes are not a request of this signal.
    """
    return Rejected(*_native.reject_invalid(signal, request))


def edit_attribute(  # noqa: PLR0913 - what, where, how, which and to what: named at every call
    signal: Signal,
    request: bytes | bytearray,
    *,
    level: Level,
    action: Action,
    key: str,
    value: AttributeValue = None,
) -> bytes:
    """Edit one attribute everywhere it occurs at a level, by splicing bytes: nothing else is decoded or changed.

    Args:
        signal: What the request carries.
        request: The request; it is not changed.
        level: Where the attribute is.
        action: What to do with it.
        key: The attribute's name.
        value: Its new value; `delete` takes none.

    Returns:
        The edited request.

    Raises:
        TypeError: `value` is of a type no attribute has.
        millrace.errors.DecodeError: The bytes are not a request of this signal.
    """
    return _native.edit_attribute(signal, request, level, action, key, value)
