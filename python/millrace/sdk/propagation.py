"""The propagators that `OTEL_PROPAGATORS` names, each once, whatever is wrong with one of them (E10)."""

import os
import sys
from typing import TYPE_CHECKING

from opentelemetry.environment_variables import OTEL_PROPAGATORS

from millrace.sdk import environment

if TYPE_CHECKING:
    from opentelemetry.propagators.textmap import TextMapPropagator

__all__ = ["install_propagators", "propagators_named"]

_DEFAULT = ["tracecontext", "baggage"]


def install_propagators(declared: list[str] | None = None) -> None:
    """Make them the global ones of the API, whose own reading keeps doubles and fails for all when one is absent."""
    named = environment.names(OTEL_PROPAGATORS)
    names = named if declared is None else declared or ["none"]
    if (declared is None and not names) or names == named == _DEFAULT:
        return  # the API has these already
    found = propagators_named(names)
    if "opentelemetry.propagate" not in sys.modules and len(found) < len(names):
        os.environ[OTEL_PROPAGATORS] = "none"  # with the name of an absent one, its import fails
    from opentelemetry.propagate import set_global_textmap  # noqa: PLC0415 - loads the propagators
    from opentelemetry.propagators.composite import CompositePropagator  # noqa: PLC0415 - only for those who choose

    set_global_textmap(CompositePropagator(found))


def propagators_named(names: list[str]) -> "list[TextMapPropagator]":
    """Return the propagators of these names; one that is not installed is said and left out."""
    if "none" in map(str.lower, names):
        if len(names) > 1:
            environment.warn(OTEL_PROPAGATORS, "none beside other propagators: nothing is propagated")
        return []
    from millrace.sdk import entry_points  # noqa: PLC0415 - 10 ms

    found: list[TextMapPropagator] = []
    for name in names:
        try:
            found.append(entry_points.load("opentelemetry_propagator", name)())
        except Exception as error:  # noqa: BLE001 - whatever an installed package does
            known = (*_DEFAULT, *entry_points.registered("opentelemetry_propagator"))
            environment.warn(OTEL_PROPAGATORS, f"{name} is left out: {error}{environment.nearest(name, known)}")
    return found
