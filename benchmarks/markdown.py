"""What all parts of the page are made of: tables, the machine's line, bars, spreads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from benchmarks.bars import Bar
    from benchmarks.figures import Spread


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table; all columns but the first are numbers."""
    lines = [f"| {' | '.join(head)} |", f"|---|{'---:|' * (len(head) - 1)}"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def machine_line(results: Mapping[str, Any]) -> str:
    """Return what it was measured on, and when."""
    machine = results["machine"]
    versions = "".join(f", {name} {version}" for name, version in results.get("versions", {}).items())
    changed = " with changes not yet committed" if machine["modified"] else ""
    quick = " **A quick trial, not a measurement: one short run each.**" if results["quick"] else ""
    return (
        f"Measured {machine['measured_at']} at commit {machine['commit']}{changed} on {machine['cores']} cores of "
        f"{machine['cpu']}, {machine['memory_gib']} GiB, {machine['system']}; load average before: "
        f"{machine['load_before']}. Python {machine['python']}, Rust {machine['rust']}, Go {machine['go']}{versions}."
        f"{quick}\n"
    )


def bar_table(found: Iterable[Bar]) -> str:
    """Return the table of bars."""
    rows = [f"| {bar.what} | {bar.required} | {bar.measured} | {bar.verdict()} |" for bar in found]
    return "\n".join(["| bar | required | measured | |", "|---|---|---|---|", *rows]) + "\n"


def show(spread: Spread | None, form: str, scale: float = 1.0) -> str:
    """Return the median, and in brackets the least and the most where they differ."""
    if spread is None:
        return ""
    median, least, most = (form.format(value * scale) for value in (spread.median, spread.least, spread.most))
    return median if least == most else f"{median} ({least} to {most})"
