"""The variables of which `opentelemetry-instrument` makes options: those that no other package offers already.

It makes an option of every `OTEL_` name of every module in the entry-point group, and fails on the second one of a
name: with the stock SDK installed beside millrace, all of them are its. Without it they are ours.
"""

from importlib import import_module
from importlib.util import find_spec

from millrace.sdk import environment_variables

__all__: list[str] = []

_OTHERS = ("opentelemetry.environment_variables", "opentelemetry.instrumentation.environment_variables")


def _offered(module: str) -> set[str]:
    try:
        return set(vars(import_module(module)))
    except ImportError:
        return set()


if find_spec("opentelemetry.sdk") is None:
    _taken = set().union(*map(_offered, _OTHERS))
    globals().update(
        {name: name for name in vars(environment_variables) if name.startswith("OTEL_") and name not in _taken}
    )
