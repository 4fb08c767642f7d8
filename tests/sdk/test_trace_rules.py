"""The rules of the specification for spans, samplers, limits and ids (conformance.md, part 2)."""

import gc
import threading
from typing import TYPE_CHECKING, Any, Self

import pytest
from opentelemetry import trace
from opentelemetry.trace import Link, SpanContext, SpanKind, StatusCode, TraceFlags

from millrace import _native
from millrace.sdk.trace import SpanLimits, TracerProvider
from millrace.sdk.trace.export import SimpleSpanProcessor
from millrace.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from millrace.sdk.trace.id_generator import IdGenerator
from millrace.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    DEFAULT_ON,
    AlwaysRecordSampler,
    Decision,
    ParentBased,
    Sampler,
    SamplingResult,
    TraceIdRatioBased,
)
from tests.sdk.traces import recorded, spans_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def remote(*, sampled: bool) -> Any:
    context = SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(int(sampled)))
    return trace.set_span_in_context(trace.NonRecordingSpan(context))


def test_end_ends_once_and_later_calls_change_nothing() -> None:
    tracer, buffer = recorded()
    span = tracer.start_span("one")
    span.end(5)
    span.end(7)
    span.set_attribute("late", 1)
    span.add_event("late")
    span.update_name("late")
    span.set_status(StatusCode.ERROR)

    (sent,) = spans_of(buffer)
    assert (sent.name, sent.end_time_unix_nano, len(sent.attributes), len(sent.events)) == ("one", 5, 0, 0)
    assert not span.is_recording()


def test_a_span_that_has_ended_can_still_be_a_parent() -> None:
    tracer, buffer = recorded()
    parent = tracer.start_span("parent")
    parent.end()
    tracer.start_span("child", context=trace.set_span_in_context(parent)).end()

    first, second = spans_of(buffer)
    assert second.parent_span_id == first.span_id
    assert second.trace_id == first.trace_id


def test_sampler_descriptions_are_those_of_the_specification() -> None:
    assert ALWAYS_ON.get_description() == "AlwaysOnSampler"
    assert ALWAYS_OFF.get_description() == "AlwaysOffSampler"
    assert TraceIdRatioBased(0.0001).get_description() == "TraceIdRatioBased{0.0001}"


@pytest.mark.parametrize("sampled", [True, False])
def test_a_parent_based_sampler_follows_a_remote_parent(*, sampled: bool) -> None:
    tracer, buffer = recorded(sampler=DEFAULT_ON)
    span = tracer.start_span("child", context=remote(sampled=sampled))
    span.end()

    assert len(spans_of(buffer)) == sampled
    assert span.get_span_context().trace_flags.sampled == sampled
    assert isinstance(span, trace.NonRecordingSpan) != sampled


def test_a_parent_based_sampler_asks_each_of_its_five_delegates() -> None:
    tracer, buffer = recorded(
        sampler=ParentBased(ALWAYS_OFF, ALWAYS_OFF, ALWAYS_ON, local_parent_not_sampled=ALWAYS_ON)
    )
    assert not tracer.start_span("root").is_recording()
    assert not tracer.start_span("remote sampled", context=remote(sampled=True)).is_recording()
    assert tracer.start_span("remote not sampled", context=remote(sampled=False)).is_recording()
    with tracer.start_as_current_span("root"):
        tracer.start_span("below a local one that is not sampled").end()
    assert len(spans_of(buffer)) == 1


def test_a_dropped_span_has_a_span_id_of_its_own() -> None:
    tracer, _ = recorded(sampler=ALWAYS_OFF)
    with tracer.start_as_current_span("outer") as outer, tracer.start_as_current_span("inner") as inner:
        assert outer.get_span_context().span_id != inner.get_span_context().span_id
        assert outer.get_span_context().trace_id == inner.get_span_context().trace_id


