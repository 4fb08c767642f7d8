"""`start_as_current_span` as a decorator: a span for each call, over the whole of a coroutine."""

import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from millrace._native import SpanScope

__all__ = ["wrap"]


def wrap(scope: "SpanScope", function: Callable[..., Any]) -> Callable[..., Any]:
    """Return `function` with a span around each call; for a coroutine function, until the coroutine ends."""
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def call_async(*args: object, **kwargs: object) -> object:
            with scope.again():
                return await function(*args, **kwargs)

        return call_async

    @functools.wraps(function)
    def call(*args: object, **kwargs: object) -> object:
        with scope.again():
            return function(*args, **kwargs)

    return call
