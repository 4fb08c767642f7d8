"""Calls several processors, of spans or log records: one after the other, or at the same time."""

import logging
import time
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["AtOnce", "InOrder"]

_log = logging.getLogger(__name__)


class _Processor(Protocol):
    """What all processors have."""

    def shutdown(self) -> object: ...

    def force_flush(self, timeout_millis: int = ...) -> object: ...


P = TypeVar("P", bound=_Processor)


class InOrder(Generic[P]):
    """Calls processors one after the other. One that fails does not keep the others from their work."""

    def __init__(self) -> None:
        self._processors: tuple[P, ...] = ()

    def _add(self, processor: P) -> None:
        self._processors += (processor,)

    def _each(self, call: "Callable[[P], object]") -> None:
        for processor in self._processors:
            _guarded(processor, call)

    def shutdown(self) -> None:
        """Finish; nothing is called afterwards."""
        self._each(lambda processor: processor.shutdown())

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Deliver what is held; return False when that took too long or failed."""
        deadline = time.monotonic() + timeout_millis / 1000
        flushed = True
        for processor in self._processors:
            left = round((deadline - time.monotonic()) * 1000)
            if left <= 0:
                return False
            flushed = processor.force_flush(left) is not False and flushed
        return flushed


class AtOnce(InOrder[P]):
    """Calls processors at the same time, on threads, and waits for all.

    Args:
        threads: How many may be called at once.
    """

    def __init__(self, threads: int) -> None:
        super().__init__()
        self._threads = threads
        self._renew()
        from millrace.sdk import process  # noqa: PLC0415 - threads do not survive a fork

        process.after_fork_while_alive(self._renew)

    def _renew(self) -> None:
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - 5 ms for the few who want threads

        self._executor = ThreadPoolExecutor(max_workers=self._threads)

    def _each(self, call: "Callable[[P], object]") -> None:
        for called in [self._executor.submit(_guarded, one, call) for one in self._processors]:
            called.result()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Deliver what is held; return False when that took too long or failed."""
        from concurrent.futures import wait  # noqa: PLC0415 - as above

        calls = [self._executor.submit(one.force_flush, timeout_millis) for one in self._processors]
        done, late = wait(calls, timeout_millis / 1000)
        return not late and all(call.result() is not False for call in done)


def _guarded(processor: P, call: "Callable[[P], object]") -> None:
    """Call `call` with a processor, and log what that raises."""
    try:
        call(processor)
    except Exception:  # noqa: BLE001 - whatever a processor does
        _log.exception("The processor %s failed", type(processor).__name__)
