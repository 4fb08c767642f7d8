"""Show log records: the newest that fulfil every condition, the oldest of them first."""

import argparse
import json
import sys

from millrace.cli.arguments import Parser, add_color, add_json
from millrace.cli.codes import DONE, FAILED
from millrace.cli.filters import add_log_filters, log_parameters
from millrace.cli.look import add_source, open_api, read_all
from millrace.cli.terminal import Terminal

HELP = "show log records"

_EPILOG = """\
examples:
  millrace logs --service shop --severity warn --since 1h
  millrace logs --trace 0af7651916cd43dd8448eb211c80319c
  millrace logs --search "connection refused" --json | jq .attributes

`millrace tail logs -f` shows them as they arrive.
Exit codes: 0 found, 1 nothing found or no store, 3 no server answers at --server.
"""


def configure(parser: Parser) -> None:
    """Add the arguments."""
    add_log_filters(parser)
    add_source(parser)
    add_json(parser)
    add_color(parser)
    parser.epilog = _EPILOG
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Show them."""
    from millrace.cli.lines import log_line

    found = read_all(open_api(arguments), "/logs", log_parameters(arguments), arguments.limit)
    terminal = Terminal(arguments.color, sys.stdout)
    for record in reversed(found):
        print(json.dumps(record, ensure_ascii=False) if arguments.json else log_line(record, terminal))
    if not found:
        Terminal(arguments.color).say("no log record fulfils this")
    return DONE if found else FAILED
