"""The life of this process as its telemetry sees it: forks, the exit, SIGTERM. Nothing here raises or hangs."""

import atexit
import logging
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial, wraps
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast
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
        _register_at_fork_of_uwsgi()


def _register_at_fork_of_uwsgi() -> None:
    """Be told of the workers of uWSGI, which forks in C and by default runs none of Python's own hooks."""
    uwsgi: Any = sys.modules.get("uwsgi")
    if not hasattr(uwsgi, "masterpid"):
        return  # not inside of uWSGI, which makes that module itself
    hooks = [getattr(uwsgi, "post_fork_hook", None)]
    with suppress(Exception):  # it refuses to be imported where there is no master process
        import_module("uwsgidecorators")  # which sets the hook, and would take ours away were it imported later
        hooks.append(uwsgi.post_fork_hook)
    others = [hook for hook in dict.fromkeys(hooks) if hook is not None]

    def post_fork_hook() -> None:
        _after_fork()
        for hook in others:
            hook()

    uwsgi.post_fork_hook = post_fork_hook


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
    celery = sys.modules.get("celery.signals")
    if celery is not None:  # whose pool ends its processes without any finalizer; anew, to be the last that is told
        celery.worker_process_shutdown.disconnect(dispatch_uid=__name__)
        celery.worker_process_shutdown.connect(
            lambda **_: delivery.shutdown_at_exit(), weak=False, dispatch_uid=__name__
        )


def _once_child_begins(delivery: "Delivery") -> None:
    """Register in a child, which forgets all finalizers when it begins, also those of the program it has imported."""
    for name in _FORKING_LIBRARIES:
        library = sys.modules.get(name)
        if library is not None:
            library.register_after_fork(delivery, _at_exit_of_child)


def at_sigterm(delivery: "Delivery") -> None:
    """Deliver whenever SIGTERM would end the process at once, which it does afterwards as before.

    A handler of the program is left alone: such programs end in an orderly way. Some of them end by the signal after
    all: uvicorn sets the default again and raises it. So the default is replaced also for whoever sets it later. Python
    runs a handler in the main thread, between two of its instructions: code in C that holds that thread delays it.
    """
    set_handler = signal.signal

    def deliver(number: int, _: object) -> None:
        _deliver_and_end_by_signal(delivery, number, set_handler)

    @wraps(set_handler)
    def set_handler_or_deliver(signalnum: Any, handler: Any) -> Any:  # noqa: ANN401 - whatever a program passes
        is_default = signalnum == signal.SIGTERM and isinstance(handler, int) and handler == signal.SIG_DFL
        return set_handler(signalnum, deliver if is_default else handler)

    signal.signal = set_handler_or_deliver
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        with suppress(ValueError):  # not the main thread
            set_handler(signal.SIGTERM, deliver)


def _deliver_and_end_by_signal(delivery: "Delivery", number: int, set_handler: "Callable[..., object]") -> None:
    try:
        delivery.flush_before_end()
    finally:
        # By the signal itself, so that the parent sees how the process ended. Process 1 of a container survives it, as
        # it would without us, and has its telemetry still: nothing was shut down.
        set_handler(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
