"""Intervals of values with how many lie in each: what a histogram says, and the quantiles that follow from it."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

__all__ = ["Interval", "explicit_heatmap", "explicit_intervals", "quantile_of"]

Heatmap = dict[str, Any]
"""`bounds`, the upper ends of rows, and `counts`, one row more: that of values above all bounds."""


class Interval(NamedTuple):
    """Values above `lower` up to and with `upper`."""

    lower: float
    upper: float
    number: float
    is_exponential: bool = False
    """Whether its values are taken to lie evenly by their logarithm, as they do by themselves otherwise."""


def quantile_of(intervals: Sequence[Interval], quantile: float) -> float | None:
    """Return a quantile, as if values lay evenly in their interval; in one without an end it is the end it has."""
    wanted = quantile * sum(each.number for each in intervals)
    if not wanted:
        return None
    below = 0.0
    for each in intervals:
        if each.number and below + each.number >= wanted:
            return _within(each, (wanted - below) / each.number)
        below += each.number
    return next(each.upper for each in reversed(intervals) if each.number)  # the rest of a division


def _within(interval: Interval, share: float) -> float:
    lower, upper = interval.lower, interval.upper
    if math.isinf(upper):
        return lower
    if interval.is_exponential and lower * upper > 0:
        return float(lower * (upper / lower) ** share)
    return lower + (upper - lower) * share


_Buckets = dict[float, float]
"""Counts by upper bound."""


def explicit_intervals(rows: Iterable[tuple[Any, ...]]) -> Mapping[tuple[int, str], Sequence[Interval]]:
    """Turn rows of step, label, bounds, bucket and number into intervals for each step and label."""
    return {key: _intervals(buckets) for key, buckets in _merged(rows).items()}


def _merged(rows: Iterable[tuple[Any, ...]]) -> dict[tuple[int, str], _Buckets]:
    """Put buckets of one step and label together, whatever bounds their histograms have."""
    found: dict[tuple[int, str], _Buckets] = {}
    for step, label, bounds, at, number in rows:
        upper = bounds[at - 1] if at <= len(bounds) else math.inf
        buckets = found.setdefault((step, label), {})
        buckets[upper] = buckets.get(upper, 0.0) + max(0.0, number)
    return found


def _intervals(buckets: _Buckets) -> list[Interval]:
    uppers = sorted(buckets)
    lowers = [min(0.0, uppers[0]), *uppers[:-1]]  # the first one has no lower end: what is measured is rarely negative
    return [Interval(lower, upper, buckets[upper]) for lower, upper in zip(lowers, uppers, strict=True)]


def explicit_heatmap(rows: Iterable[tuple[Any, ...]], steps: int) -> Heatmap:
    """Turn the same rows into a heatmap of all labels."""
    merged = _merged((step, "", bounds, at, number) for step, _, bounds, at, number in rows)
    uppers = sorted({upper for buckets in merged.values() for upper in buckets} | {math.inf})
    row_of = {upper: row for row, upper in enumerate(uppers)}
    counts = [[0.0] * steps for _ in uppers]
    for (step, _), buckets in merged.items():
        for upper, number in buckets.items():
            counts[row_of[upper]][step] += number
    return {"bounds": uppers[:-1], "counts": counts}
