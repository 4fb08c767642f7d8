"""Every instrumentation that is installed, switched on: what worked, and why something did not."""

import os
from typing import Any, NamedTuple

__all__ = ["Outcome", "instrument_everything"]

_DISABLED = "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"


class Outcome(NamedTuple):
    """What became of one instrumentation."""

    name: str
    problem: str | None
    """Why it is not active, or `None`."""


def instrument_everything() -> list[Outcome]:
    """Switch on every `opentelemetry_instrumentor` but those that the variable disables; none can stop the others."""
    from opentelemetry.util._importlib_metadata import entry_points  # noqa: PLC0415 - reads all metadata

    disabled = {name.strip() for name in os.environ.get(_DISABLED, "").split(",")}
    outcomes = _hooks(entry_points(group="opentelemetry_pre_instrument"))
    for entry_point in sorted(entry_points(group="opentelemetry_instrumentor"), key=lambda point: point.name):
        if {"*", entry_point.name} & disabled:
            outcomes.append(Outcome(entry_point.name, f"disabled by {_DISABLED}"))
        else:
            outcomes.append(Outcome(entry_point.name, _instrument(entry_point)))
    return outcomes + _hooks(entry_points(group="opentelemetry_post_instrument"))


def _hooks(points: Any) -> list[Outcome]:  # noqa: ANN401 - entry points, of whichever library reads them
    """Call what packages have registered to be called before or after; only a failure is worth a line."""
    outcomes = []
    for entry_point in points:
        try:
            entry_point.load()()
        except Exception as error:  # noqa: BLE001 - whatever an installed package does
            outcomes.append(Outcome(entry_point.name, _sentence(error)))
    return outcomes


def _instrument(entry_point: Any) -> str | None:  # noqa: ANN401 - as above
    try:
        conflict = _conflict(entry_point)
        if conflict is not None:
            return conflict
        instrumentor = entry_point.load()()
        if instrumentor.is_instrumented_by_opentelemetry:
            return None  # its library may be instrumented by hand, or this be called twice
        instrumentor.instrument(skip_dep_check=True, raise_exception_on_conflict=True)
    except Exception as error:  # noqa: BLE001 - whatever an installed package does
        return _sentence(error)
    return None


def _conflict(entry_point: Any) -> str | None:  # noqa: ANN401 - as above
    """Return which library of what version it wants and does not find, as its package declares it."""
    from opentelemetry.instrumentation.dependencies import (  # noqa: PLC0415 - of the package that every one needs
        get_dist_dependency_conflicts,
    )

    found = get_dist_dependency_conflicts(entry_point.dist) if entry_point.dist else None
    if found is None:
        return None
    wanted = found.required or " or ".join(found.required_any or ())
    present = found.found or ", ".join(found.found_any or ())
    return f"wants {wanted}, found {present}" if present else f"wants {wanted}, which is not installed"


def _sentence(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".replace("\n", " ")