def test_ratios_are_nested_a_higher_one_samples_all_that_a_lower_one_does() -> None:
    low, _ = recorded(sampler=TraceIdRatioBased(0.2))
    high, _ = recorded(sampler=TraceIdRatioBased(0.6))

    class Ids(IdGenerator):
        def __init__(self) -> None:
            self.last = 0

        def generate_span_id(self) -> int:
            return 1

        def generate_trace_id(self) -> int:
            self.last = (self.last + 0x9E3779B97F4A7C15) % 2**64
            return self.last or 1

    low, _ = recorded(sampler=TraceIdRatioBased(0.2), id_generator=Ids())
    high, _ = recorded(sampler=TraceIdRatioBased(0.6), id_generator=Ids())
    decisions = [
        (
            low.start_span("x").get_span_context().trace_flags.sampled,
            high.start_span("x").get_span_context().trace_flags.sampled,
        )
        for _ in range(2000)
    ]
    assert all(in_high for in_low, in_high in decisions if in_low)
    assert 300 < sum(in_low for in_low, _ in decisions) < 500
    assert 1100 < sum(in_high for _, in_high in decisions) < 1300


def test_record_only_is_recorded_for_processors_and_not_exported() -> None:
    exporter = InMemorySpanExporter()
    seen: list[str] = []

    class Processor(SimpleSpanProcessor):
        def on_end(self, span: Any) -> None:
            seen.append(span.name)
            super().on_end(span)

    buffer = _native.Buffer()
    provider = TracerProvider(sampler=AlwaysRecordSampler(ALWAYS_OFF), shutdown_on_exit=False, _buffer=buffer)
    provider.add_span_processor(Processor(exporter))
    span = provider.get_tracer("t").start_span("one")
    assert span.is_recording()
    assert not span.get_span_context().trace_flags.sampled
    span.end()
    assert (seen, exporter.get_finished_spans(), buffer.drain()) == (["one"], (), None)


def test_a_python_sampler_is_asked_and_its_attributes_and_trace_state_are_taken() -> None:
    asked: list[tuple[object, ...]] = []

    class Asked(Sampler):
        def should_sample(
            self,
            parent_context: object,
            trace_id: int,
            name: str,
            kind: object = None,
            attributes: Any = None,
            links: "Sequence[Link] | None" = None,
            trace_state: object = None,
        ) -> SamplingResult:
            asked.append((name, kind, dict(attributes), list(links or ())))
            state = trace.TraceState([("vendor", "1")])
            return SamplingResult(Decision.RECORD_AND_SAMPLE, {**attributes, "why": "asked"}, state)

        def get_description(self) -> str:
            return "Asked"

    tracer, buffer = recorded(sampler=Asked())
    tracer.start_span("one", kind=SpanKind.CLIENT, attributes={"a": 1}).end()

    (span,) = spans_of(buffer)
    assert asked == [("one", SpanKind.CLIENT, {"a": 1}, [])]
    assert {attribute.key for attribute in span.attributes} == {"a", "why"}
    assert span.trace_state == "vendor=1"


def test_limits_of_attributes_events_and_links_hold_and_what_is_dropped_is_counted() -> None:
    limits = SpanLimits(max_attributes=2, max_events=2, max_links=1)
    tracer, buffer = recorded(span_limits=limits)
    context = SpanContext(1, 2, is_remote=False)
    span = tracer.start_span(
        "one", attributes={"a": 1, "b": 2, "c": 3}, links=[Link(context, {"x": 1, "y": 2, "z": 3})]
    )
    span.set_attribute("a", "replaced")
    span.add_link(context)
    for _ in range(5):
        span.add_event("e", {"x": 1, "y": 2, "z": 3})
    span.end()

    (sent,) = spans_of(buffer)
    assert [attribute.key for attribute in sent.attributes] == ["a", "b"]
    assert (sent.dropped_attributes_count, sent.dropped_events_count, sent.dropped_links_count) == (1, 3, 1)
    assert (len(sent.events), sent.events[0].dropped_attributes_count, sent.links[0].dropped_attributes_count) == (
        2,
        1,
        1,
    )


def test_values_are_cut_to_their_length_in_characters_or_bytes_at_every_depth() -> None:
    tracer, buffer = recorded(span_limits=SpanLimits(max_attribute_length=3))
    span = tracer.start_span("one", attributes={"text": "äöüß", "bytes": b"12345", "list": ["abcdef", {"k": "ghijkl"}]})
    span.end()

    values = {attribute.key: attribute.value for attribute in spans_of(buffer)[0].attributes}
    assert values["text"].string_value == "äöü"
    assert values["bytes"].bytes_value == b"123"
    inner = values["list"].array_value.values
    assert (inner[0].string_value, inner[1].kvlist_value.values[0].value.string_value) == ("abc", "ghi")


