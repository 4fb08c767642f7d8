"""Show the newest traces or log records, and with -f those that arrive."""

import argparse
import json
import sys

from millrace.cli.arguments import Parser, add_color, add_json, count_of
from millrace.cli.codes import DONE, INTERRUPTED
from millrace.cli.look import Api, add_source, open_api, read_all
from millrace.cli.terminal import Terminal

HELP = "show what has arrived last, and what arrives"

_EPILOG = """\
examples:
  millrace tail                         the newest traces
  millrace tail logs -f                 log records as they arrive, until Ctrl-C
  millrace tail -f --json | jq .name    one JSON object a line
"""


def configure(parser: Parser) -> None:
    """Add the arguments."""
    parser.add_argument("signal", nargs="?", choices=("traces", "logs"), default="traces", help="of what (traces)")
    parser.add_argument("--follow", "-f", action="store_true", help="go on with what arrives, until Ctrl-C")
    parser.add_argument("--limit", "-n", type=count_of, default=10, metavar="N", help="begin with so many (10)")
    add_source(parser)
    add_json(parser)
    add_color(parser)
    parser.epilog = _EPILOG
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Show them."""
    api = open_api(arguments)
    return tail(api, arguments.signal, arguments.limit, arguments, follow=arguments.follow)


def tail(api: Api, signal: str, limit: int, arguments: argparse.Namespace, *, follow: bool) -> int:
    """Show what there is, and follow what arrives."""
    from millrace.cli.lines import log_line, trace_line

    terminal, messages = Terminal(arguments.color, sys.stdout), Terminal(arguments.color)
    line = trace_line if signal == "traces" else log_line

    def show(kind: str, text: str) -> None:
        item = json.loads(text)
        if kind == "dropped":
            messages.warn(f"{item['count']:,} were not shown: more arrives than can be written here")
        else:
            print(text if arguments.json else line(item, terminal), flush=True)

    for item in reversed(read_all(api, f"/{signal}", {}, limit)):
        show("message", json.dumps(item, ensure_ascii=False))
    if not follow:
        return DONE
    try:
        api.follow("/live", {"signal": signal}, show)
    except KeyboardInterrupt:
        return INTERRUPTED
    messages.say("the server has ended")
    return DONE
