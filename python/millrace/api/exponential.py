"""Exponential histograms to intervals: the bucket `i` of a scale begins at `base ** i` and ends at `base ** (i + 1)`.

The base is `2 ** (2 ** -scale)`, so two buckets of one scale are exactly one of the next smaller scale: points of
different scales are added, and one is subtracted from the point after it, at the smaller of their scales.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from millrace.api.intervals import Heatmap, Interval

__all__ = ["BEFORE", "ROWS_MAX", "cells", "exponential_heatmap", "exponential_intervals"]

ROWS_MAX = 48
"""Rows of a heatmap: more could not be told apart on a screen."""

_FIELDS = (
    "scale", "zero_count", "positive_offset", "positive_bucket_counts", "negative_offset", "negative_bucket_counts",
)  # fmt: skip
BEFORE = "{" + ", ".join(f"'{name}': {name}" for name in _FIELDS) + "}"
"""What of a point is needed to subtract it from the point after it, as a struct of SQL."""

_SHIFT_MAX = 62
"""An index has 32 bits: after so many halvings it is 0 or -1 for good."""


def cells(*, is_heatmap: bool) -> str:
    """Return SQL from `steps` to rows of step, label, sign, scale, index, number and the width of the zero bucket.

    The sign is 0 for the zero bucket. A heatmap has one scale; otherwise each step of a label has its own.
    """
    sides = ", ".join(
        f"{{'sign': {sign}, 'weight': {weight}, 'scale': {of}scale, 'start': {start}, 'counts': {counts}}}"
        for of, weight in (("", 1), ("before.", -1))
        for sign, start, counts in (
            (1, f"{of}positive_offset", f"{of}positive_bucket_counts"),
            (-1, f"{of}negative_offset", f"{of}negative_bucket_counts"),
            (0, "0", f"[{of}zero_count]"),
        )
    )
    return f"""
        points_with_before AS (
            SELECT step, label, coalesce(zero_threshold, 0) AS width, {", ".join(_FIELDS)},
                CASE WHEN NOT (since IS NULL OR "count" < count_before) THEN before END AS before
            FROM steps WHERE label IN (SELECT label FROM shown) AND scale IS NOT NULL
        ),
        sides AS (
            SELECT step, label, width,
                min(least(scale, coalesce(before.scale, scale)))
                    OVER ({"" if is_heatmap else "PARTITION BY step, label"})::BIGINT AS target,
                unnest([{sides}]) AS side
            FROM points_with_before
        ),
        buckets AS (
            SELECT step, label, width, target, side.sign AS sign, side.weight AS weight,
                side.start::BIGINT + nth AS index, side.counts[nth + 1]::DOUBLE AS number,
                least(side.scale::BIGINT - target, {_SHIFT_MAX}) AS shift
            FROM (SELECT *, unnest(range(len(side.counts))) AS nth FROM sides)
        )
        SELECT step, label, sign::INTEGER, target, floor(index / pow(2, shift))::BIGINT AS place,
            sum(weight * number) AS total, max(width)
        FROM buckets WHERE number > 0 GROUP BY step, label, sign, target, place HAVING total > 0
    """


def _bound(index: int, scale: int) -> float:
    """Return the upper end of the bucket before this one."""
    try:
        return math.pow(2.0, math.ldexp(index, -scale))
    except OverflowError:  # no double is as large, and none as small
        return math.inf if index > 0 else 0.0


class _Histogram:
    """Counts by bucket, at one scale."""

    def __init__(self) -> None:
        self.scale = 0
        self.width = 0.0
        self.counts: dict[int, dict[int, float]] = {-1: {}, 0: {}, 1: {}}
        """By sign and index; the zero bucket is the one with the sign 0."""

    def add(self, row: tuple[Any, ...]) -> None:
        """Add a row of `cells`; all that are added to one histogram have the same scale."""
        _, _, sign, self.scale, index, number, width = row
        self.counts[sign][index] = self.counts[sign].get(index, 0.0) + number
        self.width = max(self.width, width)

    def halve(self) -> None:
        """Put pairs of buckets together."""
        self.scale -= 1
        for sign, side in self.counts.items():
            halved: dict[int, float] = defaultdict(float)
            for index, number in side.items():
                halved[index >> 1] += number
            self.counts[sign] = halved

    def ranges(self) -> dict[int, range]:
        """Return the indexes from the first to the last bucket of each sign, in the order of their values."""
        found = {sign: range(min(side), max(side) + 1) if side else range(0) for sign, side in self.counts.items()}
        return found | {-1: found[-1][::-1]}

    def ends(self, sign: int, index: int) -> tuple[float, float]:
        """Return what a bucket's values are above, and what they go up to."""
        if sign == 0:
            # Where nothing is negative, what is near zero is not either.
            return -self.width if self.counts[-1] else 0.0, self.width
        near, far = _bound(index, self.scale), _bound(index + 1, self.scale)
        return (near, far) if sign > 0 else (-far, -near)

    def intervals(self) -> list[Interval]:
        """Return the buckets that are not empty, in the order of their values."""
        return [
            Interval(*self.ends(sign, index), number, is_exponential=sign != 0)
            for sign, side in self.counts.items()
            for index, number in sorted(side.items(), reverse=sign < 0)
        ]


def exponential_intervals(rows: Iterable[tuple[Any, ...]]) -> Mapping[tuple[int, str], Sequence[Interval]]:
    """Turn rows of `cells` into intervals for each step and label."""
    found: dict[tuple[int, str], _Histogram] = defaultdict(_Histogram)
    for row in rows:
        found[row[0], row[1]].add(row)
    return {key: histogram.intervals() for key, histogram in found.items()}


def exponential_heatmap(rows: Iterable[tuple[Any, ...]], steps: int) -> Heatmap:
    """Turn rows of `cells` into a heatmap of all labels; empty rows stand where no bucket does."""
    whole, parts = _Histogram(), [_Histogram() for _ in range(steps)]
    for row in rows:
        whole.add(row)
        parts[row[0]].add(row)
    while sum(map(len, whole.ranges().values())) > ROWS_MAX:
        for histogram in (whole, *parts):
            histogram.halve()
    bounds: list[float] = []
    counts: list[list[float]] = []
    beyond = [0.0] * steps
    """Of buckets that end above all doubles."""
    for sign, indexes in whole.ranges().items():
        for index in indexes:
            lower, upper = whole.ends(sign, index)
            numbers = [part.counts[sign].get(index, 0.0) for part in parts]
            if math.isinf(upper):
                beyond = [sum(both) for both in zip(beyond, numbers, strict=True)]
                continue
            # The reader takes a row to begin where the one below ends, and the first one at zero or below all.
            if -math.inf < lower < upper and (lower > bounds[-1] if bounds else sign != 0):
                bounds.append(lower)
                counts.append([0.0] * steps)
            bounds.append(upper)
            counts.append(numbers)
    return {"bounds": bounds, "counts": [*counts, beyond]}