@pytest.mark.parametrize(("nest", "kept"), [(lambda inner: [inner], 44), (lambda inner: {"k": inner}, 30)])
def test_what_nests_deeper_than_common_decoders_take_is_cut_off_and_the_span_is_kept(
    nest: "Callable[[Any], Any]", kept: int
) -> None:
    deep: Any = "bottom"
    for _ in range(10_000):
        deep = nest(deep)
    link = Link(SpanContext(1, 2, is_remote=True), {"deep": deep})
    tracer, buffer = recorded()
    span = tracer.start_span("one", attributes={"deep": deep, "flat": 1}, links=[link])
    span.add_event("event", {"deep": deep})
    span.end()

    (sent,) = spans_of(buffer)  # upb reads it, which refuses more than 100 messages in each other
    assert sent.attributes[1].value.int_value == 1
    for attributes in (sent.attributes, sent.events[0].attributes, sent.links[0].attributes):
        value, levels = attributes[0].value, 0
        while value.WhichOneof("value") is not None:
            inner = value.array_value.values or [pair.value for pair in value.kvlist_value.values]
            value, levels = inner[0], levels + 1
        assert levels == kept


def test_a_value_that_contains_itself_is_cut_off() -> None:
    ring: list[Any] = []
    ring.extend([ring, ring])
    tracer, buffer = recorded()
    tracer.start_span("one", attributes={"ring": ring}).end()

    assert buffer.drain() is not None


class Hostile:
    """An object whose every method fails."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__

    def __hash__(self) -> int:
        raise RuntimeError("no hash")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("not comparable")

    def __bool__(self) -> bool:
        raise RuntimeError("no truth")

    def __len__(self) -> int:
        raise RuntimeError("no length")


NASTY: list[Any] = [
    None,
    Hostile(),
    float("nan"),
    "\ud800",
    2**80,
    b"\xff",
    object(),
    [Hostile()],
    {"k": Hostile()},
    1j,
    {None: 1},
]


@pytest.mark.parametrize("value", NASTY, ids=lambda value: type(value).__name__)
def test_nothing_a_user_passes_raises(value: Any) -> None:
    tracer, buffer = recorded()
    with tracer.start_as_current_span("one") as span:
        span.set_attribute("key", value)
        span.set_attribute(value, "value")
        span.set_attributes({"other": value})
        span.set_attributes(value)
        span.add_event(value, value, value)
        span.add_event("event", {"key": value})
        span.add_link(value, value)
        span.update_name(value)
        span.set_status(value, value)
        span.record_exception(value)
    tracer.start_span(value).end()
    tracer.start_span("two", attributes=value, kind=value, links=value, start_time=value).end(value)

    assert spans_of(buffer)


def test_ids_are_unique_over_threads_and_never_zero() -> None:
    tracer, buffer = recorded()

    def work() -> None:
        for _ in range(2000):
            tracer.start_span("x").end()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spans = spans_of(buffer)
    assert len({span.span_id for span in spans}) == len({span.trace_id for span in spans}) == len(spans) == 16_000


def test_a_new_root_has_the_random_flag_and_a_child_its_parents() -> None:
    tracer, _ = recorded()
    with tracer.start_as_current_span("root") as root:
        assert root.get_span_context().trace_flags.random_trace_id
        assert tracer.start_span("child").get_span_context().trace_flags.random_trace_id
    child = tracer.start_span("child", context=remote(sampled=True))
    assert not child.get_span_context().trace_flags.random_trace_id


def test_after_shutdown_spans_only_carry_their_context() -> None:
    buffer = _native.Buffer()
    provider = TracerProvider(shutdown_on_exit=False, _buffer=buffer)
    tracer = provider.get_tracer("t")
    provider.shutdown()
    with tracer.start_as_current_span("late", context=remote(sampled=True)) as span:
        assert not span.is_recording()
        assert span.get_span_context().trace_id == 1
    assert buffer.drain() is None


def test_spans_and_scopes_are_freed_when_nobody_holds_them() -> None:
    tracer, _ = recorded()
    gc.collect()

    class Value(str):
        __slots__ = ()
        alive = 0

        def __new__(cls) -> Self:
            cls.alive += 1
            return super().__new__(cls, "value")

        def __del__(self) -> None:
            Value.alive -= 1

    def work() -> None:
        with tracer.start_as_current_span("one") as span:
            span.set_attribute("value", Value())
            trace.get_current_span()

    for _ in range(100):
        work()
    assert Value.alive == 0
