"""The part of the page about the store: bars, and the figures behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.bars import Bar
from benchmarks.markdown import bar_table, machine_line, table
from benchmarks.store import median, percentile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

METHOD = """
Spans in the shape of the OpenTelemetry demo (20 services in 55 pods, 85 operations, 8 to 10 attributes, new random
ids each time) are sent in requests of a thousand over four connections of OTLP/HTTP to a gateway on one CPU, with
`wait_for_result: false` and `flush_interval: 500ms`: acknowledged up to a second before they are in a file that is on
the disk. CPU time is that of the whole gateway: receiving, writing and, until nothing is merged any more, merging.
Sizes are those of all files then. Queries are measured in another process, on what was sent, with the files in the
system's cache. Recorded traffic is sent once, as it was recorded.
"""


def bars(kept: Mapping[str, Any]) -> Iterator[Bar]:
    """Return the bars of the store, each as met or missed."""
    made = kept["generated"]
    spans = made["spans"]
    yield _least("ingest, spans per core-second, all included", 400_000, spans / made["cpu_s_until_merged"])
    yield _most("bytes of a generated span on disk", 35, made["bytes"] / made["rows"], "{:.1f}")
    for found in kept["recorded"]:
        if found["signal"] == "traces":
            share = found["bytes"] / found["zstd_bytes"]
            yield _most("recorded traces on disk beside their requests in zstd-3", 0.55, share, "{:.2f} x")
        else:
            yield _most("bytes of a recorded data point on disk", 4, found["bytes"] / found["rows"], "{:.2f}")
    yield _most("fresh data in SQL, slowest of 20 requests, ms", 1_000, max(made["fresh_ms"]), "{:,.0f}")
    among = f" (asked for: among 50 million spans; measured among {spans / 1e6:g} million)"
    yield _most(f"trace by id, p99, ms{among}", 50, percentile(made["trace_ms"], 0.99), "{:,.1f}")
    yield _most(f"search of the last hour, median, ms{among}", 200, median(made["search_hour_ms"]), "{:,.0f}")
    yield _most(f"search of everything, median, ms{among}", 2_000, median(made["search_all_ms"]), "{:,.0f}")


def _least(what: str, limit: float, value: float) -> Bar:
    return Bar(what, f"≥ {limit:,.0f}", f"{value:,.0f}", value >= limit)


def _most(what: str, limit: float, value: float, form: str) -> Bar:
    return Bar(what, "≤ " + form.format(limit), form.format(value), value <= limit)


def part(kept: Mapping[str, Any]) -> list[str]:
    """Return the paragraphs."""
    made = kept["generated"]
    rows = [
        ["spans", f"{made['spans']:,}"],
        ["bytes of a span as OTLP", f"{made['raw_bytes'] / made['spans']:.1f}"],
        ["bytes of a span on disk", f"{made['bytes'] / made['rows']:.1f}"],
        ["files", f"{made['files']:,}"],
        ["sent in, s", f"{made['seconds']:.1f}"],
        ["CPU until all was acknowledged, ns a span", f"{1e9 * made['cpu_s_until_acknowledged'] / made['spans']:,.0f}"],
        ["CPU until all was merged, ns a span", f"{1e9 * made['cpu_s_until_merged'] / made['spans']:,.0f}"],
        ["memory of the gateway, average, MiB", f"{made['memory']['average_mib']:.0f}"],
        ["memory of the gateway, peak, MiB", f"{made['memory']['peak_mib']:.0f}"],
        ["trace by id, median, ms", f"{median(made['trace_ms']):.1f}"],
        ["spans of the last hour", f"{made['search_hour_spans']:,}"],
    ]
    recorded = [
        [
            found["name"],
            f"{found['rows']:,}",
            f"{found['raw_bytes'] / found['rows']:.1f}",
            f"{found['zstd_bytes'] / found['rows']:.1f}",
            f"{found['bytes'] / found['rows']:.1f}",
        ]
        for found in kept["recorded"]
    ]
    parts = ["## Store\n", machine_line(kept), METHOD, "### Bars of the store\n", bar_table(bars(kept))]
    parts += ["### Generated traces\n", table(["", ""], rows)]
    head = ["recorded traffic", "items", "bytes as OTLP", "as requests in zstd-3", "on disk"]
    return [*parts, "### Recorded traffic\n", table(head, recorded)] if recorded else parts
