"""Metrics never hurt their host: nothing raises, nothing is counted twice, forks and threads are safe."""

import gc
import logging
import math
import multiprocessing
import os
import sys
import threading
from collections import UserDict
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sdk.metrics_beside_stock import OURS, Engine, exports, points


class Hostile:
    """Raises whatever it is asked."""

    def __hash__(self) -> int:
        raise RuntimeError("hash")

    def __eq__(self, _other: object) -> bool:
        raise RuntimeError("eq")

    def __str__(self) -> str:
        raise RuntimeError("str")

    __repr__ = __str__

    def __bool__(self) -> bool:
        raise RuntimeError("bool")

    def __index__(self) -> int:
        raise RuntimeError("index")

    def __float__(self) -> float:
        raise RuntimeError("float")


class HostileMapping(UserDict[Any, Any]):
    def __iter__(self) -> Any:
        raise RuntimeError("iter")


def deep(levels: int) -> Any:
    value: Any = "end"
    for _ in range(levels):
        value = [value]
    return value


AMOUNTS = [None, "1", b"", [], {}, object(), Hostile(), math.nan, math.inf, -math.inf, -1, -0.5, 10**400, 1j, lambda: 1]
ATTRIBUTES: list[Any] = [
    "text",
    1,
    object(),
    Hostile(),
    HostileMapping(),
    {"k": Hostile()},
    {"k": object()},
    {"k": deep(10_000)},
    {"k": "\ud800"},
    {"\ud800": 1},
    {None: 1, "": 2, "ok": 3},
    {"k": 10**30},
    {"k": math.nan},
    [("k", 1)],
]


@pytest.mark.parametrize("method", ["add", "record", "set"])
@pytest.mark.filterwarnings("ignore")
def test_no_amount_and_no_attributes_raise(method: str) -> None:
    make = {"add": "create_counter", "record": "create_histogram", "set": "create_gauge"}[method]

    def program(provider: Any, _collect: Callable[[], None]) -> None:
        measure = getattr(getattr(provider.get_meter("shop"), make)("requests"), method)
        for amount in AMOUNTS:
            measure(amount, {"k": "v"})
        for attributes in ATTRIBUTES:
            measure(1, attributes)
        measure(1, {"k": "v"}, context=None)

    (request,) = exports(OURS, program)
    assert request.SerializeToString()


def test_a_refused_amount_is_not_counted_and_said_once_for_each_instrument(caplog: pytest.LogCaptureFixture) -> None:
    def program(provider: Any, _collect: Callable[[], None]) -> None:
        counter = provider.get_meter("shop").create_counter("requests")
        counter.add(2)
        for _ in range(3):
            counter.add(-1)
            counter.add(math.nan)
            counter.add("1")

    with caplog.at_level(logging.WARNING):
        (point,) = points(exports(OURS, program)[0], "requests")
    assert point.as_int == 2
    assert len(caplog.records) == 3


def test_callbacks_that_fail_are_logged_and_the_others_still_observe(caplog: pytest.LogCaptureFixture) -> None:
    from opentelemetry.metrics import Observation  # noqa: PLC0415

    def broken(_options: object) -> list[Any]:
        raise RuntimeError("broken")

    def observing(_options: object) -> list[Any]:
        return [Observation(1, {"from": "good"}), "not an observation"]

    def program(provider: Any, _collect: Callable[[], None]) -> None:
        provider.get_meter("shop").create_observable_gauge("load", [broken, observing, lambda _options: None])

    found = points(exports(OURS, program)[0], "load")
    assert [point.as_int for point in found] == [1]
    assert "Callback failed for instrument load" in caplog.text


def test_instruments_can_be_made_while_callbacks_run() -> None:
    from opentelemetry.metrics import Observation  # noqa: PLC0415

    def program(provider: Any, _collect: Callable[[], None]) -> None:
        meter = provider.get_meter("shop")

        def observing(_options: object) -> list[Any]:
            other = threading.Thread(target=lambda: meter.create_counter("from_another_thread").add(1))
            other.start()
            other.join(10)
            meter.create_counter("from_the_callback").add(1)
            return [Observation(int(other.is_alive()))]

        meter.create_observable_gauge("is_blocked", [observing])

    assert [point.as_int for point in points(exports(OURS, program)[0], "is_blocked")] == [0]


@given(
    st.lists(
        st.tuples(
            st.dictionaries(
                st.text(max_size=3),
                st.one_of(st.booleans(), st.integers(-2, 2), st.floats(allow_nan=False), st.text(max_size=2)),
                max_size=4,
            ),
            st.integers(0, 100),
        ),
        max_size=40,
    )
)
def test_every_measurement_is_counted_in_the_series_of_its_attributes(
    measured: list[tuple[dict[str, Any], int]],
) -> None:
    def program(provider: Any, _collect: Callable[[], None]) -> None:
        counter = provider.get_meter("shop").create_counter("requests")
        for attributes, amount in measured:
            counter.add(amount, attributes)

    expected: dict[Any, int] = {}
    for attributes, amount in measured:
        key = frozenset((name, type(value).__name__, value) for name, value in attributes.items() if name)
        expected[key] = expected.get(key, 0) + amount
    found = points(exports(OURS, program)[0], "requests")
    assert sorted(point.as_int for point in found) == sorted(expected.values())


def test_threads_that_measure_while_others_collect_lose_and_double_nothing() -> None:
    engine = Engine()
    delta = OURS.export.AggregationTemporality.DELTA
    reader = OURS.export.EngineMetricReader(engine, {OURS.metrics.Counter: delta})
    provider = OURS.metrics.MeterProvider([reader], OURS.resource, shutdown_on_exit=False)
    counter = provider.get_meter("shop").create_counter("requests")
    collected = 0
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [
            threading.Thread(target=lambda: [counter.add(1, {"k": place % 50}) for place in range(5000)])
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            collected += sum(point.as_int for point in points(engine.request(), "requests"))
    finally:
        sys.setswitchinterval(interval)
    collected += sum(point.as_int for point in points(engine.request(), "requests"))
    assert collected == 4 * 5000


def test_a_finalizer_that_measures_during_a_measurement_does_not_lock_up() -> None:
    class Measuring:
        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            counter.add(1, {"from": "finalizer", "n": len(made)})

    engine = Engine()
    provider = OURS.metrics.MeterProvider(
        [OURS.export.EngineMetricReader(engine)], OURS.resource, shutdown_on_exit=False
    )
    counter = provider.get_meter("shop").create_counter("requests")
    made: list[int] = []
    threshold = gc.get_threshold()
    gc.set_threshold(1)
    try:
        for number in range(200):
            Measuring()
            made.append(number)
            counter.add(1, {"number": number, "text": f"ü\ud800{number}", "list": [number]})
            engine.request()
    finally:
        gc.set_threshold(*threshold)
    assert sum(point.as_int for point in points(engine.request(), "requests")) >= 200


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_reports_its_own_measurements_and_none_of_its_parent() -> None:
    engine = Engine()
    provider = OURS.metrics.MeterProvider(
        [OURS.export.EngineMetricReader(engine)], OURS.resource, shutdown_on_exit=False
    )
    counter = provider.get_meter("shop").create_counter("requests")
    counter.add(5, {"k": "v"})
    receiving, sending = multiprocessing.Pipe(duplex=False)
    child = os.fork()
    if child == 0:
        counter.add(1, {"k": "v"})
        sending.send([point.as_int for point in points(engine.request(), "requests")])
        os._exit(0)
    os.waitpid(child, 0)
    assert receiving.recv() == [1]
    assert [point.as_int for point in points(engine.request(), "requests")] == [5]
