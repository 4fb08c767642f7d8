"""Exponential histograms: quantiles and heatmaps beside the values that they were made of, by the definition."""

import math
import random
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import httpx
import pytest

from millrace.api import application
from millrace.api.exponential import ROWS_MAX
from millrace.store import Store
from tests.api.conftest import serving
from tests.api.keeping import keeping
from tests.api.shop import BEGIN, MS, wrapped

STEP_NS = 10_000 * MS
DICE = random.Random(20261126)  # noqa: S311 - the same values every time
FIRST = [DICE.lognormvariate(-3, 1.2) for _ in range(400)]
SECOND = [DICE.lognormvariate(-1, 0.8) for _ in range(300)]
MIXED = [-7.0, -3.0, -3.0, -0.6, 0.0, 0.0, 0.0, 0.3, 2.1, 5.0, 5.5]
SCALES = (-1, 0, 3, 9)
QUANTILES = {"p50": 0.50, "p90": 0.90, "p99": 0.99}
CUMULATIVE, DELTA = 2, 1


def base_of(scale: int) -> float:
    return float(2.0 ** (2.0**-scale))


def index_of(value: float, scale: int) -> int:
    """The bucket of a value: the one that begins below it and ends at it or above."""
    base, index = base_of(scale), 0
    while base ** (index + 1) < value:
        index += 1
    while base**index >= value:
        index -= 1
    return index


def side(values: Sequence[float], scale: int) -> dict[str, Any]:
    counts = Counter(index_of(value, scale) for value in values)
    if not counts:
        return {"offset": 0, "bucketCounts": []}
    indexes = range(min(counts), max(counts) + 1)
    return {"offset": indexes[0], "bucketCounts": [str(counts[index]) for index in indexes]}


def point(at_s: int, values: Sequence[float], scale: int) -> dict[str, Any]:
    return {
        "startTimeUnixNano": str(BEGIN), "timeUnixNano": str(BEGIN + at_s * 1_000 * MS),
        "count": str(len(values)), "sum": math.fsum(values), "scale": scale, "zeroCount": str(values.count(0.0)),
        "positive": side([value for value in values if value > 0], scale),
        "negative": side([-value for value in values if value < 0], scale),
    }  # fmt: skip


def metric(name: str, temporality: int, *points: dict[str, Any]) -> dict[str, Any]:
    histogram = {"aggregationTemporality": temporality, "dataPoints": list(points)}
    return {"name": name, "unit": "s", "exponentialHistogram": histogram}


ENDLESS = {
    **point(10, [1.0, 2.0], 0),
    "scale": -(2**31),
    "positive": {"offset": 2**31 - 2, "bucketCounts": ["1", "1"]},
    "negative": {"offset": -(2**31), "bucketCounts": ["3"]},
}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A server that has been sent all of them."""
    folder = tmp_path_factory.mktemp("exponential")
    found = [
        *(metric(f"scale {scale}", DELTA, point(10, FIRST, scale), point(20, SECOND, scale)) for scale in SCALES),
        # What a program does when a value no longer fits: it halves its resolution, and goes on.
        metric("shrinking", CUMULATIVE, point(10, FIRST, 6), point(20, [*FIRST, *SECOND], 4)),
        metric("mixed", DELTA, point(10, MIXED, 2)),
        metric("endless", DELTA, ENDLESS, {**point(20, FIRST, 3), "scale": 2**31 - 1}),
    ]
    with keeping(folder) as keeper:
        keeper.send("metrics", wrapped("mill", "resourceMetrics", "scopeMetrics", "metrics", found))
    with serving(application(Store(folder))) as url, httpx.Client(base_url=url, timeout=30) as made:
        yield made


def query(client: httpx.Client, name: str, aggregation: str) -> dict[str, Any]:
    parameters: dict[str, str | int] = {"name": name, "aggregation": aggregation, "step_ns": STEP_NS}
    answer = client.get("/api/v1/metrics/query", params=parameters)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def by_rank(values: Sequence[float], quantile: float) -> float:
    return sorted(values)[math.ceil(quantile * len(values)) - 1]


@pytest.mark.parametrize(("name", "scale"), [*((f"scale {scale}", scale) for scale in SCALES), ("shrinking", 4)])
def test_a_quantile_lies_in_the_bucket_of_the_value_with_its_rank(client: httpx.Client, name: str, scale: int) -> None:
    for aggregation, quantile in QUANTILES.items():
        ((first, second),) = (line["values"] for line in query(client, name, aggregation)["series"])
        for found, values in ((first, FIRST), (second, SECOND)):
            index = index_of(by_rank(values, quantile), scale if values is SECOND or name != "shrinking" else 6)
            base = base_of(scale if values is SECOND or name != "shrinking" else 6)
            assert base**index * (1 - 1e-9) <= found <= base ** (index + 1) * (1 + 1e-9)


def test_a_quantile_is_interpolated_by_the_logarithm(client: httpx.Client) -> None:
    index = index_of(by_rank(SECOND, 0.5), 3)
    below = sum(index_of(value, 3) < index for value in SECOND)
    inside = sum(index_of(value, 3) == index for value in SECOND)
    expected = base_of(3) ** (index + (0.5 * len(SECOND) - below) / inside)
    assert query(client, "scale 3", "p50")["series"][0]["values"][1] == pytest.approx(expected)


@pytest.mark.parametrize("name", ["scale -1", "scale 0", "scale 3", "scale 9", "shrinking"])
def test_each_value_is_counted_in_its_row_of_the_heatmap(client: httpx.Client, name: str) -> None:
    found = query(client, name, "heatmap")["heatmap"]
    rows = range(len(found["bounds"]) + 1)
    assert 2 < len(rows) <= ROWS_MAX + 2
    for step, values in enumerate((FIRST, SECOND)):
        expected = Counter(bisect_left(found["bounds"], value) for value in values)
        assert [found["counts"][row][step] for row in rows] == [expected[row] for row in rows]


def test_values_below_zero_and_zero_itself_have_rows_and_ranks(client: httpx.Client) -> None:
    found = query(client, "mixed", "heatmap")["heatmap"]
    expected = Counter(bisect_left(found["bounds"], value) for value in MIXED)
    assert [row[0] for row in found["counts"]] == [expected[row] for row in range(len(found["bounds"]) + 1)]
    assert query(client, "mixed", "p50")["series"][0]["values"] == [0.0]
    low = by_rank(MIXED, 0.90)
    assert low / base_of(2) <= query(client, "mixed", "p90")["series"][0]["values"][0] <= low * base_of(2)


@pytest.mark.parametrize("aggregation", [*QUANTILES, "heatmap", "avg", "rate"])
def test_scales_that_no_double_can_follow_are_answered(client: httpx.Client, aggregation: str) -> None:
    found = query(client, "endless", aggregation)
    assert found["series"] or len(found["heatmap"]["counts"]) <= ROWS_MAX + 4
