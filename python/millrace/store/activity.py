"""What services did within any time: counted once in each file, remembered, and put together.

Files never change, so each is counted once: by whoever asks first, or by `millrace serve` beforehand, which keeps what
it has counted in the folder `activity` of the store. What is there may be deleted at any time.
"""

import os
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from hashlib import blake2b
from itertools import zip_longest
from pathlib import Path
from threading import Event, Lock
from typing import NamedTuple

from millrace._native import Activity, count_activity
from millrace.errors import StoreError
from millrace.store.catalogue import File, overlapping

__all__ = ["Asked", "Counting"]

AROUND_ROWS = 262_144
"""A caller that is not in the file of a span is looked for in so many spans before that file, and as many after it."""
_REMEMBERED_BYTES = 32 << 20
"""What was counted is remembered up to so much; the rest is read again, or counted again."""
_KEPT_ROWS = 4_096
"""Smaller files are counted faster than what was counted is read."""
_THREADS = 2
"""Files that are counted at once: each takes some 30 MiB meanwhile."""
_ALWAYS = 2**64 - 1
_ALONE = "alone"
_ENDING = ".activity"
_ATTEMPTS = 4
"""Counting begins anew when a file goes meanwhile: merged, or removed by retention."""


class Asked:
    """Who asks, of which files, and how long that may take."""

    def __init__(
        self,
        listing: Callable[[], Sequence[File]],
        refresh: Callable[[], None],
        skip: Callable[[str, str], None],
        timeout_s: float,
        on_start: Callable[[Callable[[], object]], object] | None,
    ) -> None:
        """Begin the time.

        Args:
            listing: Returns the files of traces, in their sequence.
            refresh: Looks which there are.
            skip: Passes over a damaged file from now on.
            timeout_s: How long it may take.
            on_start: Is given what ends it.
        """
        self.listing, self.refresh, self.skip = listing, refresh, skip
        self._timeout_s, self._deadline = timeout_s, time.monotonic() + timeout_s
        self._is_interrupted = Event()
        if on_start is not None:
            on_start(self._is_interrupted.set)

    def check(self) -> None:
        """Raise `StoreError` when nobody waits any more."""
        if self._is_interrupted.is_set():
            raise StoreError("the query was interrupted")
        if time.monotonic() > self._deadline:
            raise StoreError(f"the query took longer than {self._timeout_s:g} s, which is all it may take")


class _Task(NamedTuple):
    """A file, and those in which callers are looked for that it lacks: the nearest first."""

    file: File
    around: tuple[str, ...]


class _Counted(NamedTuple):
    """What was counted in a file, and of which files around it that depends, if it does."""

    content: bytes
    around: tuple[str, ...] | None


