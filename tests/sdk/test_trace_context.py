"""The current span and the current context, whoever set them and however they are left."""

import asyncio
import contextvars
import logging
import threading
import weakref
from collections.abc import AsyncIterator, Generator
from concurrent.futures import ThreadPoolExecutor

import pytest
from opentelemetry import baggage, context, propagate, trace

from tests.sdk.traces import recorded, spans_of


def test_the_current_span_is_what_the_api_says_inside_and_outside() -> None:
    tracer, _ = recorded()
    outside = trace.get_current_span()
    with tracer.start_as_current_span("outer") as outer:
        with tracer.start_as_current_span("inner") as inner:
            assert trace.get_current_span() is inner
        assert trace.get_current_span() is outer
    assert trace.get_current_span() == outside


def test_values_of_a_context_stay_visible_under_a_span() -> None:
    tracer, _ = recorded()
    token = context.attach(baggage.set_baggage("user", "7"))
    with tracer.start_as_current_span("outer"), tracer.start_as_current_span("inner"):
        assert baggage.get_baggage("user") == "7"
        inside = context.attach(context.set_value("key", "value"))
        assert context.get_value("key") == "value"
        with tracer.start_as_current_span("deepest") as deepest:
            assert context.get_value("key") == "value"
            assert trace.get_current_span() is deepest
        context.detach(inside)
        assert context.get_value("key") is None
    context.detach(token)
    assert baggage.get_baggage("user") is None


def test_what_the_api_hands_out_is_its_own_immutable_context() -> None:
    tracer, _ = recorded()
    with tracer.start_as_current_span("one"):
        current = context.get_current()
        assert type(current) is context.Context
        with pytest.raises(ValueError):  # noqa: PT011 - the API gives no text
            current["key"] = "value"


def test_a_span_attached_through_the_api_is_the_parent_of_the_next() -> None:
    tracer, buffer = recorded()
    parent = tracer.start_span("parent")
    token = context.attach(trace.set_span_in_context(parent))
    with tracer.start_as_current_span("child"):
        pass
    context.detach(token)
    parent.end()

    child, sent = spans_of(buffer)
    assert child.parent_span_id == sent.span_id


def test_propagators_inject_the_native_span() -> None:
    tracer, _ = recorded()
    carrier: dict[str, str] = {}
    with tracer.start_as_current_span("one") as span:
        propagate.inject(carrier)
        ids = span.get_span_context()
    assert carrier["traceparent"].startswith(
        f"00-{trace.format_trace_id(ids.trace_id)}-{trace.format_span_id(ids.span_id)}-"
    )


def test_tasks_of_asyncio_each_have_their_own_current_span() -> None:
    tracer, buffer = recorded()

    async def child(name: str) -> None:
        with tracer.start_as_current_span(name) as span:
            await asyncio.sleep(0)
            assert trace.get_current_span() is span

    async def main() -> None:
        with tracer.start_as_current_span("main"):
            await asyncio.gather(*(child(f"child {number}") for number in range(10)))

    asyncio.run(main())
    spans = spans_of(buffer)
    (main_span,) = (span for span in spans if span.name == "main")
    assert {span.parent_span_id for span in spans if span.name != "main"} == {main_span.span_id}


def test_a_chain_of_tasks_does_not_keep_the_spans_before_it() -> None:
    tracer, _ = recorded()
    spans: list[weakref.ref[object]] = []
    waiting: list[asyncio.Task[None]] = []

    async def link(depth: int) -> None:
        with tracer.start_as_current_span(f"link {depth}") as span:
            spans.append(weakref.ref(span))
            if depth < 20:
                waiting.append(asyncio.create_task(link(depth + 1)))

    async def main() -> None:
        await link(0)
        while waiting:
            await waiting.pop()

    asyncio.run(main())
    assert [depth for depth, span in enumerate(spans) if span() is not None] == []


def test_a_generator_that_is_closed_elsewhere_makes_no_noise(caplog: pytest.LogCaptureFixture) -> None:
    tracer, buffer = recorded()

    def produce() -> Generator[int]:
        with tracer.start_as_current_span("generator"):
            yield 1
            yield 2

    generator = produce()
    contextvars.copy_context().run(next, generator)
    with caplog.at_level(logging.DEBUG):
        generator.close()
    assert caplog.records == []
    assert [span.name for span in spans_of(buffer)] == ["generator"]


def test_an_async_generator_that_the_loop_closes_makes_no_noise(caplog: pytest.LogCaptureFixture) -> None:
    tracer, _ = recorded()

    async def produce() -> AsyncIterator[int]:
        with tracer.start_as_current_span("generator"):
            yield 1
            yield 2

    async def main() -> None:
        async for _ in produce():
            break

    with caplog.at_level(logging.ERROR):
        asyncio.run(main())
    assert caplog.records == []


def test_a_token_of_another_context_is_detached_without_noise(caplog: pytest.LogCaptureFixture) -> None:
    recorded()
    token = contextvars.copy_context().run(context.attach, context.Context({"a": "b"}))
    with caplog.at_level(logging.DEBUG):
        context.detach(token)
    assert caplog.records == []


def test_threads_begin_without_a_current_span_and_copied_contexts_with_theirs() -> None:
    tracer, _ = recorded()
    with tracer.start_as_current_span("one") as span, ThreadPoolExecutor() as pool:
        assert pool.submit(trace.get_current_span).result() is trace.INVALID_SPAN
        assert pool.submit(contextvars.copy_context().run, trace.get_current_span).result() is span


def test_two_threads_record_without_losing_anything() -> None:
    tracer, buffer = recorded()

    def work() -> None:
        for _ in range(5000):
            with tracer.start_as_current_span("x") as span:
                span.set_attribute("a", 1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(spans_of(buffer)) == 20_000
