"""However a program calls the API for spans, by the interpreter's short way or any other, the outcome is the same."""

import contextlib
import contextvars
import gc
import sys
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry import trace

from millrace.sdk.trace import sampling
from tests.sdk.programs import run_program
from tests.sdk.traces import recorded, spans_of

MORE_THAN_IS_KEPT = 600
"""Spans that are open at once: more than memory is kept for."""


def _attributes(span: Any) -> dict[str, Any]:
    return {pair.key: pair.value for pair in span.attributes}


def _not_interned(text: str) -> str:
    """Return another object of the same text."""
    return text[:1] + text[1:]


@pytest.mark.parametrize(
    "call",
    [
        lambda span: span.set_attribute("key", 7),
        lambda span: span.set_attribute(key="key", value=7),
        lambda span: span.set_attribute("key", value=7),
        lambda span: type(span).set_attribute(span, "key", 7),
        lambda span: span.set_attribute(_not_interned("key"), 7),
        lambda span: span.set_attribute(**{_not_interned("key"): "key", _not_interned("value"): 7}),
    ],
)
def test_an_attribute_is_set_in_whatever_way_the_method_is_called(call: Callable[[Any], None]) -> None:
    tracer, buffer = recorded()
    with tracer.start_as_current_span("span") as span:
        span.set_attribute("key", "before")
        call(span)
    (sent,) = spans_of(buffer)
    assert [(pair.key, pair.value.int_value) for pair in sent.attributes] == [("key", 7)]


@pytest.mark.parametrize(
    "start",
    [
        lambda tracer, link: tracer.start_span(
            "span", kind=trace.SpanKind.CLIENT, attributes={"a": 1}, links=[link], start_time=5
        ),
        lambda tracer, link: tracer.start_span("span", None, trace.SpanKind.CLIENT, {"a": 1}, [link], 5),
        lambda tracer, link: tracer.start_span(
            start_time=5, links=[link], attributes={"a": 1}, kind=trace.SpanKind.CLIENT, name="span", context=None
        ),
        lambda tracer, link: tracer.start_as_current_span(
            "span", None, trace.SpanKind.CLIENT, attributes={"a": 1}, links=[link], start_time=5, end_on_exit=False
        ).__enter__(),
        lambda tracer, link: tracer.start_span(
            **{_not_interned("name"): "span", _not_interned("kind"): trace.SpanKind.CLIENT},
            attributes={"a": 1},
            links=[link],
            start_time=5,
        ),
    ],
)
def test_a_span_starts_alike_in_whatever_way_its_arguments_are_passed(start: Callable[..., Any]) -> None:
    tracer, buffer = recorded()
    link = trace.Link(trace.SpanContext(1, 2, is_remote=False))
    contextvars.copy_context().run(start, tracer, link).end()
    (sent,) = spans_of(buffer)
    assert (sent.name, sent.kind, sent.start_time_unix_nano) == ("span", 3, 5)
    assert _attributes(sent)["a"].int_value == 1
    assert [int.from_bytes(linked.span_id) for linked in sent.links] == [2]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda tracer, _: tracer.start_span(),
        lambda tracer, _: tracer.start_span("span", nme="other"),
        lambda tracer, _: tracer.start_span("span", name="other"),
        lambda tracer, _: tracer.start_span(*["span"] * 9),
        lambda tracer, _: tracer.start_span("span", end_on_exit=True),
        lambda tracer, _: tracer.start_as_current_span(*["span"] * 10),
        lambda _, span: span.set_attribute("key"),
        lambda _, span: span.set_attribute("key", 1, 2),
        lambda _, span: span.end(1, 2),
        lambda _, span: span.add_event(),
        lambda _, span: type(span).set_attribute("not a span", "key", 1),
        lambda tracer, _: type(tracer).start_span("not a tracer", "span"),
        lambda tracer, _: tracer.start_as_current_span("span")(1, 2, 3, 4),
        lambda tracer, _: tracer.start_as_current_span("span")(unknown=1),
    ],
)
def test_a_call_with_wrong_arguments_is_the_type_error_that_it_is_for_any_method(wrong: Callable[..., Any]) -> None:
    tracer, _ = recorded()
    with pytest.raises(TypeError):
        wrong(tracer, tracer.start_span("span"))


def _fail_inside(block: Any) -> None:
    with block:
        assert trace.get_current_span().is_recording()
        raise ValueError("boom")


@contextlib.contextmanager
def _stacked(scope: Any) -> Any:
    with contextlib.ExitStack() as stack:
        yield stack.enter_context(scope)


@contextlib.contextmanager
def _by_hand(_scope: Any, enter: Callable[[], Any], leave: Callable[..., Any]) -> Any:
    span = enter()
    try:
        yield span
    except BaseException as error:
        leave(type(error), error, error.__traceback__)
        raise
    else:
        leave(None, None, None)


@pytest.mark.parametrize(
    "block",
    [
        lambda scope: scope,
        _stacked,
        lambda scope: _by_hand(scope, scope.__enter__, scope.__exit__),
        lambda scope: _by_hand(scope, lambda: type(scope).__enter__(scope), lambda *a: type(scope).__exit__(scope, *a)),
    ],
)
def test_a_scope_is_entered_and_left_in_whatever_way_the_context_manager_is_used(block: Callable[[Any], Any]) -> None:
    tracer, buffer = recorded()
    outside = trace.get_current_span()
    with pytest.raises(ValueError, match="boom"):
        _fail_inside(block(tracer.start_as_current_span("span")))
    assert trace.get_current_span() == outside
    (sent,) = spans_of(buffer)
    assert [event.name for event in sent.events] == ["exception"]
    assert (sent.status.code, sent.status.message) == (2, "ValueError: boom")


