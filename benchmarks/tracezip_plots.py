"""The plots of the page docs/benchmarks/tracezip.md: sizes, costs, and the state of a session over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.plots import axes_of, save

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CODECS = {
    "gzip-6": "#bbbbbb",
    "zstd-3": "#8fa3ad",
    "brotli-5": "#d9b08c",
    "Arrow IPC stream, zstd": "#b39bc8",
    "zstd-9 session": "#f5a623",
    "tracezip": "#1b6ca8",
}
"""Those of the table that say the most, and their colours."""
COSTS = {"zstd-3 encode": "#8fa3ad", "tracezip encode": "#1b6ca8", "tracezip decode": "#7fb3d8"}


def draw(data: Sequence[dict[str, Any]], folder: Path, bars: dict[str, float]) -> None:
    """Write every plot; `bars` has the bar of costs in nanoseconds and that of the state in bytes."""
    save(_sizes(data), folder / "tracezip-sizes.svg")
    save(_costs(data, bars), folder / "tracezip-cost.svg")
    save(_state(data, bars["state"]), folder / "tracezip-state.svg")


def _sizes(data: Sequence[dict[str, Any]]) -> Figure:
    figure, axes = axes_of("Bytes for each span")
    _grouped(axes, data, {codec: [each["sizes"][codec] for each in data] for codec in CODECS}, CODECS)
    axes.legend(frameon=False, fontsize=8, ncols=3, loc="upper left")
    axes.set_ylim(top=1.25 * max(each["sizes"]["gzip-6"] for each in data))
    return figure


def _costs(data: Sequence[dict[str, Any]], bars: dict[str, float]) -> Figure:
    figure, axes = axes_of("CPU time for each span (ns)")
    _grouped(axes, data, {cost: [each["ns_per_span"][cost] for each in data] for cost in COSTS}, COSTS)
    for name in ("encode", "decode"):
        axes.axhline(bars[name], color="#999", linewidth=0.8)
        axes.annotate(f"bar, {name}", (1, bars[name]), xycoords=("axes fraction", "data"), fontsize=7, ha="right")
    axes.legend(frameon=False, fontsize=8)
    return figure


def _grouped(
    axes: Axes, data: Sequence[dict[str, Any]], columns: dict[str, list[float]], colours: dict[str, str]
) -> None:
    width = 0.84 / len(columns)
    for place, (name, values) in enumerate(columns.items()):
        at = [group + (place + 0.5) * width - 0.42 for group in range(len(values))]
        drawn = axes.bar(at, values, width * 0.92, label=name, color=colours[name])
        if name.startswith("tracezip"):
            axes.bar_label(drawn, [f"{value:,.0f}" for value in values], padding=2, fontsize=7)
    axes.set_xticks(range(len(data)), [each["name"].replace(", ", ",\n") for each in data], fontsize=8)
    axes.grid(axis="y", alpha=0.3)


def _state(data: Sequence[dict[str, Any]], bar: float) -> Figure:
    """Lines: what the end that holds more holds, over what the session has carried."""
    figure, axes = axes_of("What a session holds, the larger of both ends (MiB), over the spans that it has carried")
    for each in data:
        points = [(point["spans"], max(point["sender"], point["receiver"]) / 2**20) for point in each["state"]]
        axes.plot(*zip(*points, strict=True), marker=".", label=each["name"], linewidth=1.2)
    axes.axhline(bar / 2**20, color="#999", linewidth=0.8)
    axes.annotate("bar", (1, bar / 2**20), xycoords=("axes fraction", "data"), fontsize=7, ha="right")
    axes.set_ylim(bottom=0)
    axes.grid(axis="y", alpha=0.3)
    axes.legend(frameon=False, fontsize=8)
    return figure
