"""What is recorded of an exception in a log record. Exceptions that cannot be shown are recorded too."""

import traceback
from typing import TYPE_CHECKING, Any

from millrace.sdk.trace.exceptions import exception_attributes

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["emitted_exception", "logged_exception"]


def emitted_exception(exception: BaseException) -> dict[str, object]:
    """Return the attributes of an exception that was given to `Logger.emit` (specification: logs/sdk, emit)."""
    attributes = exception_attributes(exception, escaped=False)
    del attributes["exception.escaped"]
    return attributes


def logged_exception(
    info: "tuple[type[BaseException] | None, BaseException | None, TracebackType | None]",
) -> dict[str, object]:
    """Return the attributes of the `exc_info` of a record of `logging`, as upstream's handler has them."""
    kind, value, trace = info
    attributes: dict[str, Any] = {}
    if kind is not None:
        attributes["exception.type"] = kind.__name__
    if value is not None and value.args:
        try:
            attributes["exception.message"] = str(value.args[0])
        except Exception:  # noqa: BLE001 - whatever a user's exception holds
            attributes["exception.message"] = "<its text cannot be made>"
    if trace is not None:
        try:
            attributes["exception.stacktrace"] = "".join(traceback.format_exception(kind, value, trace))
        except Exception:  # noqa: BLE001 - as above
            attributes["exception.stacktrace"] = "<its stack trace cannot be made>"
    return attributes
