"""The one performance table of the README, rewritten between its markers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from benchmarks.figures import NetworkResults
from benchmarks.markdown import table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MARKERS = re.compile(r"(<!-- benchmark:start -->\n).*?(<!-- benchmark:end -->)", re.DOTALL)


def write(results: Mapping[str, Any], file: Path) -> None:
    """Replace what stands between the markers; without results, or with those of a quick trial, leave it alone."""
    if "network_io" not in results or results["network_io"]["quick"]:
        return
    text = file.read_text(encoding="utf-8")
    shown = render(results["network_io"])
    file.write_text(MARKERS.sub(lambda found: found[1] + shown + found[2], text), encoding="utf-8")


def render(kept: Mapping[str, Any]) -> str:
    """Return the table: a gateway a column, what is measured a row."""
    results = NetworkResults(kept)
    gateways = results.gateways()

    def row(title: str, scenario: str, figure: str, form: str, scale: float = 1.0) -> list[str]:
        values = [results.median(scenario, gateway, figure) for gateway in gateways]
        return [title, *("" if value is None else form.format(value * scale) for value in values)]

    rows = [
        row("300-byte spans, HTTP: forwarded, spans/s", "http-none-300", "spans_per_s", "{:,.0f}"),
        row("800-byte spans, HTTP: per CPU second", "http-none-800", "spans_per_cpu_s", "{:,.0f}"),
        row("800-byte spans, gRPC: per CPU second", "grpc-none-800", "spans_per_cpu_s", "{:,.0f}"),
        row("gzip in, zstd out: per CPU second", "http-gzip-zstd-800", "spans_per_cpu_s", "{:,.0f}"),
        row("100,000 spans/s, HTTP: share of a core", "100k-http", "cpu_share", "{:.1f} %", 100),
        row("... and peak resident memory, MiB", "100k-http", "memory_peak_mib", "{:.0f}"),
        row("p99 at half of its saturation, ms", "latency-end-to-end", "latency_ms.p99", "{:.2f}"),
    ]
    machine = kept["machine"]
    names = [f"{name} {kept['versions'][name]}" for name in gateways]
    return (
        table(["one CPU for the gateway", *names], rows)
        + f"\n{machine['cpu']}, {machine['measured_at']}, commit {machine['commit']}. Batches of 1,000, sender "
        "and sink on another CPU; method, spread, memory under overload and every bar: "
        "[docs/benchmarks.md](docs/benchmarks.md).\n"
    )
