"""What our SDK sends for a program is what the stock SDK sends, up to ids and times."""

from collections.abc import Callable

import pytest
from opentelemetry import trace
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, Tracer, TraceState

from tests.sdk.traces import native_spans, stock_spans

REMOTE = SpanContext(0xABC, 0xDEF, is_remote=True, trace_flags=TraceFlags(1), trace_state=TraceState([("a", "b")]))


def nested(tracer: Tracer) -> None:
    with tracer.start_as_current_span("outer", kind=SpanKind.SERVER, attributes={"route": "/", "size": 7}) as outer:
        outer.set_attribute("http.status_code", 200)
        with tracer.start_as_current_span("inner"):
            tracer.start_span("leaf", kind=SpanKind.CLIENT).end()


def values(tracer: Tracer) -> None:
    span = tracer.start_span("values")
    span.set_attributes({"text": "é日本", "int": -5, "big": 2**62, "float": 0.5, "true": True, "bytes": b"\x00\xff"})
    span.set_attribute("list", ["a", "b"])
    span.set_attribute("mixed", [1, "a", None, 2.5, [True]])
    span.set_attribute("map", {"a": 1, "b": {"c": []}})
    span.set_attribute("none", None)
    span.set_attribute("text", "replaced")
    span.set_attribute("long", "x" * 300)
    span.end()


def events(tracer: Tracer) -> None:
    with tracer.start_as_current_span("events") as span:
        span.add_event("plain")
        span.add_event("with", {"a": 1, "b": "c" * 200})


def links(tracer: Tracer) -> None:
    span = tracer.start_span("links", links=[Link(REMOTE, {"why": "batch"})])
    span.add_link(REMOTE)
    span.add_link(trace.INVALID_SPAN_CONTEXT)
    span.end()


def statuses(tracer: Tracer) -> None:
    for code in StatusCode:
        span = tracer.start_span(code.name)
        span.set_status(code)
        span.end()
    span = tracer.start_span("described")
    span.set_status(Status(StatusCode.ERROR, "out of stock"))
    span.end()
    span = tracer.start_span("final")
    span.set_status(StatusCode.OK)
    span.set_status(StatusCode.ERROR, "too late")
    span.end()


def remote_parent(tracer: Tracer) -> None:
    context = trace.set_span_in_context(trace.NonRecordingSpan(REMOTE))
    with tracer.start_as_current_span("server", context=context):
        tracer.start_span("child").end()


def renamed(tracer: Tracer) -> None:
    span = tracer.start_span("before")
    span.update_name("after")
    span.end()


def failing(tracer: Tracer) -> None:
    with pytest.raises(ValueError, match="boo"), tracer.start_as_current_span("fails"):
        raise ValueError("boo")


def failing_quietly(tracer: Tracer) -> None:
    with (
        pytest.raises(ValueError, match="boo"),
        tracer.start_as_current_span("fails", record_exception=False, set_status_on_exception=False),
    ):
        raise ValueError("boo")


def failing_span(tracer: Tracer) -> None:
    with pytest.raises(KeyError), tracer.start_span("fails"):
        raise KeyError("k")


def used_span(tracer: Tracer) -> None:
    span = tracer.start_span("used")
    with trace.use_span(span, end_on_exit=True):
        tracer.start_span("inside").end()


def decorated(tracer: Tracer) -> None:
    @tracer.start_as_current_span("call")
    def call() -> None:
        tracer.start_span("inside").end()

    call()
    call()


PROGRAMS = [
    nested, values, events, links, statuses, remote_parent, renamed, failing, failing_quietly, failing_span, used_span,
    decorated,
]  # fmt: skip


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_a_program_sends_the_same_spans_over_both_sdks(program: Callable[[Tracer], None]) -> None:
    native, stock = native_spans(program), stock_spans(program)
    stacktraces = {"exception.stacktrace"}
    assert _without(native, stacktraces) == _without(stock, stacktraces)
    assert native


def _without(value: object, keys: set[str]) -> object:
    """Leave out attributes that cannot be equal: a stack trace names the frames of the SDK."""
    if isinstance(value, list):
        return [_without(item, keys) for item in value if not (isinstance(item, dict) and item.get("key") in keys)]
    if isinstance(value, dict):
        return {name: _without(item, keys) for name, item in value.items()}
    return value
