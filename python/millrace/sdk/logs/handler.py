"""The handler of Python's `logging` that makes log records, and keeps its place at the root."""

import logging
import threading
from functools import wraps
from typing import TYPE_CHECKING, Any

from opentelemetry._logs import get_logger_provider

from millrace import _native

if TYPE_CHECKING:
    from opentelemetry._logs import LoggerProvider

__all__ = ["LoggingHandler", "install", "uninstall"]


class LoggingHandler(logging.Handler):
    """Makes a log record of each record of `logging`, natively. It never raises into the program that logs.

    The body is the formatted message, or the object that was logged where there is nothing to format; what was passed
    as `extra` becomes attributes. A record that is logged while another one is emitted, on the same thread, is dropped.

    Args:
        level: Records below it are ignored.
        logger_provider: By default the API's.
        log_code_attributes: Whether file, function and line are attributes.
    """

    def __init__(
        self,
        level: int = logging.NOTSET,
        logger_provider: "LoggerProvider | None" = None,
        log_code_attributes: bool = True,  # noqa: FBT001, FBT002 - as upstream's
    ) -> None:
        super().__init__(level=level)
        self._logger_provider = logger_provider or get_logger_provider()
        self._bridge = _native.LoggingBridge(self, self._logger_provider, log_code_attributes)
        kind = type(self)
        if kind.handle is logging.Handler.handle and kind.emit is LoggingHandler.emit:
            # `logging` calls it straight: a lock and two calls less. A subclass that overrides one is called as ever.
            self.__dict__["handle"] = self._bridge.handle

    def emit(self, record: logging.LogRecord) -> None:
        """Make a log record of `record`."""
        self._bridge.emit(record)

    @property
    def dropped(self) -> int:
        """Records that were dropped: logged while another one was emitted, or not readable."""
        return self._bridge.dropped

    def flush(self) -> None:
        """Have the provider's processors deliver what they hold, without waiting: the caller may hold locks."""
        flush = getattr(self._logger_provider, "force_flush", None)
        if callable(flush):
            threading.Thread(target=flush, name="millrace-flush", daemon=True).start()


class _Installed:
    """The handler at the root logger."""

    handler: LoggingHandler | None = None
    lock = threading.Lock()


def install(
    level: int = logging.NOTSET,
    logger_provider: "LoggerProvider | None" = None,
    *,
    log_code_attributes: bool = True,
) -> LoggingHandler:
    """Attach a handler to the root logger; a second call returns the first one's.

    It stays there through `logging.config.dictConfig`, `fileConfig` and `basicConfig`, which replace the others, until
    `uninstall` is called; `basicConfig` does what it would do without it.

    Args:
        level: Records below it are ignored.
        logger_provider: By default the API's.
        log_code_attributes: Whether file, function and line are attributes.
    """
    with _Installed.lock:
        if _Installed.handler is None:
            root = logging.getLogger()
            _Installed.handler = LoggingHandler(level, logger_provider, log_code_attributes)
            root.addHandler(_Installed.handler)
            # What configures logging takes handlers away one by one. Wrapping those functions would need logging.config
            # to be imported, and would miss everybody who has imported them by name.
            root.__dict__["removeHandler"] = _remove_other
            logging.basicConfig = _basic_config
        return _Installed.handler


def uninstall() -> None:
    """Take the handler of `install` away again."""
    with _Installed.lock:
        handler, _Installed.handler = _Installed.handler, None
        if handler is None:
            return
        root = logging.getLogger()
        if root.__dict__.get("removeHandler") is _remove_other:
            del root.__dict__["removeHandler"]
        if logging.basicConfig is _basic_config:
            logging.basicConfig = _original_basic_config
        root.removeHandler(handler)
        handler.close()


def _remove_other(handler: logging.Handler) -> None:
    """Remove a handler from the root logger, unless it is ours."""
    if handler is not _Installed.handler:
        logging.Logger.removeHandler(logging.getLogger(), handler)


_original_basic_config = logging.basicConfig


@wraps(_original_basic_config)
def _basic_config(**arguments: Any) -> None:  # noqa: ANN401 - whatever `logging` takes
    """Call `basicConfig`, which does nothing where the root logger has a handler, as if ours were not there."""
    root, handler = logging.getLogger(), _Installed.handler
    here = handler is not None and handler in root.handlers
    if here:
        logging.Logger.removeHandler(root, handler)  # type: ignore[arg-type] # it is there
    try:
        _original_basic_config(**arguments)
    finally:
        if here:
            root.addHandler(handler)  # type: ignore[arg-type] # as above
