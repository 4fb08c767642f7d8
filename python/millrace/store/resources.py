"""The resources of each file of traces, read once: which of them have an attribute that is asked for."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from threading import Lock
from typing import Any

from millrace.store.search import OWNERS_MAX, Sql, attribute_owners
from millrace.store.views import source

__all__ = ["ResourceIndex"]

_RESOURCES_MAX = 10_000
"""Resources that are remembered; where a store has more, files are asked for those with an attribute each time."""

Run = Callable[[Sql], list[tuple[Any, ...]]]


class ResourceIndex:
    """Remembers resources by the files they are in."""

    def __init__(self) -> None:
        """Remember none yet."""
        self._lock = Lock()
        self._files: dict[str, frozenset[str]] = {}
        self._attributes: dict[str, Mapping[str, str]] = {}

    def keep(self, paths: Collection[str]) -> None:
        """Forget all files but these, and the resources that are in none of them."""
        with self._lock:
            gone = self._files.keys() - set(paths)
            if gone:
                self._files = {path: ids for path, ids in self._files.items() if path not in gone}
                present = frozenset[str]().union(*self._files.values())
                self._attributes = {key: value for key, value in self._attributes.items() if key in present}

    def owners(
        self, wanted: Iterable[tuple[str, str]], paths: Sequence[str], run: Run
    ) -> dict[tuple[str, str], list[str]]:
        """Return for each attribute the resources in these files that have it, one more than counts at most."""
        pairs = list(wanted)
        if not pairs:
            return {}
        known = self._read(paths, run)
        if known is None:
            return {(key, value): [row[0] for row in run(attribute_owners(key, value, paths))] for key, value in pairs}
        return {
            (key, value): sorted(one for one, has in known.items() if has.get(key) == value)[: OWNERS_MAX + 1]
            for key, value in pairs
        }

    def _read(self, paths: Sequence[str], run: Run) -> dict[str, Mapping[str, str]] | None:
        """Return the resources in some files, or None where there are too many to remember."""
        with self._lock:
            missing = [path for path in paths if path not in self._files]
            if len(self._attributes) >= _RESOURCES_MAX:
                return None
        if missing:
            files = source("traces", missing).removesuffix(")") + ", filename = true)"
            columns = "resource_id, any_value(resource_attributes), list(DISTINCT filename)"
            text = f"SELECT {columns} FROM {files} WHERE resource_attributes IS NOT NULL GROUP BY resource_id"
            found: dict[str, set[str]] = {path: set() for path in missing}
            attributes: dict[str, Mapping[str, str]] = {}
            for one, has, where in run(Sql(text)):
                attributes[one] = has
                for path in where:
                    found[path].add(one)
            with self._lock:
                self._files |= {path: frozenset(ids) for path, ids in found.items()}
                self._attributes |= attributes
        with self._lock:
            ids = frozenset[str]().union(*(self._files.get(path, frozenset()) for path in paths))
            return {one: self._attributes[one] for one in ids if one in self._attributes}
