"""Compare two traces, or two runs: which operations are new, gone, slower or faster."""

import argparse
import json
import sys
from typing import Any

from millrace.cli.arguments import Parser, add_color, add_json, is_trace_id
from millrace.cli.codes import DONE, FAILED
from millrace.cli.look import LookError, add_source, open_api
from millrace.cli.terminal import Terminal, clean, table

HELP = "compare two traces or two runs"

_EPILOG = """\
examples:
  millrace compare 0af7651916cd43dd8448eb211c80319c 1bf7651916cd43dd8448eb211c80319d
  millrace compare 2026-01-31T12:00:00Z..2026-01-31T12:05:00Z 2026-01-31T13:00:00Z..
  millrace compare RUN_A RUN_B --json | jq '.items[] | select(.state == "slower")'

A run is a range of time: what began in it. Either end may be left out. Exit codes: 0 no operation is slower or gone,
1 some are, or have more errors; or one of the two has no spans.
"""
_COLOURS = {"slower": "\x1b[31m", "gone": "\x1b[33m", "new": "\x1b[36m", "faster": "\x1b[32m"}


def configure(parser: Parser) -> None:
    """Add the arguments."""
    parser.add_argument("a", metavar="RUN_A", help="a trace id, or a range of time: START..END")
    parser.add_argument("b", metavar="RUN_B", help="the same, for what is compared with it")
    parser.add_argument("--all", action="store_true", help="show what is the same, too")
    add_source(parser)
    add_json(parser)
    add_color(parser)
    parser.epilog = _EPILOG
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Compare them."""
    api = open_api(arguments)
    found = api.get("/compare", {**_side("a", arguments.a), **_side("b", arguments.b)})
    for side, text in (("a", arguments.a), ("b", arguments.b)):
        if not any(one[side]["count"] for one in found["items"]):
            raise LookError(f"no span began in {text}: there is nothing to compare")
    worse = [one for one in found["items"] if _is_worse(one)]
    if arguments.json:
        print(json.dumps(found, ensure_ascii=False))
    else:
        _print(found["items"], Terminal(arguments.color, sys.stdout), whole=arguments.all)
    return FAILED if worse else DONE


def _is_worse(item: dict[str, Any]) -> bool:
    return item["state"] in {"slower", "gone"} or item["b"]["errors"] > item["a"]["errors"]


def _side(side: str, text: str) -> dict[str, Any]:
    """Read a trace id or a range of time."""
    if is_trace_id(text):
        return {side: text}
    start, dots, end = text.partition("..")
    if not dots or not (start or end):
        raise ValueError(f"expected a trace id or a range of time START..END, got {text!r}")
    return {f"{side}_start": _time(start) if start else 0, f"{side}_end": _time(end) if end else None}


def _time(text: str) -> int:
    """Read a time of RFC 3339, or nanoseconds since 1970."""
    from datetime import UTC, datetime

    if text.isascii() and text.isdigit():
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"expected a time such as 2026-01-31T12:00:00Z, got {text!r}") from error
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return int(moment.timestamp() * 1_000_000) * 1_000


def _print(items: list[dict[str, Any]], terminal: Terminal, *, whole: bool) -> None:
    from millrace.cli.waterfall import duration_text

    rows = []
    for one in items:
        if one["state"] == "same" and one["a"]["errors"] == one["b"]["errors"] and not whole:
            continue
        a, b = one["a"], one["b"]
        change = (
            f"{(b['mean_ns'] / a['mean_ns'] - 1) * 100:+.0f} %" if a["count"] and b["count"] and a["mean_ns"] else ""
        )
        means = [duration_text(side["mean_ns"]) if side["count"] else "-" for side in (a, b)]
        errors = f"{a['errors']} -> {b['errors']}" if a["errors"] or b["errors"] else ""
        counts = f"{a['count']:,} -> {b['count']:,}"
        rows.append((one["state"], clean(one["service"]), clean(one["name"]), counts, *means, change, errors))
    if not rows:
        print("nothing differs")
        return
    lines = table(("state", "service", "operation", "count", "mean A", "mean B", "change", "errors"), rows).splitlines()
    print(terminal.bold(lines[0]))
    for row, line in zip(rows, lines[1:], strict=True):
        state = row[0]
        print(terminal.paint(_COLOURS[state], state) + line[len(state) :] if state in _COLOURS else line)
