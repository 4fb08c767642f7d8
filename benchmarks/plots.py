"""The plots of the benchmark page, as SVG that is the same for the same results."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib import pyplot as plt

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from benchmarks.figures import NetworkResults

COLOURS = {"millrace": "#1b6ca8", "collector": "#f5a623", "rotel": "#7d5ba6"}
QUANTILES = {"p50": "p50", "p95": "p95", "p99": "p99", "p99_9": "p99.9"}

mpl.use("svg")
mpl.rcParams.update({"svg.hashsalt": "millrace", "svg.fonttype": "none", "font.size": 9, "axes.axisbelow": True})


def draw(results: NetworkResults, folder: Path) -> list[str]:
    """Write every plot that there are figures for; return their names."""
    folder.mkdir(parents=True, exist_ok=True)
    plots = {"cost": _cost, "latency": _latency, "memory": _memory}
    return [name for name, plot in plots.items() if save(plot(results), folder / f"{name}.svg")]


def save(figure: Figure | None, file: Path) -> bool:
    """Write a figure, the same bytes for the same figure; return whether there was one."""
    if figure is None:
        return False
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None})
    plt.close(figure)
    text = file.read_text(encoding="utf-8")
    file.write_text("\n".join(line.rstrip() for line in text.splitlines()) + "\n", encoding="utf-8")
    return True


def axes_of(title: str, height: float = 3.2) -> tuple[Figure, Axes]:
    """Begin a plot with this title, as wide as the page and so many inches high."""
    figure, axes = plt.subplots(figsize=(8, height))
    axes.set_title(title, loc="left", fontsize=10)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure, axes


def _cost(results: NetworkResults) -> Figure | None:
    """Bars: spans for each second of CPU time, by scenario and gateway."""
    scenarios = {
        "http-none-300": "HTTP, 300 B",
        "http-none-800": "HTTP, 800 B",
        "grpc-none-800": "gRPC, 800 B",
        "http-gzip-zstd-800": "gzip in, zstd out",
    }
    figure, axes = axes_of("Spans forwarded per second of the gateway's CPU time (millions)")
    gateways = results.gateways()
    width = 0.8 / len(gateways)
    for place, gateway in enumerate(gateways):
        spreads = [results.spread(name, gateway, "spans_per_cpu_s") for name in scenarios]
        found = [(at + (place + 0.5) * width - 0.4, one) for at, one in enumerate(spreads) if one is not None]
        medians = [one.median / 1e6 for _, one in found]
        errors = [
            [(one.median - one.least) / 1e6 for _, one in found],
            [(one.most - one.median) / 1e6 for _, one in found],
        ]
        bars = axes.bar(
            [at for at, _ in found],
            medians,
            width * 0.92,
            yerr=errors,
            label=gateway,
            color=COLOURS.get(gateway),
            ecolor="#444",
        )
        axes.bar_label(bars, [f"{median:.2f}" for median in medians], padding=2, fontsize=8)
    axes.set_xticks(range(len(scenarios)), list(scenarios.values()))
    axes.grid(axis="y", alpha=0.3)
    axes.legend(frameon=False)
    return figure


def _latency(results: NetworkResults) -> Figure | None:
    """Lines: latency by quantile, at half of each gateway's own saturation."""
    figure, axes = axes_of("Accept → ack at half of each gateway's saturation (ms, open loop)")
    styles = {"latency-end-to-end": ("-", "end to end"), "latency-queue": (":", "queue")}
    drawn = False
    for gateway in results.gateways():
        for scenario, (style, said) in styles.items():
            values = [results.median(scenario, gateway, f"latency_ms.{name}") for name in QUANTILES]
            known = [value for value in values if value is not None]
            if len(known) == len(values):
                axes.plot(
                    list(QUANTILES.values()),
                    known,
                    style,
                    marker="o",
                    color=COLOURS.get(gateway),
                    label=f"{gateway}, {said}",
                )
                drawn = True
    axes.set_yscale("log")
    axes.axhline(3, color="#999", linewidth=0.8)
    axes.grid(axis="y", alpha=0.3)
    axes.legend(frameon=False, fontsize=8)
    return figure if drawn else None


def _memory(results: NetworkResults) -> Figure | None:
    """Peak memory over the offered rate, with the bar as a line."""
    points = []
    for scenario in sorted({trial["scenario"] for trial in results.trials if trial["scenario"].startswith("offered-")}):
        share = float(scenario.removeprefix("offered-"))
        peak = results.spread(scenario, "millrace", "memory_peak_mib")
        if peak is not None:
            points.append((share, peak.most))
    if not points:
        return None
    figure, axes = axes_of("Peak resident memory of millrace over the offered rate (MiB)", 2.6)
    axes.plot(*zip(*sorted(points), strict=True), marker="o", color=COLOURS["millrace"])
    limit = 30 + results.results["budget_mib"]
    axes.axhline(limit, color="#999", linewidth=0.8)
    axes.annotate(f"30 MiB + budget = {limit} MiB", (0, limit), textcoords="offset points", xytext=(2, 3), fontsize=8)
    axes.set_xlabel("offered, as a multiple of saturation")
    axes.set_ylim(bottom=0)
    axes.grid(axis="y", alpha=0.3)
    return figure
