"""The life of this process as its telemetry sees it: forks, the exit, SIGTERM. Nothing here raises or hangs."""

import atexit
import logging
import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, cast
from weakref import ref

from millrace import _native
from millrace.sdk import resources

if TYPE_CHECKING:
    from types import MethodType
    from typing import Protocol

    class Delivery(Protocol):
        """Whatever has telemetry to deliver before the process ends."""

        def flush_before_end(self) -> None:
            """Deliver what is held, within the deadline for the end of the process; more may be recorded afterwards."""

        def shutdown_at_exit(self) -> None:
            """Deliver what is held, within the same deadline, and record no more."""


__all__ = ["after_fork", "after_fork_while_alive", "at_exit", "at_sigterm"]

_log = logging.getLogger(__name__)

_FORKING_LIBRARIES = ("multiprocessing.util", "billiard.util")
"""Their children end by `os._exit`, which runs their own finalizers and no `atexit`."""


_in_child: list[Callable[[], Callable[[], None] | None]] = []


def after_fork(then: Callable[[], None]) -> None:
    """Have `then` called in each forked child, once engines and ids are usable there and its resource is known.

    Together they are called in the order in which they were given.
    """
    _register(lambda: then)


def after_fork_while_alive(method: Callable[[], None]) -> None:
    """Have a method called as by `after_fork`, without keeping its object alive: until nobody else does."""
    # Not a WeakMethod: its callback can fail, with noise, while the interpreter ends.
    bound = cast("MethodType", method)
    owner, function = ref(bound.__self__), bound.__func__

    def refer() -> Callable[[], None] | None:
        alive = owner()
        return None if alive is None else partial(function, alive)

    _register(refer)


def _register(refer: Callable[[], Callable[[], None] | None]) -> None:
    _in_child[:] = [other for other in _in_child if other() is not None]
    _in_child.append(refer)
    if len(_in_child) == 1 and hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_after_fork)


def _after_fork() -> None:
    try:
        _native.after_fork_in_child()
        resources.detect_after_fork()
        for refer in tuple(_in_child):
            then = refer()
            if then is not None:
                then()
    except Exception:  # noqa: BLE001 - a forked child must live
        _log.exception("Telemetry of this forked process may be incomplete")


def at_exit(delivery: "Delivery") -> None:
    """Deliver when the process exits, also a child of `multiprocessing` or `billiard`, which never reaches `atexit`."""
    atexit.register(delivery.shutdown_at_exit)
    _at_exit_of_child(delivery)
    _once_child_begins(delivery)
    after_fork(lambda: _once_child_begins(delivery))


def _at_exit_of_child(delivery: "Delivery") -> None:
    for name in _FORKING_LIBRARIES:
        library = sys.modules.get(name)
        if library is not None:
            # After every finalizer of the library itself, which may still produce telemetry.
            library.Finalize(None, delivery.shutdown_at_exit, exitpriority=-1_000)


def _once_child_begins(delivery: "Delivery") -> None:
    """Register in a child, which forgets all finalizers when it begins, also those of the program it has imported."""
    for name in _FORKING_LIBRARIES:
        library = sys.modules.get(name)
        if library is not None:
            library.register_after_fork(delivery, _at_exit_of_child)


def at_sigterm(delivery: "Delivery") -> bool:
    """Deliver when SIGTERM is about to end the process, which it does as before; return whether that is in place.

    A handler of the program, or one that it sets later, is left alone: such programs end in an orderly way. Python runs
    a handler in the main thread, between two of its instructions: code in C that holds that thread delays it.
    """
    try:
        if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
            return False
        signal.signal(signal.SIGTERM, lambda number, _frame: _end_by_signal(delivery, number))
    except ValueError:  # not the main thread
        return False
    return True


def _end_by_signal(delivery: "Delivery", number: int) -> None:
    try:
        delivery.flush_before_end()
    finally:
        # By the signal itself, so that the parent sees how the process ended. Process 1 of a container survives it, as
        # it would without us, and has its telemetry still: nothing was shut down.
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
