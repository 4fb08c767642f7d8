"""What exporters get of a record that processors could change."""

import copy
from typing import TYPE_CHECKING

from opentelemetry.context import Context

from millrace.sdk.logs.record import ReadableLogRecord

if TYPE_CHECKING:
    from millrace.sdk.logs.record import ReadWriteLogRecord

__all__ = ["readable"]


def readable(record: "ReadWriteLogRecord") -> ReadableLogRecord:
    """Return the record as it is now, without its context, which may be large and is not exported."""
    log_record = copy.copy(record.log_record)
    log_record.context = Context()
    return ReadableLogRecord(log_record, record.resource, record.instrumentation_scope, record.limits)
