"""Stands in for `opentelemetry.sdk.trace.TracerProvider` where programs ask for that class by `isinstance`.

Its class is an ABC, so being a virtual subclass costs nothing; but it exists only once somebody has imported it.
"""

import sys
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.abc import Loader

__all__ = ["stand_in"]

_MODULE = "opentelemetry.sdk.trace"


def stand_in(provider: type) -> None:
    """Make `provider` a virtual subclass of upstream's, now or when upstream's SDK is imported."""
    module = sys.modules.get(_MODULE)
    if module is not None and hasattr(module, "TracerProvider"):
        module.TracerProvider.register(provider)
    elif not any(isinstance(finder, _Watcher) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Watcher(provider))  # without importlib.abc, which takes 10 ms to import


class _Watcher:
    """Sees the import of upstream's SDK, once, and lets everybody else do it."""

    def __init__(self, provider: type) -> None:
        self._provider = provider

    def find_spec(
        self, fullname: str, path: "Sequence[str] | None", target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != _MODULE:
            return None
        sys.meta_path.remove(self)
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = cast("Loader", _Registering(spec.loader, self._provider))
        return spec


class _Registering:
    """A loader that registers the provider once the module is there."""

    def __init__(self, loader: "Loader", provider: type) -> None:
        self._loader = loader
        self._provider = provider

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        module.TracerProvider.register(self._provider)
