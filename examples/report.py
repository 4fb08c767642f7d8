"""What the demo prints: the accounts of each signal, and what the store tells about the shop."""

import os
import shutil
import sys
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from millrace.cli.look import Api, open_api
from millrace.cli.terminal import Terminal
from millrace.cli.waterfall import duration_text, waterfall

SIGNALS = ("traces", "metrics", "logs")
COLOUR = sys.stdout.isatty() and "NO_COLOR" not in os.environ
GREEN, RED, DIM, BOLD = "32", "31", "2", "1"
WIDTH_MAX = 110
SPANS_MAX = 20


@dataclass(frozen=True)
class Account:
    """What the server says it did with one signal, and what the store holds."""

    signal: str
    received: int
    kept: int
    dropped: int
    queued: int
    found: int

    def adds_up(self) -> bool:
        """Every item is accounted for, the store holds what was kept, and there was something."""
        return self.received == self.kept + self.dropped + self.queued and self.found == self.kept > 0


def paint(text: str, colour: str) -> str:
    """Colour a text, on a terminal only."""
    return f"\x1b[{colour}m{text}\x1b[0m" if COLOUR else text


def api_of(store: Path) -> Api:
    """The API over the files of a store: nothing serves it any more."""
    return open_api(Namespace(server=None, token=None, data=str(store)))


def accounts(stats: dict[str, Any], store: Path) -> Iterator[Account]:
    """Compare what the server says with what is in the store."""
    found = api_of(store).get("/status")["signals"]
    for name in SIGNALS:
        kept = stats["exporters"]["store"][name]
        received = stats["receivers"]["otlp"][name]["received"]
        dropped = sum(kept["dropped"].values())
        yield Account(name, received, kept["exported"], dropped, kept["queued"], found[name]["rows"])


def table(balance: list[Account]) -> str:
    """The accounts as a table, one line for each signal."""
    columns = ("received", "kept", "dropped", "queued", "found")
    lines = [paint(f"  {'signal':9}" + "".join(f"{name:>10}" for name in columns), BOLD)]
    for account in balance:
        numbers = "".join(f"{getattr(account, name):>10,}" for name in columns)
        verdict = paint("✓", GREEN) if account.adds_up() else paint("✗ does not add up", RED)
        lines.append(f"  {account.signal:9}{numbers}  {verdict}")
    return "\n".join(lines)


def look(store: Path) -> tuple[str, str]:
    """What the store tells: errors per service, the busiest operation, the slowest trace; and the id of that."""
    api = api_of(store)
    lines = ["", "Errors of each service, asked of the store", ""]
    for one in api.get("/services")["items"]:
        rate = one["errors"] / one["spans"]
        failed = paint(f"{rate:6.1%}", RED if one["errors"] else GREEN)
        lines.append(f"  {one['name']:12}{failed}  {one['errors']:>4,} of {one['spans']:>5,} spans failed")
    entered = [one for one in api.get("/operations")["items"] if one["kind"] in {"SERVER", "CONSUMER"}]
    busiest = entered[0]
    half, most = duration_text(busiest["p50_ns"]), duration_text(busiest["p99_ns"])
    name = f"{paint(busiest['name'], BOLD)} of {busiest['service']}"
    lines += [
        "",
        f"The busiest operation is {name}: {busiest['spans']:,} times, half within {half}, 99 % within {most}",
    ]
    lines += ["", "The slowest trace", ""]
    slowest = api.get("/traces", {"order": "slowest", "limit": 1})["items"][0]
    terminal = Terminal("always" if COLOUR else "never", sys.stdout)
    width = min(WIDTH_MAX, shutil.get_terminal_size().columns)
    drawn = waterfall(api.get(f"/traces/{slowest['trace_id']}"), terminal, width - 2, SPANS_MAX)
    return "\n".join([*lines, *(f"  {line}".rstrip() for line in drawn), ""]), slowest["trace_id"]
