"""The part of the page about the viewer: bars, and where the time until a large trace is on the screen goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.bars import Bar
from benchmarks.figures import spread_of
from benchmarks.markdown import bar_table, machine_line, show, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

OPEN_MS = 1_500
SERVER_MS = 500
FRAMES_PER_S = 60
LATE_MS = 25
"""A frame that took longer has missed the screen's next refresh, a sixtieth of a second, by half of one."""

METHOD = """
A trace of a batch job, a thousand chunks of a hundred spans of five services, is sent to `millrace serve`. It is then
opened by a click in the list, each time in a browser that has seen only the list, and can be scrolled when it was
scrolled to its middle and the rows there have been drawn. Server, store and Chromium, without a screen and without a
graphics processor, share the machine's cores. Frames are those of `requestAnimationFrame`, which come 60 times in a
second at most; *steady* moves three rows in each of them, *jumps* shows other rows altogether.
"""

PARTS = {
    "server_ms": "the server, until its answer begins",
    "transfer_ms": "the answer, until its end",
    "parse_ms": "JSON",
    "model_ms": "the tree of the spans",
    "draw_ms": "the first rows",
    "scroll_ms": "scrolled to the middle and drawn",
    "total_ms": "from the click until then",
}


def bars(kept: Mapping[str, Any]) -> Iterator[Bar]:
    """Return the bars of the viewer, each as met or missed."""
    spans = f"a trace of {kept['spans']:,} spans"
    for what, limit, part in (
        (f"{spans}, from the click until it can be scrolled, median, ms", OPEN_MS, "total_ms"),
        (f"{spans}, the server's part of that, median, ms", SERVER_MS, "server_ms"),
    ):
        found = spread_of([each[part] for each in kept["opened"]])
        if found is not None:
            yield Bar(what, f"≤ {limit:,}", f"{found.median:,.0f}", found.median <= limit)
    rate = frames_per_s(kept["scrolled"]["steady"])
    what = f"{spans}, frames per second while it is scrolled"
    yield Bar(what, f"≥ {FRAMES_PER_S}", f"{rate:.1f}", round(rate, 1) >= FRAMES_PER_S)


def frames_per_s(frames_ms: Sequence[float]) -> float:
    """Return how many frames there were in a second."""
    return 1_000 * len(frames_ms) / sum(frames_ms)


def part(kept: Mapping[str, Any]) -> list[str]:
    """Return the paragraphs."""
    rows = [[said, show(spread_of([each[name] for each in kept["opened"]]), "{:,.0f}")] for name, said in PARTS.items()]
    frames = [
        [
            name,
            f"{frames_per_s(found):.1f}",
            f"{sum(each > LATE_MS for each in found)} of {len(found):,}",
            f"{max(found):.0f}",
        ]
        for name, found in kept["scrolled"].items()
    ]
    return [
        "## Viewer\n",
        machine_line(kept),
        METHOD,
        "### Bars of the viewer\n",
        bar_table(bars(kept)),
        f"### Opening a trace of {kept['spans']:,} spans\n",
        table(["", "ms"], rows),
        "### Scrolling it\n",
        table(["", "frames/s", f"longer than {LATE_MS} ms", "longest (ms)"], frames),
    ]
