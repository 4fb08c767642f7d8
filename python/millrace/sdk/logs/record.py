"""Log records as processors and exporters written in Python see them."""

import warnings
from typing import TYPE_CHECKING, Any

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.trace import format_span_id, format_trace_id

from millrace.sdk.logs.limits import LogRecordLimits
from millrace.sdk.resources import Resource

if TYPE_CHECKING:
    from typing import NoReturn

    from opentelemetry._logs import LogRecord

    from millrace.sdk.instrumentation import InstrumentationScope
    from millrace.sdk.resources import AnyResource

__all__ = ["LogRecordDroppedAttributesWarning", "ReadWriteLogRecord", "ReadableLogRecord"]


class LogRecordDroppedAttributesWarning(UserWarning):
    """Attributes of a log record were over the limit. It is shown once."""


warnings.simplefilter("once", LogRecordDroppedAttributesWarning)


class ReadWriteLogRecord:
    """A log record on its way through the processors, which may change it.

    Args:
        log_record: What was emitted; its attributes are brought within the limits.
        resource: Whose record it is; by default what is known about this process.
        instrumentation_scope: Who emitted it.
        limits: By default what the environment says.
    """

    def __init__(
        self,
        log_record: "LogRecord",
        resource: "AnyResource | None" = None,
        instrumentation_scope: "InstrumentationScope | None" = None,
        limits: LogRecordLimits | None = None,
    ) -> None:
        self.log_record = log_record
        self.resource = Resource.create() if resource is None else resource
        self.instrumentation_scope = instrumentation_scope
        self.limits = limits or LogRecordLimits()
        log_record.attributes = BoundedAttributes(
            maxlen=self.limits.max_log_record_attributes,
            attributes=log_record.attributes or None,
            immutable=False,
            max_value_len=self.limits.max_log_record_attribute_length,
        )
        if self.dropped_attributes:
            warnings.warn(
                "Log record attributes were dropped due to limits", LogRecordDroppedAttributesWarning, stacklevel=2
            )

    @classmethod
    def _from_api_log_record(
        cls,
        *,
        record: "LogRecord",
        resource: "AnyResource",
        instrumentation_scope: "InstrumentationScope | None" = None,
        limits: LogRecordLimits | None = None,
    ) -> "ReadWriteLogRecord":
        return cls(record, resource, instrumentation_scope, limits)

    @property
    def dropped_attributes(self) -> int:
        """How many attributes were over the limit."""
        return _dropped(self.log_record)

    def __eq__(self, other: object) -> bool:
        return vars(self) == vars(other) if isinstance(other, ReadWriteLogRecord) else NotImplemented

    __hash__ = None  # type: ignore[assignment] # it changes


class ReadableLogRecord:
    """A log record as exporters see it: what it consists of cannot be exchanged any more."""

    __slots__ = ("instrumentation_scope", "limits", "log_record", "resource")

    log_record: "LogRecord"
    resource: "AnyResource"
    instrumentation_scope: "InstrumentationScope | None"
    limits: LogRecordLimits | None

    def __init__(
        self,
        log_record: "LogRecord",
        resource: "AnyResource",
        instrumentation_scope: "InstrumentationScope | None" = None,
        limits: LogRecordLimits | None = None,
    ) -> None:
        given = (instrumentation_scope, limits, log_record, resource)
        for name, value in zip(self.__slots__, given, strict=True):
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> "NoReturn":
        raise AttributeError(f"a ReadableLogRecord does not change: {name} cannot be set")

    def __delattr__(self, name: str) -> "NoReturn":
        raise AttributeError(f"a ReadableLogRecord does not change: {name} cannot be deleted")

    @property
    def dropped_attributes(self) -> int:
        """How many attributes were over the limit."""
        return _dropped(self.log_record)

    def to_json(self, indent: int | None = 4) -> str:
        """Return it as JSON text; bytes are written in base64."""
        import json  # noqa: PLC0415 - for those who print

        record: Any = self.log_record
        content = {
            "body": record.body,
            "severity_number": None if record.severity_number is None else record.severity_number.value,
            "severity_text": record.severity_text,
            "attributes": dict(record.attributes) if record.attributes else None,
            "dropped_attributes": self.dropped_attributes,
            "timestamp": _time(record.timestamp),
            "observed_timestamp": _time(record.observed_timestamp),
            "trace_id": "" if record.trace_id is None else f"0x{format_trace_id(record.trace_id)}",
            "span_id": "" if record.span_id is None else f"0x{format_span_id(record.span_id)}",
            "trace_flags": record.trace_flags,
            "resource": json.loads(self.resource.to_json()),  # type: ignore[attr-defined] # ours or upstream's
            "event_name": record.event_name or "",
        }
        return json.dumps(content, indent=indent, default=_as_json)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ReadableLogRecord):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    def __hash__(self) -> int:
        return hash((id(self.log_record), self.resource, self.instrumentation_scope))

    def __repr__(self) -> str:
        return f"ReadableLogRecord({', '.join(f'{name}={getattr(self, name)!r}' for name in self.__slots__)})"


def _dropped(record: "LogRecord") -> int:
    attributes = record.attributes
    return attributes.dropped if isinstance(attributes, BoundedAttributes) else 0


def _time(nanoseconds: int | None) -> str | None:
    if nanoseconds is None:
        return None
    from datetime import UTC, datetime  # noqa: PLC0415 - as above

    return datetime.fromtimestamp(nanoseconds / 1e9, tz=UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _as_json(value: Any) -> str:  # noqa: ANN401 - whatever JSON does not have
    import base64  # noqa: PLC0415 - as above

    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)
