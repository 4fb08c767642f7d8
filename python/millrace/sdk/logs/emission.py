"""The slower ways of a log record, called by native code: past processors, and through loggers that are not ours."""

import logging
from collections.abc import Mapping
from contextvars import ContextVar
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from opentelemetry._logs import LogRecord, NoOpLogger, SeverityNumber
from opentelemetry.attributes import BoundedAttributes

from millrace.sdk.logs.exceptions import emitted_exception
from millrace.sdk.logs.record import ReadWriteLogRecord

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry._logs import Logger

    from millrace import _native
    from millrace.sdk.logs.processor import LogRecordProcessor

__all__ = ["emit_foreign", "once", "show"]

_log = logging.getLogger(__name__)


def show(
    logger: "_native.Logger",
    processor: "LogRecordProcessor | None",
    record: LogRecord | ReadWriteLogRecord | None,
    **said: Any,  # noqa: ANN401 - the arguments of `emit`
) -> ReadWriteLogRecord:
    """Show a record, or what was said instead of one, to the processors, and return it as they have left it."""
    if isinstance(record, ReadWriteLogRecord):
        writable = record
        _add_exception(writable.log_record)
    else:
        writable = _within_limits(_with_exception(record or log_record(**said)), logger)
    if processor is not None:
        try:
            processor.on_emit(writable)
        except Exception:  # noqa: BLE001 - whatever a processor does
            _log.exception("The log record processor %s failed", type(processor).__name__)
    return writable


def _within_limits(record: LogRecord, logger: "_native.Logger") -> ReadWriteLogRecord:
    """Keep the first attributes, as without processors; the class by itself keeps the last ones, as upstream's does."""
    attributes = record.attributes if isinstance(record.attributes, Mapping) else {}
    record.attributes = attributes
    most = logger.limits.max_log_record_attributes
    over = 0 if most is None else max(0, len(attributes) - most)
    if over:
        record.attributes = dict(islice(attributes.items(), most))
    writable = ReadWriteLogRecord(record, logger.resource, logger.instrumentation_scope, logger.limits)
    writable.log_record.attributes.dropped += over  # type: ignore[union-attr] # the class has just made it
    return writable


_showing: ContextVar[bool] = ContextVar("millrace_showing_log_record", default=False)


def once() -> "Callable[[], None] | None":
    """Begin to show a record of `logging` to processors; return what ends it, or `None` while another one is shown.

    Processors may log, too. A context variable knows tasks and greenlets apart, which a lock of the thread does not.
    """
    if _showing.get():
        return None
    token = _showing.set(True)
    return partial(_showing.reset, token)


def emit_foreign(logger: "Logger", **said: Any) -> None:  # noqa: ANN401 - the arguments of `emit`
    """Emit through a logger that is not ours, as upstream's handler does."""
    if not isinstance(logger, NoOpLogger):
        logger.emit(log_record(**said))


def log_record(
    *,
    severity_number: "SeverityNumber | int | None" = None,
    **said: Any,  # noqa: ANN401 - as above
) -> LogRecord:
    """Return the API's object for the arguments of `emit`."""
    if isinstance(severity_number, int):
        severity_number = SeverityNumber(severity_number)
    return LogRecord(severity_number=severity_number, **said)


def _with_exception(record: LogRecord) -> LogRecord:
    """Return the record, or a copy with what its exception says: the user's own attributes are left alone."""
    if getattr(record, "exception", None) is None:
        return record
    copy = LogRecord(
        timestamp=record.timestamp,
        observed_timestamp=record.observed_timestamp,
        context=record.context,
        severity_text=record.severity_text,
        severity_number=record.severity_number,
        body=record.body,
        attributes=record.attributes,
        event_name=record.event_name,
        exception=record.exception,
    )
    copy.trace_id, copy.span_id, copy.trace_flags = record.trace_id, record.span_id, record.trace_flags
    _add_exception(copy)
    return copy


def _add_exception(record: LogRecord) -> None:
    """Add what the exception says; attributes that the user gave under the same names stay."""
    if record.exception is None:
        return
    described: dict[str, Any] = emitted_exception(record.exception)
    attributes = record.attributes
    if isinstance(attributes, BoundedAttributes):
        bounded = BoundedAttributes(
            attributes.maxlen, attributes, immutable=False, max_value_len=attributes.max_value_len
        )
        bounded.dropped = attributes.dropped
        for key in described.keys() - bounded.keys():
            bounded[key] = described[key]
        record.attributes = bounded
    else:
        record.attributes = {**described, **(attributes or {})}
