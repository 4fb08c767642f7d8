"""What views make of an instrument for a reader: descriptions of native streams."""

from collections.abc import Iterable, Sequence
from logging import getLogger
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from millrace.sdk.metrics import _aggregation
from millrace.sdk.metrics._aggregation import AggregationTemporality, increasing
from millrace.sdk.metrics.view import View, matches

if TYPE_CHECKING:
    from millrace.sdk.metrics._instruments import _Described

_log = getLogger("millrace.sdk.metrics")

DEFAULT_BOUNDARIES = (
    0.0,
    5.0,
    10.0,
    25.0,
    50.0,
    75.0,
    100.0,
    250.0,
    500.0,
    750.0,
    1000.0,
    2500.0,
    5000.0,
    7500.0,
    10000.0,
)

_MONOTONIC = {"counter", "histogram", "observable_counter"}
# What these measure may be negative, so that a sum of it means nothing.
_SUMMED_IN_HISTOGRAMS = _MONOTONIC

# A stream, as `InstrumentCore.add_stream` takes it: by the names of its attributes, which `_description` gives.
Description = SimpleNamespace

_AGGREGATIONS = {
    "SumAggregation": "sum",
    "LastValueAggregation": "last_value",
    "ExplicitBucketHistogramAggregation": "explicit",
    "ExponentialBucketHistogramAggregation": "exponential",
    "DropAggregation": "drop",
}

_DEFAULTS = {"histogram": "explicit", "gauge": "last_value", "observable_gauge": "last_value"}

_AGGREGATORS = {
    "sum": _aggregation._SumAggregation,  # noqa: SLF001 - named as upstream's, which are private
    "last_value": _aggregation._LastValueAggregation,  # noqa: SLF001
    "explicit": _aggregation._ExplicitBucketHistogramAggregation,  # noqa: SLF001
    "exponential": _aggregation._ExponentialBucketHistogramAggregation,  # noqa: SLF001
}

_SIMPLE_RESERVOIR_SIZE = 1
_EXPONENTIAL_RESERVOIR_SIZE = 20


class Preferences:
    """What a reader prefers, by the kind of the instrument."""

    __slots__ = ("aggregation", "temporality")

    def __init__(self, temporality: dict[str, AggregationTemporality], aggregation: dict[str, Any]) -> None:
        self.temporality = temporality
        self.aggregation = aggregation


def kind_of(made: type) -> str:
    """Return the kind of instrument that a class means, whose name is one of ours or of upstream's."""
    name = made.__name__.lstrip("_")
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")


def preferences(reader: Any) -> Preferences:  # noqa: ANN401 - a reader of ours or of upstream's
    """Return what a reader prefers; upstream's readers say it by their own classes."""
    temporality = dict(getattr(reader, "_instrument_class_temporality", None) or {})
    aggregation = dict(getattr(reader, "_instrument_class_aggregation", None) or {})
    return Preferences(
        {kind_of(made): AggregationTemporality(int(value)) for made, value in temporality.items()},
        {kind_of(made): value for made, value in aggregation.items()},
    )


def describe(
    instrument: "_Described", views: Iterable[View], preferred: Preferences
) -> list[tuple[View | None, Description]]:
    """Return the streams of an instrument, with their views; dropped ones are not among them."""
    found: list[tuple[View | None, Description | None]] = []
    for view in views:
        if not matches(view, instrument):
            continue
        if not _fits(view, instrument):
            continue
        found.append((view, _description(instrument, view, preferred)))
    if not found:
        found.append((None, _description(instrument, None, preferred)))
    return [(view, description) for view, description in found if description is not None]


def _fits(view: View, instrument: "_Described") -> bool:
    """Tell whether the view can be applied: callbacks say totals, which are nothing to make a histogram of."""
    if not instrument._kind.startswith("observable_"):  # noqa: SLF001 - the instruments of this package
        return True
    if _AGGREGATIONS.get(type(view._aggregation).__name__) not in {"explicit", "exponential"}:  # noqa: SLF001
        return True
    _log.warning(
        "View %s and instrument %s will produce semantic errors when matched, the view has not been applied.",
        view,
        instrument.name,
    )
    return False


def _description(instrument: "_Described", view: View | None, preferred: Preferences) -> Description | None:
    kind = instrument._kind  # noqa: SLF001 - as above
    chosen = view._aggregation if view is not None else None  # noqa: SLF001 - as above
    if chosen is None or type(chosen).__name__ == "DefaultAggregation":
        chosen = preferred.aggregation.get(kind)
    aggregation = _AGGREGATIONS.get(type(chosen).__name__) or _DEFAULTS.get(kind, "sum")
    is_observable = kind.startswith("observable_")
    if aggregation == "drop" or (is_observable and aggregation in {"explicit", "exponential"}):
        return None
    size = getattr(chosen, "_max_size", 160)
    bounds = _bounds(instrument, chosen) if aggregation == "explicit" else ()
    temporality = preferred.temporality.get(kind, AggregationTemporality.CUMULATIVE)
    reservoir_size = min(_EXPONENTIAL_RESERVOIR_SIZE, size) if aggregation == "exponential" else _SIMPLE_RESERVOIR_SIZE
    return Description(
        name=(view and view._name) or instrument.name,  # noqa: SLF001 - as above
        description=(view and view._description) or instrument.description,  # noqa: SLF001
        unit=instrument.unit,
        aggregation=aggregation,
        is_monotonic=kind in _MONOTONIC,
        bounds=bounds,
        size_max=size,
        scale_max=getattr(chosen, "_max_scale", 20),
        record_sum=kind in _SUMMED_IN_HISTOGRAMS,
        record_min_max=getattr(chosen, "_record_min_max", True),
        is_delta=temporality is AggregationTemporality.DELTA,
        is_observable=is_observable,
        kept_keys=_kept_keys(view),
        reservoir_factory=_reservoir_factory(view, aggregation, bounds, reservoir_size),
        reservoir_size=reservoir_size,
    )


def _bounds(instrument: "_Described", chosen: Any) -> Sequence[float]:  # noqa: ANN401 - an aggregation of ours or of upstream's
    bounds = getattr(chosen, "_boundaries", None)
    if bounds is None:
        bounds = instrument._boundaries  # noqa: SLF001 - the advice of the instrument
    if bounds is None:
        return DEFAULT_BOUNDARIES
    try:
        return increasing(bounds)
    except (TypeError, ValueError) as error:
        _log.warning("The bounds of instrument %s are not used, the default ones are: %s.", instrument.name, error)
        return DEFAULT_BOUNDARIES


def _kept_keys(view: View | None) -> list[str] | None:
    keys: Any = view._attribute_keys if view is not None else None  # noqa: SLF001 - as above
    if keys is None:
        return None
    return [str.__str__(key) for key in keys if isinstance(key, str)]


def _reservoir_factory(view: View | None, aggregation: str, bounds: Sequence[float], size: int) -> Any:  # noqa: ANN401
    """Return a function that makes the reservoir of a series, or `None` where the native one does the same."""
    factory = view._exemplar_reservoir_factory if view is not None else None  # noqa: SLF001 - as above
    if factory is None or factory.__module__.startswith("opentelemetry.sdk."):
        return None
    try:
        builder = factory(_AGGREGATORS[aggregation])
    except Exception:  # noqa: BLE001 - it is logged with its trace
        _log.exception("The exemplar reservoir factory of view %s failed; the default one is used.", view)
        return None
    if aggregation == "explicit":
        return lambda: builder(boundaries=bounds)
    if aggregation == "exponential":
        return lambda: builder(size=size)
    return builder