@pytest.mark.parametrize(
    ("options", "events", "status"),
    [
        ({}, 1, 2),
        (dict.fromkeys(["record_exception", "set_status_on_exception", "end_on_exit"]), 1, 2),
        ({"record_exception": False}, 0, 2),
        ({"record_exception": 0, "set_status_on_exception": ""}, 0, 0),
    ],
)
def test_options_about_exceptions_are_true_unless_they_are_said_to_be_false(
    options: dict[str, Any], events: int, status: int
) -> None:
    tracer, buffer = recorded()
    with pytest.raises(ValueError, match="boom"):
        _fail_inside(tracer.start_as_current_span("span", **options))
    (sent,) = spans_of(buffer)
    assert (len(sent.events), sent.status.code) == (events, status)


def test_a_scope_that_is_entered_again_starts_another_span() -> None:
    tracer, buffer = recorded()
    scope = tracer.start_as_current_span("span")
    with scope as one:
        pass
    with scope as two:
        assert two is not one
    assert len({span.span_id for span in spans_of(buffer)}) == 2


def test_a_span_that_is_not_recorded_ignores_whatever_it_is_told() -> None:
    tracer, buffer = recorded(sampler=sampling.ALWAYS_OFF)
    with tracer.start_as_current_span("span") as span:
        for name in ("set_attribute", "add_event", "set_status", "record_exception", "update_name", "end"):
            getattr(span, name)()
            getattr(span, name)(object(), more=object())
        assert not span.is_recording()
    assert not spans_of(buffer)


def test_spans_in_memory_that_others_have_left_begin_empty() -> None:
    tracer, buffer = recorded()
    for _ in range(2):
        full = [
            tracer.start_span("full", attributes={f"key {n}": n for n in range(9)}) for _ in range(MORE_THAN_IS_KEPT)
        ]
        for span in full:
            span.add_event("event", {"key": 1})
            span.set_status(trace.StatusCode.ERROR, "bad")
            span.end()
        del full, span
        empty = [tracer.start_span("empty") for _ in range(MORE_THAN_IS_KEPT)]
        for span in empty:
            span.end()
        del empty, span
    sent = spans_of(buffer)
    assert [len(span.attributes) for span in sent if span.name == "full"] == [9] * 2 * MORE_THAN_IS_KEPT
    bare = [span for span in sent if span.name == "empty"]
    assert len(bare) == 2 * MORE_THAN_IS_KEPT
    assert not any(span.attributes or span.events or span.HasField("status") for span in bare)


def test_a_weak_reference_dies_with_its_span_and_knows_no_later_one() -> None:
    tracer, _ = recorded()
    span = tracer.start_span("span")
    told: list[object] = []
    reference = weakref.ref(span, told.append)
    span.end()
    del span
    later = [tracer.start_span("later") for _ in range(3)]
    assert reference() is None
    assert told == [reference]
    assert [weakref.getweakrefcount(span) for span in later] == [0, 0, 0]


class _Name(str):
    """A name that somebody is told of when it goes."""

    __slots__ = ("__weakref__", "at_end")
    at_end: Callable[[], None]

    def __del__(self) -> None:
        self.at_end()


@pytest.mark.parametrize("sampler", [sampling.ALWAYS_ON, sampling.ALWAYS_OFF, sampling.ParentBased(sampling.ALWAYS_ON)])
def test_what_a_span_holds_goes_with_it_at_once(sampler: Any) -> None:
    tracer, _ = recorded(sampler=sampler)
    gone: list[str] = []
    gc.disable()
    try:
        for way in ("block", "span"):
            name = _Name(way)
            name.at_end = lambda way=way: gone.append(way)  # type: ignore[misc]
            if way == "block":
                with tracer.start_as_current_span(name, attributes={"key": 1}) as span:
                    span.set_attribute("key", "value")
            else:
                span = tracer.start_span(name)
                span.end()
            del name, span
            assert gone[-1:] == [way]
    finally:
        gc.enable()


def test_spans_that_start_while_another_goes_are_spans_like_any() -> None:
    tracer, buffer = recorded()

    def start_many() -> None:
        for _ in range(MORE_THAN_IS_KEPT):
            with tracer.start_as_current_span("started at an end") as span:
                span.set_attribute("key", 1)

    for _ in range(3):
        name = _Name("span")
        name.at_end = start_many
        with tracer.start_as_current_span(name) as span:
            span.set_attribute("key", 1)
        del name, span
    sent = spans_of(buffer)
    assert len(sent) == 3 * (MORE_THAN_IS_KEPT + 1)
    assert all(_attributes(span)["key"].int_value == 1 for span in sent)


GONE = """
import gc, sys
from millrace.sdk.trace import TracerProvider, sampling
name = " ".join(["a", "name"])
kept = [name] * 10
for sampler in (sampling.ALWAYS_ON, sampling.ALWAYS_OFF):
    tracer = TracerProvider(sampler=sampler).get_tracer("tests")
    tracer.start_span(name).end()
    with tracer.start_as_current_span(name): pass
before = sys.getrefcount(name), sys.getrefcount(tracer)
gc.get_objects()
assert (sys.getrefcount(name), sys.getrefcount(tracer)) == before
"""


def test_whoever_lists_all_objects_as_gevent_does_meets_no_span_that_has_gone() -> None:
    run = run_program(sys.executable, "-c", GONE)
    assert (run.returncode, run.stderr) == (0, "")
