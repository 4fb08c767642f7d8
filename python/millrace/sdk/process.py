"""The life of this process as its telemetry sees it: forks, the exit, SIGTERM. Nothing here raises or hangs."""

import atexit
import logging
import os
import signal
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol
from weakref import WeakSet

from millrace import _native
from millrace.sdk import resources

if TYPE_CHECKING:
    from millrace.sdk.resources import AnyResource

__all__ = ["Delivery", "HasResource", "at_exit", "at_sigterm", "follow_forks"]

_log = logging.getLogger(__name__)

_FORKING_LIBRARIES = ("multiprocessing.util", "billiard.util")
"""Their children end by `os._exit`, which runs their own finalizers and no `atexit`."""


class HasResource(Protocol):
    """A provider whose resource is another one after a fork."""

    @property
    def resource(self) -> "AnyResource":
        """The resource of its telemetry."""

    def set_resource(self, resource: "AnyResource") -> None:
        """Say whose telemetry it is from now on."""


class Delivery(Protocol):
    """Whatever has telemetry to deliver before the process ends."""

    def flush_before_end(self) -> None:
        """Deliver what is held, within the deadline for the end of the process; more may be recorded afterwards."""

    def shutdown_at_exit(self) -> None:
        """Deliver what is held, within the same deadline, and record no more."""


_following: WeakSet[HasResource] = WeakSet()
_in_child: list[Callable[[], None]] = []
_hooks: set[str] = set()


def follow_forks(provider: HasResource | None = None, then: Callable[[], None] | None = None) -> None:
    """Make telemetry right again in forked children: first the native part, then the resource of each provider.

    Args:
        provider: Gets the resource of the child, for as long as it lives.
        then: Called in each child afterwards.
    """
    if provider is not None:
        _following.add(provider)
    if then is not None:
        _in_child.append(then)
    if "fork" not in _hooks and hasattr(os, "register_at_fork"):
        _hooks.add("fork")
        os.register_at_fork(after_in_child=_after_fork)


def _after_fork() -> None:
    try:
        _native.after_fork_in_child()
        if _following:
            resources.detect_after_fork()
        for provider in list(_following):
            before = provider.resource
            now = resources.for_this_process(before)
            if now is not before:
                provider.set_resource(now)
        for then in _in_child:
            then()
    except Exception:  # noqa: BLE001 - a forked child must live
        _log.exception("Telemetry of this forked process may be incomplete")


def at_exit(delivery: Delivery) -> None:
    """Deliver when the process exits, also a child of `multiprocessing` or `billiard`, which never reaches `atexit`."""
    atexit.register(delivery.shutdown_at_exit)
    _at_exit_of_child(delivery)
    follow_forks(then=lambda: _at_exit_after_fork(delivery))


def _at_exit_of_child(delivery: Delivery) -> None:
    for name in _FORKING_LIBRARIES:
        library = sys.modules.get(name)
        if library is not None:
            # After every finalizer of the library itself, which may still produce telemetry.
            library.Finalize(None, delivery.shutdown_at_exit, exitpriority=-1_000)


def _at_exit_after_fork(delivery: Delivery) -> None:
    """Register once the library has forgotten its parent's finalizers, which it does after this."""
    for name in _FORKING_LIBRARIES:
        library = sys.modules.get(name)
        if library is not None:
            library.register_after_fork(delivery, _at_exit_of_child)


def at_sigterm(delivery: Delivery) -> bool:
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


def _end_by_signal(delivery: Delivery, number: int) -> None:
    try:
        delivery.flush_before_end()
    finally:
        # By the signal itself, so that the parent sees how the process ended. Process 1 of a container survives it, as
        # it would without us, and has its telemetry still: nothing was shut down.
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
