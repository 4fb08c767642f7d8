"""The bars of the recorder, each as met or missed by the kept results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.bars import Bar
from benchmarks.recorder_figures import DDTRACE, OURS, STOCK, RecorderResults

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FRACTIONS = (
    ("current span with 3 attributes, null exporter", "span-3", STOCK, 40),
    ("depth 3, 5 attributes and an event, sent over HTTP and counted: CPU of the process", "sent-0a", STOCK, 70),
    ("the same", "sent-0a", DDTRACE, 35),
    ("span with 10 attributes of 20 characters", "span-10", STOCK, 40),
    ("unsampled span", "span-unsampled", STOCK, 20),
    ("counter.add, 3 attributes", "counter-add", STOCK, 25),
    ("histogram.record, 3 attributes", "histogram-record", STOCK, 25),
)
SPANS_PER_S = 2_000_000
THREADS_RATIO = 1.1
"""Two threads may cost a tenth more than one before it counts as slower: that is the spread of equal runs."""
LOG_NS = 1_500
FASTAPI_SHARE = 0.5
IMPORT_MS = 15
MEMORY_MIB = 10
HANG_RATIO = 1.05


def recorder(kept: Mapping[str, Any]) -> Iterable[Bar]:
    """Return all of them."""
    results = RecorderResults(kept)
    for what, scenario, peer, divisor in FRACTIONS:
        yield _fraction(results, what, scenario, peer, divisor)
    yield _threads(results)
    yield _throughput(results)
    yield _log(results)
    yield _fastapi(results)
    yield from _start(results)
    yield _hanging(results)


def _bar(what: str, required: str, measured: str | None, *, met: bool) -> Bar:
    """Return a bar; without a measurement it is neither met nor missed."""
    return Bar(what, required, measured or "absent", met if measured else None)


def _fraction(results: RecorderResults, what: str, scenario: str, peer: str, divisor: int) -> Bar:
    cheaper, ours = results.times_cheaper(scenario, peer), results.median(scenario, OURS)
    lost = results.lost(scenario, OURS) if scenario == "sent-0a" else 0
    measured = f"1/{cheaper:.1f}: {ours:,.0f} ns" if cheaper else None
    if measured and lost:
        measured += f", {lost:,} lost"
    return _bar(what, f"≤ 1/{divisor} of {peer}", measured, met=bool(cheaper and cheaper >= divisor and not lost))


def _threads(results: RecorderResults) -> Bar:
    one, two = results.median("span-3", OURS), results.median("span-3-threads", OURS)
    ratio = two / one if one and two else None
    what = "the span with 3 attributes in two threads: CPU time per span beside one thread"
    return _bar(
        what, f"≤ {THREADS_RATIO} x", f"{ratio:.2f} x" if ratio else None, met=bool(ratio and ratio <= THREADS_RATIO)
    )


def _throughput(results: RecorderResults) -> Bar:
    rate, lost = results.median("sent-flat-out", OURS, "spans_per_s"), results.lost("sent-flat-out", OURS)
    stock = results.lossless()
    measured = f"{rate:,.0f} spans/s, {lost:,} lost" if rate else None
    if measured and stock:
        measured += f" ({STOCK} without loss: {stock.median:,.0f})"
    return _bar(
        "small spans of one thread, recorded, exported and counted by a sink in another process",
        f"≥ {SPANS_PER_S:,} spans/s, none lost",
        measured,
        met=bool(rate and rate >= SPANS_PER_S and lost == 0),
    )


def _log(results: RecorderResults) -> Bar:
    added, stock = results.added_ns("logger-info", OURS), results.added_ns("logger-info", STOCK)
    measured = None if added is None else f"{added / 1e3:.2f} µs"
    if measured and stock is not None:
        measured += f" ({STOCK}: {stock / 1e3:.2f} µs)"
    what = "logger.info through the handler, above logging with a null handler"
    return _bar(what, f"≤ {LOG_NS / 1e3} µs", measured, met=added is not None and added <= LOG_NS)


def _fastapi(results: RecorderResults) -> Bar:
    ours, stock = results.added_ns("fastapi-request", OURS), results.added_ns("fastapi-request", STOCK)
    share = ours / stock if ours is not None and stock else None
    return _bar(
        "FastAPI request with contrib's instrumentation: what it adds, beside the same over the stock SDK",
        "≤ 1/2",
        None
        if share is None or ours is None or stock is None
        else f"{share:.2f}: {ours / 1e3:.0f} of {stock / 1e3:.0f} µs",
        met=share is not None and share <= FASTAPI_SHARE,
    )


def _start(results: RecorderResults) -> Iterable[Bar]:
    runs = results.of("start", OURS)
    signals = min((trial["signals"] for trial in runs), default=0)
    beyond = f"(with {signals} signals) " if runs else ""
    for what, figure, limit, unit in (
        ("import and configure() beyond the API's own imports: CPU", "cpu_ms", IMPORT_MS, "ms"),
        ("resident memory that they add", "memory_mib", MEMORY_MIB, "MiB"),
    ):
        value = results.median("start", OURS, figure)
        measured = None if value is None else f"{beyond if signals < 3 else ''}{value:.1f} {unit}"  # noqa: PLR2004 # traces, metrics, logs
        yield _bar(what, f"≤ {limit} {unit}", measured, met=value is not None and value <= limit)


def _hanging(results: RecorderResults) -> Bar:
    healthy, hangs = (results.median(f"latency-{name}", OURS, "p99_us") for name in ("healthy", "hangs"))
    ratio = hangs / healthy if healthy and hangs else None
    measured = f"{ratio:.3f} x: {hangs:,.0f} beside {healthy:,.0f} µs" if ratio else None
    what = "p99 of an application whose endpoint hangs, beside a healthy endpoint"
    return _bar(what, f"≤ {HANG_RATIO} x", measured, met=bool(ratio and ratio <= HANG_RATIO))
