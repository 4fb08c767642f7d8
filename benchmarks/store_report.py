"""The part of the page about the store: bars, and the figures behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.bars import Bar
from benchmarks.markdown import bar_table, machine_line, table
from benchmarks.plots import axes_of, save
from benchmarks.store import median, percentile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from matplotlib.figure import Figure

INGEST = 400_000
MEMORY_MIB = 400

METHOD = """
Spans in the shape of the OpenTelemetry demo (20 services in 55 pods, 85 operations, 8 to 10 attributes, new random
ids each time) are sent in requests of a thousand over four connections of OTLP/HTTP to a gateway on one CPU, with
`wait_for_result: false` and `flush_interval: 500ms`: acknowledged up to a second before they are in a file that is on
the disk, three times, each into a new store; the run of the median cost is shown. CPU time is that of the whole
gateway: receiving, writing and, until nothing is merged any more, merging.
Sizes are those of all files then. Queries are measured in another process with the files in the system's cache: on
what was sent, or, with `--scale SPANS`, on so many spans of one day, over which `millrace serve` is then started:
cold, with the same files linked as often as ten gigabytes take and none of them in the system's cache, until it
answers. Recorded traffic is sent once, as it was recorded. With `--minutes N`, `millrace serve`, with nothing
configured, gets 100,000 of the same spans a second over twenty connections, each acknowledged when its file is on the
disk, while a page asks for traces, services and the map every five seconds.
"""


def bars(kept: Mapping[str, Any]) -> Iterator[Bar]:
    """Return the bars of the store, each as met or missed."""
    made = kept["generated"]
    spans = made["spans"]
    what = "ingest, spans per core-second, all included"
    rates = sorted(spans / cpu_s for cpu_s in made["runs_cpu_s"])
    measured = f"{median(rates):,.0f} ({rates[0]:,.0f} to {rates[-1]:,.0f})"
    yield Bar(what, f"≥ {INGEST:,}", measured, median(rates) >= INGEST)
    yield _most("bytes of a generated span on disk", 35, made["bytes"] / made["rows"], "{:.1f}")
    for found in kept["recorded"]:
        if found["signal"] == "traces":
            share = found["bytes"] / found["zstd_bytes"]
            yield _most("recorded traces on disk beside their requests in zstd-3", 0.55, share, "{:.2f} x")
        else:
            yield _most("bytes of a recorded data point on disk", 4, found["bytes"] / found["rows"], "{:.2f}")
    yield _most("fresh data in SQL, slowest of 20 requests, ms", 1_000, max(made["fresh_ms"]), "{:,.0f}")
    scale = kept.get("scale")
    yield from _found(scale or made, scale is not None)
    if scale:
        yield from _overviews(scale)
        cold = f"serving, cold, with {scale['start_bytes'] / 1e9:.1f} GB, slowest start, ms"
        yield _most(cold, 1_500, max(scale["start_ms"]), "{:,.0f}")
        large = f"a trace of {scale['large_spans']:,} spans from the API, median, ms"
        yield _most(large, 500, median(scale["large_trace_ms"]), "{:,.0f}")
    load = kept.get("load")
    if load:
        what = (
            f"memory of `millrace serve`, {load['seconds'] / 60:.0f} minutes at {_rate(load):,.0f} spans/s, peak, MiB"
        )
        yield _most(what, 400, load["memory"]["peak_mib"], "{:,.0f}")
        early, late = _early_and_late(load["resident_mib"])
        yield _most("the same, median of the last fifth beside that of the second", 1.1, late / early, "{:.2f} x")


def _overviews(scale: Mapping[str, Any]) -> Iterator[Bar]:
    if "overview_ms" not in scale:
        return
    first = max(scale["overview_first_ms"].values())
    yield _most("services and map of the last hour, just started, slower of both, ms", 1_000, first, "{:,.0f}")
    for name, words, limit in (("hour", "of the last hour", 300), ("all", "of everything", 1_000)):
        slowest = max(median(taken) for taken in scale["overview_ms"][name].values())
        yield _most(
            f"services, map, operations, attributes, metrics {words}, slowest median, ms", limit, slowest, "{:,.0f}"
        )


def _found(made: Mapping[str, Any], is_scale: bool) -> Iterator[Bar]:  # noqa: FBT001 - one of two kinds of store
    among = f"among {made['spans'] / 1e6:g} million spans{' of a day' if is_scale else ' (asked for: 50 million)'}"
    yield _most(f"trace by id {among}, p99, ms", 50, percentile(made["trace_ms"], 0.99), "{:,.1f}")
    for name, words in (("found", "that finds enough"), ("absent", "that finds nothing")):
        hour, all_ = median(made[f"search_hour_{name}_ms"]), median(made[f"search_all_{name}_ms"])
        yield _most(f"search of the last hour {words}, {among}, median, ms", 200, hour, "{:,.0f}")
        yield _most(f"search of everything {words}, {among}, median, ms", 2_000, all_, "{:,.0f}")


def _rate(load: Mapping[str, Any]) -> float:
    return float(load["spans"] / load["seconds"])


def _early_and_late(resident: Sequence[float]) -> tuple[float, float]:
    """Return the medians of the second and of the last fifth: the first has the start in it."""
    fifth = max(1, len(resident) // 5)
    return median(resident[fifth : 2 * fifth] or resident), median(resident[-fifth:])


def _load_rows(load: Mapping[str, Any]) -> list[list[str]]:
    minutes = [median(load["resident_mib"][at : at + 60]) for at in range(0, len(load["resident_mib"]), 60)]
    return [
        ["at a steady rate: spans sent", f"{load['spans']:,}"],
        ["at a steady rate: spans found on the disk afterwards", f"{load['kept']:,}"],
        ["at a steady rate: spans/s", f"{_rate(load):,.0f}"],
        ["at a steady rate: share of a core", f"{load['cpu_share']:.0%}"],
        ["at a steady rate: memory of each minute, MiB", ", ".join(f"{one:.0f}" for one in minutes)],
        *([f"meanwhile: `{path}`, median, ms", f"{one:,.0f}"] for path, one in load["page_ms"].items()),
    ]


def _most(what: str, limit: float, value: float, form: str) -> Bar:
    return Bar(what, "≤ " + form.format(limit), form.format(value), value <= limit)


def _scale_rows(scale: Mapping[str, Any]) -> list[list[str]]:
    return [
        ["store of a day: spans", f"{scale['spans']:,}"],
        ["store of a day: files", f"{scale['files']:,}"],
        ["store of a day: bytes of a span on disk", f"{scale['bytes'] / scale['spans']:.1f}"],
        ["store of a day: spans of the last hour", f"{scale['search_hour_spans']:,}"],
        ["store of a day: trace by id, median, ms", f"{median(scale['trace_ms']):.1f}"],
        ["memory of `millrace serve` over it, peak, MiB", f"{scale['serve_memory']['peak_mib']:.0f}"],
        *(
            [
                f"`/api/v1{path}` of {'the last hour' if name == 'hour' else 'everything'}, median, ms",
                f"{median(taken):,.0f}",
            ]
            for name, paths in scale.get("overview_ms", {}).items()
            for path, taken in paths.items()
        ),
    ]


def _memory(load: Mapping[str, Any]) -> Figure:
    figure, axes = axes_of(f"Resident memory of `millrace serve` at {_rate(load):,.0f} spans/s (MiB)", 2.6)
    resident = load["resident_mib"]
    axes.plot([second / 60 for second in range(1, len(resident) + 1)], resident, color="#1b6ca8", linewidth=0.8)
    axes.axhline(MEMORY_MIB, color="#999", linewidth=0.8)
    axes.set_xlabel("minutes")
    axes.set_ylim(bottom=0)
    axes.grid(axis="y", alpha=0.3)
    return figure


def part(kept: Mapping[str, Any], folder: Path) -> list[str]:
    """Return the paragraphs, and write the plot that they show into a folder of `benchmarks/` there."""
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
    rows += _scale_rows(kept["scale"]) if kept.get("scale") else []
    rows += _load_rows(kept["load"]) if kept.get("load") else []
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
    if kept.get("load"):
        save(_memory(kept["load"]), folder / "benchmarks" / "store-memory.svg")
        parts.append("![Memory of `millrace serve` at a steady rate](benchmarks/store-memory.svg)\n")
    parts += ["### Generated traces\n", table(["", ""], rows)]
    head = ["recorded traffic", "items", "bytes as OTLP", "as requests in zstd-3", "on disk"]
    return [*parts, "### Recorded traffic\n", table(head, recorded)] if recorded else parts
