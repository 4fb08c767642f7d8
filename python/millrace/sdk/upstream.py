"""Stands in for classes of `opentelemetry.sdk` where programs ask for them by `isinstance`.

Those classes are ABCs, so being a virtual subclass costs nothing; but they exist only once somebody has imported them.
"""

import sys
from abc import ABCMeta
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.abc import Loader

__all__ = ["stand_in"]

_awaited: dict[str, dict[type, str]] = {}
"""By module of upstream's that is not imported yet: our classes, and the names of those that they stand in for."""


def stand_in(module: str, ours: type, name: str) -> None:
    """Make `ours` a virtual subclass of the class that is `name` in `module`, now or when that module is imported."""
    imported = sys.modules.get(module)
    if imported is not None and hasattr(imported, name):
        _register(imported, ours, name)
        return
    _awaited.setdefault(module, {})[ours] = name
    if not any(isinstance(finder, _Watcher) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Watcher())  # without importlib.abc, which takes 10 ms to import


def _register(module: ModuleType, ours: type, name: str) -> None:
    theirs = getattr(module, name, None)
    if isinstance(theirs, ABCMeta) and theirs is not ours:
        theirs.register(ours)


class _Watcher:
    """Sees the import of each awaited module, once, and lets everybody else do it."""

    def find_spec(
        self, fullname: str, path: "Sequence[str] | None", target: ModuleType | None = None
    ) -> ModuleSpec | None:
        ours = _awaited.pop(fullname, None)
        if ours is None:
            return None
        if not _awaited:
            sys.meta_path.remove(self)
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = cast("Loader", _Registering(spec.loader, ours))
        return spec


class _Registering:
    """A loader that registers our classes once the module is there."""

    def __init__(self, loader: "Loader", ours: dict[type, str]) -> None:
        self._loader = loader
        self._ours = ours

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        for ours, name in self._ours.items():
            _register(module, ours, name)
