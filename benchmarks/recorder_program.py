"""One measurement of one SDK in a process of its own: `python -m benchmarks.recorder_program SDK SCENARIO OPTIONS`.

OPTIONS is a JSON object: `seconds` to measure for, and for those who send `endpoint`, `spans` or `spans_per_s`. The
answer is a JSON object on stdout.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from benchmarks.recorder_ddtrace import Ddtrace
from benchmarks.recorder_sdks import AbsentError, Bare, Millrace, Sdk, Stock, leave

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

Figures = dict[str, Any]
ATTRIBUTES = {"http.request.method": "GET", "http.route": "/orders/{id}", "http.response.status_code": 200}
TEN_ATTRIBUTES = {f"attribute.{number}": f"{number}".rjust(20, "x") for number in range(10)}
BURST_S = 0.005
OPERATIONS = 5_000
LOG_OPERATIONS = 500
"""Few enough that what disturbs one loop mostly disturbs the other, too."""
WARM_UP_SPANS = 300
SDKS: dict[str, type[Sdk]] = {kind.name: kind for kind in (Millrace, Stock, Bare, Ddtrace)}


def timed(sdk: Sdk, loop: Callable[[int], None], operations: int, seconds: float, *, queues: bool = True) -> Figures:
    """Call `loop(operations)` until the time is over; CPU time of this thread, the median of all calls.

    The first call warms up. What is recorded is thrown away between calls, outside of the time; if it `queues`, there
    must be something.
    """
    loop(operations)
    if not sdk.drain() and queues:
        raise AssertionError(f"{sdk.name} has recorded nothing of {operations} operations")
    samples = []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        begin = time.thread_time_ns()
        loop(operations)
        samples.append((time.thread_time_ns() - begin) / operations)
        sdk.drain()
    return {"ns_per_operation": statistics.median(samples), "samples": len(samples)}


def span_3(sdk: Sdk, options: Figures) -> Figures:
    """A current span with three attributes."""
    return timed(sdk, _loop_of_3(sdk.tracer()), sdk.spans_between_drains, options["seconds"])


def _loop_of_3(tracer: Any) -> Callable[[int], None]:
    start = tracer.start_as_current_span

    def loop(operations: int) -> None:
        for _ in range(operations):
            with start("GET /orders/{id}") as span:
                span.set_attribute("http.request.method", "GET")
                span.set_attribute("http.route", "/orders/{id}")
                span.set_attribute("http.response.status_code", 200)

    return loop


def span_3_threads(sdk: Sdk, options: Figures) -> Figures:
    """The same in two threads at once: CPU time of both, for all of their spans."""
    loop, found = _loop_of_3(sdk.tracer()), []
    barrier = threading.Barrier(2)

    def run() -> None:
        barrier.wait()
        # Half each, as both fill the same queue; and either may find it drained by the other.
        found.append(timed(sdk, loop, sdk.spans_between_drains // 2, options["seconds"], queues=False))

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == len(threads), "a thread failed"
    return {"ns_per_operation": statistics.mean(one["ns_per_operation"] for one in found)}


def span_10(sdk: Sdk, options: Figures) -> Figures:
    """A span that is given ten attributes of 20 characters."""
    start = sdk.tracer().start_span

    def loop(operations: int) -> None:
        for _ in range(operations):
            start("GET /orders/{id}", attributes=TEN_ATTRIBUTES).end()

    return timed(sdk, loop, sdk.spans_between_drains, options["seconds"])


def span_unsampled(sdk: Sdk, options: Figures) -> Figures:
    """A current span with three attributes that the sampler drops."""
    loop = _loop_of_3(sdk.tracer(sampled=False))
    figures = timed(sdk, loop, sdk.spans_between_drains, options["seconds"], queues=False)
    assert not sdk.drain(), f"{sdk.name} has recorded spans that were not sampled"
    return figures


def counter_add(sdk: Sdk, options: Figures) -> Figures:
    """`counter.add` with three attributes."""
    return _measurement(sdk, "create_counter", "add", options)


def histogram_record(sdk: Sdk, options: Figures) -> Figures:
    """`histogram.record` with three attributes."""
    return _measurement(sdk, "create_histogram", "record", options)


def _measurement(sdk: Sdk, create: str, name: str, options: Figures) -> Figures:
    provider = sdk.meter_provider()
    call = getattr(getattr(provider.get_meter("benchmark"), create)("requests"), name)

    def loop(operations: int) -> None:
        for _ in range(operations):
            call(7, ATTRIBUTES)

    figures = timed(sdk, loop, OPERATIONS, options["seconds"], queues=False)
    assert sdk.reader.get_metrics_data() is not None, f"{sdk.name} has measured nothing"
    return figures


def logger_info(sdk: Sdk, options: Figures) -> Figures:
    """`logger.info` with one argument, through the SDK's handler alone; and what that adds to a null handler."""
    import logging

    loop, bare = _loop_of_log("shop", sdk.logging_handler()), _loop_of_log("bare", logging.NullHandler())
    return in_turn(sdk, loop, bare, min(LOG_OPERATIONS, sdk.spans_between_drains), options["seconds"])


