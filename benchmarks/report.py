"""The page docs/benchmarks.md, written from kept results and nothing else."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

from benchmarks import bars, plots, recorder_report, store_report, tracezip_report, viewer_report
from benchmarks.figures import NetworkResults
from benchmarks.markdown import bar_table, machine_line, show, table
from benchmarks.network_io import FLOOR, LATENCIES, RATE_SPANS_PER_S, SATURATION
from benchmarks.noise import QUIET_SHARE, QUIET_SHARE_OF_TAILS, disturbance

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

HEAD = """# Benchmarks

<!-- Written by `python -m benchmarks render` from benchmarks/results/. Change those by measuring, this not by hand. -->

`make bench` measures all of this anew. Each figure is the median of the runs, those compared in turn within each run;
in brackets the least and the most.
"""

METHOD = """
A load generator sends pre-encoded requests of 1,000 spans, stamped with sequence numbers; a sink at the other end
checks which of them arrived. The gateway has one CPU, generator and sink share the other. CPU time is that of the
gateway's whole process, to 10 ms; memory is resident, sampled each 50 ms, with the kernel's own high-water mark as
peak. Every run starts a fresh gateway and warms it up.

At saturation, requests are sent as soon as earlier ones are answered. Everywhere else they are sent at fixed times,
and latency counts from the time at which a request was due, so that a stall counts for all requests that had to wait
because of it. *Acknowledged end to end* means that the sink has the spans before the sender's request is answered:
millrace with `wait_for_result`, the Collector without a sending queue. Rotel can only acknowledge what its batch has
taken. The *floor* of a latency is the same load sent straight to a sink on the gateway's CPU, with no gateway between:
what the machine, its kernel and its host take from anybody.
"""

TITLES = {
    "http-none-300": "Saturation: OTLP/HTTP in and out, no compression, 300-byte spans",
    "http-none-800": "Saturation: OTLP/HTTP in and out, no compression, 800-byte spans",
    "grpc-none-800": "Saturation: OTLP/gRPC in and out, no compression, 800-byte spans",
    "http-gzip-zstd-800": "Saturation: OTLP/HTTP, gzip in, zstd out, 800-byte spans",
    "http-none-gzip-800": "Saturation: OTLP/HTTP, no compression in, gzip out, 800-byte spans",
    "http-none-800-queue": "Saturation: as before without compression, acknowledged by the queue",
    "100k-http": f"At {RATE_SPANS_PER_S:,} spans/s: OTLP/HTTP, 800-byte spans",
    "100k-grpc": f"At {RATE_SPANS_PER_S:,} spans/s: OTLP/gRPC, 800-byte spans",
    "latency-end-to-end": "At half of each gateway's own saturation: acknowledged end to end",
    "latency-queue": "At half of each gateway's own saturation: acknowledged by the queue",
}


def write(results: Mapping[str, Any], folder: Path) -> None:
    """Write the page and its plots."""
    folder.mkdir(exist_ok=True)
    if "tracezip" in results:
        tracezip_report.write(results["tracezip"], results.get("links"), folder / "benchmarks")
    parts = [HEAD]
    if "network_io" in results:
        parts += _network(results["network_io"], folder)
    if "recorder" in results:
        parts += recorder_report.part(results["recorder"])
    if "store" in results:
        parts += store_report.part(results["store"], folder)
    if "viewer" in results:
        parts += viewer_report.part(results["viewer"])
    if "core" in results:
        parts += _core(results["core"])
    (folder / "benchmarks.md").write_text("\n".join(parts), encoding="utf-8")


def _network(kept: Mapping[str, Any], folder: Path) -> list[str]:
    results = NetworkResults(kept)
    parts = ["## Gateway\n", machine_line(kept), METHOD, "### Bars\n", bar_table(bars.network(kept))]
    parts += [f"Absent: {name}: {reason}\n" for name, reason in kept["absent"].items()]
    drawn = plots.draw(results, folder / "benchmarks")
    parts += [f"![{name}](benchmarks/{name}.svg)\n" for name in drawn]
    for scenario, title in TITLES.items():
        rows = [_row(results, scenario, gateway) for gateway in results.gateways() if results.of(scenario, gateway)]
        if rows:
            parts += [f"### {title}\n", table(_columns(scenario), rows)]
    parts += _beyond(results)
    parts += _caveats(results)
    failed = [
        f"- {trial['scenario']}, {trial['gateway']}, run {trial['run']}: {trial['error']}" for trial in results.errors()
    ]
    if failed:
        parts += ["### Runs without figures\n", "\n".join(failed) + "\n"]
    return parts


def _caveats(results: NetworkResults) -> list[str]:
    """What a reader must know of single runs: disturbed by others, or not doing what was asked."""
    said = []
    disturbed = [trial for trial in results.trials if disturbance(trial) >= QUIET_SHARE]
    if disturbed:
        worst = max(map(disturbance, disturbed))
        said.append(
            f"- Other programs, or the host, took {QUIET_SHARE:.0%} of a core or more during {len(disturbed)} of "
            f"{len(results.trials)} runs, {worst:.0%} in the worst: rates and latencies of those are too bad, the "
            "figures per CPU second less so."
        )
    floor = results.spread(FLOOR, "none", "latency_ms.p99")
    if floor:
        said.append(
            "- With no gateway at all, the load that millrace gets for its latencies is answered within "
            f"{show(floor, '{:.2f}')} ms at the 99th percentile here."
        )
    tails = [trial for trial in results.trials if trial["scenario"] in LATENCIES and "error" not in trial]
    waiting = [trial for trial in tails if disturbance(trial) >= QUIET_SHARE_OF_TAILS]
    if waiting:
        said.append(
            f"- In {len(waiting)} of {len(tails)} runs that ask for latency at half of saturation, the machine was "
            f"elsewhere for {QUIET_SHARE_OF_TAILS:.0%} of a core or more, {max(map(disturbance, waiting)):.0%} in the "
            "worst: the slowest hundredth of their requests is those that waited for that."
        )
    for gateway in results.gateways():
        asked, sent = (
            SATURATION["http-none-800"][0].bytes_per_span,
            results.median("http-none-800", gateway, "wire_bytes_per_span"),
        )
        if sent is not None and sent < asked / 2:
            said.append(
                f"- {gateway} sends {sent:.0f} bytes for each span of {asked}: it compresses although told not to. "
                "For a comparison of equals see the scenario with gzip out."
            )
    return ["### To be known\n", "\n".join(said) + "\n"] if said else []


def _columns(scenario: str) -> list[str]:
    if scenario in SATURATION:
        costs = ["spans/s", "MB/s", "spans per CPU second", "beside millrace"]
    else:
        costs = ["spans/s", "share of a core"]
    return ["", *costs, "memory average / peak (MiB)", "p50 / p95 / p99 / p99.9 (ms)", "lost / doubled"]


def _row(results: NetworkResults, scenario: str, gateway: str) -> list[str]:
    def spread(figure: str, form: str, scale: float = 1.0) -> str:
        return show(results.spread(scenario, gateway, figure), form, scale)

    def median(figure: str) -> float:
        return results.median(scenario, gateway, figure) or 0.0

    ours = results.median(scenario, "millrace", "spans_per_cpu_s") or 0.0
    if scenario in SATURATION:
        costs = [
            spread("spans_per_s", "{:,.0f}"),
            f"{median('bytes_per_s') / 1e6:,.0f}",
            spread("spans_per_cpu_s", "{:,.0f}"),
            f"{median('spans_per_cpu_s') / ours:.2f}" if ours else "",
        ]
    else:
        costs = [f"{median('spans_per_s'):,.0f}", spread("cpu_share", "{:.1f} %", 100)]
    runs = results.of(scenario, gateway)
    lost, doubled = (sum(run[name] for run in runs) for name in ("lost_spans", "duplicated_spans"))
    quantiles = " / ".join(f"{median(f'latency_ms.{name}'):.2f}" for name in plots.QUANTILES)
    memory = f"{median('memory_average_mib'):.1f} / {median('memory_peak_mib'):.1f}"
    return [gateway, *costs, memory, quantiles, f"{lost:,} / {doubled:,}"]


def _beyond(results: NetworkResults) -> list[str]:
    """The table of rates up to twice saturation, and of a sink that fails."""
    names = sorted({trial["scenario"] for trial in results.trials if trial["scenario"].startswith("offered-")})
    names += [name for name in ("sink-slow", "sink-stopped", "sink-refuses") if results.of(name, "millrace")]
    rows = []
    for name in names:
        runs = results.of(name, "millrace")
        offered, forwarded = (
            statistics.median(run.get(key) or 0.0 for run in runs) for key in ("offered_spans_per_s", "spans_per_s")
        )
        counted = [
            sum(sum(run.get(key, {}).values()) for run in runs) for key in ("refused_requests", "failed_requests")
        ]
        codes = sorted({code for run in runs for code in run.get("refused_requests", {})})
        refused = f"{counted[0]:,} ({', '.join(codes)})" if codes else "0"
        memory = show(results.spread(name, "millrace", "memory_peak_mib"), "{:.1f}")
        lost = sum(run.get("lost_spans", 0) for run in runs)
        row = [name, f"{offered:,.0f}", f"{forwarded:,.0f}", refused, f"{counted[1]:,}", f"{lost:,}", memory]
        rows.append(row)
    if not rows:
        return []
    budget = results.results["budget_mib"]
    head = ["", "offered spans/s", "forwarded spans/s", "refused requests", "unanswered", "lost", "peak memory (MiB)"]
    return [f"### millrace with a budget of {budget} MiB, at and beyond its limits\n", table(head, rows)]


def _core(kept: Mapping[str, Any]) -> list[str]:
    parts = ["## Wire code\n", machine_line(kept), "### Bars of the wire code\n", bar_table(bars.core(kept))]
    for data in kept["data"]:
        size = f"{data['items']:,} items in {data['requests']:,} requests, {data['bytes'] / 1e6:.1f} MB"
        title = f"### {data['name']}: {size}\n"
        rows = [
            [name.replace("_", " "), _rates(figures), f"{figures['items_per_s']:,.0f}"]
            for name, figures in data["results"].items()
        ]
        parts += [title, table(["", "MB/s of protobuf", "items/s"], rows)]
    return parts


def _rates(figures: Mapping[str, float]) -> str:
    median, least, most = (figures[f"{name}mb_per_s"] for name in ("", "slowest_", "fastest_"))
    return f"{median:,.0f} ({least:,.0f} to {most:,.0f})"
