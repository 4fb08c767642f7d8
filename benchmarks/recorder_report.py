"""The part of the page about the recorder: bars, and the figures behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks import recorder_bars
from benchmarks.markdown import bar_table, machine_line, show, table
from benchmarks.noise import QUIET_SHARE
from benchmarks.recorder_figures import DDTRACE, NONE, OURS, STOCK, RecorderResults

if TYPE_CHECKING:
    from collections.abc import Mapping

METHOD = """
Each measurement is a process of its own, the SDKs in turn. In one process: CPU time of the application's thread for one
operation, the median of many calls of a loop; what is recorded is batched and thrown away, ours from its buffer, the
stock SDK's by its batch processor with an exporter that does nothing, between the calls, so that no queue is full and
none drops. *Sent* is CPU time of the whole process, exporting over OTLP/HTTP without compression included, for spans
that a sink in another process has counted. The bare program has no SDK: `logging` with a null handler, FastAPI without
instrumentation; where it was measured, the last column compares what the SDKs add to it.
"""

COSTS = {
    "span-3": "current span, 3 x `set_attribute`",
    "span-3-threads": "the same in two threads at once",
    "span-10": "span given 10 attributes of 20 characters",
    "span-unsampled": "current span, 3 x `set_attribute`, not sampled",
    "counter-add": "`counter.add`, 3 attributes",
    "histogram-record": "`histogram.record`, 3 attributes",
    "logger-info": "`logger.info` through the handler",
    "fastapi-request": "FastAPI request",
    "sent-0a": "sent: depth 3, 5 attributes and an event",
}


def part(kept: Mapping[str, Any]) -> list[str]:
    """Return the paragraphs."""
    results = RecorderResults(kept)
    parts = ["## Recorder\n", machine_line(kept), METHOD]
    parts += ["### Bars of the recorder\n", bar_table(recorder_bars.recorder(kept))]
    parts += ["### CPU time of one operation, in nanoseconds\n", _costs(results)]
    parts += ["### Delivered from one thread\n", _delivered(results)]
    parts += ["### Start, and an endpoint that hangs\n", _start(results), _latency(results)]
    known = [f"- Absent: {name}: {reason}" for name, reason in kept["absent"].items()]
    known += [
        f"- {trial['sdk']}, {trial['scenario']}, run {trial['run']}: {trial['error']}" for trial in results.errors()
    ]
    known += _disturbed(results)
    return [*parts, "### To be known of the recorder\n", "\n".join(known) + "\n"] if known else parts


def _costs(results: RecorderResults) -> str:
    rows = []
    for scenario, title in COSTS.items():
        shown = [show(results.spread(scenario, sdk), "{:,.0f}") for sdk in (OURS, STOCK, NONE, DDTRACE)]
        cheaper = results.times_cheaper(scenario)
        rows.append([title, *shown, f"1/{cheaper:.1f}" if cheaper else ""])
    return table(["", OURS, STOCK, "bare program", DDTRACE, f"{OURS} beside {STOCK}"], rows)


def _delivered(results: RecorderResults) -> str:
    rows = []
    for sdk in (OURS, STOCK):
        rates = results.spread("sent-flat-out", sdk, "spans_per_s")
        recorded = sum(trial["recorded"] for trial in results.of("sent-flat-out", sdk))
        lost = results.lost("sent-flat-out", sdk)
        dropped = [trial["dropped"] for trial in results.of("sent-flat-out", sdk)]
        counted = "not counted" if None in dropped else f"{sum(dropped):,}"
        rows.append([f"{sdk}, flat out", show(rates, "{:,.0f}"), f"{recorded:,}", f"{lost:,}", counted])
    lossless = show(results.lossless(), "{:,.0f}")
    rows.append([f"{STOCK}, the highest rate offered without loss", lossless, "", "0" if lossless else "", ""])
    return table(["", "recorded spans/s", "recorded", "lost", "dropped, as it says itself"], rows)


def _start(results: RecorderResults) -> str:
    rows = []
    for sdk in (OURS, STOCK):
        cpu, memory = (results.spread("start", sdk, figure) for figure in ("cpu_ms", "memory_mib"))
        signals = show(results.spread("start", sdk, "signals"), "{:.0f}")
        rows.append([sdk, show(cpu, "{:.1f}"), show(memory, "{:.1f}"), signals])
    return table(["import and set-up, OTLP/HTTP, beyond the API", "CPU (ms)", "resident memory (MiB)", "signals"], rows)


def _latency(results: RecorderResults) -> str:
    rows = []
    for sdk in (OURS, STOCK):
        for name in ("healthy", "hangs"):
            quantiles = [results.spread(f"latency-{name}", sdk, figure) for figure in ("p50_us", "p99_us")]
            rows.append([f"{sdk}, endpoint {name}", *(show(quantile, "{:,.0f}") for quantile in quantiles)])
    return table(["a turn of the loop, five spans", "p50 (µs)", "p99 (µs)"], rows)


def _disturbed(results: RecorderResults) -> list[str]:
    shares = [trial["others_cpu_share"] for trial in results.trials if "others_cpu_share" in trial]
    disturbed = [share for share in shares if share >= QUIET_SHARE]
    if not disturbed:
        return []
    said = (
        f"- Other programs used {QUIET_SHARE:.0%} of a core or more during {len(disturbed)} of {len(shares)} "
        f"measurements, {max(disturbed):.0%} in the worst."
    )
    return [said]
