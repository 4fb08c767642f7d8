"""Show a trace as a waterfall, or search for traces."""

import argparse
import json
import sys

from millrace.cli.arguments import Parser, add_color, add_json, count_of, trace_id
from millrace.cli.codes import DONE, FAILED
from millrace.cli.filters import add_span_filters, span_parameters
from millrace.cli.look import add_source, open_api, read_all
from millrace.cli.terminal import Terminal

HELP = "show a trace, or search for traces"

_EPILOG = """\
examples:
  millrace trace search --service shop --status error --since 15m
  millrace trace search --order slowest -n 1 --json | jq -r .trace_id
  millrace trace get 0af7651916cd43dd8448eb211c80319c
  millrace trace get 0af7651916cd43dd8448eb211c80319c --json > trace.json    as OTLP/JSON

They ask the server that keeps the store, or read the store themselves when there is none.
Exit codes: 0 found, 1 nothing found or no store, 3 no server answers at --server.
"""


def configure(parser: Parser) -> None:
    """Add the arguments."""
    parser.epilog = _EPILOG
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND", dest="verb", required=True)
    get = verbs.add_parser("get", help="show one trace", epilog=_EPILOG)
    get.add_argument("trace_id", type=trace_id, metavar="ID", help="the trace's id")
    get.add_argument("--spans", type=count_of, default=500, metavar="N", help="show at most so many spans (500)")
    add_source(get)
    add_json(get)
    add_color(get)
    get.set_defaults(run=_get)
    search = verbs.add_parser(
        "search", help="list traces that have a span which fulfils all conditions", epilog=_EPILOG
    )
    add_span_filters(search)
    search.add_argument("--order", choices=("recent", "slowest"), default="recent", help="which come first (recent)")
    add_source(search)
    add_json(search)
    add_color(search)
    search.set_defaults(run=_search)


def _get(arguments: argparse.Namespace) -> int:
    import shutil

    from millrace.cli.waterfall import waterfall

    api = open_api(arguments)
    path = f"/traces/{arguments.trace_id}"
    if arguments.json:
        print(json.dumps(api.get(f"{path}/otlp"), ensure_ascii=False))
        return DONE
    terminal = Terminal(arguments.color, sys.stdout)
    for line in waterfall(api.get(path), terminal, shutil.get_terminal_size().columns, max(1, arguments.spans)):
        print(line)
    return DONE


def _search(arguments: argparse.Namespace) -> int:
    from millrace.cli.lines import trace_line

    api = open_api(arguments)
    parameters = {**span_parameters(arguments), "order": arguments.order}
    found = read_all(api, "/traces", parameters, arguments.limit)
    terminal = Terminal(arguments.color, sys.stdout)
    for trace in found:
        print(json.dumps(trace, ensure_ascii=False) if arguments.json else trace_line(trace, terminal))
    if not found:
        Terminal(arguments.color).say("no trace fulfils this")
    return DONE if found else FAILED
