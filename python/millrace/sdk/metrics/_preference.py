"""What the environment says about temporality and the aggregation of histograms."""

import os
from logging import getLogger

from millrace.sdk.metrics import _instruments as made
from millrace.sdk.metrics._aggregation import (
    Aggregation,
    AggregationTemporality,
    ExplicitBucketHistogramAggregation,
    ExponentialBucketHistogramAggregation,
)

_log = getLogger("millrace.sdk.metrics")

_TEMPORALITY = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"
_HISTOGRAM = "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION"

_DELTA_KINDS: dict[str, tuple[type, ...]] = {
    "cumulative": (),
    "delta": (made.Counter, made.Histogram, made.ObservableCounter),
    "lowmemory": (made.Counter, made.Histogram),
}
_HISTOGRAMS: dict[str, type[Aggregation]] = {
    "explicit_bucket_histogram": ExplicitBucketHistogramAggregation,
    "base2_exponential_bucket_histogram": ExponentialBucketHistogramAggregation,
}


def temporality() -> dict[type, AggregationTemporality]:
    """Return the preferred temporality of the kinds that are not cumulative."""
    kinds = _DELTA_KINDS[_choice(_TEMPORALITY, tuple(_DELTA_KINDS))]
    return dict.fromkeys(kinds, AggregationTemporality.DELTA)


def aggregation_of_histograms() -> dict[type, Aggregation]:
    """Return the preferred aggregation of histograms."""
    return {made.Histogram: _HISTOGRAMS[_choice(_HISTOGRAM, tuple(_HISTOGRAMS))]()}


def milliseconds(name: str, default: float) -> float:
    """Return a time from the environment; what is not a positive number is said, and the default used (E9)."""
    text = os.environ.get(name, "").strip()
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if value > 0:
        return value
    _log.warning("%s: expected a number of milliseconds above 0, got %r; %g is used.", name, text, default)
    return default


def _choice(name: str, words: tuple[str, ...]) -> str:
    """Return the word that a variable holds, in any case; the first one is the default (E9)."""
    text = os.environ.get(name, "").strip()
    if not text:
        return words[0]
    if text.lower() in words:
        return text.lower()
    _log.warning("%s: expected one of %s, got %r; %s is used.", name, ", ".join(words), text, words[0])
    return words[0]
