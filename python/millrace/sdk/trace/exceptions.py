"""What is recorded of an exception (specification: trace/exceptions), also of one that cannot be shown."""

import traceback

__all__ = ["exception_attributes", "status_description"]


def exception_attributes(exception: BaseException, escaped: bool) -> dict[str, object]:  # noqa: FBT001 - called by native code
    """Return the attributes of an event `exception`."""
    kind = type(exception)
    known = kind.__module__ and kind.__module__ != "builtins"
    return {
        "exception.type": f"{kind.__module__}.{kind.__qualname__}" if known else kind.__qualname__,
        "exception.message": _text(exception),
        "exception.stacktrace": _stacktrace(exception),
        "exception.escaped": str(escaped),
    }


def status_description(exception: BaseException) -> str:
    """Return the description of the status of a span that ends by an exception."""
    return f"{type(exception).__name__}: {_text(exception)}"


def _text(exception: BaseException) -> str:
    try:
        return str(exception)
    except Exception:  # noqa: BLE001 - whatever a user's exception does
        return "<its text cannot be made>"


def _stacktrace(exception: BaseException) -> str:
    try:
        return "".join(traceback.format_exception(exception))
    except Exception:  # noqa: BLE001 - as above
        return "<its stack trace cannot be made>"
