"""OpenTelemetry for Python at native speed.

What this package holds, each part imported only when it is named:

* :func:`millrace.configure`: record this process's telemetry and export it, in one call.
* :mod:`millrace.sdk`: the same by hand, under the names that `opentelemetry.sdk` has.
* :mod:`millrace.gateway`: receive OTLP over gRPC and HTTP, process it, send it on.
* :mod:`millrace.otlp`: validate, count, translate, merge, split and edit OTLP requests as bytes.
* :mod:`millrace.files`: read and write files of OTLP requests.
* :mod:`millrace.errors`: every exception this package raises.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from millrace.gateway import Gateway
    from millrace.telemetry import Telemetry, configure

__all__ = ["Gateway", "Telemetry", "__version__", "configure"]

__version__: str


def __getattr__(name: str) -> object:
    """Import a public name when it is first used: `import millrace` itself costs almost nothing."""
    from importlib import import_module  # noqa: PLC0415 - the point of this function

    match name:
        case "Gateway":
            value = import_module("millrace.gateway").Gateway
        case "Telemetry" | "configure":
            value = getattr(import_module("millrace.telemetry"), name)
        case "__version__":
            value = import_module("millrace._native").__version__
        case _:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value
