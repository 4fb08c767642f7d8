"""Show what is inside a file of OTLP requests: what there is of what, and the tree of names."""

import argparse
import json

from millrace.cli.arguments import Parser, add_color, add_json
from millrace.cli.codes import DONE
from millrace.cli.terminal import Progress, Terminal, clean, table

HELP = "show what is inside a file of OTLP requests"

_EPILOG = """\
examples:
  millrace inspect received.jsonl
  millrace inspect traffic.otlp.zst --tree
  millrace inspect traffic.otlp.zst --json | jq '.services[] | select(.errors > 0)'
  millrace inspect received.jsonl --requests | head       the requests themselves, as OTLP/JSON lines
"""


def configure(parser: Parser) -> None:
    """Add the arguments."""
    parser.add_argument("file", help="a .jsonl, .json or .otlp file, then .gz or .zst; - is standard input")
    parser.add_argument("--tree", action="store_true", help="show services, scopes and names with their counts")
    parser.add_argument("--requests", action="store_true", help="print the requests as OTLP/JSON lines")
    parser.add_argument("--from", dest="like", metavar="FORMAT", help="format, whatever the name says: jsonl or otlp")
    parser.add_argument("--signal", choices=("traces", "metrics", "logs", "profiles"), help="signal of an .otlp file")
    add_json(parser)
    add_color(parser)
    parser.epilog = _EPILOG
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Show it."""
    from millrace import files, otlp
    from millrace.cli.summary import Summary

    terminal = Terminal(arguments.color)
    like = files.format_of(f"x.{arguments.like}") if arguments.like else None
    progress = Progress(terminal, "requests")
    summary = Summary()
    for request in files.read(arguments.file, arguments.signal, like=like):
        text = otlp.to_json(request.signal, request.data)
        if arguments.requests:
            print(text.decode())
            continue
        checked = otlp.validate(request.signal, request.data)
        summary.add(request.signal, len(request.data), checked, json.loads(text))
        progress.update(summary.requests)
    progress.close()
    if arguments.requests:
        return DONE
    if arguments.json:
        print(json.dumps(summary.as_json(), indent=2, ensure_ascii=False))
    else:
        _print(summary.as_json(), tree=arguments.tree)
    return DONE


def _print(found: dict[str, list[dict[str, object]]], *, tree: bool) -> None:
    rows = [
        (row["signal"], row["requests"], row["items"], row["invalid"], row["bytes"], row["first"], row["last"])
        for row in found["signals"]
    ]
    print(table(("signal", "requests", "items", "invalid", "bytes", "from", "to"), rows))
    services = [
        (clean(str(row["service"])), row["signal"], row["items"], row["errors"], row["names"])
        for row in found["services"]
    ]
    if services:
        print()
        print(table(("service", "signal", "items", "errors", "names"), services))
    if tree:
        print()
        _print_tree(found["names"])


def _print_tree(names: list[dict[str, object]]) -> None:
    above: tuple[object, object] = (None, None)
    for row in names:
        if row["service"] != above[0]:
            print(clean(str(row["service"])))
        if (row["service"], row["scope"]) != above:
            print(f"  {clean(str(row['scope'])) or '(no scope)'}")
        above = (row["service"], row["scope"])
        print(f"    {row['count']:>10,}  {clean(str(row['name']))}")
