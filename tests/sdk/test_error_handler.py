"""Exceptions that nobody else handles end in a log, or at the handler that a package has installed."""

import logging
from typing import Any

import pytest

from millrace.sdk import error_handler
from millrace.sdk.error_handler import ErrorHandler, GlobalErrorHandler


class Installed:
    """An entry point of the group."""

    def __init__(self, handler: type) -> None:
        self.handler = handler

    def load(self) -> type:
        return self.handler


def test_an_exception_that_nobody_handles_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR), GlobalErrorHandler():
        raise LookupError("nowhere")

    assert "nowhere" in caplog.text


def test_an_installed_handler_gets_the_exceptions_it_inherits_from(monkeypatch: pytest.MonkeyPatch) -> None:
    handled: list[Exception] = []

    class Handler(ErrorHandler, LookupError):  # noqa: N818 - it handles them
        def _handle(self, error: Exception, *args: Any, **kwargs: Any) -> None:
            handled.append(error)

    monkeypatch.setattr(error_handler, "entry_points", lambda group: [Installed(Handler)] if group else [])
    error = LookupError("nowhere")
    with GlobalErrorHandler():
        raise error

    assert handled == [error]


def test_ctrl_c_still_ends_the_program() -> None:
    with pytest.raises(KeyboardInterrupt), GlobalErrorHandler():
        raise KeyboardInterrupt
