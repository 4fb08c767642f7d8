"""Aggregations: what becomes of the measurements of an instrument. The aggregating itself is native."""

import logging
import math
from abc import ABC
from collections.abc import Sequence
from enum import IntEnum

_log = logging.getLogger("millrace.sdk.metrics")

_SIZE_MIN, _SIZE_MAX = 2, 16384
_SCALE_MIN, _SCALE_MAX = -10, 20


class AggregationTemporality(IntEnum):
    """Whether points count since the start or since the collection before."""

    UNSPECIFIED = 0
    DELTA = 1
    CUMULATIVE = 2


class Aggregation(ABC):  # noqa: B024 - upstream's class has only a private abstract method
    """Base class of all aggregations."""


class DefaultAggregation(Aggregation):
    """The aggregation that the specification gives to the kind of the instrument."""


class DropAggregation(Aggregation):
    """Ignores all measurements."""


class SumAggregation(Aggregation):
    """The arithmetic sum of the measurements."""


class LastValueAggregation(Aggregation):
    """The last measurement."""


class ExplicitBucketHistogramAggregation(Aggregation):
    """How many measurements lie between bounds, which increase; without any, the instrument's or the default ones.

    Raises `ValueError` for bounds that are not finite or not increasing.
    """

    def __init__(self, boundaries: Sequence[float] | None = None, record_min_max: bool = True) -> None:  # noqa: FBT001, FBT002 - upstream's signature
        self._boundaries = None if boundaries is None else increasing(boundaries)
        self._record_min_max = record_min_max


class ExponentialBucketHistogramAggregation(Aggregation):
    """How many measurements lie in buckets that grow by a factor, which follows from the measurements.

    `max_size` is the greatest number of buckets on each side of zero, from 2 to 16384; `max_scale` the resolution to
    begin with, at most 20. Raises `ValueError` for a size out of its range.
    """

    def __init__(self, max_size: int = 160, max_scale: int = 20, record_min_max: bool = True) -> None:  # noqa: FBT001, FBT002 - upstream's signature
        if not _SIZE_MIN <= max_size <= _SIZE_MAX:
            raise ValueError(f"expected a max_size from {_SIZE_MIN} to {_SIZE_MAX}, got {max_size}")
        if not _SCALE_MIN <= max_scale <= _SCALE_MAX:
            _log.warning(
                "Expected a max_scale from %d to %d, got %s; the nearest is used.", _SCALE_MIN, _SCALE_MAX, max_scale
            )
        self._max_size = max_size
        self._max_scale = min(max(max_scale, _SCALE_MIN), _SCALE_MAX)
        self._record_min_max = record_min_max


def increasing(boundaries: Sequence[float]) -> tuple[float, ...]:
    """Return the bounds as floats. Raises `ValueError` when they are not finite, or not strictly increasing."""
    bounds = tuple(float(bound) for bound in boundaries)
    for place, bound in enumerate(bounds):
        if not math.isfinite(bound):
            raise ValueError(f"expected finite bounds, got {bound!r}")
        if place and bounds[place - 1] >= bound:
            raise ValueError(f"expected strictly increasing bounds, got {bound!r} after {bounds[place - 1]!r}")
    return bounds


# What exemplar reservoir factories are asked with: upstream's names of the classes that aggregate.


class _Aggregation:
    pass


class _SumAggregation(_Aggregation):
    pass


class _LastValueAggregation(_Aggregation):
    pass


class _ExplicitBucketHistogramAggregation(_Aggregation):
    pass


class _ExponentialBucketHistogramAggregation(_Aggregation):
    pass
