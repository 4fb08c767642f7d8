"""Convert a file of OTLP requests: JSON lines, protobuf, compressed or not, by the endings of the names."""

import argparse

from millrace.cli.arguments import Parser, add_color
from millrace.cli.codes import DONE
from millrace.cli.terminal import Progress, Terminal

HELP = "convert a file of OTLP requests"

FORMATS = (
    *(f"{encoding}{compression}" for encoding in ("jsonl", "otlp") for compression in ("", ".gz", ".zst")),
    "otz",
)

_EPILOG = """\
endings:
  .jsonl .json    OTLP/JSON, one request a line (what the Collector's file exporter writes)
  .otlp           protobuf, each request preceded by its length in 4 bytes, big-endian
  .otz            tracezip: the same requests, byte for byte, in fewer bytes
  .gz .zst        after one of them: compressed as a whole

examples:
  millrace convert traffic.otlp.zst traffic.jsonl
  millrace convert --signal metrics scraped.otlp scraped.jsonl.gz
  curl -s https://example.com/t.jsonl | millrace convert --from jsonl - t.otlp.zst

The signal of protobuf is told from the bytes; --signal names it where they fit several.
"""


def configure(parser: Parser) -> None:
    """Add the arguments."""
    parser.add_argument("input", help="file to read; - is standard input and needs --from")
    parser.add_argument("output", help="file to write; - is standard output and needs --to")
    parser.add_argument("--from", dest="like", choices=FORMATS, help="format of the input, whatever its name")
    parser.add_argument("--to", choices=FORMATS, help="format of the output, whatever its name")
    parser.add_argument("--signal", choices=("traces", "metrics", "logs", "profiles"), help="signal of an .otlp file")
    add_color(parser)
    parser.epilog = _EPILOG
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Convert it."""
    from millrace import files, otlp

    terminal = Terminal(arguments.color)
    like = files.format_of(f"x.{arguments.like}") if arguments.like else None
    to = files.format_of(f"x.{arguments.to}") if arguments.to else None
    progress = Progress(terminal, "requests")
    requests = items = 0
    with files.Writer(arguments.output, like=to) as writer:
        for request in files.read(arguments.input, arguments.signal, like=like):
            writer.write(request.signal, request.data)
            requests += 1
            items += otlp.count(request.signal, request.data)
            progress.update(requests, f"{items:,} items")
    progress.close()
    terminal.say(f"{requests:,} requests, {items:,} items written to {arguments.output}")
    return DONE
