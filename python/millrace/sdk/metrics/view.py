"""Views: which instruments become which metrics. Under the names of `opentelemetry.sdk.metrics.view`."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from millrace.sdk.metrics._aggregation import (
    Aggregation,
    DefaultAggregation,
    DropAggregation,
    ExplicitBucketHistogramAggregation,
    ExponentialBucketHistogramAggregation,
    LastValueAggregation,
    SumAggregation,
)

if TYPE_CHECKING:
    from opentelemetry.metrics import Instrument

    from millrace.sdk.metrics._instruments import _Described

__all__ = [
    "Aggregation",
    "DefaultAggregation",
    "DropAggregation",
    "ExplicitBucketHistogramAggregation",
    "ExponentialBucketHistogramAggregation",
    "LastValueAggregation",
    "SumAggregation",
    "View",
]


class View:
    """Matches instruments by every criterion that is given, and shapes the metric that each of them becomes.

    `instrument_name` and `instrument_unit` may hold the wildcards `*` and `?`. `name`, `description`, `attribute_keys`
    (those of the attributes to keep), `aggregation` and `exemplar_reservoir_factory` replace what the instrument says.
    Raises an exception when no criterion is given, or when a name is given together with a wildcard.
    """

    def __init__(
        self,
        instrument_type: "type[Instrument] | None" = None,
        instrument_name: str | None = None,
        meter_name: str | None = None,
        meter_version: str | None = None,
        meter_schema_url: str | None = None,
        name: str | None = None,
        description: str | None = None,
        attribute_keys: set[str] | None = None,
        aggregation: Aggregation | None = None,
        exemplar_reservoir_factory: Callable[[type], Callable[..., Any]] | None = None,
        instrument_unit: str | None = None,
    ) -> None:
        criteria = (instrument_type, instrument_name, instrument_unit, meter_name, meter_version, meter_schema_url)
        if all(criterion is None for criterion in criteria):
            raise Exception(f"Some instrument selection criteria must be provided for View {name}")  # noqa: TRY002 - upstream's
        if name is not None and instrument_name is not None and ("*" in instrument_name or "?" in instrument_name):
            raise Exception(f"View {name} declared with wildcard characters in instrument_name")  # noqa: TRY002 - upstream's
        self._instrument_type = instrument_type
        self._instrument_name = instrument_name
        self._instrument_unit = instrument_unit
        self._meter_name = meter_name
        self._meter_version = meter_version
        self._meter_schema_url = meter_schema_url
        self._name = name
        self._description = description
        self._attribute_keys = attribute_keys
        self._aggregation = aggregation or DefaultAggregation()
        self._exemplar_reservoir_factory = exemplar_reservoir_factory

    def _match(self, instrument: "_Described") -> bool:
        return matches(self, instrument)


def matches(view: Any, instrument: "_Described") -> bool:  # noqa: ANN401 - a view of ours or of upstream's
    """Tell whether a view, of this module or of `opentelemetry.sdk`, means an instrument."""
    scope = instrument.instrumentation_scope
    return (
        _is_of_type(instrument, view._instrument_type)  # noqa: SLF001 - all views have these
        and _is_like(instrument.name, view._instrument_name and view._instrument_name.lower())  # noqa: SLF001
        and _is_like(instrument.unit, view._instrument_unit)  # noqa: SLF001
        and view._meter_name in {None, scope.name}  # noqa: SLF001
        and view._meter_version in {None, scope.version}  # noqa: SLF001
        and view._meter_schema_url in {None, scope.schema_url}  # noqa: SLF001
    )


def _is_of_type(instrument: "_Described", wanted: "type[Instrument] | None") -> bool:
    """Tell whether the instrument is of a class of the API, of ours, or of upstream's with the name of ours."""
    if wanted is None or isinstance(instrument, wanted):
        return True
    return wanted.__module__.startswith("opentelemetry.sdk.") and any(
        base.__name__ == wanted.__name__ for base in type(instrument).__mro__
    )


def _is_like(text: str, pattern: str | None) -> bool:
    if pattern is None:
        return True
    from fnmatch import fnmatchcase  # noqa: PLC0415 - only where there are views

    return fnmatchcase(text, pattern)
