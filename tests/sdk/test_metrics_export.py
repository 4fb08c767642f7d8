"""What our SDK exports for a program is what the stock SDK exports, up to times."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from tests.sdk.metrics_beside_stock import OURS, assert_same, exports, points

BOTH = pytest.mark.parametrize("temporality", ["CUMULATIVE", "DELTA"])
Collect = Callable[[], None]


@BOTH
def test_the_synchronous_instruments_export_what_the_stock_ones_do(temporality: str) -> None:
    def program(provider: Any, collect: Collect) -> None:
        meter = provider.get_meter("shop", "1.2", "https://schema", {"team": "a"})
        counter = meter.create_counter("requests", "1", "How many")
        active = meter.create_up_down_counter("active")
        latency = meter.create_histogram("latency", "ms")
        gauge = meter.create_gauge("temperature", "Cel")
        for round_ in range(3):
            for place in range(20):
                attributes = {"route": f"/r{place % 3}", "status": 200 + place % 2, "ok": True, "ratio": 0.5}
                counter.add(place, attributes)
                active.add(place - 10, attributes)
                latency.record(place * 700 + 0.5, attributes)
                gauge.set(place * 1.5, attributes)
            if round_ != 1:
                collect()

    assert_same(program, temporality=temporality)


@BOTH
def test_the_observable_instruments_export_what_the_stock_ones_do(temporality: str) -> None:
    def program(provider: Any, collect: Collect) -> None:
        meter = provider.get_meter("shop")
        totals = [3, 10, 4]

        def observe(_options: CallbackOptions) -> Iterable[Observation]:
            total = totals[0]
            yield Observation(total, {"part": "a"})
            yield Observation(total * 1.5, {"part": "b"})

        def generator() -> Any:
            yield None
            while True:
                yield [Observation(totals[0], {"from": "generator"})]

        meter.create_observable_counter("cpu", [observe])
        meter.create_observable_up_down_counter("queue", [observe])
        meter.create_observable_gauge("load", [observe, generator()])
        while len(totals) > 1:
            collect()
            totals.pop(0)

    assert_same(program, temporality=temporality)


@BOTH
def test_exponential_histograms_export_what_the_stock_ones_do(temporality: str) -> None:
    def program(provider: Any, collect: Collect) -> None:
        latency = provider.get_meter("shop").create_histogram("latency")
        for value in (0.001, 1, 1.5, 3, 1e6, 7.25):
            latency.record(value, {"k": "v"})
        collect()
        # The stock SDK keeps the scale of the interval before, also where the next one would allow a finer one.
        for value in (0.001, 2, 2, 1e6, 0):
            latency.record(value, {"k": "v"})

    requests = assert_same(
        program,
        temporality=temporality,
        aggregation=lambda sdk: {sdk.metrics.Histogram: sdk.view.ExponentialBucketHistogramAggregation(max_scale=5)},
    )
    assert points(requests[0], "latency")[0].count == 6


def test_attribute_values_of_every_form_export_as_the_stock_ones_do() -> None:
    def program(provider: Any, _collect: Collect) -> None:
        counter = provider.get_meter("shop").create_counter("requests")
        for value in (True, 1, 1.0, "1", None, b"1", (1, 2), ["a", True], {"in": {"deep": 1}}, "ü", 2**62):
            counter.add(1, {"value": value})
        counter.add(1)
        counter.add(1, {})
        counter.add(1, {"b": 1, "a": 2})
        counter.add(1, {"a": 2, "b": 1})
        counter.add(1, {f"key{number}": number for number in range(30)})
        counter.add(1, {f"key{number}": number for number in reversed(range(30))})
        counter.add(1, {1: "not text", "": "empty"})

    requests = assert_same(program)
    # True, 1, 1.0 and "1" are four attribute sets.
    assert len(points(requests[0], "requests")) == 11 + 1 + 1 + 1 + 1


def test_text_is_one_value_of_whatever_class_it_is() -> None:
    class Text(str):
        __slots__ = ()

    def program(provider: Any, _collect: Collect) -> None:
        counter = provider.get_meter("shop").create_counter("requests")
        counter.add(1, {"value": "1", Text("key"): 1})
        counter.add(1, {Text("value"): Text("1"), "key": 1})

    (point,) = points(exports(OURS, program)[0], "requests")
    assert point.as_int == 2


def test_views_shape_metrics_as_the_stock_ones_do() -> None:
    def views(sdk: Any) -> list[Any]:
        view = sdk.view.View
        return [
            view(instrument_name="req*", attribute_keys={"route"}),
            view(instrument_type=sdk.metrics.Histogram, name="renamed", description="other", instrument_unit="m?"),
            view(instrument_name="latency", aggregation=sdk.view.SumAggregation(), name="total"),
            view(instrument_name="dropped", aggregation=sdk.view.DropAggregation()),
            view(
                meter_name="other", meter_version="2", instrument_name="*", aggregation=sdk.view.LastValueAggregation()
            ),
            view(
                instrument_name="sizes",
                aggregation=sdk.view.ExplicitBucketHistogramAggregation([1, 2.5], record_min_max=True),
            ),
        ]

    def program(provider: Any, _collect: Collect) -> None:
        meter = provider.get_meter("shop", "1")
        meter.create_counter("requests").add(1, {"route": "/", "user": "a"})
        meter.create_counter("requests").add(2, {"route": "/", "user": "b"})
        meter.create_up_down_counter("latency").add(5)
        meter.create_histogram("duration", "ms").record(5)
        meter.create_counter("dropped").add(1)
        meter.create_histogram("sizes").record(2, {"k": "v"})
        provider.get_meter("other", "2").create_counter("last").add(4)

    assert_same(program, views=views)


def test_exemplars_keep_the_span_and_the_attributes_that_a_view_leaves_out_as_the_stock_ones_do() -> None:
    context = SpanContext(0x11, 0x22, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))

    def program(provider: Any, _collect: Collect) -> None:
        meter = provider.get_meter("shop")
        counter = meter.create_counter("requests")
        latency = meter.create_histogram("latency")
        counter.add(1, {"route": "/", "user": "outside of a span"})
        with trace.use_span(NonRecordingSpan(context)):
            latency.record(3, {"route": "/"})
            latency.record(30.5, {"route": "/"})
        given = trace.set_span_in_context(NonRecordingSpan(context))
        counter.add(2, {"route": "/", "user": "a"}, given)

    requests = assert_same(
        program, views=lambda sdk: [sdk.view.View(instrument_name="requests", attribute_keys={"route"})]
    )
    (point,) = points(requests[0], "requests")
    assert point.exemplars[0].trace_id == (0x11).to_bytes(16, "big")
    assert [pair.key for pair in point.exemplars[0].filtered_attributes] == ["user"]
    assert len(points(requests[0], "latency")[0].exemplars) == 2


def test_always_on_makes_exemplars_without_a_span_as_the_stock_filter_does() -> None:
    def program(provider: Any, _collect: Collect) -> None:
        provider.get_meter("shop").create_histogram("latency").record(7, {"a": 1})

    requests = assert_same(program, exemplar_filter="AlwaysOnExemplarFilter")
    assert len(points(requests[0], "latency")[0].exemplars) == 1


def test_a_span_that_is_not_sampled_leaves_no_exemplar() -> None:
    context = SpanContext(0x11, 0x22, is_remote=False, trace_flags=TraceFlags(0))

    def program(provider: Any, _collect: Collect) -> None:
        with trace.use_span(NonRecordingSpan(context)):
            provider.get_meter("shop").create_counter("requests").add(1)

    assert not points(assert_same(program)[0], "requests")[0].exemplars


def test_a_reservoir_of_the_users_chooses_exemplars() -> None:
    class First(OURS.metrics.ExemplarReservoir):  # type: ignore[name-defined,misc] # found at run time
        def __init__(self, **_kwargs: object) -> None:
            self.kept: list[Any] = []

        def offer(self, value: float, time_unix_nano: int, attributes: Any, context: Any) -> None:
            self.kept = self.kept or [OURS.metrics.Exemplar({"user": attributes["user"]}, value, time_unix_nano)]

        def collect(self, point_attributes: Any) -> list[Any]:
            assert point_attributes == {"route": "/"}
            kept, self.kept = self.kept, []
            return kept

    def program(provider: Any, _collect: Collect) -> None:
        counter = provider.get_meter("shop").create_counter("requests")
        for number in range(3):
            counter.add(number, {"route": "/", "user": f"u{number}"})

    view = OURS.view.View(
        instrument_name="requests", attribute_keys={"route"}, exemplar_reservoir_factory=lambda _kind: First
    )
    requests = exports(OURS, program, views=lambda _sdk: [view], exemplar_filter="AlwaysOnExemplarFilter")
    (exemplar,) = points(requests[0], "requests")[0].exemplars
    assert exemplar.as_int == 0
    assert exemplar.filtered_attributes[0].value.string_value == "u0"


def test_a_histogram_view_of_an_instrument_that_takes_negatives_has_no_sum() -> None:
    def program(provider: Any, _collect: Collect) -> None:
        provider.get_meter("shop").create_up_down_counter("active").add(-3)

    view = OURS.view.View(instrument_name="active", aggregation=OURS.view.ExplicitBucketHistogramAggregation())
    (point,) = points(exports(OURS, program, views=lambda _sdk: [view])[0], "active")
    assert not point.HasField("sum")
    assert (point.min, point.max, point.count) == (-3, -3, 1)


def test_what_exceeds_2000_attribute_sets_is_counted_under_the_overflow_attribute() -> None:
    def program(provider: Any, _collect: Collect) -> None:
        counter = provider.get_meter("shop").create_counter("requests")
        for user in range(5000):
            counter.add(1, {"user": user})

    found = points(exports(OURS, program)[0], "requests")
    assert len(found) == 2001
    (overflow,) = [point for point in found if point.attributes[0].key == "otel.metric.overflow"]
    assert overflow.attributes[0].value.bool_value
    assert overflow.as_int == 3000
    assert sum(point.as_int for point in found) == 5000
