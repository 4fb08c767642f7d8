"""OpenTelemetry's SDK over the native recorder: the modules are named as those of `opentelemetry.sdk`.

`from opentelemetry.sdk.resources import Resource` becomes `from millrace.sdk.resources import Resource`, and so on for
`trace`, `metrics`, `logs` (upstream's `_logs`), `resources` and `environment_variables`.
"""

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["late"]


def late(package: str, modules: "Mapping[str, str]") -> "Callable[[str], Any]":
    """Return the `__getattr__` of a package: `modules` says, by name, where a name is imported from when it is used."""

    def __getattr__(name: str) -> Any:  # noqa: ANN401, N807 - whatever is asked for; the name that Python gives it
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = import_module(modules[name])
        value = module if modules[name] == f"{package}.{name}" else getattr(module, name)
        setattr(sys.modules[package], name, value)
        return value

    return __getattr__
