"""Metrics under the names of `opentelemetry.sdk.metrics`: the provider, instruments, exemplars. Recording is native."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from millrace.sdk import late
from millrace.sdk.metrics._provider import MeterProvider, MetricsTimeoutError

if TYPE_CHECKING:
    from millrace.sdk.metrics import export, view
    from millrace.sdk.metrics._exemplar import Exemplar
    from millrace.sdk.metrics._exemplars import (
        AlignedHistogramBucketExemplarReservoir,
        AlwaysOffExemplarFilter,
        AlwaysOnExemplarFilter,
        ExemplarFilter,
        ExemplarReservoir,
        SimpleFixedSizeExemplarReservoir,
        TraceBasedExemplarFilter,
    )
    from millrace.sdk.metrics._instruments import (
        Counter,
        Histogram,
        ObservableCounter,
        ObservableGauge,
        ObservableUpDownCounter,
        UpDownCounter,
    )
    from millrace.sdk.metrics._instruments import Gauge as _Gauge
    from millrace.sdk.metrics._meter import Meter

__all__ = [
    "AlignedHistogramBucketExemplarReservoir",
    "AlwaysOffExemplarFilter",
    "AlwaysOnExemplarFilter",
    "Counter",
    "Exemplar",
    "ExemplarFilter",
    "ExemplarReservoir",
    "Histogram",
    "Meter",
    "MeterProvider",
    "MetricsTimeoutError",
    "ObservableCounter",
    "ObservableGauge",
    "ObservableUpDownCounter",
    "SimpleFixedSizeExemplarReservoir",
    "TraceBasedExemplarFilter",
    "UpDownCounter",
    "_Gauge",
    "export",
    "view",
]

_INSTRUMENTS = ("Counter", "Histogram", "ObservableCounter", "ObservableGauge", "ObservableUpDownCounter")

_late = late(
    __name__,
    dict.fromkeys(__all__, "millrace.sdk.metrics._exemplars")
    | dict.fromkeys((*_INSTRUMENTS, "UpDownCounter"), "millrace.sdk.metrics._instruments")
    | {"Exemplar": "millrace.sdk.metrics._exemplar", "Meter": "millrace.sdk.metrics._meter"},
)


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever is asked for
    """Import what only those need who name it."""
    if name in {"export", "view"}:
        return import_module(f"{__name__}.{name}")
    if name == "_Gauge":
        return import_module("millrace.sdk.metrics._instruments").Gauge
    return _late(name)
