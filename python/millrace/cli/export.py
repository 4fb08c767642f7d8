"""Write what a store keeps to a file of OTLP requests, or its spans to a trace for Perfetto."""

import argparse
import sys
from typing import TYPE_CHECKING

from millrace.cli.arguments import Parser, add_color, trace_id
from millrace.cli.codes import DONE, FAILED
from millrace.cli.data_folder import add_data, folder_of
from millrace.cli.extra import needed
from millrace.cli.terminal import Progress, Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from millrace.otlp import Signal
    from millrace.store import Store

HELP = "write what a store keeps to a file"

_EPILOG = """\
examples:
  millrace export telemetry.jsonl.zst                 everything, as OTLP/JSON lines
  millrace export traces.otlp --signal traces         protobuf, each request preceded by its length
  millrace export trace.jsonl --trace 0af7651916cd43dd8448eb211c80319c
  millrace export spans.parquet --signal traces       one Parquet file, for DuckDB, pandas and others
  millrace export trace.json.gz --chrome              spans, for ui.perfetto.dev

The store itself is a folder of Parquet files that other tools can read as they are. `millrace import` reads what this
writes, except for --chrome.
"""


def configure(parser: Parser) -> None:
    """Add the arguments."""
    parser.add_argument("file", help="a .jsonl or .otlp file, then .gz or .zst; .parquet; - is standard output")
    parser.add_argument("--signal", choices=("traces", "metrics", "logs", "profiles"), help="only of this signal")
    parser.add_argument("--trace", type=trace_id, metavar="ID", help="only the spans and log records of this trace")
    parser.add_argument("--chrome", action="store_true", help="write spans in Chrome's trace format instead")
    parser.add_argument("--to", dest="like", metavar="FORMAT", help="format, whatever the name says: jsonl or otlp")
    add_data(parser)
    add_color(parser)
    parser.epilog = _EPILOG
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write it."""
    with needed("exporting from a store"):
        from millrace.store import Store
    terminal = Terminal(arguments.color)
    with Store(folder_of(arguments.data)) as store:
        if arguments.chrome:
            items = _write_chrome(store, arguments)
        elif arguments.file.lower().endswith(".parquet") and not arguments.like:
            items = _write_parquet(store, arguments)
        else:
            items = _write_requests(store, arguments, terminal)
    terminal.say(f"{items:,} items to {'standard output' if arguments.file == '-' else arguments.file}")
    return DONE if items else FAILED


def _requests(store: "Store", arguments: argparse.Namespace) -> "Iterator[tuple[Signal, bytes]]":
    """Yield what was asked for, signal by signal."""
    for signal in ("traces", "logs", "metrics", "profiles"):
        if arguments.signal not in {None, signal}:
            continue
        if arguments.trace is None:
            for request in store.requests(signal):
                yield signal, request
            continue
        find = {"traces": store.trace, "logs": store.trace_logs}.get(signal)
        if find is not None and (found := find(arguments.trace)):
            yield signal, found


def _write_requests(store: "Store", arguments: argparse.Namespace, terminal: Terminal) -> int:
    from millrace import files, otlp

    like = files.format_of(f"x.{arguments.like}") if arguments.like else None
    progress = Progress(terminal, "items")
    items = 0
    with files.Writer(arguments.file, like=like) as writer:
        for signal, request in _requests(store, arguments):
            writer.write(signal, request)
            items += otlp.count(signal, request)
            progress.update(items)
    progress.close()
    return items


def _write_parquet(store: "Store", arguments: argparse.Namespace) -> int:
    if arguments.trace is not None:
        raise ValueError("a single trace is not written as Parquet: give the file a name that ends in .jsonl or .otlp")
    if arguments.signal is None:
        raise ValueError("a Parquet file holds one signal: add --signal traces, logs, metrics or profiles")
    return store.write_parquet(arguments.signal, arguments.file)


def _write_chrome(store: "Store", arguments: argparse.Namespace) -> int:
    import gzip
    from pathlib import Path

    from millrace.cli.chrome import write_chrome

    arguments.signal = "traces"
    requests = (request for _, request in _requests(store, arguments))
    if arguments.file == "-":
        return write_chrome(requests, sys.stdout)
    path = Path(arguments.file)
    if path.suffix == ".gz":  # which Perfetto opens as it is
        with gzip.open(path, "wt", encoding="utf-8") as file:
            return write_chrome(requests, file)
    if path.suffix != ".json":
        raise ValueError(f"expected a name that ends in .json or .json.gz for Chrome's trace format, got {str(path)!r}")
    with path.open("w", encoding="utf-8") as file:
        return write_chrome(requests, file)