class Counting:
    """Counts what services did, and remembers it."""

    def __init__(self, path: Path, *, threads: int = _THREADS) -> None:
        """Nothing is counted yet in the store at this path."""
        self._folder = path / "activity"
        self._threads = threads
        self._lock = Lock()
        self._known: OrderedDict[str, _Counted] = OrderedDict()
        self._bytes = 0

    def answer(self, asked: Asked, start: int | None, end: int | None) -> Activity:
        """Return what services did in spans that begin from `start` on and before `end`, nanoseconds since 1970."""
        for _ in range(_ATTEMPTS):
            files = asked.listing()
            try:
                return self._between(files, start, end, asked.check)
            except StoreError as error:
                asked.check()
                broken = [file.path for file in files if str(error).startswith(f"{file.path}: ")]
                if not broken:
                    raise
                if Path(broken[0]).exists():
                    asked.skip(broken[0], str(error))
                asked.refresh()
        raise StoreError("files went or turned out to be damaged again and again while they were counted; ask again")

    def _between(
        self,
        files: Sequence[File],
        start: int | None,
        end: int | None,
        check: Callable[[], None],
        *,
        trust: bool = True,
    ) -> Activity:
        first, last = max(start or 0, 0), _ALWAYS if end is None else min(end - 1, _ALWAYS)
        if last < first:
            return Activity([])
        wanted = set(overlapping(files, first, last))
        tasks = [_task(files, at) for at in range(len(files) - 1, -1, -1) if files[at] in wanted]
        kept = self._kept() if trust and any(task.file.path not in self._known for task in tasks) else set()

        def part(task: _Task) -> bytes:
            check()
            if first <= task.file.first and task.file.last <= last:
                return self._whole(task, kept)
            return count_activity(task.file.path, first, last, list(task.around))[0]

        with ThreadPoolExecutor(self._threads, thread_name_prefix="millrace-activity") as pool:
            parts = list(pool.map(part, tasks))
        try:
            return Activity(parts)
        except StoreError:
            if not trust:
                raise
            self._forget()  # somebody else's bytes in the folder, or a disk that lost some
            return self._between(files, start, end, check, trust=False)

    def keep(self, files: Sequence[File], is_over: Callable[[], bool]) -> None:
        """Count what will not be merged any more, and keep it on the disk; remove what is of files that have gone."""
        kept = self._kept()
        stems = {Path(file.path).stem for file in files}
        for name in kept:
            if name.split(".", 1)[0] not in stems:
                with suppress(OSError):
                    (self._folder / name).unlink()
        rows_after = 0
        for at in range(len(files) - 1, -1, -1):
            task = _task(files, at)
            if is_over():
                return
            is_final = rows_after >= AROUND_ROWS
            rows_after += task.file.rows
            if is_final and task.file.rows >= _KEPT_ROWS and not kept & {_name(task, None), _name(task, task.around)}:
                with suppress(OSError, StoreError):  # it is counted when somebody asks, who then hears of it
                    counted = self._recall(task) or _count(task)
                    self._write(_name(task, counted.around), counted.content)

    def _whole(self, task: _Task, kept: set[str]) -> bytes:
        """Return what services did in all of a file."""
        if (known := self._recall(task)) is not None:
            return known.content
        for around in (None, task.around):
            if (name := _name(task, around)) in kept:
                with suppress(OSError):
                    return self._remember(task, _Counted((self._folder / name).read_bytes(), around))
        return self._remember(task, _count(task))

    def _recall(self, task: _Task) -> _Counted | None:
        with self._lock:
            known = self._known.get(task.file.path)
            if known is None or known.around not in {None, task.around}:
                return None
            self._known.move_to_end(task.file.path)
            return known

    def _remember(self, task: _Task, counted: _Counted) -> bytes:
        with self._lock:
            before = self._known.pop(task.file.path, None)
            self._bytes += len(counted.content) - (len(before.content) if before else 0)
            self._known[task.file.path] = counted
            while self._bytes > _REMEMBERED_BYTES:
                _, oldest = self._known.popitem(last=False)
                self._bytes -= len(oldest.content)
        return counted.content

    def _forget(self) -> None:
        with self._lock:
            self._known.clear()
            self._bytes = 0

    def _kept(self) -> set[str]:
        try:
            return {name for name in os.listdir(self._folder) if name.endswith(_ENDING)}  # noqa: PTH208 - many
        except OSError:
            return set()

    def _write(self, name: str, content: bytes) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        unfinished = self._folder / ".unfinished"
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        unfinished.rename(self._folder / name)


def _task(files: Sequence[File], at: int) -> _Task:
    """Return a file of a sequence with its neighbours."""
    after = _until_enough(files[one] for one in range(at + 1, len(files)))
    before = _until_enough(files[one] for one in range(at - 1, -1, -1))
    pairs = zip_longest(after, before)
    return _Task(files[at], tuple(path for pair in pairs for path in pair if path is not None))


def _count(task: _Task) -> _Counted:
    """Count all of a file."""
    content, is_open = count_activity(task.file.path, 0, _ALWAYS, list(task.around))
    return _Counted(content, task.around if is_open else None)


def _until_enough(files: Iterable[File]) -> list[str]:
    found: list[str] = []
    rows = 0
    for file in files:
        if rows >= AROUND_ROWS:
            break
        found.append(file.path)
        rows += file.rows
    return found


def _name(task: _Task, around: tuple[str, ...] | None) -> str:
    """Return the name of what was counted in a file: it says of which files around it that depends."""
    tag = _ALONE
    if around is not None:
        names = "/".join(os.path.basename(path) for path in around)  # noqa: PTH119 - many
        tag = blake2b(names.encode(), digest_size=8).hexdigest()
    return f"{Path(task.file.path).stem}.{tag}{_ENDING}"
