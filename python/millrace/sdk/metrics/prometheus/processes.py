"""A directory in which the processes of one service keep what they count, so that any of them can answer for all.

Each process has two files: `ID.json`, what it counted when it last wrote that down, and `ID.lock`, which it keeps
locked as long as it lives; the system unlocks it however the process ends. Counters and histograms of those that have
ended are added up in `departed.json` by whoever sees that first, and their files are removed.
"""

import fcntl
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import time_ns
from typing import Any

from millrace.sdk.metrics.prometheus.families import COUNTER, GAUGE, HISTOGRAM, Exemplar, Families, Value

__all__ = ["ProcessDirectory"]

_log = logging.getLogger("millrace.sdk.metrics")

_FORMAT = 1
_DEPARTED = "departed.json"
_GUARD = "departed.lock"
_PROCESS_LABEL = "process_pid"
_KEPT_AFTER_THE_END = frozenset({COUNTER, HISTOGRAM})


class ProcessDirectory:
    """This process's place in the directory.

    Raises:
        OSError: The directory cannot be made or written.
    """

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._path.mkdir(parents=True, exist_ok=True)
        self._begin()

    def _begin(self) -> None:
        self._id = f"{os.getpid()}-{time_ns()}"
        # Guarded: whoever finds a lock file unlocked takes its process for dead.
        with self._guard():
            self._lock = os.open(self._path / f"{self._id}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX)

    def begin_in_child(self) -> None:
        """Take a place of its own for a forked child; its parent's stays locked by the parent."""
        os.close(self._lock)
        self._begin()

    def publish(self, families: Families) -> None:
        """Write down what this process has counted."""
        self._write(f"{self._id}.json", {"families": _plain(families), "resource": families.resource})

    def leave(self) -> None:
        """Unlock the files of this process: what it has written down last is what it leaves behind."""
        os.close(self._lock)

    def merged(self, own: Families) -> Families:
        """Return what all processes have counted: this one until now, others until they wrote it down last.

        Gauges are those of processes that live, one by one; what may go up and down is the sum over them.
        """
        merged, resources = Families(), [own.resource]
        with self._guard():
            _add(merged, self._with_the_departed(), pid=None)
            for process in self._others():
                kept = self._read(f"{process}.json")
                resources.append(kept["resource"])
                _add(merged, kept["families"], pid=process.partition("-")[0])
        _add(merged, _plain(own), pid=str(os.getpid()))
        # One target, whatever differs between its processes, such as their ids.
        known = [set(resource.items()) for resource in resources if resource]
        merged.resource = dict(sorted(set.intersection(*known))) if known else {}
        return merged

    def _others(self) -> list[str]:
        found = (path.stem for path in self._path.glob("*-*.json"))
        return sorted(process for process in found if process != self._id)

    def _with_the_departed(self) -> list[Any]:
        """Return what ended processes have counted, after adding that of those who have ended since."""
        kept = self._read(_DEPARTED)
        departed = [process for process in self._others() if not self._lives(process)]
        added = set(kept.get("added", ()))
        if new := [process for process in departed if process not in added]:
            total = Families()
            _add(total, kept["families"], pid=None)
            for process in new:
                left = self._read(f"{process}.json")["families"]
                _add(total, [family for family in left if family["kind"] in _KEPT_AFTER_THE_END], pid=None)
            # With the names of those that are in it: a crash before their files are gone adds nobody twice.
            kept = {"families": _plain(total), "resource": {}, "added": departed}
            self._write(_DEPARTED, kept)
        for process in departed:
            for end in ("json", "lock"):
                (self._path / f"{process}.{end}").unlink(missing_ok=True)
        families: list[Any] = kept["families"]
        return families

    def _lives(self, process: str) -> bool:
        try:
            lock = os.open(self._path / f"{process}.lock", os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(lock)
        return False

    @contextmanager
    def _guard(self) -> Iterator[None]:
        """Keep other processes, and other threads of this one, from the files of the departed."""
        guard = os.open(self._path / _GUARD, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(guard, fcntl.LOCK_EX)
            yield
        finally:
            # Closing is not enough: a child that was forked meanwhile has it open, too.
            fcntl.flock(guard, fcntl.LOCK_UN)
            os.close(guard)

    def _read(self, name: str) -> dict[str, Any]:
        """Return the content of a file; one that is not there, or of another version, has none."""
        empty: dict[str, Any] = {"families": [], "resource": {}}
        try:
            found = json.loads((self._path / name).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return empty
        except ValueError:
            _log.warning("%s is no file of metrics; it is left out", self._path / name)
            return empty
        return found if isinstance(found, dict) and found.get("format") == _FORMAT else empty

    def _write(self, name: str, content: dict[str, Any]) -> None:
        """Replace a file at once: whoever reads it sees the old content or the new one."""
        temporary = self._path / f"{self._id}.{name}.new"
        try:
            temporary.write_text(json.dumps({"format": _FORMAT, **content}), encoding="utf-8")
            temporary.replace(self._path / name)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise


def _plain(families: Families) -> list[Any]:
    """Return families as JSON has them."""
    return [
        {
            "name": family.name,
            "kind": family.kind,
            "unit": family.unit,
            "documentation": family.documentation,
            "series": [[labels, value] for labels, value in family.series.items()],
        }
        for family in families.by_name.values()
    ]


def _add(families: Families, plain: list[Any], *, pid: str | None) -> None:
    """Add what one process has counted; `pid` is `None` for those that have ended."""
    for one in plain:
        family = families.family(one["name"], one["kind"], one["unit"], one["documentation"])
        if family is None:
            continue
        for labels, (number, counts, bounds, exemplars) in one["series"]:
            of = {name: value for name, value in labels}  # noqa: C416 - lists of JSON, or tuples
            if family.kind == GAUGE and pid is not None:
                of.setdefault(_PROCESS_LABEL, pid)
            kept = [None if exemplar is None else Exemplar(*exemplar) for exemplar in exemplars]
            family.add(tuple(sorted(of.items())), Value(number, counts, bounds, kept))
