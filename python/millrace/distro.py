"""What `opentelemetry-instrument` finds of millrace: a distro and a configurator, which step back for others.

It takes the first of each group that it comes upon, in no defined order. An installed millrace must not replace the SDK
of a program that has asked for nothing, so both work only where a variable names them (`OTEL_PYTHON_DISTRO=millrace`)
or where no other one is installed.
"""

import os
from typing import Any

from opentelemetry.util._importlib_metadata import entry_points

__all__ = ["Configurator", "distro"]

_NAME = "millrace"
_DISTRO = "OTEL_PYTHON_DISTRO"
_CONFIGURATOR = "OTEL_PYTHON_CONFIGURATOR"


def distro() -> Any:  # noqa: ANN401 - a distro, of a package that may be absent
    """Return the distro, or `None`, which `opentelemetry-instrument` passes over."""
    if os.environ.get(_DISTRO) != _NAME and (os.environ.get(_DISTRO) or _others("opentelemetry_distro")):
        return None
    from opentelemetry.instrumentation import distro as upstream  # noqa: PLC0415 - the package that asks for a distro

    parent: Any = vars(upstream)["BaseDistro"]  # the module turns type checking off
    return type("Distro", (parent,), {"_configure": _name_the_configurator})()


def _name_the_configurator(_: object, **__: object) -> None:
    """Let the configurator be ours, too, where the distro was named."""
    if os.environ.get(_DISTRO) == _NAME:
        os.environ.setdefault(_CONFIGURATOR, _NAME)


class Configurator:
    """Configures the SDK from the environment."""

    def configure(self, auto_instrumentation_version: str | None = None, **kwargs: object) -> None:
        """Set the global providers, or let another configurator do it where ours was not named."""
        others = _others("opentelemetry_configurator")
        if os.environ.get(_CONFIGURATOR) != _NAME and others:
            others[0].load()().configure(auto_instrumentation_version=auto_instrumentation_version, **kwargs)
            return
        from millrace.telemetry import configure  # noqa: PLC0415 - not for those who get another SDK

        version = auto_instrumentation_version
        configure(resource={"telemetry.auto.version": version} if version else None)


def _others(group: str) -> list[Any]:
    return [entry_point for entry_point in entry_points(group=group) if entry_point.name != _NAME]