def _loop_of_log(name: str, handler: logging.Handler) -> Callable[[int], None]:
    import logging

    logger = logging.getLogger(f"benchmark.{name}")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(handler)

    def loop(operations: int) -> None:
        for _ in range(operations):
            logger.info("order %s was paid", "4711")

    return loop


def in_turn(
    sdk: Sdk, loop: Callable[[int], None], bare: Callable[[int], None], operations: int, seconds: float
) -> Figures:
    """Call both in turn until the time is over; what `loop` takes, and the median of what it takes more than `bare`.

    The difference is a tenth of either: only calls that follow each other in one process can be compared.
    """
    for each in (bare, loop):
        each(operations)
    if not sdk.drain():
        raise AssertionError(f"{sdk.name} has recorded nothing of {operations} operations")
    samples, added = [], []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        begin = time.thread_time_ns()
        bare(operations)
        between = time.thread_time_ns()
        loop(operations)
        samples.append((time.thread_time_ns() - between) / operations)
        added.append(samples[-1] - (between - begin) / operations)
        sdk.drain()
    return {
        "ns_per_operation": statistics.median(samples),
        "added_ns": statistics.median(added),
        "samples": len(samples),
    }


def fastapi_request(sdk: Sdk, options: Figures) -> Figures:
    """A request to FastAPI, called in this process without a network."""
    from benchmarks.recorder_fastapi import requests

    # Three spans a request: the queue takes the spans of all.
    return timed(sdk, requests(sdk), min(300, sdk.spans_between_drains // 3), options["seconds"])


def sent_0a(sdk: Sdk, options: Figures) -> Figures:
    """Three nested spans of five attributes and an event: CPU time of the process until all are delivered."""
    spans: int = options["spans"]
    loop = sdk.loop_of_0a(sdk.send_to(options["endpoint"], queue_items=spans + 1_000))
    loop(WARM_UP_SPANS // 3)
    sdk.flush()
    begin = time.process_time_ns()
    loop(spans // 3)
    delivered = sdk.flush()
    used = time.process_time_ns() - begin
    recorded = spans // 3 * 3
    return {
        "ns_per_operation": used / recorded,
        "flushed": delivered,
        "recorded": recorded + WARM_UP_SPANS,
        "dropped": sdk.dropped(),
    }


def sent_flat_out(sdk: Sdk, options: Figures) -> Figures:
    """Small spans from one thread, as many as it can: the rate at which they were delivered."""
    start, recorded = sdk.send_to(options["endpoint"]).start_span, 0
    start("x").end()
    sdk.flush()
    begin = time.monotonic()
    while time.monotonic() < begin + options["seconds"]:
        for _ in range(1_000):
            start("x").end()
        recorded += 1_000
    delivered = sdk.flush()
    elapsed_s = time.monotonic() - begin
    return {
        "recorded": recorded + 1,
        "spans_per_s": recorded / elapsed_s,
        "flushed": delivered,
        "dropped": sdk.dropped(),
    }


def sent_paced(sdk: Sdk, options: Figures) -> Figures:
    """Small spans from one thread at a fixed rate."""
    start, recorded = sdk.send_to(options["endpoint"]).start_span, 0
    begin = time.monotonic()
    while (now := time.monotonic()) < begin + options["seconds"]:
        for _ in range(int((now - begin) * options["spans_per_s"]) - recorded):
            start("x").end()
            recorded += 1
        time.sleep(BURST_S)
    elapsed_s = time.monotonic() - begin
    delivered = sdk.flush()
    return {
        "recorded": recorded,
        "spans_per_s": recorded / elapsed_s,
        "flushed": delivered,
        "dropped": sdk.dropped(),
    }


def loop_latency(sdk: Sdk, options: Figures) -> Figures:
    """A small loop of work with five spans in each turn: how long a turn takes, by the wall clock."""
    os.environ["OTEL_BSP_SCHEDULE_DELAY"] = "100"  # both honour it: they send from early on
    start = sdk.send_to(options["endpoint"]).start_as_current_span
    turns: list[int] = []
    begin = time.monotonic()
    while time.monotonic() < begin + options["seconds"]:
        before = time.perf_counter_ns()
        for number in range(5):
            with start("step") as span:
                span.set_attribute("number", number)
                json.loads(json.dumps(TEN_ATTRIBUTES))
        turns.append(time.perf_counter_ns() - before)
        if len(turns) % 10 == 0:
            time.sleep(BURST_S)
    quantiles = statistics.quantiles(turns, n=100)
    return {"p50_us": quantiles[49] / 1e3, "p99_us": quantiles[98] / 1e3, "turns": len(turns)}


SCENARIOS: dict[str, Callable[[Sdk, Figures], Figures]] = {
    scenario.__name__.replace("_", "-"): scenario
    for scenario in (
        span_3,
        span_3_threads,
        span_10,
        span_unsampled,
        counter_add,
        histogram_record,
        logger_info,
        fastapi_request,
        sent_0a,
        sent_flat_out,
        sent_paced,
        loop_latency,
    )
}


def main() -> None:
    """Measure what the command line asks for, and print the figures."""
    name, scenario, options = sys.argv[1:]
    try:
        figures = SCENARIOS[scenario](SDKS[name](), json.loads(options))
    except AbsentError as error:
        figures = {"absent": str(error)}
    print(json.dumps(figures), flush=True)
    leave()


if __name__ == "__main__":
    main()
