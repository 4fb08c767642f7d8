"""A trace as a waterfall of text: who called whom, when, and for how long."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from millrace.cli.terminal import Terminal, clean

__all__ = ["duration_text", "time_text", "waterfall"]

SERVICE_COLOURS = ("\x1b[36m", "\x1b[33m", "\x1b[35m", "\x1b[32m", "\x1b[34m", "\x1b[96m", "\x1b[93m", "\x1b[95m")
_RED = "\x1b[31m"
_ERROR = 2
_DEPTH_MAX = 12
_NAMES_MAX = 48
_BAR_MIN = 20
_AXIS_WIDE = 48
_DURATION_WIDTH = 9
_YEAR_NS = 365.25 * 86_400e9
_YEARS_FROM = 3
"""A span that takes longer has a wrong clock, and no use for days."""


def duration_text(nanoseconds: float) -> str:
    """Return a duration with three digits and its unit."""
    if nanoseconds >= _YEARS_FROM * _YEAR_NS:
        return f"{nanoseconds / _YEAR_NS:,.0f} years"
    for unit, size in (("d", 86_400e9), ("h", 3_600e9), ("min", 60e9), ("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if nanoseconds >= size:
            value = nanoseconds / size
            return f"{value:.{2 if value < 10 else 1 if value < 100 else 0}f} {unit}"  # noqa: PLR2004 - three digits
    return f"{nanoseconds:.0f} ns"


def time_text(unix_nano: str | int) -> str:
    """Return a time to the millisecond, in UTC."""
    try:
        return f"{datetime.fromtimestamp(int(unix_nano) // 1_000_000 / 1_000, UTC):%Y-%m-%d %H:%M:%S.%f}"[:-3] + "Z"
    except (OverflowError, ValueError, OSError):  # a clock beyond the year 9999
        return f"{unix_nano} ns"


def waterfall(trace: dict[str, Any], terminal: Terminal, width: int, rows_max: int) -> Iterator[str]:
    """Yield the lines of a trace as `/api/v1/traces/{trace_id}` answers it."""
    spans, services = trace["spans"], trace["services"]
    order = list(_in_order(spans["parent"]))
    shown = order[:rows_max]
    names = [(prefix, clean(trace["names"][spans["name"][at]])) for at, prefix in shown]
    service_width = min(24, max(len(clean(name)) for name in services))
    name_width = min(_NAMES_MAX, max(len(prefix) + len(name) for prefix, name in names))
    bar_width = max(_BAR_MIN, width - service_width - name_width - _DURATION_WIDTH - 5)
    yield from _head(trace, terminal)
    yield " " * (service_width + name_width + 3) + terminal.dim(_axis(trace["duration_ns"], bar_width))
    before = None
    for (at, prefix), (_, name) in zip(shown, names, strict=True):
        number = spans["service"][at]
        failed = spans["status"][at] == _ERROR
        colour = SERVICE_COLOURS[number % len(SERVICE_COLOURS)]
        service = _cut(clean(services[number]), service_width) if number != before else " " * service_width
        before = number
        label = _cut(name, name_width - len(prefix))
        bar = _bar(spans["start_ns"][at], spans["duration_ns"][at], trace["duration_ns"], bar_width)
        length = duration_text(spans["duration_ns"][at]).rjust(_DURATION_WIDTH)
        yield " ".join(
            [
                terminal.paint(colour, service),
                terminal.dim(prefix) + (terminal.paint(_RED, label) if failed else label),
                terminal.paint(_RED, "✗") if failed else " ",
                terminal.paint(_RED if failed else colour, bar) + length,
            ]
        ).rstrip()
    if len(order) > rows_max:
        yield terminal.dim(f"... and {len(order) - rows_max:,} more spans; --spans shows more")
    for problem in trace["problems"]:
        yield terminal.paint("\x1b[33m", f"! {clean(problem)}")


def _head(trace: dict[str, Any], terminal: Terminal) -> Iterator[str]:
    spans = trace["spans"]
    errors = spans["status"].count(_ERROR)
    root = spans["parent"].index(-1) if -1 in spans["parent"] else 0
    name = clean(trace["names"][spans["name"][root]])
    count = len(spans["span_id"])
    facts = [
        duration_text(trace["duration_ns"]),
        f"{count:,} span{'s' * (count != 1)}",
        f"{len(trace['services'])} service{'s' * (len(trace['services']) != 1)}",
    ]
    failed = terminal.paint(_RED, f"{errors:,} error{'s' * (errors != 1)}") if errors else "no errors"
    yield f"{terminal.bold(name)}  {' · '.join(facts)} · {failed}"
    yield terminal.dim(f"{trace['trace_id']} · {time_text(trace['start_time_unix_nano'])}")
    yield ""


def _in_order(parents: Sequence[int]) -> Iterator[tuple[int, str]]:
    """Yield rows depth first, each with the lines of the tree before its name. Rows in a cycle come as roots."""
    children: dict[int, list[int]] = {}
    for row, parent in enumerate(parents):
        children.setdefault(parent, []).append(row)
    done = [False] * len(parents)
    for first in [*children.get(-1, []), *range(len(parents))]:
        stack = [(first, "", "")]
        while stack:
            row, prefix, below = stack.pop()
            if done[row]:
                continue
            done[row] = True
            yield row, prefix
            inner = children.get(row, [])
            deep = below[: 3 * _DEPTH_MAX]
            for child in reversed(inner):
                is_last = child == inner[-1]
                stack.append((child, deep + ("╰─ " if is_last else "├─ "), deep + ("   " if is_last else "│  ")))


def _bar(start: int, length: int, whole: int, width: int) -> str:
    """Draw a span on its part of the line, to half a character."""
    whole = max(1, whole)
    halves = 2 * width
    begin = min(halves - 1, start * halves // whole)
    end = min(halves, max(begin + 1, -(-(start + length) * halves // whole)))
    cells = []
    for cell in range(width):
        left, right = begin <= 2 * cell < end, begin <= 2 * cell + 1 < end
        cells.append({(True, True): "━", (True, False): "╸", (False, True): "╺"}.get((left, right), " "))
    return "".join(cells)


def _axis(whole: int, width: int) -> str:
    """Name the times at both ends, and at the quarters where there is room."""
    line = [" "] * width
    steps = 4 if width >= _AXIS_WIDE else 1
    for step in range(steps + 1):
        text = duration_text(whole * step / steps) if step else "0"
        at = min(width - len(text), step * width // steps)
        line[at : at + len(text)] = text
    return "".join(line)


def _cut(text: str, width: int) -> str:
    return text.ljust(width) if len(text) <= width else text[: max(0, width - 1)] + "…"
