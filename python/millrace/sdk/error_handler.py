"""A place for exceptions that nobody else handles, and the handlers that packages install for them.

A handler is a class that inherits from `ErrorHandler` and from the exceptions it is for, registered as an entry point
of the group `opentelemetry_error_handler`.
"""

from abc import ABC, abstractmethod
from logging import getLogger
from typing import TYPE_CHECKING, Any, Self

from opentelemetry.util._importlib_metadata import entry_points

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["ErrorHandler", "GlobalErrorHandler"]

logger = getLogger(__name__)

_GROUP = "opentelemetry_error_handler"


class ErrorHandler(ABC):
    """Handles exceptions of the classes that it inherits from."""

    @abstractmethod
    def _handle(self, error: Exception, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - upstream's signature
        """Handle an exception."""


class GlobalErrorHandler:
    """Keeps exceptions of its block from going further: installed handlers get them, or else the log. There is one."""

    _instance: "GlobalErrorHandler | None" = None

    def __new__(cls) -> Self:
        """Return the one there is."""
        if not isinstance(cls._instance, cls):
            cls._instance = super().__new__(cls)
        return cls._instance

    def __enter__(self) -> None:
        """Begin the block."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: "TracebackType | None"
    ) -> bool:
        """Handle an exception; what ends the program, such as Ctrl-C, goes further."""
        if not isinstance(error, Exception):
            return False
        if not _handled_by_installed(error):
            logger.error("An exception was handled by nobody else", exc_info=error)
        return True


def _handled_by_installed(error: Exception) -> bool:
    handled = False
    for entry_point in entry_points(group=_GROUP):
        try:
            handler: Any = entry_point.load()
            if issubclass(handler, type(error)):
                handler()._handle(error)  # noqa: SLF001 - the name of the method
                handled = True
        except Exception:
            logger.exception("The error handler %s failed, given: %r", entry_point, error)
    return handled
